//! The library as a stranger uses it, in a process that has a life of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use wait4_strace::event::EventKind;
use wait4_strace::{Attach, Error, Input, Launch, RuleId, Stream};

/// A shell with this script.
fn sh(script: &str) -> Launch {
    Launch::new("sh").args(["-c", script])
}

/// Long enough for a machine that is busy; nothing is measured by it.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn a_healthy_command_has_no_findings() {
    let trace = sh("true & wait; exit 3").timeout(LIMIT).record().unwrap();
    assert_eq!(trace.status().unwrap().code(), Some(3));
    assert!(trace.findings().is_empty(), "{}", trace.report());
    assert_eq!(
        trace.report(),
        "wait4-strace: 2 processes, 1 reaped, 0 zombies left; no findings\n"
    );
    assert!(!trace.timed_out());
    let ends = trace.events().iter();
    let ends = ends.filter(|event| matches!(event.kind, EventKind::Ended { .. }));
    assert_eq!(ends.count(), 2);
    assert_eq!(trace.ledger().counts().processes, 2);
}

#[test]
fn a_snapshot_is_equal_in_every_run() {
    let spawner = || {
        let trace = sh("(exit 3) & sh -c 'kill -TERM $$' & wait").timeout(LIMIT);
        trace.record().unwrap()
    };
    insta::assert_snapshot!(spawner().snapshot(), @r"
    wait4-strace snapshot v1
    root: sh
      forks root.1, root.2
      reaps by wait4(-1): root.1 [exited 3], root.2 [killed SIGTERM]
      exited 0
    root.1: sh
      exited 3, reaped by root
    root.2: sh
      exec sh
      killed SIGTERM, reaped by root
    findings: none
    ");
    assert_eq!(spawner().snapshot(), spawner().snapshot());
}

#[test]
fn the_lines_are_those_of_the_command() {
    // A limit beyond all time is none.
    let trace = sh("(exit 3) & wait $!")
        .timeout(Duration::MAX)
        .record()
        .unwrap();
    let lines = trace.lines();
    assert!(lines.contains("+++ forked "), "{lines}");
    assert!(lines.contains("WEXITSTATUS(s) == 3"), "{lines}");
    assert!(lines.contains("  # reaped "), "{lines}");
    assert!(lines.ends_with("+++ exited with 3 +++\n"), "{lines}");
}

#[test]
fn a_leak_is_found_and_may_be_allowed() {
    let leak = || {
        sh("true & exec sleep 0.5")
            .threshold("zombie", Duration::from_millis(100))
            .timeout(LIMIT)
    };
    let trace = leak().record().unwrap();
    let rules: Vec<RuleId> = trace.findings().iter().map(|found| found.rule).collect();
    assert_eq!(rules, [RuleId::ExecInheritedChild], "{}", trace.report());
    assert!(trace.report().contains("= help: "), "{}", trace.report());
    let allowed = leak().allow(RuleId::ExecInheritedChild).record().unwrap();
    assert!(allowed.findings().is_empty(), "{}", allowed.report());
}

#[test]
fn a_threshold_that_does_not_exist_is_an_error() {
    let error = sh("true").threshold("zombi", LIMIT).record().unwrap_err();
    assert!(
        error.to_string().contains("there are zombie, live"),
        "{error}"
    );
}

#[test]
fn events_can_be_seen_as_they_happen() {
    let mut names = Vec::new();
    let trace = sh("true & wait").timeout(LIMIT).for_each(|event, ledger| {
        if let EventKind::Executed { image, .. } = &event.kind {
            assert!(ledger.process(event.tgid).is_some());
            names.push(image.comm.to_string());
        }
    });
    assert_eq!(names.first().unwrap(), "sh");
    assert!(trace.unwrap().events().is_empty());
}

#[test]
fn a_callback_that_panics_leaves_nobody_behind() {
    let mut pid = 0;
    let begun = Instant::now();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sh("sleep 100 & sleep 100 & wait").for_each(|event, ledger| {
            pid = event.tgid.raw();
            assert!(ledger.counts().processes < 3, "enough");
        })
    }));
    let panic = panic.unwrap_err();
    let text = panic.downcast_ref::<&str>().unwrap();
    assert_eq!(*text, "enough");
    assert!(begun.elapsed() < LIMIT);
    assert!(!exists(pid), "{pid} lives on or is a zombie");
}

