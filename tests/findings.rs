//! Findings as the user sees them: the report, what fails a run, what is
//! allowed, and what is reported while the trace goes on.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::support::{
    self, fixture, fixture_path, have, run, traced, traced_fixture, until, wait, wait4_strace,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Run a fixture with these flags, its trace thrown away.
fn judged(flags: &[&str], name: &str) -> support::Outcome {
    let flags: Vec<&str> = ["-o", "/dev/null"].iter().chain(flags).copied().collect();
    run(&mut traced_fixture(&flags, name))
}

const STOLEN: &str = "stolen_child_by_wildcard_wait";

#[test]
fn a_report_names_parent_child_evidence_and_advice() {
    // From its own directory: a long path would be cut short in the report.
    let path = fixture_path();
    let words = [Path::new("./fixture"), Path::new(STOLEN)];
    let outcome = run(traced(&["-o", "/dev/null"], words).current_dir(path.parent().unwrap()));
    assert_eq!(outcome.status, 0);
    // Pids, paths and times differ from run to run.
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\+\d+\.\d{3} s", "+TIME");
    settings.add_filter("with 42", "with code 4-2");
    settings.add_filter(" {2,}", "  ");
    settings.add_filter(r"(^|[ \[(])\d{2,}", "${1}PID");
    settings.add_filter(r"\./fixture", "FIXTURE");
    settings.bind(|| {
        insta::assert_snapshot!("the_report_of_a_stolen_child", outcome.stderr);
    });
}

#[test]
fn a_namespace_whose_init_was_killed_is_an_info_with_the_signal() {
    let report = judged(&[], "pidns_init_exit_killed").stderr;
    let namespaces = judged(&[], "pidns_init_exit").stderr.contains("warning[");
    let head = report.lines().find(|line| line.contains("pidns-init-exit"));
    assert!(
        !namespaces
            || head.is_some_and(|head| head.starts_with("info[")
                && head.contains("and died of SIGKILL: the kernel killed")),
        "{report}"
    );
}

#[test]
fn a_clean_run_is_one_line_and_q_drops_it() {
    let clean = judged(&[], "not_stolen_child_loop_to_the_end");
    assert_eq!(
        clean.stderr,
        "wait4-strace: 3 processes, 2 reaped, 0 zombies left; no findings\n"
    );
    assert_eq!(
        judged(&["-q"], "not_stolen_child_loop_to_the_end").stderr,
        ""
    );
    let found = judged(&["-q"], STOLEN).stderr;
    assert!(found.starts_with("error[stolen-child]: ") && !found.contains("processes"));
}

#[test]
fn with_strace_there_is_no_report() {
    assert_eq!(judged(&["--strace"], STOLEN).stderr, "");
    let both = judged(&["--strace", "--fail-on", "error"], STOLEN);
    assert_eq!(both.status, 125);
    assert!(
        both.stderr
            .contains("--fail-on means nothing with --strace")
    );
}

#[test]
fn findings_fail_a_run_if_the_user_says_so() {
    let status = |flags: &[&str]| judged(flags, STOLEN).status;
    assert_eq!(status(&["--fail-on", "error"]), 120);
    assert_eq!(status(&["--fail-on=warning"]), 120);
    assert_eq!(status(&["--fail-on", "zombie-leak,stolen-child"]), 120);
    assert_eq!(status(&["--fail-on", "zombie-leak"]), 0);
    assert_eq!(status(&["--deny", "stolen-child"]), 120);
    assert_eq!(status(&["--warn", "stolen-child", "--fail-on", "error"]), 0);
    assert_eq!(status(&["--allow", "stolen-child", "--fail-on", "info"]), 0);
    assert_eq!(status(&["--report", "none", "--fail-on", "error"]), 120);
}

#[test]
fn a_finding_can_be_allowed_warned_of_or_suppressed() {
    let report = |flags: &[&str]| judged(flags, STOLEN).stderr;
    assert!(!report(&["--allow", "stolen-child"]).contains('['));
    assert!(report(&["--warn", "stolen-child"]).starts_with("warning[stolen-child]"));
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("known");
    let known = path.to_str().unwrap();
    fs::write(&path, "stolen-child fixture # the library's\n").unwrap();
    assert!(report(&["--suppress", known]).ends_with("; no findings\n"));
    fs::write(&path, "stolen-child other\n").unwrap();
    assert!(report(&["--suppress", known]).contains("1 error"));
    fs::write(&path, "stolen_child\n").unwrap();
    assert!(report(&["--suppress", known]).contains("line 1: there is no rule"));
}

