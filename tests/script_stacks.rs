//! Call stacks (`-k`) of scripts: the lines of CPython's, names from perf maps. With
//! all interpreters that this machine has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::call_stacks::{compiled, room};
use crate::support::{self, have, passed_over, run, traced, until, wait};
use serde_json::Value;

/// A script beside the other sources of these tests.
fn script(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks");
    path.join(name).to_str().unwrap().to_owned()
}

/// The CPython interpreters of this machine, by their minor version.
fn pythons() -> Vec<(u32, String)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = std::iter::once("python3".to_owned());
    let names = names.chain((8..20).map(|minor| format!("python3.{minor}")));
    let names: Vec<String> = names.collect();
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let of_pyenv = fs::read_dir(home.join(".pyenv/versions"));
    let of_pyenv = of_pyenv.into_iter().flatten().flatten();
    let of_pyenv = of_pyenv.map(|version| version.path().join("bin"));
    let directories = in_path.into_iter().chain(of_pyenv);
    let mut found = BTreeMap::new();
    for program in directories.flat_map(|at| names.iter().map(move |name| at.join(name))) {
        let says =
            "import sys; print(sys.implementation.name, *sys.version_info[:2], sys.executable)";
        if !program.is_file() {
            continue;
        }
        // A wrapper says what it stands for.
        let outcome = run(Command::new(&program).args(["-c", says]));
        let words: Vec<&str> = outcome.stdout.split_ascii_whitespace().collect();
        if let ["cpython", "3", minor, executable] = words[..] {
            let real = fs::canonicalize(executable).unwrap();
            let minor: u32 = minor.parse().unwrap();
            found.insert(real.to_str().unwrap().to_owned(), minor);
        }
    }
    let found: Vec<_> = found
        .into_iter()
        .map(|(path, minor)| (minor, path))
        .collect();
    if found.is_empty() {
        passed_over("there is no CPython");
    }
    found
}

/// Whether the lines of scripts of this version are found.
fn is_known(minor: u32) -> bool {
    (11..=14).contains(&minor)
}

/// The events of a record.
fn events(record: &Path) -> Vec<Value> {
    let text = fs::read_to_string(record).unwrap_or_default();
    // The last line may be under way.
    let lines = text.lines().map(serde_json::from_str);
    lines.map_while(Result::ok).collect()
}

/// The functions of the script in an event's stack, the innermost first: their names
/// and lines.
fn script_of(event: &Value) -> Vec<(String, u64)> {
    let frames = event["stack"]["frames"].as_array().unwrap();
    let functions = frames.iter().filter_map(|frame| frame["script"].as_array());
    let functions = functions.flatten().map(|function| {
        let name = function["name"].as_str().unwrap().to_owned();
        (name, function["line"].as_u64().unwrap())
    });
    functions.collect()
}

/// The names of all native functions in an event's stack.
fn natives_of(event: &Value) -> Vec<String> {
    let frames = event["stack"]["frames"].as_array().unwrap();
    let functions = frames
        .iter()
        .filter_map(|frame| frame["functions"].as_array());
    let names = functions
        .flatten()
        .filter_map(|function| function["name"].as_str());
    names.map(str::to_owned).collect()
}

fn are(event: &Value, kind: &str) -> bool {
    event["type"] == kind
}

/// The line of a script in which these words are, counted from 1.
fn line_of(script: &str, words: &str) -> u64 {
    let text = fs::read_to_string(script).unwrap();
    let index = text.lines().position(|line| line.contains(words)).unwrap();
    index as u64 + 1
}

/// Stacks, in a record alone.
fn recorded_to(record: &Path) -> [&str; 5] {
    let record = record.to_str().unwrap();
    ["-k", "-o", "/dev/null", "--record", record]
}

