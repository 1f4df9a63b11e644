//! Why a zombie is not reaped, and what would free it; the first cause that fits.
//! Pure: takes what was read from `/proc`, gives text.

use std::fmt::{self, Write};
use std::time::Duration;

use super::parent::{Parent, Sigchld, Thread};
use crate::kernel::Tid;
use crate::proc::Stat;

/// Names of calls that wait for children.
const WAITS: [&str; 2] = ["wait4", "waitid"];
/// Names of calls that create a child; a thread asleep in one is in a vfork.
const VFORKS: [&str; 3] = ["vfork", "clone", "clone3"];
/// Names of calls that sleep until a lock is free.
const LOCKS: [&str; 2] = ["futex", "flock"];
/// Names of calls that take a signal without a handler.
const TAKES_SIGNALS: [&str; 2] = ["rt_sigtimedwait", "signalfd4"];

/// Why a zombie exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Not a zombie: its main thread is dead, others are alive.
    Headless(u32),
    /// A tracer other than its parent has to reap it first.
    Traced(Tid),
    /// Its parent vanished, or changed, during the look-up.
    Gone,
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
    /// The system calls of its parent cannot be read.
    Hidden,
}

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// One process.
    Process(i32),
    /// A process group.
    Group(i32),
    /// The process that this pidfd refers to.
    Descriptor(i32),
}

/// What the main thread of a parent does instead of waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The cause for a zombie of `parent`, which `tracer` traces, if any.
pub(super) fn cause(zombie: &Stat, tracer: Option<Tid>, parent: Option<&Parent>) -> Cause {
    if zombie.is_headless() {
        return Cause::Headless(zombie.threads - 1);
    }
    if let Some(tracer) = tracer.filter(|tracer| *tracer != zombie.parent.leader()) {
        return Cause::Traced(tracer);
    }
    let Some((parent, sigchld)) = parent.and_then(|parent| Some((parent, parent.sigchld?))) else {
        return Cause::Gone;
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

/// The parent did not create the zombie.
fn adopted(zombie: &Stat, parent: &Parent) -> Option<Cause> {
    // A child is in its parent's session unless one of the two called setsid, and
    // then it is a session leader.
    let is_strange = zombie.session != parent.stat.session
        && zombie.session != zombie.pid.raw()
        && parent.stat.session != parent.stat.pid.raw();
    if is_strange {
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

impl Cause {
    /// The name of the cause in JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Cause::Headless(_) => "leader-zombie",
            Cause::Traced(_) => "traced",
            Cause::Gone => "gone",
            Cause::Stopped => "parent-stopped",
            Cause::Held(_) => "parent-traced",
            Cause::Frozen => "parent-frozen",
            Cause::Vfork(_) => "vfork-stall",
            Cause::WaitsForOther(_, Target::Group(_)) => "pgrp-miss",
            Cause::WaitsForOther(..) => "waits-for-another",
            Cause::Adopted | Cause::Init => "reaper-idle",
            Cause::Blocked => "sigchld-blocked",
            Cause::IgnoredLate => "sigchld-ignored-late",
            Cause::Neglected(_) => "zombie-leak",
            Cause::Hidden => "hidden",
        }
    }

    /// Why, in a clause about the parent.
    pub(super) fn why(&self, parent: Option<&Parent>) -> String {
        let sigchld = parent.and_then(|parent| parent.sigchld).unwrap_or_default();
        match self {
            Cause::Headless(threads) => format!(
                "no zombie: its main thread has ended, and {}",
                if *threads == 1 {
                    "another one runs".into()
                } else {
                    format!("{threads} others run")
                }
            ),
            Cause::Traced(tracer) => {
                format!("its tracer {tracer} has to wait for it before its parent can")
            }
            Cause::Gone => "its parent ended during the look-up".into(),
            Cause::Stopped => "its parent is stopped by a signal".into(),
            Cause::Held(Some(tracer)) => format!("its parent is held by its tracer {tracer}"),
            Cause::Held(None) => "its parent is held by a tracer".into(),
            Cause::Frozen => "its parent is frozen with its cgroup".into(),
            Cause::Vfork(tid) => format!(
                "thread {tid} of its parent sleeps in vfork until the child of that execs or ends"
            ),
            Cause::WaitsForOther(tid, target) => {
                format!("thread {tid} of its parent waits for {target} alone")
            }
            Cause::Adopted => {
                "its parent adopted it and does not reap children that it did not start".into()
            }
            Cause::Init => "its parent is the first process of its namespace, which gets all \
                 orphans, and does not reap"
                .into(),
            Cause::Blocked if sigchld.is_caught => {
                "SIGCHLD is pending and blocked in all threads of its parent: the handler never \
                 runs"
                    .into()
            }
            Cause::Blocked => "SIGCHLD is pending and blocked in all threads of its parent, and \
                 no thread takes it"
                .into(),
            Cause::IgnoredLate => {
                "its parent ignores SIGCHLD, but did not when the child died".into()
            }
            Cause::Neglected(busy) => format!("its parent {busy}{}", handler(sigchld)),
            Cause::Hidden => {
                "its parent does not wait; only its user or root can see what it does instead"
                    .into()
            }
        }
    }

    /// What would free it.
    pub(super) fn remedy(&self, zombie: &Stat) -> String {
        let pid = zombie.parent;
        match self {
            Cause::Headless(_) => "nothing to do: it ends with its last thread".into(),
            Cause::Traced(tracer) => format!("let {tracer} wait for it, or end the trace"),
            Cause::Gone => "look again".into(),
            Cause::Stopped => format!("kill -CONT {pid}"),
            Cause::Held(Some(tracer)) => {
                format!("resume it in the tracer {tracer}, or end the tracer")
            }
            Cause::Held(None) => "resume it in its tracer".into(),
            Cause::Frozen => "thaw the cgroup: write 0 to its cgroup.freeze".into(),
            _ => self.fix().into(),
        }
    }

    /// What frees it if the parent cannot be fixed.
    pub(super) fn fallback(&self, zombie: &Stat, parent: Option<&Parent>) -> Option<String> {
        let pid = zombie.parent;
        match self {
            Cause::Headless(_) | Cause::Traced(_) | Cause::Gone => None,
            _ if parent.is_some_and(Parent::is_init) => {
                Some("the end of its namespace alone".to_owned())
            }
            _ => Some(format!("kill {pid}: whoever gets its children reaps them")),
        }
    }

    /// What its parent would have to do.
    fn fix(&self) -> &'static str {
        match self {
            Cause::Vfork(_) => "the exec or the end of the vforked child",
            Cause::WaitsForOther(..) => {
                "the end of that one, if more waits follow; to wait for one child at a time is \
                 the bug"
            }
            Cause::Adopted | Cause::Init => {
                "put a reaper above it, such as tini or docker run --init, or let it wait for any \
                 child at SIGCHLD"
            }
            Cause::Blocked => {
                "unblock SIGCHLD, which programs inherit across exec, or read it from a signalfd"
            }
            Cause::IgnoredLate => "a wait for it; ignore SIGCHLD before the first fork",
            _ => "a wait for it: call waitpid for each child, or in a loop at SIGCHLD",
        }
    }
}

/// What the handler of SIGCHLD did not do.
fn handler(sigchld: Sigchld) -> &'static str {
    if sigchld.is_pending {
        ", with SIGCHLD pending"
    } else if sigchld.is_caught {
        ", and its handler of SIGCHLD did not reap"
    } else {
        ", and does not wait"
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Process(pid) => write!(f, "{pid}"),
            Target::Group(group) => write!(f, "process group {group}"),
            Target::Descriptor(fd) => write!(f, "the process of descriptor {fd}"),
        }
    }
}

