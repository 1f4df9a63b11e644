//! From what each line tells to a family's events: who a task is, whose child,
//! and calls that two lines tell of.

use std::collections::HashMap;

use super::calls::{self, Action, Kind, Wait};
use super::deeds::{Deed, Fate, Returned, Said, kills};
use super::kdump;
use crate::event::{Comm, EventKind, How, Image, Moment};
use crate::kernel::{Errno, NsPid, Signal, System, WaitStatus};
use crate::read::family::{Family, Whose};
use crate::read::gaps::{Record, Seen};

/// How many lines are kept of tasks whose creator is not known yet.
const MOST_HELD: usize = 10_000;

/// What the times before lines count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// Nothing that orders lines.
    None,
    /// From one beginning.
    Elapsed,
    /// From the line before.
    SinceLast,
}

/// Takes a line apart; `None` if it is none of the log's.
pub(super) type Parse = fn(&[u8]) -> Option<Said<'_>>;

/// A call whose return is on a later line.
#[derive(Debug)]
struct Pending {
    kind: Kind,
    args: Vec<u8>,
    entered: Moment,
    /// The child of a fork whose own lines came first.
    told: Option<i32>,
    /// What an exec executes.
    path: Option<Vec<u8>>,
    argv: Vec<Vec<u8>>,
}

/// All that was told so far.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) family: Family,
    system: System,
    parse: Parse,
    times: Times,
    first_time: Option<u64>,
    pending: HashMap<i32, Pending>,
    /// Tasks that are amid a call that creates a process.
    creating: Vec<i32>,
    /// Lines of processes whose creator is not known yet.
    held: HashMap<i32, Vec<Vec<u8>>>,
    held_lines: usize,
    /// A process whose death is known, but not yet whether it dumped core.
    dying: Option<(i32, WaitStatus)>,
}

impl Story {
    pub(super) fn new(system: System, record: Record, parse: Parse, times: Times) -> Story {
        Story {
            family: Family::new(system, Seen::of(record)),
            system,
            parse,
            times,
            first_time: None,
            pending: HashMap::new(),
            creating: Vec::new(),
            held: HashMap::new(),
            held_lines: 0,
            dying: None,
        }
    }

    /// The record is over: lines that are still held are told.
    pub(super) fn end(&mut self) {
        let mut held: Vec<i32> = self.held.keys().copied().collect();
        held.sort_unstable();
        for pid in held {
            self.family.seen.strangers += 1;
            self.family.find(
                Whose {
                    tid: pid,
                    tgid: pid,
                },
                None,
                None,
                None,
            );
            self.release(pid);
        }
        self.die();
        self.family.end();
    }

    /// Take a line in; `false` if it is none of the log's.
    pub(super) fn line(&mut self, line: &[u8]) -> bool {
        let Some(said) = (self.parse)(line) else {
            return false;
        };
        self.clock(&said);
        // Without `-f` truss names no process: there is one.
        let tgid = said.pid.unwrap_or(0);
        if self.dying.is_some_and(|(pid, _)| pid != tgid) {
            self.die();
        }
        if self.family.knows_process(tgid) || self.meet(tgid, &said, line) {
            self.tell_of(tgid, &said);
        }
        true
    }

    /// Tell of a line of a process that is known.
    fn tell_of(&mut self, tgid: i32, said: &Said<'_>) {
        let tid = said.tid.unwrap_or(tgid);
        let whose = Whose {
            // The first thread goes by its process's number.
            tid: self.thread(tgid, tid),
            tgid,
        };
        if !self.family.knows(whose.tid) {
            self.family.find(whose, None, None, None);
        }
        self.tell(whose, said.deed, said.took);
    }

    fn clock(&mut self, said: &Said<'_>) {
        let Some(time) = said.time else {
            return;
        };
        let nanos = match self.times {
            Times::None => return,
            Times::Elapsed => time.saturating_sub(*self.first_time.get_or_insert(time)),
            Times::SinceLast => self.family.at.0.saturating_add(time),
        };
        self.family.seen.times = true;
        self.family.now(Moment(nanos));
    }

