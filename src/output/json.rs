//! Events as JSON lines (`--format json`, `--record`).

use std::borrow::Cow;
use std::io;

use serde::Serialize;

use super::report::{advice, sentence};
use super::sink::Sink;
use super::{Conclusion, Output, waiting};
use crate::event::{Event, EventKind, Moment, Origin, Stack, harmless_json, one_line};
use crate::ledger::Ledger;
use crate::rules::{self, Severity, ZombiesLeft};
use crate::wire::{self, Body, End, Finding, Line, Message};

/// Where messages to the user go.
#[derive(Debug)]
pub enum Messages {
    /// Nowhere: another output shows them.
    Elsewhere,
    /// To standard error.
    To(Sink),
    /// Into the lines, which go to standard error themselves.
    InLines,
}

/// The JSON lines.
#[derive(Debug)]
pub struct Json {
    sink: Sink,
    /// The line under construction.
    buffer: Vec<u8>,
    messages: Messages,
}

impl Json {
    /// Writes the first line.
    #[must_use]
    pub fn new(sink: Sink, messages: Messages, origin: &Origin) -> Json {
        let mut json = Json {
            sink,
            buffer: Vec::new(),
            messages,
        };
        json.line(&wire::start(origin));
        json
    }

    fn line(&mut self, line: &impl Serialize) {
        self.sink.push(&text(line, &mut self.buffer));
    }

    fn write(&mut self, body: Body) {
        self.line(&Line {
            v: None,
            seq: None,
            body,
        });
    }
}

/// A line as text; `buffer` is scratch space.
fn text<'a>(line: &impl Serialize, buffer: &'a mut Vec<u8>) -> Cow<'a, [u8]> {
    buffer.clear();
    // Wire types hold nothing that JSON cannot, and a Vec takes all.
    if serde_json::to_writer(&mut *buffer, line).is_err() {
        return Cow::Borrowed(&[]);
    }
    buffer.push(b'\n');
    // It wrote no bytes but UTF-8.
    match harmless_json(str::from_utf8(buffer).unwrap_or_default()) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

impl Output for Json {
    fn event(&mut self, event: &Event, ledger: &Ledger) {
        let line = wire::event(event, ledger);
        match event.kind.stack().filter(|stack| !stack.is_known()) {
            None => self.line(&line),
            Some(stack) => {
                let mut line = line;
                let text = move |stack: &Stack| {
                    line.body.set_stack(stack);
                    text(&line, &mut Vec::new()).into_owned()
                };
                self.sink.push_stack(stack, Box::new(text));
            }
        }
        self.sink.settle();
        if let (EventKind::Looked(look), Messages::To(messages)) = (&event.kind, &mut self.messages)
            && let Some(tree) = waiting::tree(look, event.at, ledger, None)
        {
            messages.push(format!("wait4-strace: {tree}").as_bytes());
            messages.write_out();
        }
    }

    fn message(&mut self, text: &str) {
        match &mut self.messages {
            Messages::Elsewhere => {}
            Messages::To(sink) => {
                sink.push(format!("wait4-strace: {}\n", one_line(text)).as_bytes());
                sink.write_out();
            }
            Messages::InLines => {
                let text = text.to_owned();
                self.write(Body::Message(Message { text }));
                self.sink.write_out();
            }
        }
    }

    fn tick(&mut self, _: Moment, _: &Ledger) {
        self.sink.write_out();
    }

    fn pause(&mut self) {
        if let Messages::To(sink) = &mut self.messages {
            sink.pause();
        }
        self.sink.pause();
    }

    fn is_watched(&self) -> bool {
        self.sink.is_watched()
    }

    fn wants_tick(&self) -> bool {
        self.sink.is_dirty()
    }

    fn finish(&mut self, end: &Conclusion<'_>) -> io::Result<()> {
        for finding in end.findings {
            self.write(Body::Finding(finding.into()));
        }
        if let Some(summary) = end.summary {
            self.write(Body::Summary(summary.wire()));
        }
        self.write(Body::End(end.into()));
        self.sink.finish()
    }
}

impl From<&rules::Finding> for Finding {
    fn from(finding: &rules::Finding) -> Finding {
        let children = finding.children.iter();
        let evidence = finding.evidence.iter();
        Finding {
            rule: finding.rule.name().to_owned(),
            severity: finding.severity.name().to_owned(),
            pid: finding.parent.tgid.raw(),
            comm: finding.parent.comm().into(),
            children: children.map(|child| child.process.tgid.raw()).collect(),
            count: finding.count,
            message: sentence(finding),
            help: advice(finding).to_owned(),
            evidence: evidence.map(|line| line.when.seq).collect(),
        }
    }
}

impl From<&Conclusion<'_>> for End {
    fn from(end: &Conclusion<'_>) -> End {
        let count = |level: Severity| {
            let all = end.findings.iter();
            all.filter(|finding| finding.severity == level).count() as u64
        };
        let counts = end.ledger.counts();
        End {
            processes: counts.processes,
            reaped: counts.reaped,
            zombies: end.left.map(ZombiesLeft::total),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            infos: count(Severity::Info),
            unseen: end.unseen.to_vec(),
            notes: end.notes.to_vec(),
        }
    }
}
