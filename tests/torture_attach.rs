//! Attaching and detaching at random moments, over and over: whatever a
//! program is doing, its result is that of an undisturbed run, and nobody is
//! left traced or stopped.
//!
//! `WAIT4_STRACE_ATTACH_ROUNDS` says how many lives each program has; in each
//! it is attached to and left [`VISITS`] times. Docs: `docs/torture.md`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::torture::{Mark, Random, rounds};
use support::{REWINDS, fixture, have, wait4_strace};
use tempfile::TempDir;

const ROUNDS: &str = "WAIT4_STRACE_ATTACH_ROUNDS";

/// Lives in a short run.
const FEW: u64 = 3;

/// How often a life is disturbed.
const VISITS: usize = 10;

/// What the fixtures print when all was as ever.
const AS_EVER: &str = "as ever\n";

/// A program that is disturbed; with its mark all of its family end.
struct Target {
    child: Child,
    mark: Mark,
}

impl Target {
    fn start(command: &mut Command) -> Target {
        let mark = Mark::new();
        mark.put_on(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // In an orphaned group, as the test may be in, SIGTSTP does not stop.
        command.process_group(0);
        let child = command.spawn().unwrap();
        Target { child, mark }
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// That it ends as it should, once its input does.
    fn ends(mut self, status: i32, stdout: &str) {
        drop(self.child.stdin.take());
        let found = self.mark.end_of(&mut self.child);
        let mut text = String::new();
        let mut output = self.child.stdout.take().unwrap();
        output.read_to_string(&mut text).unwrap();
        assert_eq!((found, &*text), (status, stdout));
        self.mark.nobody_is_left();
    }
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).ok();
}

/// What ends a trace: two signals that it answers, and its death.
const ENDINGS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL];

/// One attach and its end, at random moments: of `target`, or of all of its
/// family; `meanwhile` is done between the two.
fn visit(target: &Target, random: &mut Random, meanwhile: impl FnOnce(&mut Random)) {
    let ending = *random.pick(&ENDINGS);
    visit_until(ending, target, random, meanwhile);
}