#[test]
fn the_report_goes_to_a_file_if_one_is_named() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("report");
    let outcome = judged(&["--report-file", path.to_str().unwrap()], STOLEN);
    assert_eq!(outcome.stderr, "");
    let report = fs::read_to_string(&path).unwrap();
    assert!(report.starts_with("error[stolen-child]") && report.ends_with("; 1 error\n"));
    let lost = judged(&["--report-file", "/nowhere/report"], STOLEN);
    assert_eq!(lost.status, 125);
    let sentence = "cannot write to /nowhere/report (--report-file)";
    assert!(lost.stderr.contains(sentence), "{lost:?}");
    let full = judged(&["--report-file", "/dev/full"], STOLEN);
    assert_eq!(full.status, 125);
    assert!(full.stderr.contains("cannot write the report"), "{full:?}");
    let shown = judged(&["--report-file", "-"], STOLEN);
    assert!(shown.stdout.ends_with("; 1 error\n"), "{shown:?}");
}

#[test]
fn github_gets_an_annotation_a_finding() {
    let outcome = judged(&["--report", "github", "--fail-on", "error"], STOLEN);
    assert_eq!(outcome.status, 120);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    let [command, summary, why] = lines[..] else {
        panic!("{outcome:?}");
    };
    assert!(command.starts_with("::error title=stolen-child%3A fixture::fixture["));
    assert!(command.contains("%0A  = help: "), "{command}");
    assert!(summary.starts_with("wait4-strace: ") && summary.ends_with("; 1 error"));
    assert_eq!(why, "wait4-strace: exit 120: 1 error (--fail-on error)");
    // Colours would be shown as they are.
    let coloured = judged(&["--report", "github", "--color", "always"], STOLEN);
    assert!(!coloured.stderr.contains('\x1b'), "{coloured:?}");
    let clean = judged(&["--report=github"], "not_stolen_child_loop_to_the_end");
    assert!(!clean.stderr.contains("::"), "{clean:?}");
}

#[test]
fn gitlab_gets_a_file_whose_fingerprints_last() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("gl-code-quality-report.json");
    let flags = [
        "--report",
        "gitlab",
        "--report-file",
        path.to_str().unwrap(),
    ];
    let entries = |name| -> Vec<serde_json::Value> {
        let outcome = judged(&flags, name);
        assert_eq!(outcome.stderr, "");
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap()
    };
    let (first, second) = (entries(STOLEN), entries(STOLEN));
    let [entry] = &first[..] else {
        panic!("{first:?}");
    };
    assert_eq!(entry["check_name"], "stolen-child");
    assert_eq!(entry["fingerprint"], second[0]["fingerprint"]);
    let file = entry["location"]["path"].as_str().unwrap();
    assert!(file.ends_with("examples/fixture"), "{entry}");
    assert!(entries("not_stolen_child_loop_to_the_end").is_empty());
}

#[test]
fn words_that_mean_nothing_get_the_nearest_right_one() {
    for (flags, answer) in [
        (["--fail-on", "eror"], "do you mean error?"),
        (["--allow", "stolen-chid"], "do you mean stolen-child?"),
        (["--threshold", "zombi=1"], "do you mean zombie?"),
        (["--threshold", "zombie=long"], "give seconds"),
        (["--threshold", "zombie"], "NAME=SECONDS"),
        (["--duration", "-1"], "give seconds"),
        (["--expect-exit", "256"], "0 to 255"),
        (
            ["--expect-signal", "SIGNOPE"],
            "is no signal (--expect-signal)",
        ),
        (["--suppress", "/nowhere"], "cannot read /nowhere"),
        (["--suppress", "/"], "it is a directory"),
        // No file without an end is read to its end, and none is waited for.
        (["--suppress", "/dev/zero"], "longer than 16 MiB"),
        (["--explain", "stolen"], "do you mean stolen-child?"),
    ] {
        let outcome = judged(&flags, STOLEN);
        assert_eq!(outcome.status, 125, "{flags:?}: {outcome:?}");
        assert!(outcome.stderr.contains(answer), "{flags:?}: {outcome:?}");
    }
}

#[test]
fn a_pipe_is_no_list_of_known_findings_and_is_not_waited_for() {
    let directory = tempfile::TempDir::new().unwrap();
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let outcome = judged(&["--suppress", fifo.to_str().unwrap()], STOLEN);
    assert_eq!(outcome.status, 125, "{outcome:?}");
    let answer = "write what it gives to a file";
    assert!(outcome.stderr.contains(answer), "{outcome:?}");
}

#[test]
fn every_rule_is_listed_and_explained() {
    let list = run(wait4_strace().arg("--explain")).stdout;
    assert_eq!(list.lines().count(), wait4_strace::rules::RULES.len());
    for rule in wait4_strace::rules::RULES {
        let page = run(wait4_strace().args(["--explain", rule.name]));
        assert_eq!((page.status, page.stdout.as_str()), (0, rule.page));
    }
}

