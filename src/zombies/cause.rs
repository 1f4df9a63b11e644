//! Why a zombie is not reaped; the first cause that fits. Pure: takes what was read
//! from `/proc`.

use super::parent::{Parent, Sigchld, Thread};
use crate::kernel::Tid;
use crate::proc::Stat;

/// Names of calls that wait for children.
pub(super) const WAITS: [&str; 2] = ["wait4", "waitid"];
/// Names of calls that create a child; a thread asleep in one is in a vfork.
const VFORKS: [&str; 3] = ["vfork", "clone", "clone3"];
/// Names of calls that sleep until a lock is free.
const LOCKS: [&str; 2] = ["futex", "flock"];
/// Names of calls that take a signal without a handler.
const TAKES_SIGNALS: [&str; 2] = ["rt_sigtimedwait", "signalfd4"];

/// Why a zombie exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Cause {
    /// Not a zombie: its main thread is dead, others are alive.
    Headless(u32),
    /// A tracer other than its parent has to reap it first.
    Traced(Tid),
    /// Its parent vanished, or changed, during the look-up.
    Gone,
    /// Its parent is outside of the pid namespace that `/proc` shows.
    Outside,
    /// Its parent is stopped by a signal.
    Stopped,
    /// Its parent is in a ptrace-stop.
    Held(Option<Tid>),
    /// Its parent's cgroup is frozen.
    Frozen,
    /// A thread of its parent is suspended in vfork.
    Vfork(Tid),
    /// A thread of its parent waits, but for another child.
    WaitsForOther(Tid, Target),
    /// Its parent adopted it: it belongs to another session.
    Adopted,
    /// Its parent is PID 1 of a pid namespace, which adopts all orphans.
    Init,
    /// SIGCHLD is blocked in all threads and pending: the handler never runs.
    Blocked,
    /// SIGCHLD is ignored now, which only frees later zombies.
    IgnoredLate,
    /// The handler ran without reaping, or there is none: no thread waits.
    Neglected(BlockedTime),
    /// Its parent, or the system calls of it, cannot be read.
    Hidden,
}

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// One process.
    Process(i32),
    /// A process group.
    Group(i32),
    /// The process that this pidfd refers to.
    Descriptor(i32),
}

/// What the main thread of a parent does instead of waiting.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum BlockedTime {
    /// It runs.
    Running,
    /// It sleeps in a call for a lock.
    Lock(String),
    /// It sleeps uninterruptibly in a call.
    Uninterruptible(Option<String>),
    /// It sleeps in a call.
    Asleep(String),
    /// It is dead; other threads are alive.
    Dead,
}

/// The cause for a zombie of `parent`, which `tracer` traces, if any. A parent may be
/// missing because `/proc` hides it.
pub(super) fn cause(
    zombie: &Stat,
    tracer: Option<Tid>,
    parent: Option<&Parent>,
    hides_others: bool,
) -> Cause {
    if zombie.is_headless() {
        return Cause::Headless(zombie.threads - 1);
    }
    if let Some(tracer) = tracer.filter(|tracer| *tracer != zombie.parent.leader()) {
        return Cause::Traced(tracer);
    }
    if zombie.parent.raw() == 0 {
        return Cause::Outside;
    }
    let Some((parent, sigchld)) = parent.and_then(|parent| Some((parent, parent.sigchld?))) else {
        return if parent.is_none() && hides_others {
            Cause::Hidden
        } else {
            Cause::Gone
        };
    };
    at_rest(parent)
        .or_else(|| waiting(zombie, parent))
        .or_else(|| trouble(sigchld, parent))
        .or_else(|| adopted(zombie, parent))
        .unwrap_or_else(|| match busy(parent) {
            Some(busy) => Cause::Neglected(busy),
            None => Cause::Hidden,
        })
}

/// Causes that keep the parent from running.
fn at_rest(parent: &Parent) -> Option<Cause> {
    if parent.stat.state == b'T' {
        return Some(Cause::Stopped);
    }
    if parent.stat.state == b't' {
        return Some(Cause::Held(parent.tracer));
    }
    let sleeps_in = |thread: &Thread, what: &str| {
        let wchan = thread.wchan.as_deref();
        wchan.is_some_and(|wchan| wchan.contains(what))
    };
    let mut threads = parent.threads.iter();
    if !parent.threads.is_empty() && threads.all(|thread| sleeps_in(thread, "freezer")) {
        return Some(Cause::Frozen);
    }
    let mut threads = parent.threads.iter();
    let suspended = threads.find(|thread| thread.state == b'D' && thread.is_in(&VFORKS))?;
    Some(Cause::Vfork(suspended.tid))
}

