//! `--timeline`: the three pictures of real runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{self, have, passed_over, run, traced, traced_fixture, wait4_strace};
use serde_json::Value;

fn drawn(room: &Path, name: &str, fixture: &str) -> String {
    let file = room.join(name);
    let flags = ["--timeline", file.to_str().unwrap(), "-o", "/dev/null"];
    run(&mut traced_fixture(&flags, fixture));
    fs::read_to_string(file).unwrap()
}

/// The story in a page.
fn data(page: &str) -> Value {
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn a_page_tells_who_was_a_zombie_and_who_reaped_whom() {
    let room = tempfile::tempdir().unwrap();
    let page = drawn(room.path(), "run.html", "zombie_leak_many");
    let story = data(&page);
    let lanes = story["lanes"].as_array().unwrap();
    assert_eq!(lanes.len(), 4);
    for child in &lanes[1..] {
        assert_eq!(child["parent"], 0);
        assert!(
            child["ended"].is_u64() && child["reaped"].is_null(),
            "{child}"
        );
    }
    assert_eq!(story["findings"][0]["rule"], "zombie-leak");
    assert_eq!(
        story["findings"][0]["children"].as_array().unwrap().len(),
        3
    );
    for foreign in ["http://", "https://", "@import", "src="] {
        assert!(
            !page.contains(foreign),
            "the page needs nothing but itself: {foreign}"
        );
    }

    let page = drawn(room.path(), "run.html", "fork_exit_wait");
    let story = data(&page);
    let lanes = story["lanes"].as_array().unwrap();
    assert_eq!(lanes.len(), 101);
    let waits = lanes[0]["waits"].as_array().unwrap();
    let mut children: Vec<u64> = waits
        .iter()
        .filter_map(|wait| wait["child"].as_u64())
        .collect();
    children.sort_unstable();
    assert_eq!(children, (1..=100).collect::<Vec<u64>>());
    assert!(lanes[1..].iter().all(|lane| lane["reaped"]["by"] == 0));
}

#[test]
fn threads_execs_stops_and_adoptions_are_in_it() {
    let room = tempfile::tempdir().unwrap();
    let story = |words: &[&str]| {
        let file = room.path().join("run.html");
        let flags = ["--timeline", file.to_str().unwrap(), "-o", "/dev/null"];
        run(&mut traced(&flags, words));
        data(&fs::read_to_string(file).unwrap())
    };
    let job = "/bin/true; sleep 0.4 & kill -STOP $!; sleep 0.1; kill -CONT $!; wait";
    let sh = story(&["sh", "-c", job]);
    let names = sh["lanes"][1]["names"].to_string();
    assert!(names.contains("true"), "{names}");
    let lanes = sh["lanes"].as_array().unwrap();
    let stops = lanes
        .iter()
        .flat_map(|lane| lane["stops"].as_array().unwrap());
    assert_eq!(stops.count(), 1, "{sh}");
    if have("python3") {
        let text = "import threading, time\nt = threading.Thread(target=time.sleep, args=[0.01])\n\
            t.start(); t.join()";
        let python = story(&["python3", "-c", text]);
        let mut lanes = python["lanes"].as_array().unwrap().iter();
        // What is called python3 may be a script that looks for it first.
        let lane = lanes.find(|lane| lane["threads"][0].is_array()).unwrap();
        assert!(lane["threads"][0][2].as_u64() < lane["ended"].as_u64());
    }
    let fixture = support::fixture_path();
    let adopted = story(&[fixture.to_str().unwrap(), "reaper_idle_adopted_dead"]);
    let lanes = adopted["lanes"].as_array().unwrap();
    let moves = lanes
        .iter()
        .flat_map(|lane| lane["moves"].as_array().unwrap());
    assert_eq!(moves.count(), 1, "{adopted}");
}

#[test]
fn what_a_process_used_and_who_waited_for_whom_are_in_it() {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("run.html");
    let flags = ["--duration", "1", "--timeline", file.to_str().unwrap()];
    let flags = [&flags[..], &["-o", "/dev/null"]].concat();
    run(&mut traced(&flags, ["sh", "-c", "true & sleep 60; :"]));
    let story = data(&fs::read_to_string(file).unwrap());
    for lane in story["lanes"].as_array().unwrap() {
        let used = lane["used"].as_str().unwrap();
        assert!(used.contains(" s user, "), "{lane}");
    }
    let tree = story["looks"][0][1].as_str().unwrap();
    assert!(tree.contains("who waits for whom:"), "{tree}");
    assert!(tree.contains("sleep 60"), "{tree}");
}

#[test]
fn a_picture_and_a_trace_are_well_formed() {
    let room = tempfile::tempdir().unwrap();
    let picture = drawn(room.path(), "run.svg", "zombie_leak_many");
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    // Three, and one in the legend.
    assert_eq!(picture.matches("class=\"zombie\"").count(), 4, "{picture}");
    assert!(picture.contains("warning[zombie-leak]"));
    if have("python3") {
        let check = "import sys, xml.dom.minidom as x; x.parse(sys.argv[1])";
        let file = room.path().join("run.svg");
        let outcome = run(Command::new("python3").args(["-c", check]).arg(file));
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    }
    let trace = drawn(room.path(), "run.json", "fork_exit_wait");
    let trace: Value = serde_json::from_str(&trace).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let count = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
    assert_eq!((count("s"), count("f")), (100, 100));
}

#[test]
fn a_record_is_drawn_as_the_run_was() {
    let room = tempfile::tempdir().unwrap();
    let [live, again, record] = ["a.html", "b.html", "record"].map(|name| room.path().join(name));
    let flags = [
        "-o",
        "/dev/null",
        "--timeline",
        live.to_str().unwrap(),
        "--record",
    ];
    let flags = [&flags[..], &[record.to_str().unwrap()]].concat();
    run(&mut traced(
        &flags,
        ["sh", "-c", "/bin/true; (exit 3) & wait"],
    ));
    let mut read = wait4_strace();
    let read = read.args(["-o", "/dev/null", "--timeline"]).arg(&again);
    run(read.arg("--read").arg(&record));
    let story = |path: &Path| data(&fs::read_to_string(path).unwrap());
    assert_eq!(story(&again)["lanes"], story(&live)["lanes"]);
}

/// The page as Chromium has it after its script ran; `None` if there is none.
fn browsed(room: &Path, file: &str, behind: &str) -> Option<String> {
    if !have("chromium") {
        passed_over("there is no chromium");
        return None;
    }
    let url = format!("file://{}{behind}", room.join(file).display());
    let mut command = Command::new("chromium");
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--window-size=1200,800",
        "--dump-dom",
    ]);
    command.arg(format!(
        "--user-data-dir={}",
        room.join("profile").display()
    ));
    let outcome = run(command.arg(url));
    if outcome.stdout.is_empty() {
        passed_over(&format!("chromium does not run here: {}", outcome.stderr));
        return None;
    }
    Some(outcome.stdout)
}