    /// The number that a thread goes by: that of its process for the one that
    /// was seen first. NetBSD counts them anew in each process: number 2 of
    /// 5651 is 205651 here.
    fn thread(&mut self, tgid: i32, tid: i32) -> i32 {
        if tid == tgid {
            return tid;
        }
        let within = (tid < kdump::FIRST_THREAD).then(|| tid.checked_mul(kdump::FIRST_THREAD));
        let tid = within
            .flatten()
            .map_or(tid, |first| first.saturating_add(tgid));
        self.family.leads(tgid, tid)
    }

    // Births.

    /// A process's first line. `false` if the line is held until it is known
    /// whose child it is.
    fn meet(&mut self, tgid: i32, said: &Said<'_>, line: &[u8]) -> bool {
        let whose = Whose { tid: tgid, tgid };
        let is_root = self.family.is_empty();
        if is_root {
            let image = said.comm.map(|comm| Image {
                comm: Comm::new(comm),
                ..Image::default()
            });
            // Who starts a program does it with its own name still.
            self.family.seen.attached |= said.comm != Some(b"ktrace");
            self.family.find(whose, None, None, image);
            return true;
        }
        if let [creator] = self.creating[..]
            && !self.held.contains_key(&tgid)
        {
            self.create(creator, tgid);
            self.creating.clear();
            if let Some(pending) = self.pending.get_mut(&creator) {
                pending.told = Some(tgid);
            }
            return true;
        }
        self.hold(tgid, line);
        false
    }

    fn create(&mut self, creator: i32, child: i32) {
        let is_vfork = self
            .pending
            .get(&creator)
            .is_some_and(|pending| pending.kind == Kind::Vfork);
        let how = if is_vfork { How::Vfork } else { How::Fork };
        let whose = Whose {
            tid: child,
            tgid: child,
        };
        self.family.create(creator, whose, how, None, None);
        self.release(child);
    }

    fn hold(&mut self, tgid: i32, line: &[u8]) {
        self.held.entry(tgid).or_default().push(line.to_vec());
        self.held_lines += 1;
        if self.held_lines > MOST_HELD {
            self.end();
        }
    }

    /// Tell the lines that were held of a process.
    fn release(&mut self, tgid: i32) {
        let lines = self.held.remove(&tgid).unwrap_or_default();
        self.held_lines = self.held_lines.saturating_sub(lines.len());
        for line in lines {
            if let Some(said) = (self.parse)(&line).filter(|_| self.family.knows_process(tgid)) {
                self.tell_of(tgid, &said);
            }
        }
    }

    // Deeds.

    fn tell(&mut self, whose: Whose, deed: Deed<'_>, took: Option<u64>) {
        let Whose { tid, tgid } = whose;
        match deed {
            Deed::Called(name, args) => self.called(whose, name, args),
            Deed::Returned(name, returned) => self.returned(whose, name, returned),
            Deed::Did(name, args, returned) => self.did(whose, name, args, returned, took),
            Deed::Signalled {
                signal,
                fate,
                cause,
            } => self.signalled(whose, signal, fate, cause),
            Deed::Exited(code) => self.exited(tgid, code),
            Deed::Killed { signal, core } => {
                let core = if core { 0x80 } else { 0 };
                let status = WaitStatus::of(self.system, signal & 0x7f | core);
                self.over(tgid, status);
            }
            Deed::ThreadGone => self.thread_gone(whose),
            Deed::Named(path) => self.named(whose, path),
            Deed::Argument(word) => {
                if let Some(pending) = self.pending.get_mut(&tid) {
                    pending.argv.push(word.to_vec());
                }
            }
            Deed::Born | Deed::ThreadBorn(_) | Deed::Other => {}
        }
    }

