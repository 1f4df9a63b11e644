//! From the lines of a log to events: which task a line is of, and what it says.

use std::collections::VecDeque;

use super::Fed;
use rustc_hash::{FxHashMap, FxHashSet};

use super::births::Held;
use super::calls::{Interrupted, Pending};
use super::clock::{Clock, Time};
use super::line::{Beginning, Birth, Effect, Format, LogLine, What};
use super::open_waits::{LastLine, LastLines};
use crate::event::{EventKind, WaitExit};
use crate::kernel::{SigInfo, Signal, System, WaitStatus};
use crate::records::gaps::{Coverage, Record};
use crate::records::process_tree::{ProcessTree, TaskId};

/// The pid of a task that no line names.
pub(super) const UNKNOWN: i32 = 0;

/// What the lines of a log leave out that have no pid: they are of the first
/// task, while there is more than one.
#[derive(Debug, Default)]
pub(in crate::records) struct Root {
    /// Its pid, if another line shows it.
    pub(in crate::records) pid: Option<i32>,
    /// Tasks that are known to be children.
    pub(in crate::records) children: FxHashSet<i32>,
}

/// State kept between the lines.
#[derive(Debug)]
pub(in crate::records) struct Translator<F> {
    pub(super) format: F,
    pub(in crate::records) tree: ProcessTree,
    pub(super) system: System,
    pub(super) clock: Clock,
    /// Calls whose end is on a later line, by thread.
    pub(super) pending: FxHashMap<i32, Pending>,
    /// Threads that are in a call that creates a task.
    pub(super) creating: Vec<i32>,
    /// What the waits give that have begun, where the end comes apart.
    pub(super) waits: FxHashMap<i32, WaitExit>,
    /// The wait of a thread that returned a child whose end the log has not shown: the
    /// signal behind it may.
    pub(super) unsettled: Option<(i32, WaitExit)>,
    /// Threads whose last wait was interrupted.
    pub(super) interrupted: FxHashMap<i32, Interrupted>,
    /// Handlers of signals that a thread runs, as far as they interrupted a wait.
    pub(super) handlers: FxHashMap<i32, u64>,
    /// Children by the numbers of another pid namespace, in the order of their
    /// creation, whose own lines have not come: their creators and numbers.
    pub(super) unnamed: VecDeque<(i32, i32, Birth)>,
    pub(super) held: FxHashMap<i32, Vec<Held>>,
    pub(super) held_lines: usize,
    pub(super) root: Root,
    /// The task that was created last.
    pub(in crate::records) newest: Option<i32>,
    /// Each task has a file of its own.
    pub(super) is_split: bool,
    /// A process whose death is known, but not yet whether it dumped core.
    pub(super) dying: Option<(i32, WaitStatus)>,
    pub(super) last_lines: LastLines,
    /// Waits that the log does not show the end of, in words.
    pub(super) open: Vec<String>,
    /// How many more there are.
    pub(super) more_open: u64,
}

impl<F: Format> Translator<F> {
    /// Of the log of this task, if its lines name none.
    pub(in crate::records) fn new(
        format: F,
        (system, record): (System, Record),
        root: Root,
        is_split: bool,
    ) -> Translator<F> {
        Translator {
            format,
            tree: ProcessTree::new(system, Coverage::of(record)),
            system,
            clock: Clock::default(),
            pending: FxHashMap::default(),
            creating: Vec::new(),
            waits: FxHashMap::default(),
            unsettled: None,
            interrupted: FxHashMap::default(),
            handlers: FxHashMap::default(),
            unnamed: VecDeque::new(),
            held: FxHashMap::default(),
            held_lines: 0,
            root,
            newest: None,
            is_split,
            dying: None,
            last_lines: LastLines::default(),
            open: Vec::new(),
            more_open: 0,
        }
    }

    /// Take a line in.
    pub(in crate::records) fn feed(&mut self, text: &[u8]) -> Fed {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let line = self.format.line(text);
        self.feed_taken(text, line.as_ref())
    }

