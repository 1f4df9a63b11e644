//! Processes without children run at full speed, and are watched as soon as
//! they have one.

use std::process::Command;

use nix::sys::signal::Signal;

use super::findings::report_on;
use super::harness::{MARK, Target, Tracer, all_traced_by, new_mark, nobody_is_traced};
use crate::support::{REWINDS, have, heads, is_too_slow_for, until};

/// How many entries to and exits from calls `--stats` counts.
fn calls(errors: &str) -> u64 {
    let (_, behind) = errors.split_once("entries and exits of calls ").unwrap();
    behind.split(',').next().unwrap().parse().unwrap()
}

fn bytes_written(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.unwrap().parse().unwrap()
}

/// Attach to a target that is busy with calls, and return how many stopped.
fn calls_of_a_busy_target(flags: &[&str]) -> (u64, String) {
    let target = Target::start(Command::new("dd").args(["if=/dev/zero", "of=/dev/null", "bs=1"]));
    let tracer = Tracer::attached(flags, &[target.pid()]);
    until("it is attached to", || tracer.errors().contains("attached"));
    // One call a byte; some may be from before its first stop.
    let before = bytes_written(target.pid());
    until("it goes on", || bytes_written(target.pid()) > before + 50);
    tracer.send(Signal::SIGINT);
    let errors = tracer.errors_at_end(130);
    assert!(all_traced_by(target.pid(), 0));
    (calls(&errors), errors)
}

#[test]
fn a_process_without_children_stops_at_no_call() {
    if !REWINDS {
        return;
    }
    let (stopped, errors) = calls_of_a_busy_target(&["--stats"]);
    assert_eq!(stopped, 0, "{errors}");
    assert!(
        errors.contains("calls of processes without children were not seen"),
        "{errors}"
    );
    for flags in [&["--stats", "--every-call"], &["--stats", "--strace"]] {
        let (stopped, errors) = calls_of_a_busy_target(flags);
        assert!(stopped > 10, "{errors}");
        assert!(!errors.contains("were not seen"), "{errors}");
    }
}

/// A shell that forks when it is told to, by lines of its input.
fn shell(script: &str, mark: &str) -> Target {
    Target::start(Command::new("bash").args(["-c", script]).env(MARK, mark))
}

#[test]
fn the_waits_of_a_process_are_seen_from_its_first_fork_on() {
    if !have("bash") {
        return;
    }
    let mark = new_mark();
    let script = "read -t 1000; (exit 3); [ $? = 3 ] || exit 9; (exit 4) & wait $!; exit $?";
    let target = shell(script, &mark);
    let tracer = Tracer::attached(&[], &[target.pid()]);
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(4));
    let log = tracer.end(0);
    for code in [3, 4] {
        let reaped = format!("WEXITSTATUS(s) == {code}");
        assert!(log.contains(&reaped), "{log}");
    }
}

#[test]
fn all_threads_are_watched_when_one_forks() {
    let mut target = Target::fixture(&["threads_fork_when_told", "20", "3"]);
    assert_eq!(target.read_line(), "ready\n");
    let tracer = Tracer::attached(&["--stats"], &[target.pid()]);
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(0));
    let errors = tracer.errors_at_end(0);
    assert!(
        errors.contains("61 processes, 60 reaped, 0 zombies left"),
        "{errors}"
    );
    assert!(!errors.contains("not observed"), "{errors}");
}

/// Its thread may as well be one that was not brought over in time.
#[test]
fn children_that_a_thread_reaps_unseen_are_accounted_for_and_no_leak() {
    if !REWINDS {
        return;
    }
    let mut target = Target::fixture(&["untraced_thread_reaps", "3"]);
    assert_eq!(target.read_line(), "ready\n");
    let tracer = Tracer::attached(&[], &[target.pid()]);
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(0));
    let errors = tracer.errors_at_end(0);
    let words = "3 children were reaped by a call that was not observed";
    assert!(errors.contains(words), "{errors}");
    assert!(errors.contains("0 zombies left; no findings"), "{errors}");
}

#[test]
fn a_process_runs_free_again_a_while_after_its_last_child() {
    if !have("bash") || !REWINDS {
        return;
    }
    let mark = new_mark();
    // `:` makes no call, `kill -0` one.
    let script = "read -t 1000; (exit 3); echo reaped; while read -t 1000 line; do \
                  for i in 1 2 3 4 5 6 7 8 9; do kill -0 $$; done; echo done; done; exit 5";
    let mut target = shell(script, &mark);
    let tracer = Tracer::attached(&["--stats"], &[target.pid()]);
    tracer.settled(target.pid());
    target.say("go\n");
    assert_eq!(target.read_line(), "reaped\n");
    // Its next stop is the first that lets it run free.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    for _ in 0..50 {
        target.say("go\n");
        assert_eq!(target.read_line(), "done\n");
    }
    assert_eq!(target.finish(), Some(5));
    let errors = tracer.errors_at_end(0);
    assert!(calls(&errors) < 400, "{errors}");
    nobody_is_traced(&mark);
}

/// The rules of which a bug is found, attached to before it begins.
fn found(flags: &[&str], bug: &str) -> Vec<String> {
    let heads = heads(&report_on(flags, bug));
    let rules = heads.iter().filter_map(|head| head.split_once('['));
    let rules = rules.filter_map(|(_, rule)| rule.strip_suffix(']'));
    rules.map(str::to_owned).collect()
}

#[test]
fn a_program_that_is_executed_runs_free_at_once_if_it_has_no_children() {
    if !REWINDS {
        return;
    }
    let mark = new_mark();
    let script = "read x; (exit 3); exec dd if=/dev/zero of=/dev/null bs=1 count=2000 status=none";
    let mut target = shell(script, &mark);
    let tracer = Tracer::attached(&["--stats"], &[target.pid()]);
    tracer.settled(target.pid());
    target.say("go\n");
    assert_eq!(target.finish(), Some(0));
    let errors = tracer.errors_at_end(0);
    assert!(calls(&errors) < 400, "{errors}");
}

#[test]
fn what_a_process_did_before_its_first_child_is_looked_up() {
    // A handler, a disposition that outlives an exec, and neither.
    for (bug, rule) in [
        ("stolen_child_by_handler", "stolen-child"),
        ("coalesced_sigchld_latent", "coalesced-sigchld"),
        ("inherited_sigchld_ignore", "inherited-sigchld-ignore"),
        ("stolen_child_by_wildcard_wait", "stolen-child"),
    ] {
        assert_eq!(found(&[], bug), [rule], "{bug}");
    }
}

#[test]
fn what_was_not_seen_is_shown_with_the_flag() {
    if !REWINDS {
        return;
    }
    for bug in ["bad_wait_args_pid_0", "echild_spin", "handler_replaced"] {
        if bug == "echild_spin" && is_too_slow_for("a thousand polls in half a second") {
            continue;
        }
        let rule = bug.strip_suffix("_pid_0").unwrap_or(bug).replace('_', "-");
        assert!(!found(&[], bug).contains(&rule), "{bug}");
        assert!(found(&["--every-call"], bug).contains(&rule), "{bug}");
    }
}