#[test]
fn an_end_that_was_not_expected_is_reported_with_who_reaped_it() {
    let script = "(exit 3); (exit 1); sh -c 'kill -TERM $$'; exit 0";
    let with = |flags: &[&str]| {
        let flags: Vec<&str> = ["-o", "/dev/null"].iter().chain(flags).copied().collect();
        run(&mut traced(&flags, ["sh", "-c", script])).stderr
    };
    let report = with(&["--expect-exit", "0,1"]);
    assert!(report.contains("and 1 more ended otherwise"), "{report}");
    assert!(report.contains(", exited with 3 at"), "{report}");
    assert!(report.contains(", was killed by SIGTERM at"), "{report}");
    assert!(report.contains("got the status"), "{report}");
    let report = with(&["--expect-exit", "0,1,3", "--expect-signal", "TERM"]);
    assert!(report.ends_with("; no findings\n"), "{report}");
    let report = with(&["--expect-signal", "none"]);
    assert!(
        report.contains("was killed by SIGTERM, and sh["),
        "{report}"
    );
    assert!(!with(&[]).contains("unexpected-exit"));
}

#[test]
fn a_trace_ends_when_its_time_is_up() {
    let flags = ["--duration", "0.3", "-o", "/dev/null"];
    let outcome = run(&mut traced(&flags, ["sleep", "100"]));
    assert_eq!(outcome.status, 128 + 15, "{outcome:?}");
    assert!(outcome.stderr.contains("the time is up"), "{outcome:?}");
    // A command that does not listen is ended by force.
    let deaf = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"];
    let outcome = run(&mut traced(&flags, deaf));
    assert_eq!(outcome.status, 128 + 9, "{outcome:?}");
}

#[test]
fn a_signal_asks_for_the_report_so_far_and_an_attach_ends_with_one() {
    let directory = TempDir::new().unwrap();
    let said = directory.path().join("said");
    let mut target = fixture("zombie_leak")
        .arg("8000")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut tracer = wait4_strace()
        .args([
            "-o",
            "/dev/null",
            "--threshold",
            "zombie=0.2",
            "--threshold",
            "live=0.4",
        ])
        .args(["-p", &target.id().to_string()])
        .stderr(fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let says = |words: &str| fs::read_to_string(&said).unwrap().contains(words);
    until("the zombie is reported", || {
        says("wait4-strace: warning[zombie-leak]: fixture[")
    });
    let pid = Pid::from_raw(i32::try_from(tracer.id()).unwrap());
    kill(pid, Signal::SIGUSR1).unwrap();
    until("the report so far", || says("1 zombie left; 1 warning"));
    kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(wait(&mut tracer), Some(128 + 2));
    let text = fs::read_to_string(&said).unwrap();
    assert_eq!(
        text.matches("\nwarning[zombie-leak]: ").count(),
        2,
        "{text}"
    );
    target.kill().unwrap();
    target.wait().unwrap();
}

#[test]
fn the_report_so_far_has_what_its_look_found() {
    if !have("python3") {
        return;
    }
    let script = "import subprocess as s, sys\n\
                  fill = 'import sys; sys.stderr.write(\"x\" * 200000)'\n\
                  p = s.Popen([sys.executable, '-c', fill], stdout=s.PIPE, stderr=s.PIPE)\n\
                  p.stdout.read()";
    let directory = TempDir::new().unwrap();
    let [said, log] = ["said", "log"].map(|name| directory.path().join(name));
    let mut tracer = traced(&["-o", log.to_str().unwrap()], ["python3", "-c", script])
        .stderr(fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(tracer.id()).unwrap());
    // It may end within a character.
    let text = || String::from_utf8_lossy(&fs::read(&said).unwrap()).into_owned();
    let warned = "wait4-strace: error[pipe-full-deadlock]";
    until("the trace is under way", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("executed"))
    });
    until("the deadlock is found", || {
        kill(pid, Signal::SIGUSR1).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        text().contains(warned)
    });
    until("the report of the same signal", || {
        let text = text();
        let (_, after) = text.split_once(warned).unwrap();
        assert!(!after.contains("no findings"), "{text}");
        after.contains("; 1 error")
    });
    tracer.kill().unwrap();
    tracer.wait().unwrap();
}

#[test]
fn a_partial_view_says_so() {
    let report = judged(&["--no-follow"], STOLEN).stderr;
    assert!(report.starts_with("wait4-strace: partial view: children are not followed"));
    assert!(!report.contains('['), "{report}");
}

