//! JSON lines to events.

use std::sync::Arc;
use std::time::SystemTime;

use super::calls::{TargetName, Wait, WaitEntry};
use super::lifecycle::{ExecFailed, Fork, Found, Handler, Image, Namespaces, UntracedChild};
use super::values::{Address, Named, Text};
use super::{About, Body, Line, Start, VERSION};
use crate::event::{
    self, Comm, Event, EventKind, Fetched, How, Moment, Origin, ProcView, SigchldAction,
};
use crate::kernel::{
    self, Abi, Errno, NsPid, SigInfo, Signal, System, Tgid, Tid, WaitCall, WaitOptions, WaitStatus,
};

impl Start {
    /// What the first line says about the trace.
    ///
    /// # Errors
    /// What cannot be read, as a clause.
    pub fn origin(&self) -> Result<Origin, String> {
        let began = match self.began.as_str() {
            "" => SystemTime::UNIX_EPOCH,
            began => began
                .parse::<jiff::Timestamp>()
                .and_then(SystemTime::try_from)
                .map_err(|_| format!("began is not a time in RFC 3339 format: {began:?}"))?,
        };
        Ok(Origin {
            tracer: self.tracer.clone(),
            command: self.command.iter().map(|word| word.0.clone()).collect(),
            attached: self.attached.clone(),
            kernel: self.kernel.clone(),
            arch: self.arch.clone(),
            began,
            resolution: 0,
            follows: self.sees.children,
            restart_outcomes: self.sees.restart_outcomes,
            proc: ProcView::of(self.sees.proc),
        })
    }
}

/// Whether this version of the format can be read.
#[must_use]
pub fn can_read(version: u32) -> bool {
    version == VERSION
}

impl Line {
    /// The event of a line; `None` if it is about something else.
    ///
    /// # Errors
    /// A clause on what is wrong with it.
    pub fn into_event(self) -> Result<Option<Event>, String> {
        let seq = self.seq;
        let Some((task, kind)) = self.body.into_kind()? else {
            return Ok(None);
        };
        Ok(Some(Event {
            seq: seq.ok_or("an event needs a seq")?,
            at: moment(task.t_ns)?,
            tid: Tid::new(task.tid),
            tgid: Tgid::new(task.pid),
            kind,
        }))
    }
}

/// A moment within a range where arithmetic on it cannot overflow.
fn moment(nanos: u64) -> Result<Moment, String> {
    let moment = Moment(nanos);
    if moment > Moment::LAST {
        return Err(format!("{nanos} ns is years after the start"));
    }
    Ok(moment)
}

/// The process and thread of an event.
struct Task {
    t_ns: u64,
    pid: i32,
    tid: i32,
}

type Parsed = Result<Option<(Task, EventKind)>, String>;

impl<T> About<T> {
    fn map(self, kind: impl FnOnce(T) -> EventKind) -> Parsed {
        self.try_map(|what| Ok(kind(what)))
    }

    fn try_map(self, kind: impl FnOnce(T) -> Result<EventKind, String>) -> Parsed {
        let task = Task {
            t_ns: self.t_ns,
            pid: self.pid,
            tid: self.tid,
        };
        Ok(Some((task, kind(self.what)?)))
    }
}

