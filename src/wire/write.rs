//! Events to JSON lines.

use super::calls::{Args, Child, RestartOutcome, Rusage, TargetName, Wait, WaitEntry};
use super::lifecycle::{
    Adopt, Attach, DeathSignal, Exec, ExecFailed, Exit, ExitsWith, Fork, Found, Handler, Image,
    Kill, Namespaces, Received, Stop, Thread, UntracedChild,
};
use super::siginfo::Info;
use super::stack::Stack;
use super::values::{Address, Named, Text, pointer};
use super::waiting::Waiting;
use super::{About, Body, Line, Nothing, Sees, Start, VERSION};
use std::time::SystemTime;

use crate::event::{self, Event, EventKind, Fetched, How, Origin, ProcView, SigchldAction};
use crate::kernel::{self, NsPid, System, Tgid, WaitCall};
use crate::ledger::{Ledger, Process};

/// The first line of a trace.
#[must_use]
pub fn start(origin: &Origin) -> Line {
    let began = jiff::Timestamp::try_from(origin.began).unwrap_or_default();
    Line {
        v: Some(VERSION),
        seq: None,
        body: Body::Start(Start {
            tracer: origin.tracer.clone(),
            command: origin.command.iter().cloned().map(Text).collect(),
            attached: origin.attached.clone(),
            kernel: origin.kernel.clone(),
            arch: origin.arch.clone(),
            began: if origin.began == SystemTime::UNIX_EPOCH {
                String::new()
            } else {
                began.to_string()
            },
            sees: Sees {
                children: origin.follows,
                restart_outcomes: origin.restart_outcomes,
                proc: origin.proc == ProcView::Seen,
            },
        }),
    }
}

/// The line of an event that has been applied to the ledger.
#[must_use]
pub fn event(event: &Event, ledger: &Ledger) -> Line {
    Line {
        v: None,
        seq: Some(event.seq),
        body: Writer { event, ledger }.body(),
    }
}

struct Writer<'a> {
    event: &'a Event,
    ledger: &'a Ledger,
}

