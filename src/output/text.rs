//! Call lines as text: strace's grammar, plain or annotated.

use std::sync::Arc;
use std::{fmt, io};

use owo_colors::Style;
use rustc_hash::{FxHashMap, FxHashSet};

use super::annotations::{self, Interruption};
use super::call_syntax::{self, Names};
use super::line::Line;
use super::only::Only;
use super::options::{self, Pids, TextOptions};
use super::poll_runs::{PollRun, PollRuns};
use super::prefix::Prefix;
use super::sink::Sink;
use super::stamps::{Clock, Stamper};
use super::streams::{Streams, Target};
use super::styles::Styles;
use super::{Conclusion, Output};
use super::{fit, frames};
use crate::event::{Comm, Event, EventKind, Moment, Stack, WaitEntry, WaitExit, one_line};
use crate::kernel::{Signal, Tgid, Tid, WaitOptions};
use crate::ledger::Ledger;

/// A child that was a zombie so many nanoseconds was reaped late.
const LATE: u64 = 1_000_000_000;

/// A call that is under way.
#[derive(Debug)]
pub(super) struct Open {
    entry: WaitEntry,
    entered: Moment,
    /// Its entry was shown; at its exit the line goes on or is resumed.
    shown: bool,
    /// It was interrupted and may be restarted: by which signal, if it would have been
    /// without a tracer too, and the exit that will be shown if it is not.
    pub(super) interrupted: Option<(Option<Signal>, WaitExit)>,
    /// And it was: it is under way again.
    restarted: bool,
}

/// The text output.
pub struct Text {
    pub(super) options: TextOptions,
    pub(super) styles: Styles,
    stamper: Stamper,
    pub(super) streams: Streams,
    pub(super) calls: FxHashMap<Tid, Vec<Open>>,
    polls: PollRuns,
    pub(super) line: Line,
    /// A piece of a line that is made before it is styled.
    piece: String,
    /// A piece that is made before its line is begun.
    pub(super) early: String,
    only: Only,
    /// Threads that have lines; the ends of others are not worth one.
    busy: FxHashSet<Tid>,
    /// Where the words of a call's exit begin in the line, and where its result does.
    exit_words: (usize, usize),
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Output for Text {
    fn event(&mut self, event: &Event, ledger: &Ledger) {
        // A tick may have come too late for it; so a recording shows the same.
        self.due_polls(event.at, ledger);
        if !self.only.admits(event, ledger) {
            return;
        }
        let is_poll = matches!(&event.kind, EventKind::WaitEntered(entry) if self.folds(entry))
            || matches!(&event.kind, EventKind::WaitEnded(exit) if self.folds(&exit.entry));
        if !is_poll {
            self.end_polls(event.tid, ledger);
        }
        if !self.options.hidden || matches!(event.kind, EventKind::Looked(_)) {
            self.show(event, ledger);
        }
        self.streams.settle(event.tid);
    }

    fn message(&mut self, text: &str) {
        self.streams
            .message(&format!("wait4-strace: {}", one_line(text)));
        self.streams.write_out();
    }

    fn tick(&mut self, now: Moment, ledger: &Ledger) {
        self.due_polls(now, ledger);
        self.streams.write_out();
    }

    fn pause(&mut self) {
        self.streams.pause();
    }

    fn is_watched(&self) -> bool {
        self.streams.is_watched() && !self.options.hidden
    }

    fn wants_tick(&self) -> bool {
        self.streams.is_dirty() || self.polls.any()
    }

    fn finish(&mut self, end: &Conclusion<'_>) -> io::Result<()> {
        for tid in self.polls.threads() {
            self.end_polls(tid, end.ledger);
        }
        let mut open: Vec<Tid> = self.calls.keys().copied().collect();
        open.sort_unstable();
        for tid in open {
            // A record may end in the midst of a call.
            if self.streams.is_open(tid) {
                self.line.plain(" <unfinished ...>");
                self.streams.write(tid, &mut self.line, None);
            }
        }
        if let Some(summary) = end.summary {
            self.streams.text(&summary.text());
        }
        self.streams.finish()
    }
}

impl Text {
    /// A text output whose messages go to `messages` where its lines do not go
    /// to standard error.
    #[must_use]
    pub fn new(
        options: TextOptions,
        styles: Styles,
        clock: Clock,
        target: Target,
        messages: Sink,
    ) -> Text {
        Text {
            stamper: Stamper::new(options.stamps, clock),
            only: Only::new(&options.only),
            options,
            styles,
            streams: Streams::new(target, messages),
            calls: FxHashMap::default(),
            polls: PollRuns::default(),
            line: Line::default(),
            piece: String::new(),
            early: String::new(),
            busy: FxHashSet::default(),
            exit_words: (0, 0),
        }
    }

