//! What the fuzz targets share: a record through everything that reads it, and
//! what must hold for all that is written.

use std::cell::RefCell;
use std::io::{self, Cursor, Write};
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use wait4_strace::ledger::Ledger;
use wait4_strace::output::{
    Clock, Conclusion, Destination, Json, Messages, Output, Pids, Report, ReportForm, Shown,
    SignalSet, Sink, Snapshot, SnapshotText, Stamps, Style, Styles, Target, Text, TextOptions,
};
use wait4_strace::rules::{Expected, RuleEngine, Thresholds};
use wait4_strace::{kernel::WaitCalls, records};

/// A file that is looked at afterwards.
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

impl Written {
    fn sink(&self) -> Sink {
        Sink::new(Box::new(self.clone()), Destination::File)
    }

    fn check(&self) {
        check(str::from_utf8(&self.0.borrow()).expect("the output is UTF-8"));
    }
}

/// No output moves a cursor, ends a line for some reader, or turns the order of
/// what follows.
pub fn check(text: &str) {
    let harms = |c: char| {
        c != '\n' && c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(harms), "{text:?}");
}

fn options(restart_outcomes: bool, style: Style) -> TextOptions {
    TextOptions {
        style,
        column: 40,
        stamps: Stamps::default(),
        durations: true,
        verbose: true,
        quiet: 0,
        signals: SignalSet::ALL,
        pids: Pids::Names,
        follow: true,
        shown: Shown::ALL,
        calls: WaitCalls::ALL,
        restart_outcomes,
        only: Vec::new(),
        hidden: false,
        columns: || None,
        stacks: true,
        whole_stacks: false,
    }
}

/// Read a record to its end, through ledger, rules and every output.
pub fn read(record: &[u8]) {
    let mut source = match records::from(Box::new(Cursor::new(record.to_vec())), None) {
        Ok(source) => source,
        Err(_) => return,
    };
    let files: [Written; 4] = Default::default();
    let [annotated, strace, json, messages] = &files;
    let text = |file: &Written, style| {
        Text::new(
            options(source.origin().restart_outcomes, style),
            Styles::plain(),
            Clock::new(UNIX_EPOCH),
            Target::File(file.sink()),
            messages.sink(),
        )
    };
    let snapshot = SnapshotText::default();
    let mut outputs: [Box<dyn Output>; 4] = [
        Box::new(Snapshot::new(&snapshot)),
        Box::new(text(annotated, Style::Annotated)),
        Box::new(text(strace, Style::Strace)),
        Box::new(Json::new(
            json.sink(),
            Messages::To(messages.sink()),
            source.origin(),
        )),
    ];
    let mut ledger = Ledger::new();
    let mut judge = RuleEngine::new(Thresholds::default(), Expected::default());
    let mut events = Vec::new();
    loop {
        let more = source.read(&mut events);
        for event in events.drain(..) {
            ledger.apply(&event);
            judge.event(&event, &ledger);
            judge.questions(event.at, &ledger);
            for output in &mut outputs {
                output.event(&event, &ledger);
            }
        }
        if more != Ok(true) {
            break;
        }
    }
    let unseen = source.lacks();
    let notes = source.notes();
    let end = Conclusion {
        findings: judge.findings(),
        left: Some(judge.zombies_left()),
        unseen: &unseen,
        notes: &notes,
        ..Conclusion::unjudged(&ledger)
    };
    for output in &mut outputs {
        output.finish(&end).expect("memory takes all");
    }
    files.iter().for_each(Written::check);
    check(snapshot.get().expect("it is finished"));
    let report = Report {
        findings: judge.findings(),
        left: judge.zombies_left().total(),
        counts: ledger.counts(),
        unseen: &unseen,
        notes: &notes,
        unused: &[],
        styles: Styles::plain(),
        summary: true,
        root: String::new(),
    };
    for form in [ReportForm::Text, ReportForm::Github, ReportForm::Gitlab] {
        check(&report.formed(form));
    }
}