    /// Take in a line that was taken apart; `None` is one of another program.
    pub(in crate::records) fn feed_taken(&mut self, text: &[u8], line: Option<&LogLine>) -> Fed {
        match line {
            Some(line) => self.take_line(text, line),
            None if self.format.is_data(text) => {}
            None => return Fed::Foreign,
        }
        Fed::Own
    }

    /// Take in a line of the file of this task.
    pub(in crate::records) fn feed_of(&mut self, task: i32, text: &[u8]) -> Fed {
        let Some(mut line) = self.format.line(text) else {
            return if self.format.is_data(text) {
                Fed::Own
            } else {
                Fed::Foreign
            };
        };
        line.tid = Some(task);
        // The line before may be in another file.
        line.time = line.time.filter(|time| !matches!(time, Time::Relative(_)));
        self.take_line(text, &line);
        Fed::Own
    }

    fn take_line(&mut self, text: &[u8], line: &LogLine<'_>) {
        if let Some(time) = line.time {
            self.now(time);
        }
        if self.unsettled.is_some() {
            self.settle(Some(line));
        }
        if let Some(tid) = line.tid.or(line.pid).or(self.root.pid) {
            self.last_lines.note(tid, LastLine::of(line));
        }
        match line.what {
            What::OtherCall(call) => self.tree.coverage.note_other(call),
            What::Attached(pid) => {
                // A new child is announced too; its lines show whose it is.
                let is_child = self.root.children.contains(&pid);
                if self.tree.is_empty() && self.creating.is_empty() && !is_child {
                    self.begin(pid, Beginning::Attach, None);
                }
                return;
            }
            What::Detached(tid) => {
                self.detached(tid);
                return;
            }
            _ => {}
        }
        if self.is_idle(line) {
            let tid = line
                .tid
                .filter(|_| !self.pending.is_empty() && line.is_call());
            if let Some(tid) = tid {
                self.ends_unseen(tid);
            }
            return;
        }
        let (tid, tgid) = self.task_of(line);
        if self.dying.is_some_and(|(dying, _)| dying != tgid) {
            self.die();
        }
        if self.tree.knows_process(tgid) || self.meet(tgid, line, text) {
            self.apply(tid, tgid, line);
        }
    }

    /// Whether a line changes nothing that is known of its task. Where lines
    /// come at once, one of a new task shows that its creator has created it:
    /// a child in vfork may do nothing else for long.
    fn is_idle(&self, line: &LogLine<'_>) -> bool {
        let is_other = matches!(line.what, What::OtherCall(_) | What::Nothing);
        let shows_birth = || {
            let awaits = !self.creating.is_empty() || !self.unnamed.is_empty();
            let tid = line.tid.filter(|_| awaits);
            tid.is_some_and(|tid| !self.tree.knows(tid))
        };
        is_other && !F::AT_RETURN && !shows_birth()
    }

    pub(in crate::records) fn now(&mut self, time: Time) {
        self.tree.coverage.times = true;
        self.tree.at = self.clock.moment(time);
    }

    /// The thread and the process of a line. One that names neither is of the
    /// only task, or of the first one.
    pub(super) fn task_of(&self, line: &LogLine<'_>) -> (i32, i32) {
        if let Some(tgid) = line.pid {
            return (line.tid.unwrap_or(tgid), tgid);
        }
        let tid = line.tid.unwrap_or_else(|| self.unnamed_task());
        (tid, self.tree.process_of(tid).unwrap_or(tid))
    }

    /// The task of a line that names none: the only one, or the first, whose
    /// number may be known from none of the lines. A child is named unless
    /// all others have ended.
    fn unnamed_task(&self) -> i32 {
        let first = self.root.pid.unwrap_or(UNKNOWN);
        match self.tree.only_task() {
            Some(only) if !self.root.children.contains(&only) => only,
            Some(only) if self.tree.has_ended(first) => only,
            _ => first,
        }
    }

    /// The record is over: lines that are still held are taken in.
    pub(super) fn end(&mut self) {
        self.settle(None);
        self.release_all();
        let threads: Vec<i32> = self.handlers.keys().copied().collect();
        for tid in threads {
            self.handlers_left(tid);
        }
        self.die();
        self.open_waits();
        self.tree.end();
    }