    /// Whether forks, execs and adoptions are shown.
    pub(super) fn shows_lifecycle(&self) -> bool {
        self.annotates() && self.options.quiet < 3
    }

    pub(super) fn annotates(&self) -> bool {
        self.options.style == options::Style::Annotated
    }

    /// Whether only what matters is shown.
    pub(super) fn is_calm(&self) -> bool {
        self.annotates() && !self.options.verbose
    }

    /// Whether a task's own end is worth a line: that of a process, or of a thread that
    /// had one before.
    pub(super) fn is_busy(&mut self, tid: Tid, tgid: Tgid) -> bool {
        let had_lines = self.busy.remove(&tid);
        had_lines || tid == tgid.leader() || !self.is_calm()
    }

    /// Whether a call that is interrupted and restarted is shown as one.
    fn merges_restarts(&self) -> bool {
        self.is_calm() && self.options.restart_outcomes
    }

    /// Whether a call is a poll that may be one of many: it is shown when its
    /// result is known, which is at once.
    fn folds(&self, entry: &WaitEntry) -> bool {
        self.is_calm() && entry.options.contains(WaitOptions::NOHANG)
    }

    /// Whether the user wants to see calls of this kind.
    fn wants(&self, entry: &WaitEntry) -> bool {
        self.options.calls.has(entry.call)
    }

    fn show(&mut self, event: &Event, ledger: &Ledger) {
        let tid = event.tid;
        match &event.kind {
            EventKind::Found(found) => self.found(event, found, ledger),
            EventKind::Attached { threads } => self.attached(tid, *threads),
            EventKind::Created(created) => self.created(event, created, ledger),
            EventKind::Executed { image, former } => {
                self.executed(event, image, *former, ledger);
            }
            EventKind::Ended { status } => {
                self.unfinished(event, ledger);
                self.ended(event, *status, ledger);
                self.streams.retire(tid);
            }
            EventKind::Signalled {
                signal,
                info,
                sender,
            } => self.signalled(event, *signal, info.as_ref(), *sender, ledger),
            EventKind::GroupStopped { signal } => {
                if self.options.signals.has(*signal) {
                    let text = format_args!("--- stopped by {signal} ---");
                    self.notice(event, text, Style::new(), ledger);
                }
            }
            EventKind::WaitEntered(entry) if !self.wants(entry) => {}
            EventKind::WaitEnded(exit) if !self.wants(&exit.entry) => {}
            EventKind::WaitEntered(entry) => self.wait_entered(event, entry, ledger),
            EventKind::WaitEnded(exit) => self.wait_ended(event, exit, ledger),
            EventKind::RestartOutcome { by, eintr } => {
                self.restart_outcome(event, *by, *eintr, ledger);
            }
            EventKind::Adopted { child, from, comm } => {
                self.adopted(event, *child, *from, *comm, ledger);
            }
            EventKind::Detached => self.detached(event),
            EventKind::Looked(look) => self.looked(look, event.at, ledger),
            EventKind::Held(held) => self.held(event, *held, ledger),
            EventKind::Used(_)
            | EventKind::Resumed
            | EventKind::UntracedChild(_)
            | EventKind::SigchldSet(_)
            | EventKind::DeathSignalSet(_)
            | EventKind::ListenerWanted
            | EventKind::ExitsWith(_)
            | EventKind::Kills { .. }
            | EventKind::Observed(_)
            | EventKind::QueueDrained
            | EventKind::Over => {}
        }
    }

    // Waits.

