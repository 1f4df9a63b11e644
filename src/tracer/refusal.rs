//! Why an attach was refused, and the remedy: EPERM alone has nine causes.

use nix::unistd::geteuid;

use crate::kernel::{Errno, Tgid, Tid};
use crate::proc::{self, Absence, Status};
use crate::sys;

/// What the reason is found by; read from `/proc` after the refusal.
#[derive(Clone, Debug, Default)]
struct Facts {
    status: Option<Status>,
    /// Why there is no status.
    absence: Absence,
    /// Name of the target's tracer, if it has one.
    tracer_name: String,
    /// Who traces us, if we are traced.
    own_tracer: Option<Tid>,
    parent_name: String,
    own_uid: u32,
    /// We have `CAP_SYS_PTRACE` in our own user namespace.
    capable: bool,
    same_user_namespace: bool,
    /// `kernel.yama.ptrace_scope`, where there is a Yama.
    yama: Option<u32>,
}

/// Whether a refusal may be a passing one: nothing in `/proc` accounts for it.
pub(crate) fn may_pass(tgid: Tgid) -> bool {
    let facts = Facts::read(tgid.leader());
    let Some(status) = &facts.status else {
        return false;
    };
    let is_untraced = status.tracer.is_none_or(|tracer| tracer.raw() == 0);
    let ours = facts.capable || status.uids.iter().all(|uid| *uid == facts.own_uid);
    is_untraced && ours && status.has_memory && !matches!(status.state, b'Z' | b'X')
}

/// A sentence that says why `tid` cannot be attached to, and the remedy.
pub(crate) fn explain(tid: Tid, errno: Errno) -> String {
    let reason = reason(&Facts::read(tid), errno);
    format!("cannot attach to {tid}: {reason}")
}

impl Facts {
    fn read(tid: Tid) -> Facts {
        let absence = Absence::of(tid);
        let status = proc::status(tid).filter(|_| absence.is_none());
        let name = |tid: Option<Tid>| {
            tid.and_then(proc::comm)
                .map_or_else(|| "?".to_owned(), |comm| comm.to_string())
        };
        let theirs = proc::user_namespace(tid);
        Facts {
            absence: absence.unwrap_or_default(),
            tracer_name: name(status.as_ref().and_then(|status| status.tracer)),
            parent_name: name(
                status
                    .as_ref()
                    .and_then(|status| status.parent)
                    .map(Tgid::leader),
            ),
            status,
            own_tracer: own_tracer(),
            own_uid: geteuid().as_raw(),
            capable: proc::can_ptrace(),
            same_user_namespace: theirs.is_none() || theirs == proc::own_user_namespace(),
            yama: proc::yama_scope(),
        }
    }
}

fn own_tracer() -> Option<Tid> {
    let own = proc::status(sys::own_tid())?;
    own.tracer.filter(|tracer| tracer.raw() != 0)
}

/// The remedy where a tracer has us too.
const OUTSIDE: &str = "it traces us too: run this outside of that trace, or let that tracer not \
                       follow forks (strace without -f, wait4-strace --no-follow)";

/// Why a process that we have just made cannot be traced, and the remedy.
pub(crate) fn of_launch(errno: Errno) -> String {
    let tracer = own_tracer();
    let name = tracer.and_then(proc::comm);
    let name = name.map_or_else(|| "?".to_owned(), |comm| comm.to_string());
    reason_of_launch(
        tracer.map(|tracer| (tracer, name)),
        proc::yama_scope().filter(|scope| *scope == 3 || !proc::can_ptrace()),
        errno,
    )
}

/// `yama` is the scope, where it may be the cause.
fn reason_of_launch(tracer: Option<(Tid, String)>, yama: Option<u32>, errno: Errno) -> String {
    match tracer {
        Some((tracer, name)) => format!(
            "it is traced by {tracer} ({name}) already, and a process has one tracer at most; \
             {OUTSIDE}"
        ),
        None if errno != Errno::PERM && errno != Errno::ACCES => errno.to_string(),
        None if yama == Some(3) => YAMA_FORBIDS.to_owned(),
        None if yama == Some(2) => "Yama lets only administrators trace \
             (kernel.yama.ptrace_scope is 2); run wait4-strace as root"
            .to_owned(),
        None => format!(
            "{errno}; a security module or a seccomp profile forbids ptrace here (in a \
             container --cap-add SYS_PTRACE may give it), or a tracer outside of this pid \
             namespace has it already"
        ),
    }
}

const YAMA_FORBIDS: &str = "Yama forbids all tracing (kernel.yama.ptrace_scope is 3), for root \
                            too, until the next boot";

/// The likeliest cause first: what holds of the target whoever asks, then what
/// holds of us, then what a security module may say.
fn reason(facts: &Facts, errno: Errno) -> String {
    let Some(status) = &facts.status else {
        return facts.absence.to_string();
    };
    let parent = status.parent.map_or(0, Tgid::raw);
    if matches!(status.state, b'Z' | b'X') {
        return format!(
            "it is a zombie: it has exited, and its parent {parent} ({}) has not reaped it; \
             attach to the parent: wait4-strace -p {parent}",
            facts.parent_name
        );
    }
    if let Some(tracer) = status.tracer.filter(|tracer| tracer.raw() != 0) {
        let remedy = if facts.own_tracer == Some(tracer) {
            OUTSIDE
        } else {
            "end that one first"
        };
        return format!(
            "it is traced by {tracer} ({}) already, and a process has one tracer at most; \
             {remedy}",
            facts.tracer_name
        );
    }
    if !status.has_memory {
        return "it is a kernel thread, which cannot be traced".into();
    }
    if errno != Errno::PERM && errno != Errno::ACCES {
        return format!("{errno}");
    }
    if facts.yama == Some(3) {
        return YAMA_FORBIDS.into();
    }
    if facts.capable {
        if facts.same_user_namespace {
            return "the kernel does not permit it although we have CAP_SYS_PTRACE; \
                    a security module or a seccomp profile forbids ptrace here"
                .into();
        }
        return "it lives in a user namespace in which we have no CAP_SYS_PTRACE; \
                run wait4-strace in that namespace or in its parent"
            .into();
    }
    without_capability(facts, status)
}

