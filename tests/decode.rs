//! `--decode`: values in words.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::support::{run, wait4_strace};

/// What is said of some values, and the exit status.
fn decoded(args: &[&str]) -> (String, i32) {
    let outcome = run(wait4_strace().arg("--decode").args(args));
    assert_eq!(outcome.stderr, "");
    (outcome.stdout, outcome.status)
}

#[test]
fn each_kind_of_value_is_decoded() {
    let values = [
        "0x137f",
        "0x1057f",
        "0x0300",
        "137",
        "0x8b",
        "0xffff",
        "-9",
        "0",
        "status=9",
        "options=0x40000001",
        "options=WNOHANG|WUNTRACED",
        "idtype=2",
        "idtype=P_PIDFD",
        "errno=512",
        "errno=-10",
        "errno=ECHILD",
        "signal=17",
        "signal=SIGRT_5",
        "signal=SIGRTMIN+3",
        "signal=33",
        "255",
        "-64",
        "options=WNOHANG | 4",
        "pid=-1",
        "pid=0",
        "pid=-5",
        "pid=7",
        "pid=-2147483648",
        "ECHILD",
        "SIGKILL",
        "P_PIDFD",
        "WNOHANG|WEXITED",
    ];
    let (text, status) = decoded(&values);
    assert_eq!(status, 0, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn what_people_paste_of_an_end_is_decoded() {
    let values = [
        "143",
        "130",
        "134",
        "126",
        "127",
        "34304",
        "32512",
        "32256",
        "3221225477",
        "0xc0000005",
        "status=137",
        "rc=35584",
        "rc=2",
        "exit code 137",
        "returncode=-11",
        "status=203/EXEC",
        "code=killed, status=9/KILL",
        "signal: killed",
        "OOMKilled",
        // Without quotes.
        "exit",
        "code",
        "256",
        "signal:",
        "killed",
    ];
    let (text, status) = decoded(&values);
    assert_eq!(status, 0, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_bsd_s_values_have_its_own_names() {
    for system in ["netbsd", "freebsd"] {
        let values = [
            "--abi",
            system,
            "0x137f",
            "0xffff",
            "0x13",
            "0x1487",
            "options=0x33",
            "idtype=4",
            "idtype=P_UID",
            "errno=35",
            "errno=-3",
            "signal=20",
            "signal=SIGINFO",
            "pid=0x80000000",
        ];
        let (text, _) = decoded(&values);
        insta::assert_snapshot!(format!("values_of_{system}"), text);
    }
}

#[test]
fn a_value_that_means_nothing_says_so_and_exits_with_1() {
    let nothing = [
        "0x12ff",
        "status=0x77",
        "status=x",
        "options=0x10",
        "options=WNOHANG|0x10",
        "options=WFOO",
        "idtype=99",
        "errno=41",
        "errno=4095",
        "errno=EFOO",
        "signal=0",
        "signal=65",
        "signal=NOPE",
        "signal=SIGRTMIN+31",
        "signal=SIGRTMIN+2147483647",
        "signal=SIGRTMAX--1",
        "2147483647",
        "-65",
        "-2147483648",
        "0x80000000",
        "pid=x",
        "foo",
        "foo=3",
        "",
        "=",
        "0x100000000",
        "1.5",
    ];
    for value in nothing {
        let (text, status) = decoded(&[value]);
        assert_eq!(status, 1, "{text}");
        assert!(text.contains("means nothing"), "{text}");
    }
    // The others are decoded all the same.
    let (text, status) = decoded(&["foo", "9"]);
    assert_eq!(status, 1);
    assert!(text.contains("killed by SIGKILL"), "{text}");
}

#[test]
fn every_base_is_one_number() {
    let of = |value| decoded(&[value]).0.lines().nth(1).unwrap().to_owned();
    for value in ["4991", "011577", "0o11577", "0b1001101111111", "0X137F"] {
        assert_eq!(of(value), of("0x137f"), "{value}");
    }
}

#[test]
fn values_come_from_standard_input_too() {
    for args in [
        &["--decode"][..],
        &["--decode", "-"],
        &["--decode", "--abi", "linux"],
    ] {
        let mut program = wait4_strace();
        program
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = program.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin
            .write_all(
                b"0x100 9\n\n  options=1\nx.service: code=killed, status=6/ABRT\n\x1b[2J\xff",
            )
            .unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "the last is none");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = [
            "exited with 1",
            "killed by SIGKILL",
            "WNOHANG",
            "by SIGABRT",
            "\\33[2J",
        ];
        for what in lines {
            assert!(text.contains(what), "{text}");
        }
        assert!(!text.contains('\x1b'), "{text}");
    }
}

#[test]
fn flags_of_a_trace_are_refused_beside_it() {
    for flags in [
        &["-v"][..],
        &["-p", "1"],
        &["--zombies"],
        &["--format", "json"],
        &["-o", "x"],
    ] {
        let outcome = run(wait4_strace().args(["--decode", "1"]).args(flags));
        assert_eq!(outcome.status, 125, "{outcome:?}");
        assert!(outcome.stderr.contains("means nothing with --decode") || flags == ["--zombies"]);
    }
    let outcome = run(wait4_strace().args(["--abi", "plan9", "--decode", "1"]));
    assert_eq!(outcome.status, 125);
    assert!(
        outcome.stderr.contains("linux, netbsd and freebsd"),
        "{outcome:?}"
    );
    let outcome = run(wait4_strace().args(["--abi", "linux", "true"]));
    assert_eq!(outcome.status, 125);
}

#[test]
fn the_page_on_wait_families_shows_what_is_printed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/wait-families.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, block) = page.split_once("```console\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let mut count = 0;
    for example in block
        .split("$ wait4-strace ")
        .filter(|text| !text.is_empty())
    {
        let (args, text) = example.split_once('\n').unwrap();
        let outcome = run(wait4_strace().args(args.split(' ')));
        assert_eq!(outcome.stdout, text);
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn input_without_an_end_of_line_is_not_read_for_ever() {
    let mut command = wait4_strace();
    let zeros = std::fs::File::open("/dev/zero").unwrap();
    command.arg("--decode").stdin(zeros);
    let outcome = command.output().unwrap();
    assert_eq!(outcome.status.code(), Some(125));
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(said.contains("longer than 64 KiB"), "{said}");
}
