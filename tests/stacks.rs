//! Call stacks (`-k`): of programs as compilers make them, beside strace's.

use std::path::Path;
use std::process::Command;

use crate::support::call_stacks::{below, compiled, room, stacks, waits};
use crate::support::{self, have, passed_over, run, traced};

/// How many frames strace finds below each wait.
fn frames_of_strace(program: &str) -> Option<Vec<usize>> {
    if !have("strace") {
        passed_over("there is no strace");
        return None;
    }
    let room = room();
    let log = room.path().join("log");
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-k",
        "-e",
        "trace=wait4,waitid",
        "-e",
        "signal=none",
        "-o",
    ]);
    let outcome = run(command.arg(&log).arg(program));
    if outcome.stderr.contains("-k") {
        passed_over("this strace has no -k");
        return None;
    }
    let text = std::fs::read_to_string(log).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    Some(waits(&lines).iter().map(Vec::len).collect())
}

/// In the lines as strace writes them each frame is one.
fn frames(program: &str) -> Vec<usize> {
    let (lines, _) = stacks(&["--strace", "-e", "signal=none"], &[program]);
    waits(&lines).iter().map(Vec::len).collect()
}

/// The flags of gcc, and whether source lines are to be had.
const BUILDS: [(&[&str], bool); 8] = [
    (&["-g", "-O0"], true),
    (&["-g", "-O2", "-fomit-frame-pointer"], true),
    (&["-g", "-O2", "-fno-omit-frame-pointer", "-no-pie"], true),
    (&["-g", "-O2", "-static"], true),
    (&["-g", "-O2", "-static-pie"], true),
    (&["-g", "-gz", "-O2"], true),
    (&["-s", "-O2"], false),
    (&["-s", "-O2", "-Wl,--no-eh-frame-hdr"], false),
];

#[test]
fn every_build_of_a_program_has_its_stacks_as_deep_as_straces() {
    for (flags, has_source) in BUILDS {
        let room = room();
        let Some(program) = compiled(room.path(), "job.c", "gcc", flags) else {
            continue;
        };
        let program = program.to_str().unwrap();
        let (lines, outcome) = stacks(&[], &[program]);
        let waits = waits(&lines);
        assert_eq!(waits.len(), 3, "{flags:?}: {lines:#?}\n{}", outcome.stderr);
        for stack in &waits {
            let last = stack.last().unwrap();
            assert!(!last.contains("not known"), "{flags:?}: {stack:#?}");
            if has_source {
                let main = stack.iter().any(|place| place.starts_with("main at "));
                assert!(main, "{flags:?}: {stack:#?}");
            }
        }
        let signal = "<signal handler called>";
        assert!(
            waits[0].iter().any(|place| place == signal),
            "{flags:?}: {waits:#?}"
        );
        if has_source {
            let place = |function: &str, line: u32| {
                let line = format!("job.c:{line}");
                let is = |place: &String| place.starts_with(function) && place.contains(&line);
                waits.iter().flatten().any(is)
            };
            assert!(place("reap_children at ", 11), "{flags:?}: {waits:#?}");
            assert!(place("wait_for at ", 18), "{flags:?}: {waits:#?}");
        }
        let Some(strace) = frames_of_strace(program) else {
            continue;
        };
        let ours = frames(program);
        assert_eq!(ours.len(), strace.len(), "{flags:?}");
        let as_many = ours
            .iter()
            .zip(&strace)
            .all(|(ours, strace)| ours >= strace);
        assert!(as_many, "{flags:?}: {ours:?}, strace {strace:?}");
    }
}

#[test]
fn the_innermost_frame_may_be_as_deep_as_its_caller() {
    for flags in [["-g", "-O2"], ["-g", "-O0"]] {
        let room = room();
        let Some(program) = compiled(room.path(), "children.c", "gcc", &flags) else {
            return;
        };
        let (lines, _) = stacks(&[], &[program.to_str().unwrap()]);
        let whole = |stacks: &[Vec<String>], function: &str| {
            let has = |stack: &Vec<String>, start: &str| {
                stack.iter().any(|place| place.starts_with(start))
            };
            let of_main = |stack: &Vec<String>| has(stack, function) && has(stack, "main at ");
            assert!(stacks.iter().any(of_main), "{flags:?}: {lines:#?}");
        };
        whole(&below(&lines, "vforked "), "by_vfork at ");
        whole(&below(&lines, "vforked "), "by_spawn at ");
        whole(&waits(&lines), "leaf at ");
    }
}