    fn called(&mut self, whose: Whose, name: &[u8], args: &[u8]) {
        let Some(kind) = Kind::of(name) else {
            self.family.seen.note_other(name);
            return;
        };
        self.go_on(whose);
        match kind {
            Kind::Exit => {
                self.family.seen.exits = true;
                self.exited(whose.tgid, calls::int(args).unwrap_or(0));
                return;
            }
            Kind::ThreadExit => {
                self.thread_gone(whose);
                return;
            }
            Kind::Wait(call) => match Wait::parse(self.system, call, args) {
                Some(wait) => self.family.wait(whose.tid, self.family.at, wait.entry),
                None => self.family.seen.unknown_waits += 1,
            },
            Kind::Fork | Kind::Vfork => self.creating.push(whose.tid),
            Kind::Kill => self.kill(whose, args),
            Kind::Exec | Kind::Sigaction => {}
        }
        let pending = Pending {
            kind,
            args: args.to_vec(),
            entered: self.family.at,
            told: None,
            path: None,
            argv: Vec::new(),
        };
        self.pending.insert(whose.tid, pending);
    }

    fn returned(&mut self, whose: Whose, name: &[u8], returned: Returned) {
        let Some(kind) = Kind::of(name) else {
            return;
        };
        self.go_on(whose);
        self.creating.retain(|creator| *creator != whose.tid);
        let pending = self.pending.remove(&whose.tid);
        let Some(pending) = pending.filter(|pending| pending.kind == kind) else {
            // The child's side of a fork has no call; of a wait the beginning
            // of the log was lost.
            let is_wait = matches!(kind, Kind::Wait(_));
            self.family.seen.unknown_waits += u64::from(is_wait);
            return;
        };
        match kind {
            Kind::Wait(call) => {
                if let Some(wait) = Wait::parse(self.system, call, &pending.args) {
                    self.waited(whose, wait, pending.entered, returned);
                }
            }
            Kind::Exec => {
                let is_done = matches!(returned, Returned::Never | Returned::Number(0));
                if is_done {
                    self.execute(whose, pending.path, pending.argv);
                }
            }
            Kind::Fork | Kind::Vfork if pending.told.is_some() => {}
            _ => self.finish(whose, kind, &pending.args, returned),
        }
    }

    /// A call from its begin to its end.
    fn did(
        &mut self,
        whose: Whose,
        name: &[u8],
        args: &[u8],
        returned: Returned,
        took: Option<u64>,
    ) {
        let Some(kind) = Kind::of(name) else {
            self.family.seen.note_other(name);
            return;
        };
        self.go_on(whose);
        match kind {
            Kind::Wait(call) => {
                let at = self.family.at;
                let entered = Moment(at.0.saturating_sub(took.unwrap_or(0)));
                match Wait::parse(self.system, call, args) {
                    Some(wait) => {
                        self.family.wait(whose.tid, entered, wait.entry.clone());
                        self.waited(whose, wait, entered, returned);
                    }
                    None => self.family.seen.unknown_waits += 1,
                }
            }
            Kind::Exec if matches!(returned, Returned::Never | Returned::Number(0)) => {
                let (path, argv) = calls::program(args).unzip();
                self.execute(whose, path, argv.unwrap_or_default());
            }
            Kind::Exec => {}
            Kind::Exit => self.family.seen.exits = true,
            Kind::Kill => self.kill(whose, args),
            _ => self.finish(whose, kind, args, returned),
        }
    }

    /// A fork, or a sigaction.
    fn finish(&mut self, whose: Whose, kind: Kind, args: &[u8], returned: Returned) {
        let Returned::Number(number) = returned else {
            return;
        };
        match kind {
            Kind::Fork | Kind::Vfork => {
                self.family.seen.forks = true;
                let child = i32::try_from(number).ok().filter(|child| *child > 0);
                if let Some(child) = child.filter(|child| !self.family.knows_process(*child)) {
                    self.create(whose.tid, child);
                }
            }
            Kind::Sigaction if number == 0 => match calls::action(self.system, args) {
                Action::Other => self.family.seen.sigactions = true,
                Action::Untold => self.family.set_action(whose.tid, None),
                Action::Set(action) => self.family.set_action(whose.tid, Some(action)),
            },
            _ => {}
        }
    }

