//! Call lines as text: strace's grammar, plain or annotated.

mod calls;
mod lines;

use std::io;

use owo_colors::Style;
use rustc_hash::{FxHashMap, FxHashSet};

use super::lifecycle_lines::Received;
use super::line::Line;
use super::only::Only;
use super::options::{self, TextOptions};
use super::poll_runs::PollRuns;
use super::sink::Sink;
use super::stamps::{Clock, Stamper};
use super::streams::{Streams, Target};
use super::styles::Styles;
use super::{Conclusion, Output};
use crate::event::{Event, EventKind, Moment, WaitEntry, one_line};
use crate::kernel::{Tgid, Tid, WaitOptions};
use crate::ledger::Ledger;
use calls::Open;

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
        let missing = self.only.missing();
        if !missing.is_empty() && end.has_run {
            let names = missing.join(", ");
            self.message(&format!(
                "--only: no process had this pid, or ran a program of this name: {names}"
            ));
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
                dropped,
            } => {
                let received = Received {
                    signal: *signal,
                    info: info.as_ref(),
                    sender: *sender,
                    dropped: *dropped,
                };
                self.signalled(event, received, ledger);
            }
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
            | EventKind::ExecFailed(_)
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
}