#[test]
fn a_child_from_before_the_attach_is_nobody_s_bug() {
    let directory = TempDir::new().unwrap();
    let said = directory.path().join("said");
    let mut target = fixture("not_my_child_after_stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let children = |pid: &str| {
        let path = format!("/proc/{pid}/task/{pid}/children");
        fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    until("there is a grandchild", || {
        !children(&children(&target.id().to_string())).is_empty()
    });
    let mut tracer = wait4_strace()
        .args(["-o", "/dev/null", "-p", &target.id().to_string()])
        .stderr(fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let says = |words: &str| fs::read_to_string(&said).unwrap().contains(words);
    until("it is attached", || says("attached"));
    drop(target.stdin.take());
    assert_eq!(wait(&mut tracer), Some(0));
    assert_eq!(wait(&mut target), Some(0));
    let text = fs::read_to_string(&said).unwrap();
    assert!(text.contains("partial view: "), "{text}");
    assert!(text.ends_with("; no findings\n"), "{text}");
}

#[test]
fn a_parent_that_joins_its_children_in_order_is_not_warned_of() {
    let flags = ["--threshold", "live=0.5", "--threshold", "zombie=0.2"];
    let joined = judged(&flags, "not_zombie_leak_joined_in_order");
    assert_eq!(
        joined.stderr,
        "wait4-strace: 3 processes, 2 reaped, 0 zombies left; no findings\n"
    );
    let leaked = judged(&flags, "zombie_leak");
    assert!(
        leaked
            .stderr
            .starts_with("wait4-strace: warning[zombie-leak]: ")
    );
    // So does a report that is asked for before the end.
    let flags = ["--duration", "1", "--threshold", "zombie=0.2"];
    let cut = judged(&flags, "not_zombie_leak_joined_in_order");
    assert!(cut.stderr.ends_with("; no findings\n"), "{cut:?}");
}

#[test]
fn text_json_table_and_picture_count_the_same_zombies() {
    // Three that are young when their parent ends, two that are old, one that
    // is reaped.
    let script = "sh -c 'true & true & true & exec sleep 0.3'; \
                  sh -c 'true & true & exec sleep 1.3'; true & wait";
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (log, json, page) = (path("log"), path("json"), path("page.html"));
    let flags = ["-C", "-o", &log, "--record", &json, "--timeline", &page];
    let outcome = run(&mut traced(&flags, ["sh", "-c", script]));
    assert!(outcome.stderr.contains(" 2 zombies left"), "{outcome:?}");
    let json = fs::read_to_string(json).unwrap();
    let end = json.lines().last().unwrap();
    assert!(end.contains(r#""zombies":2"#), "{end}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(r#""zombies":2"#), "the picture");
    let log = fs::read_to_string(log).unwrap();
    let head = log
        .lines()
        .position(|line| line.contains("forked") && line.contains("left"));
    let table: Vec<&str> = log.lines().skip(head.unwrap()).collect();
    let column = table[0].split_whitespace().position(|word| word == "left");
    let dashes = table.iter().position(|line| line.starts_with("---"));
    let words: Vec<&str> = table[dashes.unwrap() + 1].split_whitespace().collect();
    assert_eq!(words[column.unwrap()], "2", "{table:#?}");
}

#[test]
fn a_baseline_accepts_what_a_run_has_found() {
    let directory = TempDir::new().unwrap();
    let known = directory.path().join("known");
    let known = known.to_str().unwrap();
    let flags = ["--fail-on", "error", "--write-suppressions", known];
    assert_eq!(judged(&flags, STOLEN).status, 120);
    assert_eq!(fs::read_to_string(known).unwrap(), "stolen-child fixture\n");
    fs::write(known, "stolen-child fixture\nlate-reap fixture\n").unwrap();
    let outcome = judged(&["--fail-on", "error", "--suppress", known], STOLEN);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let unused = "no finding met these lines (--suppress): \"late-reap fixture\"\n";
    assert!(outcome.stderr.contains(unused), "{outcome:?}");
}

#[test]
fn junit_gets_a_suite_with_a_case_a_finding() {
    let outcome = judged(&["--report", "junit", "--findings"], STOLEN);
    assert!(outcome.stderr.starts_with("<?xml "), "{outcome:?}");
    let case = "<testcase classname=\"wait4-strace.stolen-child\" name=\"fixture\"";
    assert!(outcome.stderr.contains(case), "{outcome:?}");
    assert!(outcome.stderr.ends_with("</testsuites>\n"), "{outcome:?}");
}

#[test]
fn the_same_finding_about_many_processes_is_one() {
    let script = "for i in 1 2 3; do bash -c 'exec 2>&1; (exit 7) & sleep 0.6; wait -n; exit 0' & \
                  done; wait";
    let flags = ["--findings", "--expect-exit", "0"];
    let text = run(&mut traced(&flags, ["bash", "-c", script])).stderr;
    assert_eq!(text.matches("[unexpected-exit]").count(), 1, "{text}");
    assert!(text.contains("  = the same in 2 more: "), "{text}");
}
