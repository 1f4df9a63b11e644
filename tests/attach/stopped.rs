//! Targets in group-stops.

use nix::sys::signal::Signal;

use super::harness::{ENDINGS, Target, Tracer, all_traced_by, field, send, state, threads};
use crate::support::until;

#[test]
fn a_stopped_target_stays_stopped() {
    for (signal, status) in ENDINGS {
        let (target, _) = Target::blocked("3");
        send(target.pid(), Signal::SIGSTOP);
        until("it is stopped", || state(target.pid()) == "T");
        let tracer = Tracer::attached(&[], &[target.pid()]);
        until("its stop is seen", || {
            tracer.log().contains("stopped by SIGSTOP")
        });
        tracer.send(signal);
        tracer.end(status);
        assert!(all_traced_by(target.pid(), 0));
        // From the tracer's stop to that of the job it runs for a moment.
        until("it is stopped again", || state(target.pid()) == "T");
        send(target.pid(), Signal::SIGCONT);
        assert_eq!(target.finish(), Some(3));
    }
}

#[test]
fn a_target_that_is_stopped_and_continued_under_trace_goes_on() {
    let (target, child) = Target::blocked("3");
    let tracer = Tracer::attached(&[], &[target.pid()]);
    for _ in 0..20 {
        send(target.pid(), Signal::SIGSTOP);
        until("it is stopped", || {
            matches!(&*state(target.pid()), "T" | "t")
        });
        send(target.pid(), Signal::SIGCONT);
        until("it sleeps again", || state(target.pid()) == "S");
    }
    assert_eq!(target.finish(), Some(3));
    let log = tracer.end(0);
    assert!(log.contains(&format!("NULL) = {child}")), "{log}");
}

#[test]
fn a_target_that_was_stopped_under_trace_stays_stopped_after_the_detach() {
    let mut target = Target::fixture(&["threads_blocked_in_wait4", "3"]);
    for _ in 0..3 {
        target.read_line();
    }
    let tracer = Tracer::attached(&[], &[target.pid()]);
    send(target.pid(), Signal::SIGSTOP);
    until("its stop is seen", || {
        tracer.log().contains("stopped by SIGSTOP")
    });
    tracer.send(Signal::SIGINT);
    tracer.end(130);
    for thread in threads(target.pid()) {
        // From the tracer's stop to that of the job it runs for a moment.
        until("it is stopped", || {
            field(&thread, "State:").as_deref() == Some("T")
        });
        assert_eq!(field(&thread, "TracerPid:").as_deref(), Some("0"));
    }
    send(target.pid(), Signal::SIGCONT);
    assert_eq!(target.finish(), Some(0));
}