/// A script's thread waits; it is let go when its stack is known.
fn waits(python: &str, more: &[&str]) -> (Vec<Value>, String) {
    let room = room();
    let [record, end] = ["record", "end"].map(|name| room.path().join(name));
    let flags = recorded_to(&record);
    let job = script("job.py");
    let words = [&[python], more, &[&job, end.to_str().unwrap()]].concat();
    let mut tracer = traced(&flags, words).spawn().unwrap();
    until("the wait begins", || {
        events(&record).iter().any(|event| are(event, "wait-entry"))
    });
    fs::write(&end, "").unwrap();
    assert_eq!(wait(&mut tracer), Some(0));
    let again = ["--read", record.to_str().unwrap(), "-k", "-o", "-"];
    let shown = run(support::wait4_strace().args(again));
    let events = events(&record);
    remove_perf_maps(&events);
    (events, shown.stdout + &shown.stderr)
}

#[test]
fn a_wait_shows_the_lines_of_its_script() {
    let mut pythons = pythons();
    // One of those that are too old is enough.
    pythons.sort_unstable();
    let old = pythons.partition_point(|(minor, _)| *minor < 11);
    for (minor, python) in pythons.into_iter().skip(old.saturating_sub(1)) {
        let (events, shown) = waits(&python, &[]);
        let entry = events
            .iter()
            .find(|event| are(event, "wait-entry"))
            .unwrap();
        let found = script_of(entry);
        if !is_known(minor) {
            assert!(found.is_empty(), "{python}: {found:?}");
            let said = "the lines of its script are not known";
            assert!(shown.contains(said), "{python}: {shown}");
            continue;
        }
        let job = script("job.py");
        let expected = [
            ("Job.warte_für.<locals>.<lambda>", "os.waitpid("),
            ("Job.warte_für", "yield from"),
            ("Job.__init__", "self.statuses ="),
        ];
        let expected = expected.map(|(name, line)| (name.to_owned(), line_of(&job, line)));
        assert_eq!(found[..3], expected, "{python}: {found:?}");
        let names: Vec<&str> = found[3..].iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"Thread.run"), "{python}: {found:?}");
        let last = found.last().unwrap();
        assert_eq!(last.0, "Thread._bootstrap", "{python}: {found:?}");

        // The frames of the interpreter are folded, and all are in the record.
        let line = format!("> Job.__init__ at {job}:{}", expected[2].1);
        assert!(shown.contains(&line), "{python}: {shown}");
        assert!(shown.contains(" frames of "), "{python}: {shown}");
        assert!(!shown.contains("> os_waitpid"), "{python}: {shown}");
        let frames = entry["stack"]["frames"].as_array().unwrap();
        assert!(frames.len() > found.len(), "{python}: {frames:#?}");
    }
}

/// A wait that ends at once may have ended before its script was read: then it has no
/// lines, but never those of the next one.
#[test]
fn the_lines_of_a_wait_are_never_those_of_the_next() {
    for (minor, python) in pythons() {
        if !is_known(minor) {
            continue;
        }
        let room = room();
        let record = room.path().join("record");
        let flags = [
            "-k",
            "-o",
            "/dev/null",
            "--record",
            record.to_str().unwrap(),
        ];
        let outcome = run(&mut traced(&flags, [&python, &script("turns.py"), "100"]));
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        let events = events(&record);
        let entries: Vec<_> = events
            .iter()
            .filter(|event| are(event, "wait-entry"))
            .collect();
        assert!(entries.len() >= 100, "{}", entries.len());
        for entry in entries {
            let args = &entry["args"];
            let is_poll = args["options"]["raw"] != 0;
            let expected = match (is_poll, args["pid"].as_i64()) {
                (true, _) => "by_poll",
                (false, Some(-1)) => "by_any",
                (false, _) => "by_pid",
            };
            let found = script_of(entry);
            if let Some((name, _)) = found.first() {
                assert_eq!(name, expected, "{python}: {entry}");
                assert_eq!(found.len(), 2, "{python}: {found:?}");
            }
        }
    }
}

/// Removes the perf maps of a trace's processes: they are always in `/tmp`.
fn remove_perf_maps(events: &[Value]) {
    for pid in events.iter().filter_map(|event| event["pid"].as_i64()) {
        fs::remove_file(format!("/tmp/perf-{pid}.map")).ok();
    }
}

/// That the names are in this order, with others in between.
fn assert_in_order(names: &[String], expected: &[&str]) {
    let mut rest = names.iter();
    for wanted in expected {
        let found = rest.any(|name| name.starts_with(wanted));
        assert!(found, "{wanted} is not in its place: {names:#?}");
    }
}

