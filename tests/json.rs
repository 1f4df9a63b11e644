//! The JSON lines: what they are, that they are as the schema says, and that
//! they are read back.

use std::collections::BTreeSet;
use std::fs;

use crate::support::{self, fixture, many_at_once, run, traced_fixture, wait4_strace};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where the schema of the lines is kept.
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json-schema.json");

/// The schema that the wire types give.
fn generated() -> String {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let schema = settings
        .into_generator()
        .into_root_schema_for::<wait4_strace::wire::Line>();
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

/// All fixtures: those that show a fact, and those that have a bug or nearly so.
fn fixtures() -> Vec<String> {
    let list = ["list", "bugs"].map(|list| run(&mut fixture(list)).stdout);
    let lines = list.iter().flat_map(|list| list.lines());
    let names = lines.filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

fn parsed(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// The JSON lines of a fixture.
fn lines(name: &str) -> Vec<Value> {
    parsed(&Recorded::fixture(&[], name).text("lines"))
}

/// The lines of a type.
fn of<'a>(kind: &str, lines: &'a [Value]) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// Complain of each line that the schema does not allow.
fn complaints(validator: &jsonschema::Validator, lines: &[Value]) -> Vec<String> {
    let wrong = lines.iter().flat_map(|line| {
        let errors = validator.iter_errors(line);
        errors.map(move |error| format!("{error}\n{line}"))
    });
    wrong.collect()
}

fn validator() -> jsonschema::Validator {
    let schema = serde_json::from_str(&fs::read_to_string(SCHEMA).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// A recording of a fixture, in a directory of its own.
struct Recorded {
    directory: TempDir,
}

impl Recorded {
    fn fixture(flags: &[&str], name: &str) -> Recorded {
        let recorded = Recorded {
            directory: TempDir::new().unwrap(),
        };
        let files = recorded.files("");
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        run(&mut traced_fixture(&[&files, flags].concat(), name));
        recorded
    }

    /// Flags for all three files, with something behind their names.
    fn files(&self, behind: &str) -> [String; 6] {
        let [trace, report, lines] =
            ["trace", "report", "lines"].map(|name| self.path(&format!("{name}{behind}")));
        let [o, report_file, record] = ["-o", "--report-file", "--record"].map(str::to_owned);
        [o, trace, report_file, report, record, lines]
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Write other lines in place of the recorded.
    fn rewrite(&self, text: &str) {
        fs::write(self.path("lines"), text).unwrap();
    }

    /// Read the lines with these flags.
    fn read(&self, flags: &[&str]) -> support::Outcome {
        let lines = self.path("lines");
        run(wait4_strace().args([&["--read", &lines], flags].concat()))
    }
}

#[test]
fn the_schema_in_docs_is_that_of_the_wire_types() {
    if std::env::var_os("WAIT4_STRACE_UPDATE").is_some() {
        fs::write(SCHEMA, generated()).unwrap();
    }
    let kept = fs::read_to_string(SCHEMA).unwrap_or_default();
    assert!(
        kept == generated(),
        "run `WAIT4_STRACE_UPDATE=1 cargo test --test suite json::` and look at the difference"
    );
}

/// Kinds that an attach makes, an output to standard error, or a flag.
const OTHERS: [&str; 6] = [
    "message",
    "detach",
    "attach",
    "untraced-child",
    "summary",
    "held",
];

#[test]
fn stacks_and_summaries_are_valid_too() {
    let flags = ["-C", "-k", "--format=json", "-o", "/dev/stdout"];
    let outcome = run(&mut traced_fixture(&flags, "fork_exit_wait"));
    // The fixture prints a line of its own.
    let lines = outcome.stdout.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<&str> = lines.collect();
    let lines = parsed(&lines.join("\n"));
    assert_eq!(complaints(&validator(), &lines), [""; 0]);
    let [summary] = of("summary", &lines)[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(summary["total"]["reaped"], 100);
    for kind in ["fork", "wait-entry", "wait"] {
        let all = of(kind, &lines);
        let stacks = all.iter().filter(|line| line["stack"]["frames"].is_array());
        assert_eq!(stacks.count(), 100, "{kind}");
    }
}

#[test]
fn every_line_of_every_fixture_is_valid_and_reads_back_as_the_same_text() {
    let names = fixtures();
    let validator = validator();
    let checked = many_at_once(&names, |name| check(&validator, &[], name));
    let kinds: BTreeSet<String> = checked.into_iter().flatten().collect();
    let all = serde_json::from_str::<Value>(&generated()).unwrap();
    let all = all["oneOf"].as_array().unwrap().iter();
    let all = all.map(|kind| kind["properties"]["type"]["const"].as_str().unwrap());
    let unseen: Vec<&str> = all
        .filter(|kind| !kinds.contains(*kind) && !OTHERS.contains(kind))
        .collect();
    assert!(unseen.is_empty(), "no fixture makes these: {unseen:?}");
}

/// Check one fixture; returns the kinds of its lines.
fn check(validator: &jsonschema::Validator, flags: &[&str], name: &str) -> Vec<String> {
    let recorded = Recorded::fixture(flags, name);
    let lines = recorded.text("lines");
    let values = parsed(&lines);
    let wrong = complaints(validator, &values);
    assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
    let files = recorded.files("-again");
    recorded.read(&files.each_ref().map(String::as_str));
    for file in ["trace", "report", "lines"] {
        let again = recorded.text(&format!("{file}-again"));
        assert_eq!(again, recorded.text(file), "{file} of {name}");
    }
    let kinds = values.iter().map(|line| line["type"].as_str().unwrap());
    kinds.map(str::to_owned).collect()
}

#[cfg(target_arch = "x86_64")]
#[test]
fn what_a_schedule_held_reads_back() {
    let validator = validator();
    for (schedule, name) in [
        ("child-first", "race_end_of_pipe_is_no_death"),
        ("parent-first", "race_group_is_set_late"),
        ("hold-deaths", "race_end_of_pipe_is_no_death"),
        ("eof-first", "race_end_of_pipe_is_no_death"),
        ("skew@8", "race_errno_of_a_handler"),
        ("exec-fail", "race_exec_returns"),
        ("steal", "race_thread_steals"),
    ] {
        // A thread may make its call before there is a child: then nothing is held.
        let is_held = |_| {
            let kinds = check(&validator, &["--schedule", schedule], name);
            kinds.iter().any(|kind| kind == "held")
        };
        let tries = if schedule == "steal" { 5 } else { 1 };
        assert!((0..tries).any(is_held), "{schedule}");
    }
}

#[test]
fn the_schema_refuses_what_is_no_line() {
    let validator = validator();
    let exit = r#"{"seq":1,"type":"exit","t_ns":1,"pid":1,"tid":1,"comm":"a","status":"#;
    let end = r#"{"raw":0,"kind":"exited","code":0}}"#;
    let good: Value = serde_json::from_str(&format!("{exit}{end}")).unwrap();
    assert!(validator.is_valid(&good));
    for (from, to) in [
        ("\"raw\":0", "\"raw\":\"0\""),
        ("\"pid\":1,", ""),
        ("\"exited\"", "\"gone\""),
        ("\"type\":\"exit\"", "\"type\":\"exi\""),
        ("\"t_ns\":1", "\"t_ns\":-1"),
    ] {
        let text = good.to_string();
        let bad = text.replace(from, to);
        assert_ne!(text, bad);
        assert!(
            !validator.is_valid(&serde_json::from_str(&bad).unwrap()),
            "{bad}"
        );
    }
}

#[test]
fn the_first_line_says_what_the_trace_is() {
    let lines = lines("wait4_exit_codes");
    let first = &lines[0];
    assert_eq!((&first["v"], &first["type"]), (&json!(1), &json!("start")));
    assert_eq!(first["command"][1], "wait4_exit_codes");
    assert!(
        first["tracer"]
            .as_str()
            .unwrap()
            .starts_with("wait4-strace ")
    );
    assert!(first["began"].as_str().unwrap().ends_with('Z'));
    let second = &lines[1];
    assert_eq!((&second["seq"], &second["v"]), (&json!(1), &Value::Null));
    assert_eq!(lines.last().unwrap()["type"], "end");
}

#[test]
fn a_wait_has_its_raw_words_beside_what_they_mean() {
    let lines = lines("wait4_exit_codes");
    let wait = of("wait", &lines)[0];
    assert_eq!(wait["call"], "wait4");
    let status = &wait["status"];
    let code = status["code"].as_i64().unwrap();
    assert_eq!(status["kind"], "exited");
    assert_eq!(status["raw"], code << 8);
    assert_eq!(wait["ret"], wait["child"]["pid"]);
    assert!(wait["args"]["wstatus"].as_str().unwrap().starts_with("0x"));
    assert!(wait["zombie_s"].as_f64().unwrap() >= 0.0);
    assert!(wait["duration_s"].as_f64().unwrap() >= 0.0);
}

#[test]
fn a_finding_is_a_line_whose_evidence_are_the_lines_before_it() {
    let lines = lines("stolen_child_by_wildcard_wait");
    let finding = of("finding", &lines)[0];
    assert_eq!(finding["rule"], "stolen-child");
    assert_eq!(finding["severity"], "error");
    for seq in finding["evidence"].as_array().unwrap() {
        assert!(lines.iter().any(|line| line["seq"] == *seq));
    }
    let end = lines.last().unwrap();
    assert_eq!((&end["errors"], &end["reaped"]), (&json!(1), &json!(2)));
}

#[test]
fn on_standard_error_there_is_nothing_but_the_lines() {
    let outcome = run(&mut traced_fixture(
        &["--format", "json"],
        "stolen_child_by_wildcard_wait",
    ));
    assert_eq!(parsed(&outcome.stderr).last().unwrap()["type"], "end");
}

#[test]
fn a_recording_is_judged_by_the_flags_of_its_reading() {
    let recorded = Recorded::fixture(&[], "stolen_child_by_wildcard_wait");
    let status = |flags: &[&str]| recorded.read(flags).status;
    assert_eq!(status(&[]), 0);
    assert_eq!(status(&["--fail-on", "error"]), 120);
    assert_eq!(
        status(&["--allow", "stolen-child", "--fail-on", "error"]),
        0
    );
    let strace = recorded.read(&["--strace"]).stderr;
    assert!(
        strace.contains("= -1 ECHILD (No child processes)\n") && !strace.contains('#'),
        "{strace}"
    );
}

#[test]
fn a_newer_minor_version_is_read() {
    let recorded = Recorded::fixture(&[], "wait4_exit_codes");
    let lines = recorded.text("lines");
    let newer = lines.replace("\"type\":\"wait\"", "\"colour\":[1,{}],\"type\":\"wait\"");
    let (first, rest) = newer.split_once('\n').unwrap();
    let unknown = r#"{"seq":1,"type":"comet","t_ns":0,"pid":1,"tail":{"length":3}}"#;
    recorded.rewrite(&format!("{first}\n{unknown}\n{rest}"));
    let outcome = recorded.read(&["-o", &recorded.path("again")]);
    assert_eq!(outcome.status, 0);
    assert_eq!(recorded.text("again"), recorded.text("trace"));
    let note = "partial view: 1 line is of a kind that this version does not know";
    assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
}

#[test]
fn another_major_version_is_refused() {
    let recorded = Recorded::fixture(&[], "wait4_exit_codes");
    let lines = recorded.text("lines");
    recorded.rewrite(&lines.replacen("{\"v\":1,", "{\"v\":2,", 1));
    let outcome = recorded.read(&[]);
    assert_eq!(outcome.status, 125);
    assert!(outcome.stderr.contains("line 1: the trace is of version 2"));
}

#[test]
fn a_broken_line_is_named_and_what_came_before_it_is_kept() {
    let recorded = Recorded::fixture(&[], "wait4_exit_codes");
    let lines = recorded.text("lines");
    let number = lines.lines().count() - 3;
    let kept: Vec<&str> = lines.lines().take(number).collect();
    for broken in ["{\"seq\":9,\"ty", "[]", "{\"type\":\"exit\"}", "\u{0}"] {
        recorded.rewrite(&format!("{}\n{broken}\n", kept.join("\n")));
        let outcome = recorded.read(&["-o", &recorded.path("again")]);
        assert_eq!(outcome.status, 125, "{broken}");
        let place = format!("line {}: is no event: ", number + 1);
        assert!(outcome.stderr.contains(&place), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("what came before it was read"));
        let trace = recorded.text("trace");
        let again = recorded.text("again");
        assert!(again.len() > 100 && trace.starts_with(&again), "{again}");
    }
}

#[test]
fn two_traces_in_a_file_are_not_taken_for_one() {
    let recorded = Recorded::fixture(&[], "wait4_exit_codes");
    let lines = recorded.text("lines");
    recorded.rewrite(&lines.repeat(2));
    let outcome = recorded.read(&["-o", "/dev/null"]);
    assert_eq!(outcome.status, 125);
    let place = format!("line {}: another trace", lines.lines().count() + 1);
    assert!(outcome.stderr.contains(&place), "{}", outcome.stderr);
}

#[test]
fn a_recording_that_was_cut_off_is_read_as_far_as_it_goes() {
    let recorded = Recorded::fixture(&[], "wait4_exit_codes");
    let lines = recorded.text("lines");
    let whole: Vec<&str> = lines.lines().take(5).collect();
    recorded.rewrite(&(whole.join("\n") + "\n"));
    let outcome = recorded.read(&["-o", "/dev/null"]);
    assert_eq!(outcome.status, 0);
    let note = "partial view: the recording was cut off";
    assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
}

#[test]
fn what_is_no_record_is_refused_in_a_sentence() {
    let recorded = Recorded::fixture(&[], "wait4_exit_codes");
    for text in ["", "\n", "hello\n", "{}\n", "{\"v\":1,\"type\":\"over\"}\n"] {
        recorded.rewrite(text);
        let outcome = recorded.read(&[]);
        assert_eq!(outcome.status, 125, "{text:?}");
        assert!(outcome.stderr.contains("(--read)"), "{}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    }
    let refused = |words: &[&str]| {
        let outcome = run(wait4_strace().args(words));
        assert_eq!(outcome.status, 125, "{words:?}");
        outcome.stderr
    };
    assert!(refused(&["--read", "/nowhere"]).contains("No such file"));
    refused(&["--read", "/tmp"]);
    refused(&["--read", "/dev/null", "--", "true"]);
    refused(&["--format", "json", "--strace", "--", "true"]);
    refused(&["--format", "json", "-ff", "-o", "/tmp/x", "--", "true"]);
    assert!(refused(&["--format", "jsno", "--", "true"]).contains("json"));
}

#[test]
fn what_is_told_at_once_is_told_of_a_recording_too() {
    let bugs = [
        ("echild_spin_blocking", "echild-spin"),
        ("stopped_child_hang", "stopped-child-hang"),
        ("pipe_full_deadlock", "pipe-full-deadlock"),
        ("zombie_leak", "zombie-leak"),
    ];
    for (fixture, rule) in bugs {
        let directory = TempDir::new().unwrap();
        let path = |name| directory.path().join(name).display().to_string();
        let (record, trace) = (path("record"), path("trace"));
        // On a busy machine a loop of polls takes its time.
        let thresholds = ["--threshold", "live=0.5", "--threshold", "spin=60"];
        let flags = [&thresholds[..], &["-o", &trace, "--record", &record]].concat();
        let live = run(&mut traced_fixture(&flags, fixture)).stderr;
        let again = path("again");
        let flags = [&thresholds[..], &["-o", &again, "--read", &record]].concat();
        let again = run(wait4_strace().args(flags)).stderr;
        let at_once = format!("wait4-strace: {}[{rule}]: ", "warning");
        let told = live.contains(&at_once) || live.contains(&at_once.replace("warning", "error"));
        assert!(told, "{fixture}: {live}");
        assert_eq!(again, live, "{fixture}");
    }
}