    fn waited(&mut self, whose: Whose, wait: Wait, entered: Moment, returned: Returned) {
        let result = match returned {
            Returned::Number(number) => match i32::try_from(number) {
                Ok(pid) => Ok(NsPid::new(pid)),
                Err(_) => return,
            },
            Returned::Error(number) => Err(Errno::of(self.system, number)),
            Returned::Restart => Err(Errno::BSD_RESTART),
            Returned::Never => return,
        };
        self.family.waited(whose.tid, wait.ended(entered, result));
    }

    fn execute(&mut self, whose: Whose, path: Option<Vec<u8>>, argv: Vec<Vec<u8>>) {
        let base = path
            .as_deref()
            .and_then(|path| path.rsplit(|byte| *byte == b'/').next());
        let image = Image {
            comm: Comm::new(base.unwrap_or_default()),
            path,
            argv,
        };
        self.family.execute(whose.tid, image);
    }

    fn kill(&mut self, whose: Whose, args: &[u8]) {
        self.family.seen.kills = true;
        let args = crate::read::text::arguments(args);
        let [target, name, ..] = args[..] else {
            return;
        };
        let signal = calls::signal(self.system, name);
        let signal = signal.filter(|signal| signal.raw() != 0);
        if let (Some(target), Some(signal)) = (calls::int(target), signal) {
            let target = NsPid::new(target);
            self.family
                .push(whose.tid, EventKind::Kills { target, signal });
        }
    }

    /// A file's name: of what is executed the first, of a core the last.
    fn named(&mut self, whose: Whose, path: &[u8]) {
        if let Some(pending) = self.pending.get_mut(&whose.tid)
            && pending.kind == Kind::Exec
        {
            pending.path.get_or_insert_with(|| path.to_vec());
        }
        if path.ends_with(b".core")
            && let Some((_, status)) = &mut self.dying
        {
            *status = WaitStatus::of(self.system, status.raw() | 0x80);
        }
    }

    fn signalled(&mut self, whose: Whose, name: &[u8], fate: Fate, cause: &[u8]) {
        let Some(signal) = calls::signal(self.system, name) else {
            return;
        };
        if signal == Signal::CONT {
            self.go_on(whose);
        }
        let kind = EventKind::Signalled {
            signal,
            info: calls::siginfo(self.system, signal, cause),
            sender: None,
        };
        self.family.signal(whose.tid, kind);
        if signal.is_stopping() && (fate == Fate::Default || signal == Signal::STOP) {
            self.family.stop(whose.tid, signal);
        } else if fate == Fate::Default && kills(signal) {
            let number = signal.number_in(self.system).unwrap_or(0);
            let status = WaitStatus::of(self.system, number & 0x7f);
            self.dying = Some((whose.tgid, status));
        }
    }

    /// A task that makes calls is stopped no more.
    fn go_on(&mut self, whose: Whose) {
        self.family.go_on(whose.tid);
    }

    // Ends.

    fn exited(&mut self, tgid: i32, code: i32) {
        if (0x100..=0xffff).contains(&code) {
            self.family.push(tgid, EventKind::ExitsWith(code));
        }
        let status = WaitStatus::of(self.system, (code & 0xff) << 8);
        self.over(tgid, status);
    }

    fn thread_gone(&mut self, whose: Whose) {
        self.pending.remove(&whose.tid);
        let status = WaitStatus::of(self.system, 0);
        self.family.ended(whose.tid, self.family.at, status, false);
    }

    /// The process has died of a signal.
    fn die(&mut self) {
        if let Some((tgid, status)) = self.dying.take() {
            self.over(tgid, status);
        }
    }

    fn over(&mut self, tgid: i32, status: WaitStatus) {
        self.pending.remove(&tgid);
        self.creating.retain(|creator| *creator != tgid);
        self.dying = None;
        self.family.ended(tgid, self.family.at, status, true);
    }
}
