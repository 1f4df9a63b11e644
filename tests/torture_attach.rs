//! Attach and detach, again and again, at any moment, to programs in every
//! state: each ends as if nobody had ever looked.
//!
//! `WAIT4_STRACE_ATTACH_ROUNDS` says how often, `WAIT4_STRACE_ATTACH_SEED`
//! which rounds. The targets are safe against EINTR, which no tracer can hide.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and says with which seed"
)]

mod support;

use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::torture::{MARK, Random, held, marked, new_mark, seed, wished};
use support::{fixture_path, until, wait, wait4_strace};

/// A program, what it prints, and whether it stops itself and wants to be
/// continued.
struct Target {
    words: Vec<String>,
    prints: &'static str,
    stops: bool,
}

/// What a target is doing most of the time.
fn targets() -> Vec<Target> {
    let fixture = fixture_path().display().to_string();
    let fixture = fixture.as_str();
    let target = |words: &[&str], prints| Target {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        prints,
        stops: false,
    };
    let runs = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; echo counted";
    let waits = "for i in 1 2 3; do sleep 0.1 & wait $!; done; echo waited";
    let execs = "[ $1 = 0 ] && echo executed || exec bash -c \"$0\" \"$0\" $(($1 - 1))";
    let jobs = "for i in 1 2 3 4 5 6 7 8 9; do (exit 3) | (exit 4); [ $? = 4 ] || exit 9; done; \
                echo piped";
    let stops = "kill -STOP $$; (exit 5); echo continued $?";
    vec![
        target(&["bash", "-c", runs], "counted\n"),
        target(&["bash", "-c", waits], "waited\n"),
        target(&["bash", "-c", execs, execs, "60"], "executed\n"),
        target(&["bash", "-c", jobs], "piped\n"),
        target(&[fixture, "fork_exit_wait", "600"], "reaped 600\n"),
        target(
            &[fixture, "threads_fork_and_wait", "8", "60"],
            "8 threads reaped 60 children each\n",
        ),
        target(
            &[fixture, "threads_start_and_end", "500"],
            "500 threads ended\n",
        ),
        target(&[fixture, "many_live", "150"], "reaped 150\n"),
        target(&[fixture, "vfork_chain", "60"], "60 deep\n"),
        target(
            &[fixture, "exec_from_thread_loop", "60"],
            "all threads have had their exec\n",
        ),
        Target {
            stops: true,
            ..target(&["bash", "-c", stops], "continued 5\n")
        },
    ]
}

/// How a tracer is made to leave.
const PARTINGS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL];

fn start(mut command: Command, mark: &str) -> Child {
    command.env(MARK, mark);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// The state letter of a process.
fn state(pid: u32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.unwrap_or('X')
}

/// Attach, stay for a moment, leave.
fn visit(pid: u32, random: &mut Random) {
    let mut tracer = wait4_strace();
    tracer.args(["-o", "/dev/null", "-p", &pid.to_string()]);
    let mut tracer = start(tracer, "a tracer");
    sleep(random.time(Duration::from_millis(25)));
    let parting = *random.pick(&PARTINGS);
    let tid = Pid::from_raw(i32::try_from(tracer.id()).unwrap());
    // ESRCH: the target has ended, and the tracer with it.
    let _ = kill(tid, parting);
    let status = wait(&mut tracer).unwrap_or_else(|| panic!("the tracer hangs"));
    // 125: there was nobody any more to attach to.
    let parted = 128 + parting as i32;
    assert!([0, 125, parted].contains(&status), "{status} by {parting}");
}

fn torture(target: &Target, visits: u64, random: &mut Random) -> u64 {
    let mark = new_mark();
    let mut command = Command::new(&target.words[0]);
    command.args(&target.words[1..]);
    let mut program = start(command, &mark);
    let pid = program.id();
    if target.stops {
        until("it has stopped itself", || state(pid) == 'T');
    }
    let mut made = 0;
    while made < visits && program.try_wait().unwrap().is_none() {
        sleep(random.time(Duration::from_millis(5)));
        visit(pid, random);
        made += 1;
        assert_eq!(held(&mark), [""; 0]);
        if target.stops {
            // It wakes for a moment, to go from one kind of stop to the other.
            until("it is stopped as before", || state(pid) == 'T');
        }
    }
    if target.stops {
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGCONT).unwrap();
    }
    let status = wait(&mut program).unwrap_or_else(|| panic!("the target hangs"));
    let mut printed = String::new();
    program
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut printed)
        .unwrap();
    assert_eq!((status, printed.as_str()), (0, target.prints));
    until("everything has ended", || marked(&mark).is_empty());
    made
}

#[test]
fn a_program_that_is_visited_ends_as_if_nobody_had_looked() {
    let targets = targets();
    let rounds = wished("WAIT4_STRACE_ATTACH_ROUNDS", 250);
    let (mut round, mut made) = (seed("WAIT4_STRACE_ATTACH_SEED"), 0);
    while made < rounds {
        let mut random = Random::new(round);
        let target = random.pick(&targets);
        eprintln!("seed {round}, after {made}: {:?}", target.words);
        made += torture(target, 12, &mut random).max(1);
        round += 1;
    }
}