    pub(super) fn apply(&mut self, tid: i32, tgid: i32, line: &LogLine<'_>) {
        let tid = match line.pid {
            // The first thread goes by its process's number.
            Some(_) if tid != tgid => self.tree.leads(tgid, tid),
            _ => tid,
        };
        let task = TaskId { tid, tgid };
        if !self.tree.knows(tid) {
            self.tree.find(task, None, None, None);
        }
        match line.what {
            What::Begins(kind, args) => self.begins(tid, kind, args),
            What::LeftIn(kind, args) => {
                self.begins(tid, kind, args);
                self.detached(tid);
            }
            What::Ends(kind, args, returned) => self.ends(tid, kind, args, returned),
            What::Whole(kind, args, returned) => {
                self.whole(tid, kind, args, returned, line.took);
            }
            What::Cut(kind) => self.cut(tid, kind),
            What::Signalled {
                signal,
                info,
                effect,
            } => self.signalled(task, signal, info, effect),
            What::Stopped(signal) => {
                self.tree.coverage.signals = true;
                if let Some(signal) = signal {
                    self.tree.stop(tid, signal);
                }
            }
            What::Exited(code) => self.exited(tgid, code),
            What::Ended(status) => self.over(tgid, status),
            What::ThreadEnded(status) => self.thread_ended(task, status),
            What::SupersededBy(former) => self.superseded(tid, former),
            What::Path(path) => self.looked_up(task, path),
            What::Argument(word) => {
                if let Some(pending) = self.pending.get_mut(&tid) {
                    pending.program.argv.push(word.to_vec());
                }
            }
            What::OtherCall(_) | What::Attached(_) | What::Detached(_) | What::Nothing => {}
        }
    }

    fn signalled(
        &mut self,
        TaskId { tid, tgid }: TaskId,
        signal: Option<Signal>,
        info: Option<SigInfo>,
        effect: Effect,
    ) {
        self.tree.coverage.signals = true;
        let Some(signal) = signal else {
            return;
        };
        if signal == Signal::CONT {
            self.tree.go_on(tid);
        }
        if signal == Signal::CHLD && !self.is_split && !F::AT_RETURN {
            self.child_died(tgid, info.as_ref());
        }
        if let Some(interrupted @ Interrupted::Unknown) = self.interrupted.get_mut(&tid) {
            *interrupted = Interrupted::By(signal);
        }
        let kind = EventKind::Signalled {
            signal,
            info,
            sender: None,
            dropped: false,
        };
        self.tree.push(tid, kind);
        let is_default = effect == Effect::Default;
        let stops = signal.is_stopping() && (is_default || signal == Signal::STOP);
        if stops && effect != Effect::OnOtherLines {
            self.tree.stop(tid, signal);
        } else if is_default && kills(signal) {
            let number = signal.number_in(self.system).unwrap_or(0);
            self.dying = Some((tgid, WaitStatus::of(self.system, number & 0x7f)));
        }
    }

    /// The name of a file: for an exec the first is the program's, for a
    /// process that dies the last is the core's.
    fn looked_up(&mut self, TaskId { tid, .. }: TaskId, path: &[u8]) {
        if let Some(pending) = self.pending.get_mut(&tid) {
            let program = &mut pending.program;
            program.path.get_or_insert_with(|| path.to_vec());
        }
        if path.ends_with(b".core")
            && let Some((_, status)) = &mut self.dying
        {
            *status = WaitStatus::of(self.system, status.raw() | 0x80);
        }
    }
}

/// Whether a signal kills by default (signal(7) of the BSDs).
pub(super) fn kills(signal: Signal) -> bool {
    let harmless = [
        Signal::CHLD,
        Signal::CONT,
        Signal::URG,
        Signal::WINCH,
        Signal::INFO,
        Signal::IO,
        Signal::PWR,
        Signal::THR,
    ];
    signal.raw() > 0 && !harmless.contains(&signal) && !signal.is_stopping()
}