impl fmt::Display for BlockedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockedTime::Running => f.write_str("runs"),
            BlockedTime::Lock(name) => write!(f, "sleeps in {name} for a lock"),
            BlockedTime::Uninterruptible(Some(name)) => {
                write!(f, "sleeps in {name}, uninterruptibly")
            }
            BlockedTime::Uninterruptible(None) => f.write_str("sleeps uninterruptibly"),
            BlockedTime::Asleep(name) => write!(f, "sleeps in {name}"),
            BlockedTime::Dead => f.write_str("has no main thread any more"),
        }
    }
}

/// `3.2 s`, `4 min`, `2 h`, `5 d`
pub(super) struct Age(pub(super) Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let seconds = self.0.as_secs();
        let text = match seconds {
            0..10 => format!("{:.1} s", self.0.as_secs_f64()),
            10..120 => format!("{seconds} s"),
            _ if seconds < 2 * HOUR => format!("{} min", seconds / MINUTE),
            _ if seconds < 2 * DAY => format!("{} h", seconds / HOUR),
            _ => format!("{} d", seconds / DAY),
        };
        f.pad(&text)
    }
}

/// What a thread does, in a few words: `4711 sleeps in read(0, …) for 3.2 s`.
pub(super) fn activity(thread: &Thread) -> String {
    let mut text = format!("{} {} ", thread.tid, thread.comm);
    let does = match thread.state {
        b'R' => "runs",
        b'T' => "is stopped",
        b't' => "is held by a tracer",
        b'Z' | b'X' => "is dead",
        b'D' => "sleeps uninterruptibly",
        _ => "sleeps",
    };
    text.push_str(does);
    // Writing to a String cannot fail.
    if let Some(call) = &thread.call {
        let first = call.args[0];
        let _ = match i16::try_from(first.cast_signed()) {
            Ok(small) => write!(text, " in {}({small}, …)", call.name),
            Err(_) => write!(text, " in {}({first:#x}, …)", call.name),
        };
    } else if let Some(wchan) = &thread.wchan {
        let _ = write!(text, " in the kernel's {wchan}");
    }
    if let Some(idle) = thread.idle {
        let _ = write!(text, " for {}", Age(idle));
    }
    text
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
        }
    }

    fn of(parent: &Parent) -> Cause {
        cause(&zombie(), None, Some(parent))
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
        let traced = cause(&zombie(), Some(Tid::new(9)), Some(&asleep));
        assert_eq!(traced, Cause::Traced(Tid::new(9)));
    }

    #[test]
    fn ages_are_short() {
        let age = |seconds: f64| Age(Duration::from_secs_f64(seconds)).to_string();
        assert_eq!(age(3.24), "3.2 s");
        assert_eq!(age(61.0), "61 s");
        assert_eq!(age(600.0), "10 min");
        assert_eq!(age(10_000.0), "2 h");
        assert_eq!(age(1_000_000.0), "11 d");
    }
}