/// Chromium draws it, and says how long frames take; nothing is timed.
#[test]
fn a_browser_draws_the_page() {
    let room = tempfile::tempdir().unwrap();
    drawn(room.path(), "run.html", "zombie_leak_many");
    let Some(page) = browsed(room.path(), "run.html", "?bench") else {
        return;
    };
    assert!(
        page.contains("<title>bench: 4 processes, frame p50 "),
        "{page}"
    );
    assert!(page.contains("4 processes, "), "{page}");
    assert!(
        page.contains("class=\"finding warning\""),
        "the finding is listed"
    );
}

/// 12 shells with 9 children each, then a parent of zombies.
#[test]
fn a_large_tree_is_folded_but_for_what_findings_are_about() {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("run.html");
    let inner = "for j in 1 2 3 4 5 6 7 8 9; do /bin/true; done; :";
    let script = format!(
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sh -c '{inner}'; done; exec {} zombie_leak_many",
        support::fixture_path().display()
    );
    let flags = ["--timeline", file.to_str().unwrap(), "-o", "/dev/null"];
    run(&mut traced(&flags, ["sh", "-c", &script]));
    let story = data(&fs::read_to_string(&file).unwrap());
    assert_eq!(story["lanes"].as_array().unwrap().len(), 124);
    assert_eq!(
        (&story["lanes"][0]["below"], &story["lanes"][1]["below"]),
        (&123.into(), &9.into())
    );
    // The rows, and how far they are scrolled.
    for (behind, rows, scroll) in [
        ("", 16, Some(0)),
        ("#unfold", 124, Some(0)),
        ("#only", 4, Some(0)),
        // The finding's parent is the root: nothing is above it.
        ("#finding=0", 16, Some(0)),
        ("#unfold&finding=0", 124, Some(0)),
        // A process in what is folded.
        (&format!("#find={}", story["lanes"][5]["pid"]), 25, None),
        (
            &format!("#unfold&find={}", story["lanes"][123]["pid"]),
            124,
            None,
        ),
    ] {
        let Some(page) = browsed(room.path(), "run.html", behind) else {
            return;
        };
        let value = |name: &str| -> i64 {
            let (_, value) = page.split_once(&format!("{name}=\"")).unwrap();
            value.split('"').next().unwrap().parse().unwrap()
        };
        assert_eq!(value("data-rows"), rows, "{behind}");
        match scroll {
            Some(scroll) => assert_eq!(value("data-scroll"), scroll, "{behind}"),
            None if rows > 100 => assert!(value("data-scroll") > 1000, "{behind}"),
            None => {}
        }
    }
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    for (flags, word) in [
        (
            &["--timeline", "run.png"][..],
            "FILE.html, FILE.svg, or FILE.json",
        ),
        (
            &["--timeline", "/nowhere/run.svg"],
            "cannot write to /nowhere/run.svg (--timeline)",
        ),
        (&["--timeline", "a.svg", "--strace"], "--strace"),
        (&["--timeline", "a.svg", "--no-polls"], "--no-polls"),
        (
            &["--timeline", "/tmp/same.json", "-o", "/tmp/same.json"],
            "--timeline",
        ),
    ] {
        let outcome = run(&mut traced(flags, ["true"]));
        assert_eq!(outcome.status, 125, "{flags:?}: {}", outcome.stderr);
        assert!(
            outcome.stderr.contains(word),
            "{flags:?}: {}",
            outcome.stderr
        );
    }
}