impl Writer<'_> {
    fn about<T>(&self, what: T) -> About<T> {
        let Event { at, tid, tgid, .. } = *self.event;
        About {
            t_ns: at.0,
            pid: tgid.raw(),
            tid: tid.raw(),
            ns_pid: self.ledger.process(tgid).and_then(Process::ns_pid),
            comm: self.ledger.comm(tid).into(),
            what,
        }
    }

    fn body(&self) -> Body {
        match &self.event.kind {
            EventKind::Found(found) => Body::Found(self.about(found.into())),
            EventKind::Attached { threads } => {
                let threads = *threads as u64;
                Body::Attach(self.about(Attach { threads }))
            }
            EventKind::Created(created) if created.how == How::Thread => {
                let new_tid = created.child.raw();
                Body::Thread(self.about(Thread { new_tid }))
            }
            EventKind::Created(created) => Body::Fork(self.about(self.fork(created))),
            EventKind::Executed { image, former } => Body::Exec(self.about(Exec {
                image: (&**image).into(),
                former: former.map(kernel::Tid::raw),
            })),
            EventKind::Used(usage) => Body::Usage(self.about(super::Usage {
                user_us: usage.user_us,
                system_us: usage.system_us,
                peak_kib: usage.peak_kib,
            })),
            EventKind::Ended { status } => {
                let status = (*status).into();
                Body::Exit(self.about(Exit { status }))
            }
            EventKind::Signalled {
                signal,
                info,
                sender,
                dropped,
            } => Body::Signal(self.about(Received {
                signal: (*signal).into(),
                info: info.as_ref().map(Info::from),
                sender: sender.map(Text::from),
                dropped: *dropped,
            })),
            EventKind::GroupStopped { signal } => {
                let signal = (*signal).into();
                Body::Stop(self.about(Stop { signal }))
            }
            EventKind::Resumed => Body::Continue(self.about(Nothing {})),
            EventKind::WaitEntered(entry) => Body::WaitEntry(self.about(self.entry(entry))),
            EventKind::WaitEnded(exit) => Body::Wait(self.about(self.wait(exit))),
            EventKind::RestartOutcome { by, eintr } => {
                Body::RestartOutcome(self.about(RestartOutcome {
                    by: (*by).into(),
                    eintr: *eintr,
                }))
            }
            EventKind::Detached => Body::Detach(self.about(Nothing {})),
            EventKind::Looked(look) => Body::Waiting(self.about(Waiting::of(look, self.ledger))),
            EventKind::QueueDrained => Body::QueueDrained(self.about(Nothing {})),
            EventKind::Over => Body::Over(self.about(Nothing {})),
            EventKind::Adopted { child, from, comm } => Body::Adopt(self.about(Adopt {
                child: self.known(*child),
                from: from.raw(),
                parent_comm: (*comm).into(),
            })),
            EventKind::UntracedChild(child) => {
                Body::UntracedChild(self.about(self.untraced_child(child)))
            }
            EventKind::SigchldSet(action) => Body::Sigchld(self.about((*action).into())),
            EventKind::DeathSignalSet(signal) => {
                let signal = signal.map(Named::from);
                Body::DeathSignal(self.about(DeathSignal { signal }))
            }
            EventKind::ExecFailed(failed) => Body::ExecFailed(self.about(failed.into())),
            EventKind::ListenerWanted => Body::SeccompListener(self.about(Nothing {})),
            EventKind::ExitsWith(code) => Body::ExitsWith(self.about(ExitsWith { code: *code })),
            EventKind::Kills { target, signal } => Body::Kill(self.about(Kill {
                whom: target.raw(),
                signal: (*signal).into(),
            })),
            EventKind::Held(held) => Body::Held(self.about(held.into())),
            EventKind::Observed(seen) => Body::Observation(self.about(seen.into())),
        }
    }

    /// The process that the current task calls `pid`.
    fn child(&self, pid: NsPid) -> Option<Child> {
        let child = self.ledger.translate(self.event.tgid, pid)?;
        let seen = (child.tgid.raw() != pid.raw()).then(|| pid.raw());
        Some(Child {
            pid: child.tgid.raw(),
            ns_pid: seen,
            comm: child.image.comm.into(),
        })
    }

    /// The process with this pid in the tracer's namespace.
    fn known(&self, tgid: Tgid) -> Child {
        Child {
            pid: tgid.raw(),
            ns_pid: self.ledger.process(tgid).and_then(Process::ns_pid),
            comm: self.ledger.comm(tgid.leader()).into(),
        }
    }

    fn fork(&self, created: &event::Created) -> Fork {
        Fork {
            child: self.known(Tgid::new(created.child.raw())),
            how: match created.how {
                How::Vfork => "vfork",
                How::Clone => "clone",
                How::Fork | How::Thread => "fork",
            }
            .to_owned(),
            parent: created.parent.map(Tgid::raw),
            namespaces: created.ns.as_deref().map(Namespaces::from),
            exit_signal: created.exit_signal.map(Named::from),
            stack: created.stack.as_deref().map(Stack::from),
        }
    }

    fn untraced_child(&self, child: &event::UntracedChild) -> UntracedChild {
        UntracedChild {
            child: self.known(child.child),
            image: (&*child.image).into(),
            zombie: child.zombie.map(Into::into),
            is_adopted: child.is_adopted,
            namespaces: child.ns.as_deref().map(Namespaces::from),
        }
    }

    fn entry(&self, entry: &event::WaitEntry) -> WaitEntry {
        let (pid, idtype, id) = match entry.named {
            event::Named::Pid(pid) => (Some(pid), None, None),
            event::Named::Unknown => (None, None, None),
            event::Named::Id(kind, id) => {
                let kind = Named::of_id_type(kind, entry.options.system());
                (None, Some(kind), Some(id))
            }
        };
        WaitEntry {
            call: entry.call.name().to_owned(),
            abi: match entry.options.system() {
                System::Linux => entry.abi.name(),
                system => system.name(),
            }
            .to_owned(),
            args: Args {
                pid,
                idtype,
                id,
                wstatus: pointer(entry.result_at),
                options: (!entry.is_half).then(|| entry.options.into()),
                rusage: pointer(entry.rusage_at),
                info: pointer(entry.info_at),
            },
            restart: entry.is_restart,
            target: entry.named.process().and_then(|pid| self.child(pid)),
            target_name: entry.target.as_ref().map(TargetName::from),
            pidfd: entry.pidfd,
            stack: entry.stack.as_deref().map(Stack::from),
        }
    }

    fn wait(&self, exit: &event::WaitExit) -> Wait {
        let is_waitid = exit.entry.call == WaitCall::Waitid;
        let has_beginning = exit.entry.named != event::Named::Unknown;
        let status = if is_waitid {
            exit.info.errno()
        } else {
            exit.status.errno()
        };
        Wait {
            entry: self.entry(&exit.entry),
            ret: exit.result.map_or(-1, NsPid::raw),
            errno: exit.result.err().map(Named::from),
            status: exit.status.value().map(|status| (*status).into()),
            info: exit.info.value().map(Info::from),
            rusage: exit.rusage.value().map(Rusage::from),
            status_unreadable: status.map(Named::from),
            rusage_unreadable: exit.rusage.errno().map(Named::from),
            child: exit.reported().and_then(|(pid, _)| self.child(pid)),
            zombie_s: self.zombie_seconds(),
            duration_s: has_beginning.then(|| seconds(self.event.at.since(exit.entered))),
            entered_ns: has_beginning.then_some(exit.entered.0),
            child_name: exit.child.map(Text::from),
            remaining: exit.remaining.as_deref().map(raw_pids),
            lives_on: exit.lives_on,
            in_handler: exit.in_handler,
        }
    }

    /// How long the child that the current event reaped had been dead, in seconds.
    fn zombie_seconds(&self) -> Option<f64> {
        let ended = self.ledger.just_reaped()?.ended?;
        // One that only the reap shows may have been dead for long.
        if ended.when.is_before_attach || ended.when.seq == self.event.seq {
            return None;
        }
        Some(seconds(self.event.at.since(ended.when.at)))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53 ns, 104 days; the nanoseconds stand beside it"
)]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn raw_pids(pids: &[Tgid]) -> Vec<i32> {
    pids.iter().map(|pid| pid.raw()).collect()
}