/// A thread of the parent waits for another child.
fn waiting(zombie: &Stat, parent: &Parent) -> Option<Cause> {
    let waits = parent.threads.iter().filter(|thread| thread.is_in(&WAITS));
    let others = waits.filter_map(|thread| {
        let target = target(thread, parent)?;
        let is_it = match target {
            Target::Process(pid) => pid == zombie.pid.raw(),
            Target::Group(group) => group == zombie.group,
            Target::Descriptor(_) => false,
        };
        (!is_it).then_some(Cause::WaitsForOther(thread.tid, target))
    });
    others.into_iter().next()
}

/// What a thread in a wait call waits for; `None` for any child.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the arguments are ints, whatever lies above"
)]
fn target(thread: &Thread, parent: &Parent) -> Option<Target> {
    let call = thread.call.as_ref()?;
    let [first, second] = call.args.map(|word| word as i32);
    let own = parent.stat.group;
    match (call.name.as_str(), first, second) {
        ("wait4", 0, _) | ("waitid", 2, 0) => Some(Target::Group(own)),
        ("wait4", pid @ 1.., _) | ("waitid", 1, pid) => Some(Target::Process(pid)),
        ("wait4", group @ ..=-2, _) => Some(Target::Group(group.checked_neg()?)),
        ("waitid", 2, group) => Some(Target::Group(group)),
        ("waitid", 3, fd) => Some(Target::Descriptor(fd)),
        _ => None,
    }
}

/// Causes in the disposition and mask of SIGCHLD.
fn trouble(sigchld: Sigchld, parent: &Parent) -> Option<Cause> {
    let mut threads = parent.threads.iter();
    let takes = threads.any(|thread| thread.is_in(&TAKES_SIGNALS));
    if sigchld.is_blocked && sigchld.is_pending && !takes {
        return Some(Cause::Blocked);
    }
    sigchld.is_ignored.then_some(Cause::IgnoredLate)
}

/// Whether this is no session that a child of the parent's can be in: it is in its
/// parent's unless one of the two called setsid, and then it is a session leader.
pub(super) fn is_of_another_session(zombie: &Stat, parent: &Stat) -> bool {
    zombie.session != parent.session
        && zombie.session != zombie.pid.raw()
        && parent.session != parent.pid.raw()
}

/// The parent did not create the zombie.
fn adopted(zombie: &Stat, parent: &Parent) -> Option<Cause> {
    if is_of_another_session(zombie, &parent.stat) {
        return Some(Cause::Adopted);
    }
    parent.is_init().then_some(Cause::Init)
}

