//! The timeline (`--timeline`): the lives of all processes as a picture. Pure:
//! events and the ledger go in, a page, a still picture or a trace for Perfetto
//! comes out.

mod collector;
mod crowd;
mod html;
mod model;
mod perfetto;
mod selection;
mod svg;

use std::io;

use super::sink::Sink;
use super::{Conclusion, Output};
use crate::event::Event;
use crate::ledger::Ledger;
use collector::Collector;

/// What the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// A page that can be zoomed (`.html`).
    Page,
    /// A still picture (`.svg`).
    Still,
    /// Chrome's trace events, which Perfetto opens (`.json`).
    Trace,
}

impl Picture {
    /// The kind that a file's name asks for.
    #[must_use]
    pub fn of(path: &std::path::Path) -> Option<Picture> {
        match path.extension()?.to_str()? {
            "html" | "htm" => Some(Picture::Page),
            "svg" => Some(Picture::Still),
            "json" => Some(Picture::Trace),
            _ => None,
        }
    }
}

/// Draws the timeline of a trace.
#[derive(Debug)]
pub struct Timeline {
    picture: Picture,
    sink: Sink,
    collector: Collector,
    title: String,
}

impl Timeline {
    /// Draws to `sink` when the trace is over; `title` heads the picture.
    #[must_use]
    pub fn new(picture: Picture, sink: Sink, title: String) -> Timeline {
        Timeline {
            picture,
            sink,
            collector: Collector::default(),
            title,
        }
    }
}

impl Output for Timeline {
    fn event(&mut self, event: &Event, ledger: &Ledger) {
        self.collector.event(event, ledger);
    }

    fn finish(&mut self, end: &Conclusion<'_>) -> io::Result<()> {
        let collector = std::mem::take(&mut self.collector);
        let model = collector.finish(&self.title, end);
        let text = match self.picture {
            Picture::Page => html::page(&model),
            Picture::Still => svg::picture(&model),
            Picture::Trace => perfetto::trace(&model),
        };
        self.sink.push(text.as_bytes());
        self.sink.finish()
    }
}

#[cfg(test)]
mod tests;
