//! The events as they are, a line of JSON each: what a wrong finding can be
//! shown with, and judged again from.

use std::io;
use std::path::Path;

use super::open::file;
use crate::event::Event;
use crate::output::Sink;

/// Writes events down.
pub(super) struct Recorder(Sink);

impl Recorder {
    pub(super) fn create(path: &Path) -> Result<Recorder, String> {
        let sink = file(path.to_owned());
        sink.map(Recorder)
            .map_err(|error| format!("cannot write to {} (--record): {error}", path.display()))
    }

    pub(super) fn event(&mut self, event: &Event) {
        // Events hold nothing that JSON cannot.
        if let Ok(line) = serde_json::to_vec(event) {
            self.0.push(&line);
            self.0.push(b"\n");
            self.0.settle();
        }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.0.finish()
    }
}

/// Read a recording.
///
/// # Errors
/// A sentence on the first line that is no event.
pub fn read(text: &str) -> Result<Vec<Event>, String> {
    let lines = text.lines().zip(1..);
    let events = lines.map(|(line, number)| {
        serde_json::from_str(line).map_err(|error| format!("line {number} is no event: {error}"))
    });
    events.collect()
}