impl Body {
    fn into_kind(self) -> Parsed {
        match self {
            Body::Start(_)
            | Body::Message(_)
            | Body::Finding(_)
            | Body::Summary(_)
            | Body::End(_)
            | Body::Unknown => Ok(None),
            Body::Found(about) => about.map(|found| EventKind::Found(found.into())),
            Body::Attach(about) => about.map(|attach| EventKind::Attached {
                threads: usize::try_from(attach.threads).unwrap_or(usize::MAX),
            }),
            Body::Fork(about) => about.try_map(|fork| Ok(EventKind::Created(fork.try_into()?))),
            Body::Thread(about) => about.map(|thread| {
                EventKind::Created(event::Created {
                    child: Tid::new(thread.new_tid),
                    how: How::Thread,
                    parent: None,
                    ns: None,
                    exit_signal: None,
                    stack: None,
                })
            }),
            Body::Exec(about) => about.map(|exec| EventKind::Executed {
                image: Arc::new(exec.image.into()),
                former: exec.former.map(Tid::new),
            }),
            Body::Usage(about) => about.map(|usage| {
                EventKind::Used(kernel::Usage {
                    user_us: usage.user_us,
                    system_us: usage.system_us,
                    peak_kib: usage.peak_kib,
                })
            }),
            Body::Exit(about) => about.map(|exit| EventKind::Ended {
                status: (&exit.status).into(),
            }),
            Body::Signal(about) => about.map(|received| EventKind::Signalled {
                signal: (&received.signal).into(),
                info: received.info.map(SigInfo::from),
                sender: received.sender.as_ref().map(Comm::from),
                dropped: received.dropped,
            }),
            Body::Stop(about) => about.map(|stop| EventKind::GroupStopped {
                signal: (&stop.signal).into(),
            }),
            Body::Continue(about) => about.map(|_| EventKind::Resumed),
            Body::WaitEntry(about) => {
                about.try_map(|entry| Ok(EventKind::WaitEntered(entry.try_into()?)))
            }
            Body::Wait(about) => about.try_map(|wait| Ok(EventKind::WaitEnded(wait.try_into()?))),
            Body::RestartOutcome(about) => about.map(|outcome| EventKind::RestartOutcome {
                by: (&outcome.by).into(),
                eintr: outcome.eintr,
            }),
            Body::Detach(about) => about.map(|_| EventKind::Detached),
            Body::Waiting(about) => {
                about.map(|waiting| EventKind::Looked(Box::new(waiting.into())))
            }
            Body::QueueDrained(about) => about.map(|_| EventKind::QueueDrained),
            Body::Over(about) => about.map(|_| EventKind::Over),
            Body::Adopt(about) => about.map(|adopt| EventKind::Adopted {
                child: Tgid::new(adopt.child.pid),
                from: Tgid::new(adopt.from),
                comm: (&adopt.parent_comm).into(),
            }),
            Body::UntracedChild(about) => about.map(|child| EventKind::UntracedChild(child.into())),
            Body::Sigchld(about) => about.map(|action| EventKind::SigchldSet(action.into())),
            Body::DeathSignal(about) => {
                about.map(|it| EventKind::DeathSignalSet(it.signal.as_ref().map(Signal::from)))
            }
            Body::ExecFailed(about) => about.map(|failed| EventKind::ExecFailed(failed.into())),
            Body::SeccompListener(about) => about.map(|_| EventKind::ListenerWanted),
            Body::Held(about) => about.map(|held| EventKind::Held(held.into())),
            Body::ExitsWith(about) => about.map(|it| EventKind::ExitsWith(it.code)),
            Body::Kill(about) => about.map(|kill| EventKind::Kills {
                target: NsPid::new(kill.whom),
                signal: (&kill.signal).into(),
            }),
            Body::Observation(about) => about.map(|seen| EventKind::Observed(seen.into())),
        }
    }
}

fn bytes(texts: Vec<Text>) -> Vec<Vec<u8>> {
    texts.into_iter().map(|text| text.0).collect()
}

impl From<ExecFailed> for event::FailedExec {
    fn from(failed: ExecFailed) -> event::FailedExec {
        event::FailedExec {
            path: failed.path.map(|path| path.0),
            errno: (&failed.errno).into(),
        }
    }
}

impl From<Image> for event::Image {
    fn from(image: Image) -> event::Image {
        event::Image {
            comm: (&image.comm).into(),
            path: image.path.map(|path| path.0),
            argv: bytes(image.argv),
        }
    }
}

impl From<Namespaces> for event::NsPids {
    fn from(ns: Namespaces) -> event::NsPids {
        event::NsPids {
            inode: ns.inode.unsigned(),
            chain: ns.pids.into_iter().map(NsPid::new).collect(),
        }
    }
}

impl From<Found> for event::Found {
    fn from(found: Found) -> event::Found {
        event::Found {
            parent: found.parent.map(Tgid::new),
            image: found.image.map(|image| Arc::new(image.into())),
            ns: found.namespaces.map(|ns| Arc::new(ns.into())),
            comm: found.own_comm.as_ref().map(Comm::from),
            sigchld: found.sigchld.map(SigchldAction::from),
        }
    }
}

impl TryFrom<Fork> for event::Created {
    type Error = String;

    fn try_from(fork: Fork) -> Result<event::Created, String> {
        Ok(event::Created {
            child: Tid::new(fork.child.pid),
            how: match fork.how.as_str() {
                "fork" => How::Fork,
                "vfork" => How::Vfork,
                "clone" => How::Clone,
                other => return Err(format!("how is fork, vfork or clone, not {other:?}")),
            },
            parent: fork.parent.map(Tgid::new),
            ns: fork.namespaces.map(|ns| Arc::new(ns.into())),
            exit_signal: fork.exit_signal.as_ref().map(Signal::from),
            stack: fork.stack.map(|stack| Arc::new(stack.into())),
        })
    }
}

impl From<UntracedChild> for event::UntracedChild {
    fn from(child: UntracedChild) -> event::UntracedChild {
        event::UntracedChild {
            child: Tgid::new(child.child.pid),
            image: Arc::new(child.image.into()),
            zombie: child.zombie.as_ref().map(WaitStatus::from),
            is_adopted: child.is_adopted,
            ns: child.namespaces.map(|ns| Arc::new(ns.into())),
        }
    }
}