impl<T> Fetched<T> {
    /// Why it could not be read.
    fn errno(&self) -> Option<kernel::Errno> {
        match self {
            Fetched::Unreadable { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

impl From<&event::TargetName> for TargetName {
    fn from(name: &event::TargetName) -> TargetName {
        match name {
            event::TargetName::Comm(comm) => TargetName::Comm((*comm).into()),
            event::TargetName::Link(link) => TargetName::Link(Text(link.clone())),
            event::TargetName::PidFd(pid) => TargetName::Pid(*pid),
        }
    }
}

impl From<&event::Found> for Found {
    fn from(found: &event::Found) -> Found {
        Found {
            parent: found.parent.map(Tgid::raw),
            image: found.image.as_deref().map(Image::from),
            namespaces: found.ns.as_deref().map(Namespaces::from),
            own_comm: found.comm.map(Text::from),
            sigchld: found.sigchld.map(Handler::from),
        }
    }
}

impl From<&event::FailedExec> for ExecFailed {
    fn from(failed: &event::FailedExec) -> ExecFailed {
        ExecFailed {
            path: failed.path.clone().map(Text),
            errno: failed.errno.into(),
        }
    }
}

impl From<&event::Image> for Image {
    fn from(image: &event::Image) -> Image {
        Image {
            comm: image.comm.into(),
            path: image.path.clone().map(Text),
            argv: image.argv.iter().cloned().map(Text).collect(),
        }
    }
}

impl From<&event::NsPids> for Namespaces {
    fn from(ns: &event::NsPids) -> Namespaces {
        Namespaces {
            inode: ns.inode.into(),
            pids: ns.chain.iter().map(|pid| pid.raw()).collect(),
        }
    }
}

impl From<SigchldAction> for Handler {
    fn from(action: SigchldAction) -> Handler {
        match action {
            SigchldAction::Default => Handler::Default,
            SigchldAction::DefaultNoWait => Handler::DefaultNoWait,
            SigchldAction::Ignore => Handler::Ignore,
            SigchldAction::Handler {
                address,
                no_wait,
                restarts,
            } => Handler::Handler {
                address: Address(address),
                no_wait,
                restarts,
            },
        }
    }
}
