//! What is peculiar to aarch64: signal frames, return addresses in a register.
#![cfg(target_arch = "aarch64")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use support::{have, run, traced, traced_fixture};

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