impl From<Handler> for SigchldAction {
    fn from(handler: Handler) -> SigchldAction {
        match handler {
            Handler::Default => SigchldAction::Default,
            Handler::DefaultNoWait => SigchldAction::DefaultNoWait,
            Handler::Ignore => SigchldAction::Ignore,
            Handler::Handler {
                address,
                no_wait,
                restarts,
            } => SigchldAction::Handler {
                address: address.0,
                no_wait,
                restarts,
            },
        }
    }
}

impl TryFrom<WaitEntry> for event::WaitEntry {
    type Error = String;

    fn try_from(entry: WaitEntry) -> Result<event::WaitEntry, String> {
        let mut calls = WaitCall::ALL.into_iter();
        let call = calls.find(|call| call.name() == entry.call);
        let call = call.ok_or_else(|| {
            format!(
                "call is wait4, waitid, waitpid or wait6, not {:?}",
                entry.call
            )
        })?;
        let system = entry.abi.parse().unwrap_or(System::Linux);
        let abi = match system {
            System::Linux => Abi::ALL.into_iter().find(|abi| abi.name() == entry.abi),
            // The ABI only matters for memory layouts, and those are already decoded.
            System::NetBsd | System::FreeBsd => Some(Abi::X86_64),
        };
        let named = match (entry.args.pid, &entry.args.idtype, entry.args.id) {
            (Some(pid), None, None) => event::Named::Pid(pid),
            (None, Some(kind), Some(id)) => event::Named::Id(kind.id_type(system), id),
            (None, None, None) => event::Named::Unknown,
            _ => return Err("the args of a wait have either pid or idtype and id".to_owned()),
        };
        let address = |pointer: Option<Address>| pointer.map_or(0, |Address(address)| address);
        Ok(event::WaitEntry {
            call,
            abi: abi.ok_or_else(|| format!("{:?} is not a known ABI", entry.abi))?,
            named,
            options: WaitOptions::of(system, entry.args.options.as_ref().map_or(0, |it| it.raw)),
            is_half: entry.args.options.is_none(),
            result_at: address(entry.args.wstatus),
            rusage_at: address(entry.args.rusage),
            info_at: address(entry.args.info),
            is_restart: entry.restart,
            target: entry.target_name.map(event::TargetName::from),
            pidfd: entry.pidfd,
            stack: entry.stack.map(|stack| Arc::new(stack.into())),
        })
    }
}

impl From<TargetName> for event::TargetName {
    fn from(name: TargetName) -> event::TargetName {
        match name {
            TargetName::Comm(comm) => event::TargetName::Comm((&comm).into()),
            TargetName::Link(link) => event::TargetName::Link(link.0),
            TargetName::Pid(pid) => event::TargetName::PidFd(pid),
        }
    }
}

/// The value at `addr`.
fn fetched<T>(addr: u64, value: Option<T>, unreadable: Option<&Named>) -> Fetched<T> {
    match (value, unreadable) {
        (Some(value), _) => Fetched::Value { addr, value },
        (None, _) if addr == 0 => Fetched::Null,
        (None, Some(word)) => Fetched::Unreadable {
            addr,
            errno: word.into(),
        },
        (None, None) => Fetched::Unread { addr },
    }
}

impl TryFrom<Wait> for event::WaitExit {
    type Error = String;

    fn try_from(wait: Wait) -> Result<event::WaitExit, String> {
        let entry = event::WaitEntry::try_from(wait.entry)?;
        let is_waitid = entry.call == WaitCall::Waitid;
        let unreadable = wait.status_unreadable.as_ref();
        let status = wait.status.as_ref().map(WaitStatus::from);
        let info = wait.info.map(SigInfo::from);
        // A call has one of the two addresses; the other is NULL.
        let (status_at, info_at) = if is_waitid {
            (0, entry.result_at)
        } else {
            (entry.result_at, 0)
        };
        Ok(event::WaitExit {
            entered: moment(wait.entered_ns.unwrap_or(0))?,
            result: match &wait.errno {
                Some(word) => Err(Errno::from(word)),
                None => Ok(NsPid::new(wait.ret)),
            },
            status: fetched(status_at, status, unreadable),
            info: fetched(info_at, info, unreadable),
            rusage: fetched(
                entry.rusage_at,
                wait.rusage.map(kernel::Rusage::from),
                wait.rusage_unreadable.as_ref(),
            ),
            child: wait.child_name.as_ref().map(Comm::from),
            remaining: wait
                .remaining
                .map(|pids| pids.into_iter().map(Tgid::new).collect()),
            lives_on: wait.lives_on,
            in_handler: wait.in_handler,
            entry,
        })
    }
}