/// What the main thread does instead.
fn busy(parent: &Parent) -> Option<BlockedTime> {
    let main = parent.threads.first()?;
    let name = main.call.as_ref().map(|call| call.name.clone());
    Some(match (main.state, name) {
        (b'R', _) => BlockedTime::Running,
        (b'Z' | b'X', _) => BlockedTime::Dead,
        (b'D', name) => BlockedTime::Uninterruptible(name),
        (_, Some(name)) if LOCKS.contains(&name.as_str()) => BlockedTime::Lock(name),
        (_, Some(name)) => BlockedTime::Asleep(name),
        (_, None) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::parent::Call;
    use super::*;
    use crate::event::Comm;
    use crate::kernel::NsPid;

    fn thread(state: u8, name: &str, args: [u64; 2]) -> Thread {
        Thread {
            tid: Tid::new(7),
            comm: Comm::new(b"main"),
            state,
            idle: None,
            call: (!name.is_empty()).then(|| Call {
                name: name.to_owned(),
                args,
            }),
            wchan: None,
        }
    }

    fn zombie() -> Stat {
        Stat {
            state: b'Z',
            started: 200,
            group: 7,
            session: 7,
            ..Stat::of_pids(42, 7)
        }
    }

    fn parent(thread: Thread) -> Parent {
        Parent {
            stat: Stat {
                state: thread.state,
                started: 100,
                group: 7,
                session: 7,
                ..Stat::of_pids(7, 1)
            },
            ns_pid: Some(NsPid::new(7)),
            sigchld: Some(Sigchld::default()),
            threads: vec![thread],
            thread_count: 1,
            tracer: None,
            argv: None,
            uid: None,
            cgroup: None,
        }
    }

    fn of(parent: &Parent) -> Cause {
        cause(&zombie(), None, Some(parent), false)
    }

    #[test]
    fn each_state_of_the_parent_is_a_cause() {
        let in_call = |state, name: &str, args| of(&parent(thread(state, name, args)));
        assert_eq!(in_call(b'T', "", [0; 2]), Cause::Stopped);
        assert_eq!(in_call(b't', "", [0; 2]), Cause::Held(None));
        assert_eq!(in_call(b'D', "vfork", [0; 2]), Cause::Vfork(Tid::new(7)));
        assert_eq!(
            in_call(b'R', "", [0; 2]),
            Cause::Neglected(BlockedTime::Running)
        );
        assert_eq!(
            in_call(b'S', "futex", [0; 2]),
            Cause::Neglected(BlockedTime::Lock("futex".into()))
        );
        assert_eq!(
            in_call(b'S', "read", [0; 2]),
            Cause::Neglected(BlockedTime::Asleep("read".into()))
        );
        assert_eq!(in_call(b'S', "", [0; 2]), Cause::Hidden);
        let mut frozen = thread(b'S', "", [0; 2]);
        frozen.wchan = Some("do_freezer_trap".into());
        assert_eq!(of(&parent(frozen)), Cause::Frozen);
    }

    #[test]
    fn a_wait_for_another_is_told_from_one_for_it() {
        let waits = |name: &str, args| of(&parent(thread(b'S', name, args)));
        let other = |target| Cause::WaitsForOther(Tid::new(7), target);
        assert_eq!(waits("wait4", [41, 0]), other(Target::Process(41)));
        assert_eq!(waits("waitid", [1, 41]), other(Target::Process(41)));
        assert_eq!(
            waits("wait4", [0xffff_ffff_ffff_fff7, 0]),
            other(Target::Group(9))
        );
        assert_eq!(waits("waitid", [2, 9]), other(Target::Group(9)));
        assert_eq!(waits("waitid", [3, 4]), other(Target::Descriptor(4)));
        let own = Cause::Neglected(BlockedTime::Asleep("wait4".into()));
        for args in [[42, 0], [0, 0], [0xffff_ffff, 0]] {
            assert_eq!(waits("wait4", args), own, "{args:?}");
        }
        assert!(own.why(None).contains("options that leave this child out"));
        assert!(own.remedy(&zombie()).contains("__WALL"));
    }

    #[test]
    fn the_signal_and_the_family_are_causes() {
        let mut asleep = parent(thread(b'S', "read", [0; 2]));
        asleep.sigchld = Some(Sigchld {
            is_blocked: true,
            is_pending: true,
            is_caught: true,
            is_ignored: false,
        });
        assert_eq!(of(&asleep), Cause::Blocked);
        assert!(
            of(&asleep)
                .why(Some(&asleep))
                .contains("handler never runs")
        );
        let mut takes = parent(thread(b'S', "rt_sigtimedwait", [0; 2]));
        takes.sigchld = asleep.sigchld;
        assert!(matches!(of(&takes), Cause::Neglected(_)));
        asleep.sigchld = Some(Sigchld {
            is_ignored: true,
            ..Sigchld::default()
        });
        assert_eq!(of(&asleep), Cause::IgnoredLate);

        let mut asleep = parent(thread(b'S', "read", [0; 2]));
        asleep.stat.session = 3;
        assert_eq!(of(&asleep), Cause::Adopted);
        asleep.stat.session = 7;
        asleep.ns_pid = Some(NsPid::new(1));
        assert_eq!(of(&asleep), Cause::Init);
        assert!(of(&asleep).remedy(&zombie()).contains("tini"));
        asleep.sigchld = None;
        assert_eq!(of(&asleep), Cause::Gone);
        let traced = cause(&zombie(), Some(Tid::new(9)), Some(&asleep), false);
        assert_eq!(traced, Cause::Traced(Tid::new(9)));
    }
    #[test]
    fn a_parent_that_is_not_seen_is_not_said_to_have_ended() {
        let of = |zombie: &Stat, hides_others| cause(zombie, None, None, hides_others);
        assert_eq!(of(&zombie(), false), Cause::Gone);
        assert_eq!(of(&zombie(), true), Cause::Hidden);
        let mut zombie = zombie();
        zombie.parent = crate::kernel::Tgid::new(0);
        assert_eq!(of(&zombie, true), Cause::Outside);
        // That would end the group of whoever follows it.
        assert_eq!(Cause::Outside.fallback(&zombie, None), None);
    }
}
