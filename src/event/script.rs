//! Made-up events for tests, in the order in which a tracer would report them. A
//! process is named by its pid, a thread by `(tid, tgid)`.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{
    Comm, Created, Event, EventKind, FailedExec, Fetched, Found, How, Image, Moment, Named, NsPids,
    Observation, Owner, SigchldAction, WaitEntry, WaitExit, ZombieProbe,
};
use crate::kernel::{
    Abi, Errno, Fields, IdType, NsPid, SigInfo, Signal, Tgid, Tid, WaitCall, WaitOptions,
    WaitStatus,
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

/// What a wait returns: a pid and a status word, or an error.
pub(crate) type Answer = Result<(i32, i32), Errno>;

/// The status word of an exit.
pub(crate) const fn exited(code: i32) -> i32 {
    code << 8
}

/// The status word of a stop.
pub(crate) const fn stopped(signal: i32) -> i32 {
    signal << 8 | 0x7f
}

/// A wait that passes no place for the status.
pub(crate) fn without_status(exit: &mut WaitExit) {
    exit.entry.result_at = 0;
    exit.status = Fetched::Null;
}

/// The `waitid` for this id that gives what the `wait4` gave.
pub(crate) fn as_waitid(exit: &mut WaitExit, kind: IdType, id: u32) {
    exit.entry.call = WaitCall::Waitid;
    exit.entry.named = Named::Id(kind, id);
    if let (Ok(pid), Some(status)) = (exit.result, exit.status.value()) {
        let value = SigInfo::of_child(pid, *status);
        exit.info = Fetched::Value { addr: 8, value };
    }
    exit.result = exit.result.map(|_| NsPid::new(0));
    exit.status = Fetched::Null;
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

/// The events so far. The clock stands still unless it is advanced.
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

    /// The events so far; later events continue from them.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The time of the next event.
    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// Advances the clock.
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

    /// The trace of a process begins.
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

    /// The process that was found or created last has these pids, from the
    /// tracer's namespace to its own.
    pub(crate) fn in_namespace(&mut self, inode: u64, chain: &[i32]) -> &mut Script {
        let chain = chain.iter().copied().map(NsPid::new).collect();
        let pids = Some(Arc::new(NsPids { inode, chain }));
        match self.events.last_mut().map(|event| &mut event.kind) {
            Some(EventKind::Found(found)) => found.ns = pids,
            Some(EventKind::Created(created)) => created.ns = pids,
            other => unreachable!("no new process: {other:?}"),
        }
        self
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

    pub(crate) fn vfork(&mut self, by: impl Into<Task>, child: i32) -> &mut Script {
        self.created(by.into(), child, How::Vfork, Some(Signal::CHLD))
    }

    /// A child with another exit signal than SIGCHLD.
    pub(crate) fn clone_child(&mut self, by: impl Into<Task>, child: i32) -> &mut Script {
        self.created(by.into(), child, How::Clone, None)
    }

    /// The child that was created last has this parent (`CLONE_PARENT`).
    pub(crate) fn for_parent(&mut self, parent: i32) -> &mut Script {
        match self.events.last_mut().map(|event| &mut event.kind) {
            Some(EventKind::Created(created)) => created.parent = Some(Tgid::new(parent)),
            other => unreachable!("no new process: {other:?}"),
        }
        self
    }

    /// An exec, which a thread may call.
    pub(crate) fn exec(&mut self, task: impl Into<Task>, name: &str) -> &mut Script {
        let Task(tid, tgid) = task.into();
        let image = Arc::new(Image {
            comm: Comm::new(name.as_bytes()),
            path: None,
            argv: Vec::new(),
        });
        let former = (tid != tgid.leader()).then_some(tid);
        self.event(tgid.raw(), EventKind::Executed { image, former })
    }

    /// An exec that fails.
    pub(crate) fn exec_failed(&mut self, pid: i32, path: &str, errno: Errno) -> &mut Script {
        let path = Some(path.as_bytes().to_vec());
        self.event(pid, EventKind::ExecFailed(FailedExec { path, errno }))
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

    /// A group-stop.
    pub(crate) fn stop(&mut self, pid: i32) -> &mut Script {
        let signal = Signal::STOP;
        self.event(pid, EventKind::GroupStopped { signal })
    }

    /// A process leaves its group-stop.
    pub(crate) fn resume(&mut self, pid: i32) -> &mut Script {
        self.event(pid, EventKind::Resumed)
    }

    /// A process sends a signal.
    pub(crate) fn kill(&mut self, by: impl Into<Task>, target: i32, signal: Signal) -> &mut Script {
        let target = NsPid::new(target);
        self.event(by, EventKind::Kills { target, signal })
    }

    /// A signal that a process sent is delivered.
    pub(crate) fn signalled(&mut self, pid: i32, signal: Signal, sender: i32) -> &mut Script {
        let info = SigInfo {
            signo: signal,
            errno: 0,
            code: libc::SI_USER,
            fields: Fields::Kill {
                pid: NsPid::new(sender),
                uid: 0,
            },
        };
        let signalled = EventKind::Signalled {
            signal,
            info: Some(info),
            sender: None,
            dropped: false,
        };
        self.event(pid, signalled)
    }

    /// A disposition of SIGCHLD.
    pub(crate) fn sigchld(&mut self, task: impl Into<Task>, action: SigchldAction) -> &mut Script {
        self.event(task, EventKind::SigchldSet(action))
    }

    /// The SIGCHLD for a child that exited is delivered.
    pub(crate) fn sigchld_of(&mut self, task: impl Into<Task>, child: i32) -> &mut Script {
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
            dropped: false,
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

    /// Changes the wait that has just ended, and so its begin.
    pub(crate) fn but(&mut self, change: impl FnOnce(&mut WaitExit)) -> &mut Script {
        let mut events = self.events.iter_mut().rev();
        let (entry, tid) = match events.next() {
            Some(Event {
                kind: EventKind::WaitEnded(exit),
                tid,
                ..
            }) => {
                change(exit);
                (exit.entry.clone(), *tid)
            }
            other => unreachable!("no end of a wait: {other:?}"),
        };
        let entered = events.filter(|event| event.tid == tid);
        let entered = entered.map(|event| &mut event.kind);
        for kind in entered {
            if let EventKind::WaitEntered(entered) = kind {
                *entered = entry;
                break;
            }
        }
        self
    }

    /// A handler interrupts a wait for a child, which ends in EINTR or goes on
    /// after it.
    pub(crate) fn interrupted(
        &mut self,
        task: impl Into<Task>,
        named: i32,
        by: Signal,
        eintr: bool,
    ) -> &mut Script {
        let Task(tid, tgid) = task.into();
        let task = (tid.raw(), tgid.raw());
        self.wait(task, named, 0, Err(Errno::RESTARTSYS));
        self.event(task, EventKind::RestartOutcome { by, eintr })
    }

    /// What `/proc` said.
    pub(crate) fn observe(&mut self, task: impl Into<Task>, seen: Observation) -> &mut Script {
        self.event(task, EventKind::Observed(seen))
    }

    /// A look at a zombie, which is gone.
    pub(crate) fn look_in_vain(&mut self, parent: i32, child: i32) -> &mut Script {
        let probe = ZombieProbe {
            child: Tgid::new(child),
            zombie: None,
        };
        self.observe(parent, Observation::ZombieProbe(probe))
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
        let probe = ZombieProbe {
            child: Tgid::new(child),
            zombie: Some(owner),
        };
        self.observe(parent, Observation::ZombieProbe(probe))
    }

    /// All earlier events have been reported.
    pub(crate) fn quiet(&mut self) -> &mut Script {
        self.event(0, EventKind::QueueDrained)
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
