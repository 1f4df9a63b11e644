//! A run without a tracer: a record of a trace goes through ledger, rules and
//! outputs as if it happened now.

use std::path::Path;

use super::complain;
use super::config::Config;
use super::inquest::Inquest;
use super::session::Session;
use crate::event::{Event, EventKind, Moment, ProcView};
use crate::exit::Exit;
use crate::kernel::{Tgid, Tid};
use crate::records;
use crate::sys::patience::outlive_first_interrupt;

/// Read a record to its end.
pub(super) fn read(config: &Config, path: &Path) -> Exit {
    let name = if path.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let fail = |why: String| {
        complain(&why);
        Exit::Failed
    };
    if path.as_os_str() == "-" {
        outlive_first_interrupt();
    }
    let mut record = match records::open(path, config.system) {
        Ok(record) => record,
        Err(why) => return fail(format!("cannot read {name} (--read): {why}")),
    };
    let mut session = match Session::open(config, record.origin()) {
        Ok(session) => session,
        Err(why) => return fail(why),
    };
    let mut last = Last::default();
    let unseen = record.origin().proc == ProcView::Unseen;
    let mut inquest = unseen.then(Inquest::default);
    let mut events = Vec::new();
    let broken = loop {
        let read = record.read(&mut events);
        last.note(&events);
        session.exclude(record.out_of_reach());
        match &mut inquest {
            Some(inquest) => inquest.take(&mut events, &*record, &mut session),
            None => session.take(&mut events),
        }
        // What the record has no answer to is not asked again.
        session.questions(last.at);
        // The next event of a record that is still written may be long in
        // coming.
        session.tick(last.at);
        match read {
            Ok(true) => {}
            Ok(false) => break None,
            Err(broken) => break Some(broken),
        }
    };
    if let Some(inquest) = &mut inquest {
        inquest.end(&mut session);
    }
    if session.judging().is_some() {
        session.take(&mut vec![last.over()]);
    }
    for clause in record.lacks() {
        session.miss(&clause);
    }
    for clause in record.passed_over() {
        if session.reports() {
            session.miss(&clause);
        } else {
            session.message(&format!("{name}: {clause}"));
        }
    }
    let fails = session.finish(true);
    if let Some(broken) = broken {
        return fail(format!("{name}, {broken}; what came before it was read"));
    }
    match fails {
        Ok(fails) => fails.unwrap_or(Exit::Code(0)),
        Err(why) => fail(why),
    }
}

/// The place of the last event.
#[derive(Default)]
struct Last {
    seq: u64,
    at: Moment,
}

impl Last {
    fn note(&mut self, events: &[Event]) {
        if let Some(event) = events.last() {
            (self.seq, self.at) = (event.seq, event.at);
        }
    }

    /// The end of a trace whose record has none.
    fn over(&self) -> Event {
        Event {
            seq: self.seq.saturating_add(1),
            at: self.at,
            tid: Tid::new(0),
            tgid: Tgid::new(0),
            kind: EventKind::Over,
        }
    }
}