    fn wait_entered(&mut self, event: &Event, entry: &WaitEntry, ledger: &Ledger) {
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

    fn wait_ended(&mut self, event: &Event, exit: &WaitExit, ledger: &Ledger) {
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
    pub(super) fn restarts_after(&mut self, tid: Tid, signal: Signal) {
        let calls = self.calls.get_mut(&tid);
        let open = calls.and_then(|calls| calls.last_mut());
        if let Some((by, _)) = open.and_then(|open| open.interrupted.as_mut()) {
            by.get_or_insert(signal);
        }
    }

    /// The outcome of an interrupted wait: if the program sees EINTR, the call is
    /// over.
    fn restart_outcome(&mut self, event: &Event, by: Signal, eintr: bool, ledger: &Ledger) {
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

    /// The width that lines must fit, if they must.
    fn width(&self) -> Option<usize> {
        let cuts = self.is_calm() && self.streams.is_watched();
        cuts.then(|| (self.options.columns)()).flatten()
    }

    /// Makes a call's line fit: its arguments give way to its result and note.
    fn fit_call(&mut self, tid: Tid) {
        let Some(width) = self.width() else {
            return;
        };
        let before = self.streams.visible(tid);
        let over = (before + fit::columns(&self.line.text)).saturating_sub(width);
        let (from, to) = self.exit_words;
        fit::shorten(&mut self.line.text, from, to, over);
        fit::cut(&mut self.line.text, width.saturating_sub(before));
    }

    /// Cuts a line that is no call's.
    fn fit(&mut self) {
        if let Some(width) = self.width() {
            fit::cut(&mut self.line.text, width);
        }
    }

    /// The lines of a call stack, below that of the call.
    pub(super) fn stack(&mut self, event: &Event, stack: Option<&Arc<Stack>>, ledger: &Ledger) {
        let Some(stack) = stack.filter(|_| self.options.stacks) else {
            return;
        };
        if !self.annotates() {
            let lines = Box::new(|stack: &Stack| frames::strace_lines(stack));
            self.streams.write_stack(event.tid, stack, lines);
            return;
        }
        let comm = ledger.comm(event.tid);
        self.begin(event.tid, event.tgid, comm, event.at, ledger.tasks());
        let prefix = std::mem::take(&mut self.line.text);
        let (dim, is_whole) = (self.styles.dim, self.options.whole_stacks);
        let lines = Box::new(move |stack: &Stack| frames::lines(stack, &prefix, dim, is_whole));
        self.streams.write_stack(event.tid, stack, lines);
    }

    /// The words of a call's exit and its result, from `column` on.
    fn words_of_exit(&mut self, caller: Tgid, exit: &WaitExit, column: usize, ledger: &Ledger) {
        let names = self.names(caller, ledger);
        let from = self.line.text.len();
        self.piece.clear();
        // Writing to a String cannot fail.
        let _ = call_syntax::tail(&mut self.piece, exit, self.options.verbose, &names);
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
    pub(super) fn unfinished(&mut self, event: &Event, ledger: &Ledger) {
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

    // Polls.

    pub(super) fn end_polls(&mut self, tid: Tid, ledger: &Ledger) {
        if let Some(run) = self.polls.end(tid) {
            self.poll_count(tid, &run, ledger);
        }
    }

    /// Show the counts that are due.
    fn due_polls(&mut self, now: Moment, ledger: &Ledger) {
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

    // Pieces of lines.

    pub(super) fn names<'a>(&self, caller: Tgid, ledger: &'a Ledger) -> Names<'a> {
        Names {
            ledger,
            caller,
            pids: self.options.pids,
        }
    }

    /// A whole line of one text.
    pub(super) fn notice(
        &mut self,
        event: &Event,
        text: fmt::Arguments<'_>,
        style: Style,
        ledger: &Ledger,
    ) {
        let comm = ledger.comm(event.tid);
        self.begin(event.tid, event.tgid, comm, event.at, ledger.tasks());
        self.line.write(text, style);
        self.fit();
        self.streams.write(event.tid, &mut self.line, None);
    }

    /// Begin a line: who, and when. Returns the column that counts as reached.
    pub(super) fn begin(
        &mut self,
        tid: Tid,
        tgid: Tgid,
        comm: Comm,
        at: Moment,
        tasks: usize,
    ) -> usize {
        self.streams.interrupt(tid);
        self.line.text.clear();
        self.piece.clear();
        let named = self.options.pids == Pids::Names;
        let prefix = self.prefix(tasks);
        // Writing to a String cannot fail.
        let _ = prefix.write(&mut self.piece, tid, comm, named);
        // The name is what one looks for; the number is for grep.
        let number = self.piece.find(' ').filter(|_| self.annotates());
        let (number, name) = self.piece.split_at(number.unwrap_or(0));
        let column = self.line.styled(number, self.styles.dim) + self.line.plain(name);
        if self.is_calm() && tid != tgid.leader() {
            self.busy.insert(tid);
        }
        self.piece.clear();
        self.stamper.write(at, &mut self.piece);
        let column = column + self.line.styled(&self.piece, self.styles.dim);
        // A fixed prefix would only push the results to the right.
        if self.annotates() { 0 } else { column }
    }

    fn prefix(&self, tasks: usize) -> Prefix {
        if self.annotates() {
            Prefix::Annotated
        } else if self.streams.is_stderr() {
            if tasks > 1 {
                Prefix::Bracketed
            } else {
                Prefix::None
            }
        } else if self.streams.is_split() || !self.options.follow {
            Prefix::None
        } else {
            Prefix::Column
        }
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