fn without_capability(facts: &Facts, status: &Status) -> String {
    let own = facts.own_uid;
    if own == 0 {
        return "we are root but have no CAP_SYS_PTRACE; \
                give it to the container (--cap-add SYS_PTRACE)"
            .into();
    }
    if let Some(other) = status.uids.iter().find(|uid| **uid != own) {
        return format!(
            "it runs as uid {other} and we as uid {own}; \
             run wait4-strace as that user or as root"
        );
    }
    match facts.yama {
        Some(2) => {
            return "Yama lets only administrators attach (kernel.yama.ptrace_scope is 2); \
                    run wait4-strace as root"
                .into();
        }
        Some(1) => {
            return "Yama lets a process trace its own descendants only \
                    (kernel.yama.ptrace_scope is 1); run wait4-strace as root, or launch the \
                    program with it: wait4-strace -- COMMAND"
                .into();
        }
        _ => {}
    }
    if !facts.same_user_namespace {
        return "it lives in another user namespace; run wait4-strace there or as root".into();
    }
    "it is not dumpable: its program is setuid, has capabilities, may not be read, or asked \
     for it (PR_SET_DUMPABLE); run wait4-strace as root"
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Tgid, Tid};

    fn target() -> Facts {
        Facts {
            status: Some(Status {
                state: b'S',
                tgid: Some(Tgid::new(9)),
                parent: Some(Tgid::new(7)),
                tracer: Some(Tid::new(0)),
                uids: vec![1000; 4],
                has_memory: true,
                ..Status::default()
            }),
            parent_name: "lazy".into(),
            tracer_name: "gdb".into(),
            own_uid: 1000,
            same_user_namespace: true,
            ..Facts::default()
        }
    }

    fn says(change: impl Fn(&mut Facts, &mut Status), errno: Errno, words: &str) {
        let mut facts = target();
        let mut status = facts.status.take().unwrap();
        change(&mut facts, &mut status);
        facts.status = Some(status);
        let reason = reason(&facts, errno);
        assert!(reason.contains(words), "{reason:?} does not say {words:?}");
    }

    #[test]
    fn each_cause_of_a_refusal_has_its_own_words_and_remedy() {
        let perm = Errno::PERM;
        says(|_, s| s.state = b'Z', perm, "wait4-strace -p 7");
        says(
            |_, s| s.tracer = Some(Tid::new(5)),
            perm,
            "traced by 5 (gdb)",
        );
        says(|_, s| s.has_memory = false, perm, "kernel thread");
        says(|f, _| f.yama = Some(3), perm, "until the next boot");
        says(|f, _| f.yama = Some(2), perm, "administrators");
        says(|f, _| f.yama = Some(1), perm, "descendants");
        says(
            |_, s| s.uids = vec![0; 4],
            perm,
            "runs as uid 0 and we as uid 1000",
        );
        says(|_, _| {}, perm, "dumpable");
        says(
            |f, _| f.same_user_namespace = false,
            perm,
            "another user namespace",
        );
        says(|f, _| f.own_uid = 0, perm, "--cap-add SYS_PTRACE");
        says(|f, _| f.capable = true, perm, "security module");
    }

    #[test]
    fn a_tracer_that_has_us_too_is_named_with_the_remedy() {
        let tracer = Some((Tid::new(5), "strace".to_owned()));
        let said = reason_of_launch(tracer, None, Errno::PERM);
        assert!(said.contains("traced by 5 (strace) already"), "{said}");
        assert!(said.contains("strace without -f"), "{said}");
        let said = reason_of_launch(None, Some(3), Errno::PERM);
        assert!(said.contains("until the next boot"), "{said}");
        let said = reason_of_launch(None, Some(2), Errno::PERM);
        assert!(said.contains("only administrators"), "{said}");
        let said = reason_of_launch(None, Some(1), Errno::PERM);
        assert!(said.contains("--cap-add SYS_PTRACE"), "{said}");
        let perm = Errno::PERM;
        says(|_, s| s.tracer = Some(Tid::new(5)), perm, "end that one");
        says(
            |f, s| {
                (f.own_tracer, s.tracer) = (Some(Tid::new(5)), Some(Tid::new(5)));
            },
            perm,
            "outside of that trace",
        );
    }

    #[test]
    fn a_process_that_is_gone_is_said_to_be_gone() {
        let facts = Facts::default();
        assert!(reason(&facts, Errno::SRCH).starts_with("no process or thread has this pid"));
    }

    #[test]
    fn a_process_that_proc_does_not_show_is_not_said_to_be_gone() {
        for (absence, words) in [
            (Absence::NotMounted, "mount -t proc proc /proc"),
            (Absence::Elsewhere, "another pid namespace"),
            (Absence::Hidden, "it exists, but /proc hides"),
            (Absence::Unreadable, "it exists, but its /proc/PID/status"),
        ] {
            let facts = Facts {
                absence,
                ..Facts::default()
            };
            let reason = reason(&facts, Errno::SRCH);
            assert!(reason.contains(words), "{reason:?}");
        }
    }
}