#[test]
fn names_are_those_of_the_source() {
    let room = room();
    if let Some(program) = compiled(room.path(), "jobs.cpp", "g++", &["-g", "-O0"]) {
        let (lines, _) = stacks(&[], &[program.to_str().unwrap()]);
        let stack = waits(&lines).concat();
        let is = |place: &String| {
            place.starts_with("jobs::Runner<int>::wait_for(int) at ")
                && place.contains("jobs.cpp:14")
        };
        assert!(stack.iter().any(is), "{stack:#?}");
        assert!(
            stack.iter().any(|place| place.starts_with("main at ")),
            "{stack:#?}"
        );
    }
    let flags = ["--edition", "2021", "-g", "-O"];
    if let Some(program) = compiled(room.path(), "jobs.rs", "rustc", &flags) {
        let (lines, _) = stacks(&[], &[program.to_str().unwrap()]);
        let stack = waits(&lines).concat();
        let is = |place: &String| {
            place.contains("Runner>::wait_for at ") && place.contains("jobs.rs:14")
        };
        assert!(stack.iter().any(is), "{stack:#?}");
        let births = below(&lines, "forked ").concat();
        assert!(!births.is_empty(), "{lines:#?}");
    }
}

#[test]
fn a_finding_shows_where_its_calls_were_made() {
    let room = room();
    let flags = ["-g", "-O1", "-pthread"];
    let Some(program) = compiled(room.path(), "threads.c", "gcc", &flags) else {
        return;
    };
    let (_, outcome) = stacks(&[], &[program.to_str().unwrap()]);
    assert_eq!(outcome.status, 3);
    let report = &outcome.stderr;
    assert!(report.contains("[stolen-child]"), "{report}");
    for place in [
        "> reap_anybody at ",
        "threads.c:12",
        "> wait_for_mine at ",
        "threads.c:21",
        "  created > main at ",
        "threads.c:32",
    ] {
        assert!(report.contains(place), "{place} is not in\n{report}");
    }
    let plain = run(&mut traced(
        &["-o", "/dev/null"],
        [program.to_str().unwrap()],
    ));
    assert!(!plain.stderr.contains(" > "), "{}", plain.stderr);
}

#[test]
fn a_deep_stack_is_cut_and_a_deleted_program_has_one() {
    let room = room();
    let Some(program) = compiled(room.path(), "deep.c", "gcc", &["-g", "-O0"]) else {
        return;
    };
    let program = program.to_str().unwrap();
    let (lines, _) = stacks(&[], &[program, "1000"]);
    let stack = waits(&lines).concat();
    assert_eq!(stack.len(), 257, "256 frames and a word: {stack:#?}");
    assert_eq!(stack.last().unwrap(), "… more");

    let (lines, outcome) = stacks(&[], &[program]);
    assert_eq!(outcome.status, 0);
    let stack = waits(&lines).concat();
    let last = stack.last().unwrap();
    assert!(!last.contains("not known"), "{stack:#?}");
    // Its file is found by its mapping, for which one must be root.
    if nix::unistd::geteuid().is_root() {
        assert!(
            stack.iter().any(|place| place.starts_with("realigned at ")),
            "{stack:#?}"
        );
    }
    assert!(!Path::new(program).exists());
}

/// What lies on the other stack was not read, and that is said.
#[test]
fn a_stack_that_is_not_whole_says_so() {
    let room = room();
    let Some(program) = compiled(room.path(), "handler.c", "gcc", &["-g", "-O1"]) else {
        return;
    };
    let (lines, _) = stacks(&[], &[program.to_str().unwrap()]);
    for stack in waits(&lines) {
        assert!(stack[1].starts_with("reap at "), "{stack:#?}");
        assert_eq!(stack[2], "<signal handler called>");
        let last = stack.last().unwrap();
        assert_eq!(last, "… the way back from here is not known", "{stack:#?}");
    }
}

#[test]
fn a_record_keeps_the_stacks() {
    let room = room();
    let Some(program) = compiled(room.path(), "job.c", "gcc", &["-g", "-O2"]) else {
        return;
    };
    let record = room.path().join("record");
    let record = record.to_str().unwrap();
    let (lines, live) = stacks(&["--record", record], &[program.to_str().unwrap()]);
    let log = room.path().join("again");
    let mut again = support::wait4_strace();
    let again = run(again.args(["--read", record, "-k", "-o"]).arg(&log));
    let text = std::fs::read_to_string(log).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    let report = |stderr: &str| {
        stderr
            .split_once("error[")
            .map(|(_, report)| report.to_owned())
    };
    assert!(report(&live.stderr).is_some());
    assert_eq!(report(&again.stderr), report(&live.stderr));
}

#[test]
fn a_stack_costs_no_stop() {
    let stops = |flags: &[&str]| {
        let flags = [flags, &["--stats", "-o", "/dev/null"]].concat();
        let outcome = run(&mut support::traced_fixture(&flags, "fork_exit_wait"));
        let line = outcome.stderr.lines().find(|line| line.contains(" stops"));
        line.unwrap_or_else(|| panic!("{}", outcome.stderr))
            .to_owned()
    };
    assert_eq!(stops(&["-k"]), stops(&[]));
}
