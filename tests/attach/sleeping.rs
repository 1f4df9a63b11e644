//! Calls that a target sleeps in when it is attached to, let go, or gets a
//! signal that it ignores: none ends with EINTR, as none would untraced.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::harness::{Target, Tracer, all_traced_by, send, state};
use crate::support::{REWINDS, fixture_path, have, run, until, wait4_strace};

/// signal(7): those that give EINTR after a stop, handler or not, and three
/// that do not.
const CALLS: [&str; 22] = [
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "sigtimedwait",
    "sigwaitinfo",
    "semop",
    "semtimedop",
    "msgrcv",
    "io_getevents",
    "io_pgetevents",
    "read_of_socket",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "write_to_socket",
    "sendto",
    "accept",
    "connect",
    "read_of_inotify",
    "poll",
    "ppoll",
    "futex",
];

fn asleep_in(call: &str, children: &str) -> Target {
    let mut target = Target::fixture(&["sleep_in", call, children]);
    assert_eq!(target.read_line(), "asleep\n", "{call}");
    until("it sleeps", || state(target.pid()) == "S");
    target
}

fn wakes_as_ever(mut target: Target, call: &str) {
    drop(target.child.stdin.take());
    assert_eq!(target.read_line(), format!("{call}: as ever\n"));
    assert_eq!(target.finish(), Some(0), "{call}");
}

#[test]
fn no_call_ends_because_the_target_is_attached_to_and_let_go() {
    if !REWINDS {
        return;
    }
    for call in CALLS {
        let target = asleep_in(call, "0");
        for flags in [&[][..], &["--every-call"]] {
            let tracer = Tracer::attached(flags, &[target.pid()]);
            tracer.settled(target.pid());
            tracer.send(Signal::SIGINT);
            tracer.end(130);
            assert!(all_traced_by(target.pid(), 0));
        }
        wakes_as_ever(target, call);
    }
}

#[test]
fn no_call_ends_because_of_a_signal_that_an_attached_target_ignores() {
    if !REWINDS {
        return;
    }
    for call in CALLS {
        let target = asleep_in(call, "0");
        let tracer = Tracer::attached(&[], &[target.pid()]);
        tracer.settled(target.pid());
        for signal in [Signal::SIGCHLD, Signal::SIGURG, Signal::SIGWINCH] {
            let name = signal.as_str();
            send(target.pid(), signal);
            until("the signal is seen", || tracer.log().contains(name));
        }
        tracer.settled(target.pid());
        tracer.send(Signal::SIGTERM);
        tracer.end(143);
        wakes_as_ever(target, call);
    }
}

#[test]
fn no_call_ends_because_a_child_of_a_launched_program_dies() {
    if !REWINDS {
        return;
    }
    for flags in [&[][..], &["--seccomp-bpf=never"]] {
        for call in CALLS {
            let mut tracer = wait4_strace();
            tracer.args(flags).args(["-q", "--"]).arg(fixture_path());
            tracer.args(["sleep_in", call, "3"]);
            let outcome = run(tracer.stdin(Stdio::null()));
            let expected = format!("asleep\n{call}: as ever\n");
            assert_eq!((outcome.status, outcome.stdout), (0, expected), "{flags:?}");
        }
    }
}

#[test]
fn a_call_that_is_woken_again_and_again_ends_at_its_time_out() {
    if !REWINDS {
        return;
    }
    for flags in [&[][..], &["--seccomp-bpf=never"]] {
        for call in [
            "epoll_wait",
            "epoll_pwait2",
            "sigtimedwait",
            "semtimedop",
            "io_getevents",
        ] {
            let mut tracer = wait4_strace();
            tracer.args(flags).args(["-q", "--"]).arg(fixture_path());
            tracer.args(["sleep_for_half_a_second", call]);
            let outcome = run(tracer.stdin(Stdio::null()));
            let expected = format!("{call}: as ever\n");
            assert_eq!((outcome.status, outcome.stdout), (0, expected), "{flags:?}");
        }
    }
}

/// Though another signal, which is ignored, is delivered before the program goes on.
#[test]
fn a_call_that_a_handler_ended_is_not_made_again_and_the_next_one_is() {
    for flags in [&[][..], &["--seccomp-bpf=never"]] {
        let mut tracer = wait4_strace();
        tracer.args(flags).args(["-q", "--"]).arg(fixture_path());
        let outcome = run(tracer.arg("sleep_until_handled"));
        let printed = "asleep\nas ever\n".to_owned();
        assert_eq!((outcome.status, outcome.stdout), (0, printed), "{flags:?}");
    }
    for flags in [&[][..], &["--every-call"]] {
        let mut target = Target::fixture(&["sleep_until_handled", "others"]);
        assert_eq!(target.read_line(), "asleep\n");
        let tracer = Tracer::attached(flags, &[target.pid()]);
        tracer.settled(target.pid());
        send(target.pid(), Signal::SIGUSR1);
        assert_eq!(target.read_line(), "as ever\n", "{flags:?}");
        assert_eq!(target.finish(), Some(0), "{flags:?}");
        tracer.end(0);
    }
}

/// A handler that runs ends the call after all, though it was woken before.
#[test]
fn a_signal_with_a_handler_still_ends_a_call_with_eintr() {
    let script = "import select, signal, sys\n\
                  def handler(*_): raise InterruptedError\n\
                  signal.signal(signal.SIGUSR1, handler)\n\
                  print('asleep', flush=True)\n\
                  try: select.epoll().poll()\n\
                  except InterruptedError: sys.exit(7)\n";
    if !have("python3") {
        return;
    }
    let mut target = Target::start(Command::new("python3").args(["-S", "-c", script]));
    assert_eq!(target.read_line(), "asleep\n");
    until("it sleeps", || state(target.pid()) == "S");
    let tracer = Tracer::attached(&[], &[target.pid()]);
    tracer.settled(target.pid());
    send(target.pid(), Signal::SIGUSR1);
    assert_eq!(target.finish(), Some(7));
    tracer.end(0);
}
