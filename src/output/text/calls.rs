//! The lines of wait calls: their entries, exits and restarts, and the runs of polls.

use owo_colors::Style;

use super::Text;
use crate::event::{Event, Moment, WaitEntry, WaitExit};
use crate::kernel::{Signal, Tgid, Tid};
use crate::ledger::Ledger;
use crate::output::annotations::{self, Interruption};
use crate::output::call_syntax;
use crate::output::poll_runs::PollRun;

/// A child that was a zombie so many nanoseconds was reaped late.
const LATE: u64 = 1_000_000_000;

/// A call that is under way.
#[derive(Debug)]
pub(in crate::output) struct Open {
    entry: WaitEntry,
    entered: Moment,
    /// Its entry was shown; at its exit the line goes on or is resumed.
    shown: bool,
    /// It was interrupted and may be restarted: by which signal, if it would have been
    /// without a tracer too, and the exit that will be shown if it is not.
    pub(in crate::output) interrupted: Option<(Option<Signal>, WaitExit)>,
    /// And it was: it is under way again.
    restarted: bool,
}

impl Text {
    pub(super) fn wait_entered(&mut self, event: &Event, entry: &WaitEntry, ledger: &Ledger) {
        let tid = event.tid;
        let merges = self.merges_restarts();
        let calls = self.calls.entry(tid).or_default();
        if entry.is_restart && merges {
            let same =
                |open: &Open| open.interrupted.is_some() && open.entry.result_at == entry.result_at;
            if let Some(index) = calls.iter().rposition(same) {
                // Those above it were left by a longjmp.
                calls.truncate(index + 1);
                if let Some(open) = calls.last_mut() {
                    open.restarted = true;
                }
                return;
            }
        }
        let shown = !self.folds(entry) && self.options.shown.is_all();
        self.calls.entry(tid).or_default().push(Open {
            entry: entry.clone(),
            entered: event.at,
            shown,
            interrupted: None,
            restarted: false,
        });
        if shown {
            let column = self.begin(tid, event.tgid, ledger.comm(tid), event.at, ledger.tasks());
            let column = column + self.head(event.tgid, entry, ledger);
            self.streams.write(tid, &mut self.line, Some(column));
        }
    }

    pub(super) fn wait_ended(&mut self, event: &Event, exit: &WaitExit, ledger: &Ledger) {
        let tid = event.tid;
        if self.merges_restarts() && exit.is_interrupted() {
            let open = self.calls.get_mut(&tid).and_then(|calls| calls.last_mut());
            if let Some(open) = open {
                let by = open.interrupted.take().and_then(|(by, _)| by);
                open.interrupted = Some((by, exit.clone()));
                open.restarted = false;
                return;
            }
        }
        let Some(open) = self.calls.get_mut(&tid).and_then(Vec::pop) else {
            return;
        };
        if self.folds(&exit.entry) {
            if self.polls.absorb(tid, event.at, exit) {
                self.due_polls(event.at, ledger);
                return;
            }
            self.end_polls(tid, ledger);
            if exit.found_nothing() {
                self.polls.begin(tid, event.tgid, event.at, exit);
            }
        }
        let interruption = open.interrupted.as_ref();
        let interruption = interruption.map(|(by, _)| Interruption::Restarted(*by));
        self.finish_call(event, &open, exit, interruption, ledger);
    }

    /// A signal will have been the reason if the wait that is interrupted is
    /// restarted.
    pub(in crate::output) fn restarts_after(&mut self, tid: Tid, signal: Signal) {
        let calls = self.calls.get_mut(&tid);
        let open = calls.and_then(|calls| calls.last_mut());
        if let Some((by, _)) = open.and_then(|open| open.interrupted.as_mut()) {
            by.get_or_insert(signal);
        }
    }

    /// The outcome of an interrupted wait: if the program sees EINTR, the call is
    /// over.
    pub(super) fn restart_outcome(
        &mut self,
        event: &Event,
        by: Signal,
        eintr: bool,
        ledger: &Ledger,
    ) {
        if !eintr {
            self.restarts_after(event.tid, by);
        }
        let calls = self.calls.get_mut(&event.tid);
        let Some(calls) = calls.filter(|_| eintr) else {
            return;
        };
        if let Some(mut open) = calls.pop_if(|open| open.interrupted.is_some())
            && let Some((_, exit)) = open.interrupted.take()
        {
            let interruption = Some(Interruption::Eintr(by));
            self.finish_call(event, &open, &exit, interruption, ledger);
        }
    }

    /// The rest of a call's line: the words of its exit, its result, its note.
    fn finish_call(
        &mut self,
        event: &Event,
        open: &Open,
        exit: &WaitExit,
        interruption: Option<Interruption>,
        ledger: &Ledger,
    ) {
        if !self.options.shown.admits(exit.result.is_ok()) {
            return;
        }
        let tid = event.tid;
        let column = self.resume(event, open, ledger);
        self.words_of_exit(event.tgid, exit, column, ledger);
        // Where its beginning is not known, its duration is not.
        if self.options.durations && exit.entry.named != crate::event::Named::Unknown {
            let nanos = event.at.since(open.entered);
            let (seconds, micros) = (nanos / 1_000_000_000, nanos / 1000 % 1_000_000);
            let text = format_args!(" <{seconds}.{micros:06}>");
            self.line.write(text, self.styles.dim);
        }
        if self.annotates() {
            self.piece.clear();
            let _ = annotations::of_wait(&mut self.piece, event, exit, interruption, ledger);
            if !self.piece.is_empty() {
                let style = self.style_of_note(event, exit, ledger);
                self.line.styled("  # ", style);
                self.line.styled(&self.piece, style);
            }
        }
        self.fit_call(tid);
        self.streams.write(tid, &mut self.line, None);
        self.stack(event, exit.entry.stack.as_ref(), ledger);
    }