#[test]
fn code_made_by_node_has_the_names_of_its_perf_map() {
    if !have("node") {
        return;
    }
    let job = script("job.js");
    let flags = ["--perf-basic-prof", "--interpreted-frames-native-stack"];
    let room = room();
    let record = room.path().join("record");
    let to = [
        "-k",
        "-o",
        "/dev/null",
        "--record",
        record.to_str().unwrap(),
    ];
    // It writes a log where it is.
    let mut tracer = traced(&to, ["node", flags[0], flags[1], &job]);
    let outcome = run(tracer.current_dir(room.path()));
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let events = events(&record);
    remove_perf_maps(&events);
    let fork = events.iter().find(|event| are(event, "fork")).unwrap();
    let names = natives_of(fork);
    let [inner, outer] = ["waitFor", "runJob"].map(|name| format!("JS:~{name} {job}:"));
    assert_in_order(&names, &[&inner, &outer, "node::Start"]);
}

/// CPython's trampolines for `perf` have no frame pointer.
#[test]
fn code_made_by_python_has_the_names_of_its_perf_map() {
    for (minor, python) in pythons() {
        if minor < 12 {
            continue;
        }
        let (events, _) = waits(&python, &["-X", "perf"]);
        let fork = events.iter().find(|event| are(event, "fork")).unwrap();
        let names = natives_of(fork);
        if !names.iter().any(|name| name.starts_with("py::")) {
            passed_over(&format!("{python} has no trampolines"));
            continue;
        }
        let job = script("job.py");
        let [inner, outer] = ["child", "<module>"].map(|name| format!("py::{name}:{job}"));
        assert_in_order(&names, &[&inner, &outer, "Py_RunMain"]);
        assert!(fork["stack"]["cut"].is_null(), "{python}: {fork}");
    }
}

/// The forks and waits of `made.c`, of which each ends when its stack is known; `None`
/// where it may not do what it is for.
fn made(what: &str, rounds: usize) -> Option<Vec<Value>> {
    let room = room();
    // As compilers of distributions do it: without frame pointers.
    let flags = ["-g", "-O2", "-fomit-frame-pointer", "-rdynamic"];
    let program = compiled(room.path(), "made.c", "gcc", &flags)?;
    let [record, end] = ["record", "end"].map(|name| room.path().join(name));
    let flags = recorded_to(&record);
    let words = [program.to_str().unwrap(), what, end.to_str().unwrap()];
    let mut tracer = traced(&flags, words).spawn().unwrap();
    for round in 1..=rounds {
        until("the wait begins", || {
            let events = events(&record);
            let entries = events.iter().filter(|event| are(event, "wait-entry"));
            entries.count() >= round || tracer.try_wait().unwrap().is_some()
        });
        fs::write(format!("{}{round}", end.display()), "").unwrap();
    }
    let status = wait(&mut tracer).unwrap();
    if status == 77 {
        passed_over(&format!("made.c {what}: not allowed"));
        return None;
    }
    assert_eq!(status, 0, "{what}");
    let mut events = events(&record);
    remove_perf_maps(&events);
    events.retain(|event| are(event, "fork") || are(event, "wait-entry"));
    assert_eq!(events.len(), 2 * rounds, "{what}: {events:#?}");
    for event in &events {
        // The way back through code without a frame pointer is that of the code.
        assert_in_order(&natives_of(event), &["fork_and_wait", "main"]);
        assert!(event["stack"]["cut"].is_null(), "{what}: {event}");
    }
    Some(events)
}

#[test]
fn lines_that_were_appended_to_a_perf_map_are_seen() {
    let Some(events) = made("map", 2) else { return };
    let is_named = |event: &Value| natives_of(event).contains(&"code made by made.c".to_owned());
    let named: Vec<bool> = events.iter().map(is_named).collect();
    assert_eq!(named, [false, false, true, true], "{events:#?}");
}

#[test]
fn a_pipe_in_the_place_of_a_perf_map_holds_up_nobody() {
    made("fifo", 1);
}

#[test]
fn the_state_of_an_interpreter_that_is_never_filled_holds_up_nobody() {
    made("pages", 1);
}