#[test]
fn a_callback_that_panics_lets_an_attached_process_go() {
    let mut server = Command::new("sh")
        .args(["-c", "while :; do sleep 0.05; done"])
        .spawn()
        .unwrap();
    let attach = Attach::new(server.id()).timeout(LIMIT);
    let panics = std::panic::AssertUnwindSafe(|| {
        attach.for_each(|event, _| {
            assert!(!matches!(event.kind, EventKind::Created(_)), "enough");
        })
    });
    std::panic::catch_unwind(panics).unwrap_err();
    assert!(server.try_wait().unwrap().is_none());
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    assert!(status.contains("TracerPid:\t0\n"), "{status}");
    server.kill().unwrap();
    server.wait().unwrap();
}

/// Whether there is such a process, a zombie included.
fn exists(pid: i32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn a_command_that_hangs_is_ended_and_reported() {
    let begun = Instant::now();
    let trace = sh("sleep 1000 & wait")
        .timeout(Duration::from_millis(300))
        .record()
        .unwrap();
    assert!(trace.timed_out() && begun.elapsed() < LIMIT);
    assert_eq!(trace.status().unwrap().signal(), Some(9));
}

#[test]
fn a_command_that_is_not_there_is_an_error() {
    let error = Launch::new("no-such-command").record().unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "cannot find the command \"no-such-command\" in PATH"
    );
    let error = Launch::new("/").record().unwrap_err();
    assert!(matches!(error, Error::NotExecutable(_)), "{error:?}");
    let error = sh("true").current_dir("/no/such").record().unwrap_err();
    assert!(error.to_string().contains("working directory"), "{error}");
    let error = sh("a\0b").record().unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error:?}");
    let error = Launch::new("no-such-command").start().unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
}

#[test]
fn what_it_reads_and_writes_may_be_more_than_a_pipe_holds() {
    let many = 3 * 1024 * 1024;
    let trace = sh("cat; head -c 200000 /dev/zero >&2")
        .stdin(vec![b'x'; many])
        .timeout(LIMIT)
        .record()
        .unwrap();
    assert!(!trace.timed_out());
    assert_eq!(trace.stdout().len(), many);
    assert_eq!(trace.stderr().len(), 200_000);
}

#[test]
fn input_that_nobody_reads_is_dropped() {
    let trace = sh("exec <&-; echo done").stdin(vec![b'x'; 1 << 20]);
    let trace = trace.timeout(LIMIT).record().unwrap();
    assert_eq!(trace.stdout(), b"done\n");
    let trace = sh("cat").stdin("text").record().unwrap();
    assert_eq!(trace.stdout(), b"text");
    assert_eq!(sh("cat").record().unwrap().stdout(), b"");
}

#[test]
fn environment_directory_and_files_are_as_asked_for() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = std::fs::File::create(directory.path().join("out")).unwrap();
    let trace = sh("echo $A $HOME; pwd -P; echo err >&2")
        .env("A", "1")
        .env_remove("HOME")
        .current_dir(directory.path())
        .stderr(file)
        .record()
        .unwrap();
    let real = directory.path().canonicalize().unwrap();
    let expected = format!("1\n{}\n", real.display());
    assert_eq!(String::from_utf8_lossy(trace.stdout()), expected);
    let written = std::fs::read_to_string(directory.path().join("out")).unwrap();
    assert_eq!(written, "err\n");
    let trace = Launch::new("/usr/bin/env")
        .env_clear()
        .env("B", "2")
        .stderr(Stream::Null);
    assert_eq!(
        trace.stdin(Input::Null).record().unwrap().stdout(),
        b"B=2\n"
    );
}

