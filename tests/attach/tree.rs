//! `--tree`: a process with all of its living descendants.

use std::process::Command;

use nix::sys::signal::Signal;

use super::harness::{MARK, Target, Tracer, all_traced_by, children, marked, new_mark, send};
use crate::support::until;

#[test]
fn all_descendants_are_attached_to_and_followed() {
    let mark = new_mark();
    // Each of the two levels waits for the one below.
    let script = "sh -c 'sh -c \"read x; exit 3\" <&3; sh -c \"exit 4\"; exit 5' 3<&0; exit $?";
    let target = Target::start(Command::new("sh").args(["-c", script]).env(MARK, &mark));
    until("the family is there", || marked(&mark).len() == 3);
    let mut tracer = Tracer::start(&["--tree"], &[target.pid()], &[]);
    until("all are traced", || {
        marked(&mark)
            .iter()
            .all(|pid| all_traced_by(*pid, tracer.child.id()))
    });
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(5));
    assert_eq!(tracer.status(), Some(0), "{}", tracer.errors());
    let (errors, log) = (tracer.errors(), tracer.log());
    for code in [3, 4, 5] {
        assert!(
            log.contains(&format!("+++ exited with {code} +++")),
            "{log}"
        );
        assert!(log.contains(&format!("WEXITSTATUS(s) == {code}")), "{log}");
    }
    assert!(!errors.contains("not traced"), "{errors}");
}

#[test]
fn the_tracer_and_those_above_it_are_left_out() {
    let mark = new_mark();
    let mut shell = Command::new("sh");
    let flags = "--tree -o /dev/null -p";
    let program = crate::support::wait4_strace();
    let program = program.get_program().to_str().unwrap().to_owned();
    let script = format!("sleep 1000 & echo $!; {program} {flags} $$; echo $?");
    let mut target = Target::start(shell.args(["-c", &script]).env(MARK, &mark));
    let sleeper = target.read_child();
    until("the sleeper is traced, and the shell is not", || {
        let below = children(target.pid());
        let tracer = below.into_iter().find(|pid| *pid != sleeper);
        let tracer = tracer.and_then(|pid| u32::try_from(pid).ok());
        tracer.is_some_and(|tracer| all_traced_by(sleeper, tracer))
            && all_traced_by(target.pid(), 0)
    });
    send(sleeper, Signal::SIGKILL);
    assert_eq!(target.read_line(), "0\n");
}

#[test]
fn children_that_are_not_traced_are_said_to_be_so_with_the_flag() {
    let (target, _) = Target::blocked("3");
    let tracer = Tracer::attached(&[], &[target.pid()]);
    tracer.settled(target.pid());
    assert_eq!(target.finish(), Some(3));
    let errors = tracer.errors_at_end(0);
    assert!(
        errors.contains("not traced (--tree attaches to them)"),
        "{errors}"
    );
}