    /// A status that is lost is wrong; a zombie of a second or more is worth a look.
    fn style_of_note(&self, event: &Event, exit: &WaitExit, ledger: &Ledger) -> Style {
        if exit.result == Err(crate::kernel::Errno::FAULT) {
            return self.styles.wrong;
        }
        let child = exit.reported().map(|(pid, _)| pid);
        let child = child.and_then(|pid| ledger.translate(event.tgid, pid));
        let age = child.and_then(|child| child.dead_for(event.at));
        if age.is_some_and(|age| age >= LATE) {
            self.styles.warned
        } else {
            Style::new()
        }
    }

    /// The words of a call's exit and its result, from `column` on.
    fn words_of_exit(&mut self, caller: Tgid, exit: &WaitExit, column: usize, ledger: &Ledger) {
        let names = self.names(caller, ledger);
        let from = self.line.text.len();
        self.piece.clear();
        // Writing to a String cannot fail.
        let _ = call_syntax::tail(&mut self.piece, exit, &self.options, &names);
        let column = column + self.line.plain(&self.piece);
        self.pad_to_result(column);
        self.exit_words = (from, self.line.text.len());
        self.piece.clear();
        let _ = call_syntax::result(&mut self.piece, exit, &names);
        self.line.plain("= ");
        self.line.plain(&self.piece);
    }

    /// Begin the rest of a call's line: behind its entry if that line is still
    /// open, else as `<... wait4 resumed>`, or from the start.
    fn resume(&mut self, event: &Event, open: &Open, ledger: &Ledger) -> usize {
        let tid = event.tid;
        if open.shown && self.streams.is_open(tid) {
            return self.streams.column(tid);
        }
        let comm = ledger.comm(tid);
        let column = self.begin(tid, event.tgid, comm, event.at, ledger.tasks());
        if open.shown {
            let name = open.entry.call.name();
            column
                + ["<... ", name, " resumed>"]
                    .map(|text| self.line.plain(text))
                    .iter()
                    .sum::<usize>()
        } else {
            column + self.head(event.tgid, &open.entry, ledger)
        }
    }

    /// Calls that a task was in when it ended: they never return.
    pub(in crate::output) fn unfinished(&mut self, event: &Event, ledger: &Ledger) {
        for open in self.calls.remove(&event.tid).unwrap_or_default() {
            if let Some((_, exit)) = open.interrupted.as_ref().filter(|_| !open.restarted) {
                // It was interrupted and not restarted before the end.
                self.finish_call(event, &open, exit, None, ledger);
                continue;
            }
            if !self.options.shown.unfinished {
                continue;
            }
            let column = self.resume(event, &open, ledger);
            let column = column + self.line.plain(" <unfinished ...>)");
            self.pad_to_result(column);
            self.line.plain("= ?");
            self.streams.write(event.tid, &mut self.line, None);
            self.stack(event, open.entry.stack.as_ref(), ledger);
        }
    }

    pub(in crate::output) fn end_polls(&mut self, tid: Tid, ledger: &Ledger) {
        if let Some(run) = self.polls.end(tid) {
            self.poll_count(tid, &run, ledger);
        }
    }

    /// Show the counts that are due.
    pub(super) fn due_polls(&mut self, now: Moment, ledger: &Ledger) {
        for tid in self.polls.due(now) {
            if let Some(run) = self.polls.show(tid) {
                self.poll_count(tid, &run, ledger);
            }
        }
    }

    fn poll_count(&mut self, tid: Tid, run: &PollRun, ledger: &Ledger) {
        let column = self.begin(tid, run.tgid, ledger.comm(tid), run.at, ledger.tasks());
        let column = column + self.head(run.tgid, &run.last.entry, ledger);
        self.words_of_exit(run.tgid, &run.last, column, ledger);
        let note = annotations::of_polls(run.count, run.shown, run.at);
        self.line.styled(&format!("  # {note}"), self.styles.dim);
        self.fit_call(tid);
        self.streams.write(tid, &mut self.line, None);
    }

    /// The words of a call's entry.
    fn head(&mut self, caller: Tgid, entry: &WaitEntry, ledger: &Ledger) -> usize {
        self.piece.clear();
        let names = self.names(caller, ledger);
        let _ = call_syntax::head(&mut self.piece, entry, &names);
        self.line.plain(&self.piece)
    }

    /// At least one space, and up to the column of the `=`.
    fn pad_to_result(&mut self, column: usize) {
        self.line.plain(" ");
        self.line.pad(column + 1, self.options.column);
    }
}
