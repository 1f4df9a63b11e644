//! What a trace costs, in stops and system calls: numbers that are the same on
//! every machine, however slow.

use std::process::{Command, Stdio};

use crate::support::{fixture_path, have, wait4_strace};

/// What `--stats` says, of a trace in a file.
fn stats(flags: &[&str], command: &[&str]) -> String {
    let log = tempfile::NamedTempFile::new().unwrap();
    let output = wait4_strace()
        .args(flags)
        .args(["--stats", "-o", log.path().to_str().unwrap(), "--"])
        .args(command)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let mut lines = said.lines().map(str::to_owned);
    lines.find(|line| line.contains(", stops ")).unwrap()
}

/// The number behind `word`.
fn number(stats: &str, word: &str) -> u64 {
    let (_, behind) = stats.split_once(word).unwrap();
    let mut words = behind
        .split([' ', ',', ';'])
        .filter(|word| !word.is_empty());
    words.next().unwrap().parse().unwrap()
}

/// Stops of so many children; a few more are the root's own.
fn stops(flags: &[&str], command: &[&str], children: u64) -> u64 {
    let stats = stats(flags, command);
    assert_eq!(number(&stats, "children"), children, "{stats}");
    assert_eq!(number(&stats, "ends"), children + 1, "{stats}");
    number(&stats, "stops")
}

#[test]
fn a_child_that_is_forked_ends_and_is_reaped_costs_five_stops() {
    let fixture = fixture_path();
    let command = [fixture.to_str().unwrap(), "fork_exit_wait", "500"];
    for flags in [&[] as &[&str], &["--strace"], &["-v", "-yy", "-Y"]] {
        let stops = stops(flags, &command, 500);
        assert!(stops < 500 * 5 + 10, "{flags:?}: {stops}");
    }
}

#[test]
fn a_program_that_a_shell_runs_costs_nine_stops() {
    let script = "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done";
    let stops_with = |flags: &[&str]| stops(flags, &["dash", "-c", script], 200);
    let stops = stops_with(&[]);
    // The launch tries each directory of PATH.
    assert!(stops < 200 * 9 + 50, "{stops}");
    // The stop at the exec's entry is for what is said of one that fails.
    let stops = stops_with(&["--strace"]);
    assert!(stops < 200 * 8 + 10, "{stops}");
}

#[test]
fn a_child_costs_the_tracer_twenty_five_system_calls_at_most() {
    if !have("strace") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (counts, log) = (
        directory.path().join("counts"),
        directory.path().join("log"),
    );
    let calls = |children: u64| {
        let status = Command::new("strace")
            .args(["-c", "-o"])
            .arg(&counts)
            .arg(wait4_strace().get_program())
            .arg("-o")
            .arg(&log)
            .arg("--")
            .arg(fixture_path())
            .args(["fork_exit_wait", &children.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        let table = std::fs::read_to_string(&counts).unwrap();
        let total = table.lines().last().unwrap();
        assert!(total.ends_with("total"), "{table}");
        // % time, seconds, usecs/call, calls, …
        let calls = total.split_ascii_whitespace().nth(3).unwrap();
        calls.parse::<u64>().unwrap()
    };
    let (few, many) = (calls(100), calls(600));
    let more = many - few;
    assert!(
        more <= 500 * 25,
        "{more} system calls for 500 children more"
    );
}

#[test]
fn without_polls_a_loop_of_polls_makes_no_stop() {
    let fixture = fixture_path();
    let command = [fixture.to_str().unwrap(), "wnohang_poll", "1000"];
    let seen = number(&stats(&[], &command), "entries and exits of calls");
    assert!(seen >= 2000, "{seen}");
    let seen = number(
        &stats(&["--no-polls"], &command),
        "entries and exits of calls",
    );
    assert!(seen <= 4, "{seen}");
}