fn visit_until(
    ending: Signal,
    target: &Target,
    random: &mut Random,
    meanwhile: impl FnOnce(&mut Random),
) {
    let flags: [&[&str]; 4] = [&[], &["--strace"], &["--no-follow"], &["--format", "json"]];
    let directory = TempDir::new().unwrap();
    let errors = directory.path().join("errors");
    let mut pids = vec![target.pid()];
    if random.below(2) == 0 {
        pids.extend(target.mark.living());
    }
    let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
    let mut tracer = wait4_strace()
        .args(*random.pick(&flags))
        .arg("-o")
        .arg(directory.path().join("log"))
        .args(["-p", &pids.join(",")])
        .stdin(Stdio::null())
        .stderr(fs::File::create(&errors).unwrap())
        .spawn()
        .unwrap();
    thread::sleep(random.moment(4..17));
    meanwhile(random);
    send(i32::try_from(tracer.id()).unwrap(), ending);
    let status = target.mark.end_of(&mut tracer);
    let errors = fs::read_to_string(errors).unwrap();
    // 0: the target ended first; 125: it was gone before, or is ending.
    let expected = [128 + ending as i32, 0, 125];
    assert!(expected.contains(&status), "{status}: {errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    target.mark.nobody_is_traced();
}

/// Disturb a fixture that goes on until its input ends.
fn torture(name: &str, check: impl Fn(&Mark)) {
    rounds(ROUNDS, FEW, |random| {
        let target = Target::start(&mut fixture(name));
        for _ in 0..VISITS {
            visit(&target, random, |_| ());
            check(&target.mark);
        }
        target.ends(0, AS_EVER);
    });
}

#[test]
fn a_program_that_computes_goes_on() {
    torture("torture_runs", Mark::nobody_is_stopped);
}

#[test]
fn a_program_that_waits_gets_every_child() {
    torture("torture_waits", Mark::nobody_is_stopped);
}

#[test]
fn a_program_that_handles_sigchld_loses_none_and_its_waits_restart() {
    torture("torture_handles_sigchld", Mark::nobody_is_stopped);
}

#[test]
fn a_program_in_vfork_comes_back() {
    torture("torture_vforks", Mark::nobody_is_stopped);
}

#[test]
fn a_program_that_stops_its_child_sees_each_stop_and_continuation() {
    torture("torture_stops", |_| ());
}

#[test]
fn a_program_whose_children_fork_loses_none() {
    torture("torture_forks", Mark::nobody_is_stopped);
}

#[test]
fn a_program_that_execs_from_any_thread_goes_on() {
    torture("torture_execs", Mark::nobody_is_stopped);
}

#[test]
fn a_program_of_500_threads_that_start_and_end_goes_on() {
    torture("torture_threads", Mark::nobody_is_stopped);
}

#[test]
fn a_program_that_is_not_safe_against_eintr_sees_none() {
    if REWINDS {
        rounds(ROUNDS, FEW, |random| {
            let target = Target::start(&mut fixture("torture_sleeps"));
            for _ in 0..VISITS {
                // A tracer that is killed cannot undo what it has interrupted.
                let ending = *random.pick(&[Signal::SIGINT, Signal::SIGTERM]);
                visit_until(ending, &target, random, |_| ());
                target.mark.nobody_is_stopped();
            }
            target.ends(0, AS_EVER);
        });
    }
}

#[test]
fn a_program_gets_each_signal_once() {
    torture("torture_signals", Mark::nobody_is_stopped);
}

/// The state letters of all tasks, once they are what they should be: a stop
/// and a continuation take a moment in each thread.
fn settles(target: &Target, stopped: bool) {
    support::until("the target stops or runs as the last signal says", || {
        let tasks = target.mark.tasks();
        !tasks.is_empty() && tasks.iter().all(|task| (task.state == 'T') == stopped)
    });
}

#[test]
fn a_program_that_is_stopped_stays_stopped_and_one_that_is_continued_runs() {
    rounds(ROUNDS, FEW, |random| {
        let name = *random.pick(&["torture_runs", "torture_waits", "torture_threads"]);
        let target = Target::start(&mut fixture(name));
        let pid = target.pid();
        let mut last = Signal::SIGCONT;
        for _ in 0..VISITS {
            let tell = |random: &mut Random, last: &mut Signal| {
                let stops = [Signal::SIGSTOP, Signal::SIGTSTP];
                *last = *random.pick(&[stops[0], stops[1], Signal::SIGCONT]);
                send(pid, *last);
            };
            tell(random, &mut last);
            visit(&target, random, |random| {
                for _ in 0..random.below(4) {
                    tell(random, &mut last);
                    thread::sleep(random.moment(1..12));
                }
            });
            // The leader's family did not get it.
            let is_stopped = || {
                let tasks = target.mark.tasks().into_iter();
                tasks
                    .filter(|task| task.pid == pid)
                    .all(|task| task.state == 'T')
            };
            support::until("the target does what the last signal says", || {
                is_stopped() == (last != Signal::SIGCONT)
            });
        }
        send(pid, Signal::SIGCONT);
        target.ends(0, AS_EVER);
    });
}

/// Disturb a program that ends by itself, perhaps before or as it is attached
/// to.
fn torture_brief(few: u64, commands: &[fn() -> Command]) {
    rounds(ROUNDS, few, |random| {
        let start = random.pick(commands);
        let undisturbed = support::run(&mut start());
        for _ in 0..VISITS {
            let target = Target::start(&mut start());
            thread::sleep(random.moment(1..14));
            visit(&target, random, |_| ());
            target.ends(undisturbed.status, &undisturbed.stdout);
        }
    });
}

fn words(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

#[test]
fn a_program_that_ends_ends_as_ever() {
    torture_brief(
        FEW * 3,
        &[
            || words(&["sh", "-c", "exit 7"]),
            || words(&["sh", "-c", "kill -TERM $$"]),
            || {
                let mut command = fixture("torture_exits");
                command.arg("9");
                command
            },
        ],
    );
}

#[test]
fn a_shell_s_jobs_and_results_are_as_ever() {
    if !have("bash") {
        return;
    }
    torture_brief(
        FEW * 3,
        &[
            || words(&["bash", "-c", SHELL]),
            || words(&["bash", "-c", JOBS]),
        ],
    );
}

const SHELL: &str = "for i in 1 2 3 4 5 6 7 8; do (exit $i); printf '%s ' $?; \
     echo $(echo $i | tr 1-8 a-h); done; exit 3";

/// Job control without a terminal: each job is a group of its own. A wait may
/// return for the stop, too.
const JOBS: &str = "exec 2>/dev/null; set -m; for i in 1 2 3 4; do (kill -STOP $BASHPID; exit $i) & \
     until grep -q '^State:.T' /proc/$!/status; do :; done; \
     kill -CONT $!; until wait $!; s=$?; [ $s -lt 128 ]; do :; done; echo $s; done; exit 4";

#[test]
fn python_s_subprocesses_are_as_ever() {
    if !have("python3") {
        return;
    }
    torture_brief(FEW, &[|| words(&["python3", "-S", "-c", PYTHON])]);
}

const PYTHON: &str = "import subprocess as s\n\
     for i in range(3):\n \
     r = s.run(['sh', '-c', f'echo {i}; exit {i}'], stdout=s.PIPE, timeout=30)\n \
     print(r.returncode, r.stdout, flush=True)\n";

#[test]
fn what_is_checked_can_fail() {
    let target = Target::start(&mut fixture("torture_runs"));
    send(target.pid(), Signal::SIGSTOP);
    settles(&target, true);
    let found = std::panic::catch_unwind(|| target.mark.nobody_is_stopped());
    assert!(found.is_err());
    send(target.pid(), Signal::SIGCONT);
    target.ends(0, AS_EVER);
}