#[test]
fn thirty_two_traces_run_at_once() {
    let threads = (0..32).map(|index| {
        thread::spawn(move || {
            let script = format!("(exit {index}) & wait $!; echo {index}; exit {index}");
            let trace = sh(&script).timeout(LIMIT).record().unwrap();
            assert_eq!(trace.status().unwrap().code(), Some(index));
            assert_eq!(trace.stdout(), format!("{index}\n").as_bytes());
            assert_eq!(trace.ledger().counts().processes, 2);
            assert!(trace.findings().is_empty(), "{}", trace.report());
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
}

#[test]
fn children_of_the_host_are_its_own() {
    let over = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let host = scope.spawn(|| {
            let mut count = 0;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                let code = count % 100;
                let mut child = Command::new("sh");
                let mut child = child.args(["-c", &format!("exit {code}")]).spawn().unwrap();
                assert_eq!(child.wait().unwrap().code(), Some(code));
                count += 1;
            }
            count
        });
        for _ in 0..20 {
            let trace = sh("true & true & wait").timeout(LIMIT).record().unwrap();
            assert_eq!(trace.ledger().counts().processes, 3);
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(host.join().unwrap() > 0);
    });
}

#[test]
fn a_process_is_attached_to_and_let_go() {
    let mut server = Command::new("sh")
        .args(["-c", "while :; do sleep 0.05; done"])
        .spawn()
        .unwrap();
    let trace = Attach::new(server.id())
        .record_for(Duration::from_millis(400))
        .unwrap();
    assert!(trace.timed_out() && trace.status().is_none());
    let forks = trace.events().iter();
    let forks = forks.filter(|event| matches!(event.kind, EventKind::Created(_)));
    assert!(forks.count() > 0, "{:?}", trace.events());
    assert!(server.try_wait().unwrap().is_none());
    // Dropped, it lets go too.
    let tracing = Attach::new(server.id()).start().unwrap();
    assert_eq!(tracing.pid(), server.id());
    drop(tracing);
    assert!(server.try_wait().unwrap().is_none());
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    assert!(status.contains("TracerPid:\t0\n"), "{status}");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_child_that_dies_under_an_attach_is_reaped_by_its_host() {
    let killed = "sleep 0.1; true & exec sleep 30";
    for (script, kills, word) in [("sleep 0.3; exit 7", false, 7 << 8), (killed, true, 9)] {
        let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let tracing = Attach::new(child.id()).timeout(LIMIT).start().unwrap();
        if kills {
            thread::sleep(Duration::from_millis(300));
            child.kill().unwrap();
        }
        // Only then may the child be waited for.
        let trace = tracing.wait().unwrap();
        assert!(!trace.timed_out());
        let mut words = trace.events().iter().filter_map(|event| match event.kind {
            EventKind::Ended { status } if event.tgid.raw().unsigned_abs() == child.id() => {
                Some(status.raw())
            }
            _ => None,
        });
        assert_eq!((words.next(), words.next()), (Some(word), None));
        assert_eq!(child.wait().unwrap().into_raw(), word);
    }
}

#[test]
fn a_process_that_is_not_there_is_an_error() {
    let error = Attach::new(0x3fff_ffff).record().unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("no process or thread has this pid")
    );
    let error = Attach::new(std::process::id()).record().unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    assert!(Attach::new(0).record().is_err());
}

#[test]
fn a_trace_that_goes_on_can_be_stopped() {
    let tracing = sh("sleep 1000 & wait").start().unwrap();
    let pid = tracing.pid();
    assert!(exists(i32::try_from(pid).unwrap()));
    let trace = tracing.stop().unwrap();
    assert!(!trace.timed_out() && !trace.status().unwrap().success());
    assert!(!exists(i32::try_from(pid).unwrap()));
    let tracing = sh("exit 4").start().unwrap();
    assert_eq!(tracing.wait().unwrap().status().unwrap().code(), Some(4));
    let tracing = sh("sleep 1000").start().unwrap();
    let pid = i32::try_from(tracing.pid()).unwrap();
    drop(tracing);
    assert!(!exists(pid));
}
