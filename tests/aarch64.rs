//! What is peculiar to aarch64: signal frames, return addresses in a register.
#![cfg(target_arch = "aarch64")]

use std::ffi::OsString;

use crate::support::{Outcome, have, run, traced, traced_fixture};

#[test]
fn an_eintr_is_told_from_a_restart_by_the_signal_frame() {
    let outcome = run(&mut traced_fixture(&[], "eintr_without_sa_restart"));
    let eintr = outcome.stderr.matches("the program saw EINTR").count();
    assert_eq!(eintr, 2, "{outcome:?}");
    let outcome = run(&mut traced_fixture(&[], "restart_with_sa_restart"));
    assert!(!outcome.stderr.contains("saw EINTR"), "{outcome:?}");
    let restarts = outcome.stderr.matches("restarted after SIG").count();
    assert!(restarts >= 2, "{outcome:?}");
}

#[test]
fn a_stack_begins_in_a_leaf_whose_return_address_is_in_a_register() {
    if !have("sh") {
        return;
    }
    // A forked child has no frame that a call made: fork and vfork return in a leaf.
    // All frames, as those of a shell are folded.
    let outcome = run(&mut traced(
        &["-kk"],
        ["sh", "-c", "/bin/true; (true) & wait"],
    ));
    let whole = outcome.stderr.lines();
    let starts = whole
        .filter(|line| line.contains("__libc_start_main"))
        .count();
    assert!(starts >= 4, "{outcome:?}");
    assert!(outcome.stderr.contains("vfork+0x"), "{outcome:?}");
}

#[test]
fn a_stack_goes_through_a_signal_handler() {
    let outcome = run(&mut traced_fixture(&["-k"], "sigchld_handler_reaps"));
    let mut lines = outcome.stderr.lines();
    let is_signal = |line: &str| line.ends_with("> <signal handler called>");
    assert!(lines.any(is_signal), "{outcome:?}");
    // What was interrupted is below it.
    let below: Vec<&str> = lines.take_while(|line| line.contains("  > ")).collect();
    assert!(
        below.iter().any(|line| line.contains("main")),
        "{outcome:?}"
    );
}

/// `tests/aarch64/arm.c`, which `.ci/aarch64` builds, traced in both ways.
fn traced_arm(part: &str) -> Option<[Outcome; 2]> {
    let Some(program) = std::env::var_os("WAIT4_STRACE_ARM_PROGRAM") else {
        eprintln!("passed over: no 32-bit program ($WAIT4_STRACE_ARM_PROGRAM)");
        return None;
    };
    let run = |flag: &str| {
        let words = [program.clone(), OsString::from(part)];
        run(&mut traced(&[flag, "--strace"], words))
    };
    Some([run("--seccomp-bpf=auto"), run("--seccomp-bpf=never")])
}

#[test]
fn waits_of_32_bit_code_are_decoded() {
    for outcome in traced_arm("waits").into_iter().flatten() {
        assert_eq!(outcome.status, 0, "{outcome:?}");
        for value in ["WEXITSTATUS(s) == 3", "si_status=4", "ru_utime"] {
            assert!(outcome.stderr.contains(value), "{value}: {outcome:?}");
        }
    }
}

#[test]
fn an_eintr_of_32_bit_code_is_told_from_a_restart() {
    for outcome in traced_arm("eintr").into_iter().flatten() {
        assert_eq!(outcome.status, 0, "{outcome:?}");
    }
    for outcome in traced_arm("restart").into_iter().flatten() {
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert!(!outcome.stderr.contains("EINTR"), "{outcome:?}");
    }
}

/// The child's death wakes the call only because the program is traced; the handler ends
/// it.
#[test]
fn a_call_of_32_bit_code_that_a_dying_child_wakes_is_made_again() {
    for part in [
        "sleeps_in_arm",
        "sleeps_in_thumb",
        "handler_in_arm",
        "handler_in_thumb",
    ] {
        for outcome in traced_arm(part).into_iter().flatten() {
            assert_eq!(outcome.status, 0, "{part}: {outcome:?}");
        }
    }
}
