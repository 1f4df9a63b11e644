//! Events that are made up for a test, in the order in which a tracer would
//! report them. A process is named by its pid, a thread by `(tid, tgid)`.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{
    Comm, Corpse, Created, Event, EventKind, Fetched, Found, How, Image, Moment, Named,
    Observation, Owner, SigchldAction, WaitEntry, WaitExit,
};
use crate::kernel::{
    Abi, Errno, Fields, NsPid, SigInfo, Signal, Tgid, Tid, WaitCall, WaitOptions, WaitStatus,
};

/// Options of waits.
pub(crate) const NOHANG: u32 = 1;
pub(crate) const UNTRACED: u32 = 2;
pub(crate) const NOWAIT: u32 = 0x0100_0000;

/// A handler of SIGCHLD.
pub(crate) const HANDLER: SigchldAction = SigchldAction::Handler {
    address: 0x1000,
    no_wait: false,
    restarts: true,
};

/// What a wait gives: a pid and a status word, or an error.
pub(crate) type Answer = Result<(i32, i32), Errno>;

/// The status word of an exit.
pub(crate) const fn exited(code: i32) -> i32 {
    code << 8
}

/// The status word of a stop.
pub(crate) const fn stopped(signal: i32) -> i32 {
    signal << 8 | 0x7f
}

/// A thread and its process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task(Tid, Tgid);

impl From<i32> for Task {
    fn from(pid: i32) -> Task {
        Task(Tid::new(pid), Tgid::new(pid))
    }
}

impl From<(i32, i32)> for Task {
    fn from((tid, tgid): (i32, i32)) -> Task {
        Task(Tid::new(tid), Tgid::new(tgid))
    }
}

/// Events so far. The clock stands still unless it is moved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) events: Vec<Event>,
    now: Moment,
    seq: u64,
    /// When each thread began its last wait.
    entered: FxHashMap<Tid, Moment>,
}

impl Script {
    /// A trace that begins with a launched process of this pid.
    pub(crate) fn launched(pid: i32) -> Script {
        let mut script = Script::default();
        script.found(pid, None).sigchld(pid, SigchldAction::Default);
        script
    }

    /// The events so far; those to come follow them.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Time goes by.
    pub(crate) fn after(&mut self, millis: u64) -> &mut Script {
        self.now = self.now.after(millis * 1_000_000);
        self
    }

    /// Any other event.
    pub(crate) fn event(&mut self, task: impl Into<Task>, kind: EventKind) -> &mut Script {
        let Task(tid, tgid) = task.into();
        self.seq += 1;
        self.events.push(Event {
            seq: self.seq,
            at: self.now,
            tid,
            tgid,
            kind,
        });
        self
    }

    /// A process comes under trace.
    pub(crate) fn found(&mut self, pid: i32, parent: Option<i32>) -> &mut Script {
        let found = Found {
            parent: parent.map(Tgid::new),
            image: None,
            ns: None,
            comm: None,
            sigchld: None,
        };
        self.event(pid, EventKind::Found(found))
    }

    fn created(&mut self, by: Task, child: i32, how: How, signal: Option<Signal>) -> &mut Script {
        let created = Created {
            child: Tid::new(child),
            how,
            parent: None,
            ns: None,
            exit_signal: signal,
            stack: None,
        };
        self.event((by.0.raw(), by.1.raw()), EventKind::Created(created))
    }

    pub(crate) fn fork(&mut self, by: impl Into<Task>, child: i32) -> &mut Script {
        self.created(by.into(), child, How::Fork, Some(Signal::CHLD))
    }

    pub(crate) fn thread(&mut self, by: impl Into<Task>, tid: i32) -> &mut Script {
        self.created(by.into(), tid, How::Thread, None)
    }

    pub(crate) fn exec(&mut self, pid: i32, name: &str) -> &mut Script {
        let image = Arc::new(Image {
            comm: Comm::new(name.as_bytes()),
            path: None,
            argv: Vec::new(),
        });
        let former = None;
        self.event(pid, EventKind::Executed { image, former })
    }

    /// A process or thread ends with this status word.
    pub(crate) fn end(&mut self, task: impl Into<Task>, word: i32) -> &mut Script {
        let status = WaitStatus::from_raw(word);
        self.event(task, EventKind::Ended { status })
    }

