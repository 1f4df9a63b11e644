//! The lines of a trace, as the command line prints them.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::SystemTime;

use crate::event::Event;
use crate::kernel::WaitCalls;
use crate::ledger::Ledger;
use crate::output::{
    Clock, Conclusion, Destination, Output, Pids, Shown, SignalSet, Sink, Stamps, Style, Styles,
    Target, Text, TextOptions,
};

/// Where results stand in a line, unless the call is longer (`-a`).
const COLUMN: usize = 40;

/// The annotated lines of these events; `restart_outcomes` if they say which interrupted
/// waits are restarted.
pub(super) fn lines(events: &[Event], restart_outcomes: bool) -> String {
    let written = Written::default();
    let sink = || Sink::new(Box::new(written.clone()), Destination::File);
    let clock = Clock::new(SystemTime::UNIX_EPOCH);
    let target = Target::File(sink());
    let mut text = Text::new(
        options(restart_outcomes),
        Styles::plain(),
        clock,
        target,
        sink(),
    );
    let mut ledger = Ledger::new();
    for event in events {
        ledger.apply(event);
        text.event(event, &ledger);
    }
    // Memory takes everything.
    let _ = text.finish(&Conclusion::unjudged(&ledger));
    drop(text);
    String::from_utf8_lossy(&written.0.take()).into_owned()
}

/// How the lines look.
pub(super) fn options(restart_outcomes: bool) -> TextOptions {
    TextOptions {
        style: Style::Annotated,
        column: COLUMN,
        stamps: Stamps::default(),
        durations: false,
        verbose: false,
        quiet: 0,
        signals: SignalSet::ALL,
        pids: Pids::Plain,
        follow: true,
        shown: Shown::ALL,
        calls: WaitCalls::ALL,
        restart_outcomes,
        only: Vec::new(),
        hidden: false,
        columns: || None,
        stacks: false,
        whole_stacks: false,
    }
}

/// Bytes in memory, which are read when their writer is gone.
#[derive(Clone, Default)]
struct Written(Rc<RefCell<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