    /// An orphan gets another parent.
    pub(crate) fn adopt(&mut self, by: i32, child: i32, from: i32) -> &mut Script {
        let adopted = EventKind::Adopted {
            child: Tgid::new(child),
            from: Tgid::new(from),
            comm: Comm::default(),
        };
        self.event(by, adopted)
    }

    /// A disposition of SIGCHLD.
    pub(crate) fn sigchld(&mut self, task: impl Into<Task>, action: SigchldAction) -> &mut Script {
        self.event(task, EventKind::SigchldSet(action))
    }

    /// The SIGCHLD for a child that exited is delivered.
    pub(crate) fn told_of(&mut self, task: impl Into<Task>, child: i32) -> &mut Script {
        let info = SigInfo {
            signo: Signal::CHLD,
            errno: 0,
            code: libc::CLD_EXITED,
            fields: Fields::Child {
                pid: NsPid::new(child),
                uid: 0,
                status: 0,
                utime: 0,
                stime: 0,
            },
        };
        let signalled = EventKind::Signalled {
            signal: Signal::CHLD,
            info: Some(info),
            sender: None,
        };
        self.event(task, signalled)
    }

    /// A `wait4` begins.
    pub(crate) fn enter(&mut self, task: impl Into<Task>, named: i32, options: u32) -> &mut Script {
        let Task(tid, tgid) = task.into();
        self.entered.insert(tid, self.now);
        let entered = EventKind::WaitEntered(wait4(named, options));
        self.event((tid.raw(), tgid.raw()), entered)
    }

    /// A `wait4` ends.
    pub(crate) fn leave(
        &mut self,
        task: impl Into<Task>,
        named: i32,
        options: u32,
        answer: Answer,
    ) -> &mut Script {
        let Task(tid, tgid) = task.into();
        let status = match answer {
            Ok((1.., word)) => Fetched::Value {
                addr: 8,
                value: WaitStatus::from_raw(word),
            },
            _ => Fetched::Unread { addr: 8 },
        };
        let exit = WaitExit {
            entry: wait4(named, options),
            entered: self.entered.get(&tid).copied().unwrap_or(self.now),
            result: answer.map(|(pid, _)| NsPid::new(pid)),
            status,
            info: Fetched::Null,
            rusage: Fetched::Null,
            child: None,
            remaining: None,
            lives_on: false,
            in_handler: None,
        };
        self.event((tid.raw(), tgid.raw()), EventKind::WaitEnded(exit))
    }

    /// A `wait4` that takes no time.
    pub(crate) fn wait(
        &mut self,
        task: impl Into<Task>,
        named: i32,
        options: u32,
        answer: Answer,
    ) -> &mut Script {
        let Task(tid, tgid) = task.into();
        let task = (tid.raw(), tgid.raw());
        self.enter(task, named, options);
        self.leave(task, named, options, answer)
    }

    /// A look at a zombie, which has this parent; `change` says what else is
    /// seen.
    pub(crate) fn look(
        &mut self,
        parent: i32,
        child: i32,
        change: impl FnOnce(&mut Owner),
    ) -> &mut Script {
        let mut owner = Owner {
            parent: Tgid::new(parent),
            child_group: 0,
            group: 0,
            traced: false,
            blocked_and_pending: false,
            parent_call: None,
            listener: None,
        };
        change(&mut owner);
        let corpse = Corpse {
            child: Tgid::new(child),
            zombie: Some(owner),
        };
        self.event(parent, EventKind::Observed(Observation::Corpse(corpse)))
    }

    /// Whatever happened before is known.
    pub(crate) fn quiet(&mut self) -> &mut Script {
        self.event(0, EventKind::Quiet)
    }

    /// The trace is over.
    pub(crate) fn over(&mut self) -> &mut Script {
        self.quiet().event(0, EventKind::Over)
    }
}

fn wait4(named: i32, options: u32) -> WaitEntry {
    WaitEntry {
        call: WaitCall::Wait4,
        abi: Abi::X86_64,
        named: Named::Pid(named),
        options: WaitOptions::from_raw(options),
        result_at: 8,
        rusage_at: 0,
        info_at: 0,
        is_restart: false,
        is_half: false,
        target: None,
        pidfd: None,
        stack: None,
    }
}
