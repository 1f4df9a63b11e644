//! Records that other programs made: Tracee's events, truss's logs, kdump's
//! listings. Those in `tests/records` were made by hand from the documented
//! forms, as each says at its beginning.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{fixture_path, heads, read_again, run, traced_fixture, wait4_strace};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Each record that is kept.
const RECORDS: [&str; 5] = [
    "tracee-newer.jsonl",
    "tracee-older.jsonl",
    "truss.log",
    "kdump-freebsd.txt",
    "kdump-netbsd.txt",
];

#[test]
fn every_record_that_is_kept_is_read() {
    let entries = fs::read_dir(kept("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = names.collect();
    let read: BTreeSet<String> = RECORDS.map(str::to_owned).into();
    assert_eq!(names, read, "tests/records is not RECORDS");
}

fn kept(name: &str) -> PathBuf {
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records");
    records.join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(kept(name)).unwrap()
}

/// A record of these lines, in a directory of its own.
fn written(lines: &str) -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("record");
    fs::write(&path, lines).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

/// What the lines of a trace tell, without where the columns are.
fn trace_of(lines: &str) -> String {
    let (_directory, path) = written(lines);
    read_again(&path).0
}

#[test]
fn every_wait_of_every_record_is_told_and_judged() {
    for name in RECORDS {
        let (trace, report) = read_again(kept(name).to_str().unwrap());
        let told = format!("{trace}----\n{report}");
        insta::assert_snapshot!(name.split('.').next().unwrap(), told);
    }
}

#[test]
fn both_forms_of_tracee_s_events_tell_the_same() {
    let [newer, older] = ["tracee-newer.jsonl", "tracee-older.jsonl"]
        .map(|name| read_again(kept(name).to_str().unwrap()));
    assert_eq!(newer, older);
}

#[test]
fn a_recording_of_what_was_read_tells_the_same() {
    for name in RECORDS {
        let directory = TempDir::new().unwrap();
        let json = directory.path().join("json");
        let flags = ["--format", "json", "--report", "none", "-o"];
        let mut program = wait4_strace();
        program.args(flags).arg(&json).arg("--read").arg(kept(name));
        assert_eq!(run(&mut program).status, 0);
        let (again, _) = read_again(json.to_str().unwrap());
        let (first, _) = read_again(kept(name).to_str().unwrap());
        // A warning at once may be one that the record itself cannot bear out.
        let calls = |text: &str| -> Vec<String> {
            let lines = text
                .lines()
                .filter(|line| !line.starts_with("wait4-strace: "));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(calls(&again), calls(&first), "{name}");
    }
}

#[test]
fn a_broken_event_of_tracee_s_ends_with_its_line_and_keeps_what_came_before() {
    for (broken, why) in [
        ("{\"name\":\"wait4\",\"workload\"", "is no event: EOF"),
        ("[1,2]", "is no event"),
        (
            "{\"eventName\":\"wait4\",\"processId\":\"x\"}",
            "is no event",
        ),
        ("\u{1}", "is no event"),
    ] {
        let mut lines: Vec<String> = text("tracee-newer.jsonl")
            .lines()
            .map(str::to_owned)
            .collect();
        lines.truncate(7);
        lines[5] = broken.to_owned();
        let (_directory, path) = written(&lines.join("\n"));
        let outcome = run(wait4_strace().args(["--read", &path]));
        assert_eq!(outcome.status, 125, "{outcome:?}");
        let told = outcome.stderr;
        assert!(told.contains("+++ exited with 3 +++"), "{told}");
        let last = told.lines().last().unwrap();
        assert!(last.contains(&format!(", line 6: {why}")), "{last}");
        assert!(last.ends_with("; what came before it was read"), "{last}");
    }
}

#[test]
fn events_of_other_kinds_and_messages_of_tracee_s_are_passed_over() {
    let mut lines = text("tracee-older.jsonl");
    lines.push_str("{\"level\":\"info\",\"ts\":1,\"msg\":\"sched_process_exit \\\"wait4\\\" stop\",\"x\":\"wait4\"}\n");
    lines.push_str("\n{\"timestamp\":1732000009001000000,\"eventName\":\"write\",\"args\":[]}\n");
    let (_directory, path) = written(&lines);
    let (trace, report) = read_again(&path);
    let (first, _) = read_again(kept("tracee-older.jsonl").to_str().unwrap());
    assert_eq!(trace, first);
    assert!(report.contains("1 line is not Tracee's"), "{report}");
}

/// A wait's event, in the newer form.
fn tracee(ms: u64, name: &str, pid: i32, data: &str) -> String {
    format!(
        "{{\"timestamp\":{},\"name\":\"{name}\",\"workload\":{{\"process\":{{\"host_pid\":{pid},\
         \"pid\":{pid},\"thread\":{{\"name\":\"p{pid}\",\"tid\":{pid}}},\"ancestors\":[{{\"host_pid\":1}}]}}}},\
         \"data\":[{data}]}}\n",
        1_000_000_000_000 + ms * 1_000_000
    )
}

fn int(name: &str, value: i64) -> String {
    format!("{{\"name\":\"{name}\",\"int32\":{value}}},")
}

fn tracee_fork(ms: u64, parent: i32, child: i32) -> String {
    let pairs = [
        ("parent_tid", parent),
        ("parent_pid", parent),
        ("child_tid", child),
        ("child_pid", child),
    ];
    let data: String = pairs.map(|(name, pid)| int(name, pid.into())).concat();
    tracee(ms, "sched_process_fork", parent, data.trim_end_matches(','))
}

fn tracee_exit(ms: u64, pid: i32, code: i64, signal: i64) -> String {
    let data = int("exit_code", code) + &int("signal_code", signal);
    tracee(ms, "sched_process_exit", pid, data.trim_end_matches(','))
}

fn tracee_wait(ms: u64, parent: i32, options: i64, returned: i64) -> String {
    let data = int("pid", -1) + &int("options", options);
    let data = format!(
        "{data}{{\"name\":\"wstatus\",\"pointer\":\"140737488\"}},{{\"name\":\"rusage\",\"pointer\":\"0\"}},\
         {{\"name\":\"returnValue\",\"int64\":\"{returned}\"}}"
    );
    tracee(ms, "wait4", parent, &data)
}

/// The status that the one wait of a record was joined with.
fn joined(lines: &str) -> String {
    let trace = trace_of(lines);
    let mut waits = trace.lines().filter(|line| line.contains("wait4"));
    let line = waits.next_back().unwrap();
    let (_, status) = line.split_once(", ").unwrap();
    status
        .split(", 0")
        .next()
        .unwrap()
        .split(", W")
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn a_status_is_joined_in_whichever_order_the_events_come() {
    let (fork, exit) = (tracee_fork(0, 10, 11), tracee_exit(5, 11, 3, 0));
    let wait = tracee_wait(1, 10, 0, 11);
    let three = "[{WIFEXITED(s) && WEXITSTATUS(s) == 3}]";
    assert_eq!(joined(&format!("{fork}{exit}{wait}")), three);
    assert_eq!(joined(&format!("{fork}{wait}{exit}")), three);
    assert_eq!(joined(&format!("{wait}{fork}{exit}")), three);
    let killed = tracee_exit(5, 11, 0, 0x86);
    let core = "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT && WCOREDUMP(s)}]";
    assert_eq!(joined(&format!("{fork}{wait}{killed}")), core);
    // Nothing tells the end: the pointer stays what it is.
    assert_eq!(joined(&format!("{fork}{wait}")), "0x8637bd0");
}

#[test]
fn a_stop_is_no_end_where_events_come_in_the_order_of_their_returns() {
    let (fork, exit) = (tracee_fork(0, 10, 11), tracee_exit(50, 11, 3, 0));
    // One that began before the last event shows which order it is.
    let poll = tracee_wait(20, 10, 1, 0);
    let late = tracee_wait(15, 10, 1, 0);
    let stop = tracee_wait(30, 10, 2, 11);
    let end = tracee_wait(31, 10, 2, 11);
    let trace = trace_of(&format!("{fork}{poll}{late}{stop}{exit}{end}"));
    let told: Vec<&str> = trace
        .lines()
        .filter(|line| line.ends_with("= 11") || line.contains("= 11 "))
        .collect();
    let [stop, end] = told[..] else {
        panic!("{trace}");
    };
    assert!(!stop.contains("reaped"), "{trace}");
    assert!(
        end.contains("WEXITSTATUS(s) == 3") && end.contains("# reaped"),
        "{trace}"
    );
}

#[test]
fn a_zombie_is_told_of_a_parent_alone_that_keeps_its_children() {
    let zombie = |pid| tracee_fork(100, 10, pid) + &tracee_exit(110, pid, 0, 0);
    let later = tracee_fork(9000, 10, 99);
    // It may ignore SIGCHLD: nothing says that it does not.
    let exec = tracee(0, "sched_process_exec", 10, "");
    let unsure = exec + &zombie(12) + &later;
    let (_directory, path) = written(&unsure);
    let (_, report) = read_again(&path);
    assert!(!report.contains("zombie-leak]"), "{report}");
    let before = tracee_fork(0, 10, 11) + &tracee_exit(5, 11, 3, 0) + &tracee_wait(6, 10, 0, 11);
    let (_directory, path) = written(&(before + &unsure));
    let (_, report) = read_again(&path);
    assert!(
        report.contains("warning[zombie-leak]: p10[10] has not reaped 12"),
        "{report}"
    );
}

#[test]
fn a_live_stream_is_told_as_it_comes_and_outlives_the_first_interrupt() {
    let directory = TempDir::new().unwrap();
    let trace = directory.path().join("trace");
    let mut program = wait4_strace();
    program.args(["--read", "-", "-o"]).arg(&trace);
    program.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let told = |what: &str| {
        let begun = Instant::now();
        while !fs::read_to_string(&trace).is_ok_and(|trace| trace.contains(what)) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{what:?} is not told"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let (fork, exit) = (tracee_fork(0, 10, 11), tracee_exit(5, 11, 3, 0));
    stdin.write_all(fork.as_bytes()).unwrap();
    told("+++ forked 11 +++");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    stdin.write_all(exit.as_bytes()).unwrap();
    told("+++ exited with 3 +++");
    stdin
        .write_all(tracee_wait(1, 10, 0, 11).as_bytes())
        .unwrap();
    told("# reaped 11");
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(report.contains("2 processes, 1 reaped"), "{report}");
}

#[test]
fn whose_listing_it_is_is_seen_or_said() {
    let line =
        "   10 sh       CALL  wait4(0xffffffff,0x7fff,0x10,0)\n   10 sh       RET   wait4 0\n";
    let netbsd = line.replace(" sh ", "      1 sh ");
    assert!(trace_of(line).contains("WEXITED"), "FreeBSD's 0x10");
    assert!(trace_of(&netbsd).contains("WCONTINUED"), "NetBSD's 0x10");
    let (_directory, path) = written(line);
    let outcome = run(wait4_strace().args(["--abi", "netbsd", "--read", &path]));
    assert!(outcome.stderr.contains("WCONTINUED"), "{outcome:?}");
}

#[test]
fn truss_without_pids_is_of_one_process() {
    let log = "wait4(-1,{ EXITED,val=3 },0x0,0x0)\t\t = 1235 (0x4d3)\n\
               wait4(-1,0x820e1e2ac,0x0,0x0)\t\t ERR#10 'No child processes'\n\
               exit(0x0)\t\t\t\t\t\nprocess exit, rval = 0\n";
    let trace = trace_of(log);
    assert!(
        trace.contains("wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 1235"),
        "{trace}"
    );
    assert!(
        trace.contains("= -1 ECHILD (No child processes)"),
        "{trace}"
    );
    assert!(trace.contains("+++ exited with 0 +++"), "{trace}");
}

#[test]
fn a_log_that_is_cut_off_is_read_as_far_as_it_goes() {
    for name in ["truss.log", "kdump-freebsd.txt", "kdump-netbsd.txt"] {
        let whole = text(name);
        for length in (0..whole.len()).step_by(127) {
            let Some(part) = whole.get(..length).filter(|part| part.contains('\n')) else {
                continue;
            };
            let (_directory, path) = written(part);
            let outcome = run(wait4_strace().args(["--read", &path]));
            assert_eq!(outcome.status, 0, "{name} {length} {outcome:?}");
        }
    }
}

#[test]
fn what_programs_write_in_a_log_is_not_taken_for_its_lines() {
    let listing = text("kdump-freebsd.txt");
    let (first, _) = read_again(kept("kdump-freebsd.txt").to_str().unwrap());
    let forged = "       \"text\n\t   801 worker   CALL  wait4(0xffffffff,0,0,0)\n\t\"\n";
    let at = listing
        .find("   800 spawner  1732000000.001000 RET   read")
        .unwrap();
    let with = format!("{}{forged}{}", &listing[..at], &listing[at..]);
    assert_eq!(trace_of(&with), first);
}

#[test]
fn a_record_of_nobody_s_is_refused_with_what_is_known() {
    let (_directory, path) = written("hello\nworld\n");
    let outcome = run(wait4_strace().args(["--read", &path]));
    assert_eq!(outcome.status, 125);
    for known in ["JSON lines", "Tracee", "strace", "truss", "kdump"] {
        assert!(outcome.stderr.contains(known), "{outcome:?}");
    }
}

#[test]
fn a_pid_that_is_used_again_is_another_child() {
    let listing = |child_first: bool| {
        let mut text = "   800 ktrace   CALL  execve(0x1,0x2,0x3)\n".to_owned();
        for _ in 0..3 {
            text += "   800 sh       CALL  fork\n";
            let child = "   801 sh       RET   fork 0\n   801 sh       CALL  exit(1)\n";
            let parent = "   800 sh       RET   fork 801/0x321\n";
            text += &if child_first {
                [child, parent].concat()
            } else {
                [parent, child].concat()
            };
            text += "   800 sh       CALL  wait4(0xffffffff,0x7fff,0,0)\n";
            text += "   800 sh       RET   wait4 801/0x321\n";
        }
        text
    };
    let events: String = (0..3)
        .map(|round| {
            let ms = round * 10;
            tracee_fork(ms, 10, 11) + &tracee_exit(ms + 2, 11, 1, 0) + &tracee_wait(ms, 10, 0, 11)
        })
        .collect();
    for record in [listing(true), listing(false), events] {
        let (_directory, path) = written(&record);
        let (trace, report) = read_again(&path);
        assert_eq!(trace.matches("# reaped").count(), 3, "{trace}");
        assert!(
            report.contains("4 processes, 3 reaped, 0 zombies"),
            "{report}"
        );
    }
}

#[test]
fn an_end_that_comes_late_is_no_zombie() {
    // The buffer of the parent's CPU was read before that of the child's.
    let exec = tracee(0, "sched_process_exec", 10, "");
    let round = |ms: u64, pid: i32, options| {
        let wait = tracee_wait(ms + 1, 10, options, pid.into());
        let next = tracee_fork(ms + 6, 10, pid + 1);
        let exit = tracee_exit(ms + 5, pid, 4, 0);
        wait + &next + &exit
    };
    // Without stops, with them, and a stop that a shell asks about.
    let first = exec + &tracee_fork(1, 10, 11) + &round(10, 11, 0) + &round(20, 12, 10);
    let stop = tracee_wait(31, 10, 10, 13);
    let last = round(40, 13, 10) + &tracee_exit(50, 14, 0, 0) + &tracee_wait(51, 10, 10, 14);
    let later = tracee_fork(9000, 10, 15);
    let (_directory, path) = written(&(first + &stop + &last + &later));
    let (trace, report) = read_again(&path);
    let count = |what| trace.matches(what).count();
    assert_eq!(count("WEXITSTATUS(s) == 4}], "), 3, "{trace}");
    assert_eq!(count("# 13 p10 lived on"), 1, "{trace}");
    assert_eq!(count("# reaped"), 4, "{trace}");
    assert!(
        report.contains("6 processes, 4 reaped, 0 zombies left; no findings"),
        "{report}"
    );
}

/// What Tracee would have written of a recording, each event with its time: a
/// call bears that of its begin, and comes when it returns.
fn as_tracee(recording: &str) -> Vec<(u64, String)> {
    let mut events = Vec::new();
    for line in recording.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = |path: &str| line.pointer(path).and_then(serde_json::Value::as_i64);
        let (Some(pid), Some(tid), Some(at)) = (number("/pid"), number("/tid"), number("/t_ns"))
        else {
            continue;
        };
        let word = |path: &str| {
            let bits = number(path).unwrap_or(0);
            i64::from(u32::try_from(bits & 0xffff_ffff).unwrap().cast_signed())
        };
        let pointer = |name: &str, path: &str| {
            let address = line.pointer(path).and_then(serde_json::Value::as_str);
            let address = address.map_or(0, |text| u64::from_str_radix(&text[2..], 16).unwrap());
            format!("{{\"name\":\"{name}\",\"pointer\":\"{address}\"}},")
        };
        let fork = |child: i64, leader: i64| {
            [
                ("parent_tid", tid),
                ("parent_pid", pid),
                ("child_tid", child),
                ("child_pid", leader),
            ]
            .map(|(name, number)| int(name, number))
            .concat()
        };
        let kind = line["type"].as_str().unwrap();
        let (name, data) = match kind {
            "fork" => (
                "sched_process_fork",
                fork(number("/child/pid").unwrap(), number("/child/pid").unwrap()),
            ),
            "thread" => ("sched_process_fork", fork(number("/new_tid").unwrap(), pid)),
            "exec" => ("sched_process_exec", String::new()),
            "exit" => {
                let word = number("/status/raw").unwrap();
                let data = int("exit_code", word >> 8 & 0xff) + &int("signal_code", word & 0xff);
                ("sched_process_exit", data)
            }
            "wait" => {
                let returned = number("/errno/raw").map_or(number("/ret").unwrap(), |errno| -errno);
                let call = line["call"].as_str().unwrap();
                let whom = if call == "waitid" {
                    int("idtype", word("/args/idtype/raw"))
                        + &int("id", word("/args/id"))
                        + &pointer("infop", "/args/wstatus")
                } else {
                    int("pid", word("/args/pid")) + &pointer("wstatus", "/args/wstatus")
                };
                let options = int("options", word("/args/options/raw"));
                let usage = pointer("rusage", "/args/rusage");
                let data = format!("{whom}{options}{usage}{}", int("returnValue", returned));
                (if call == "waitid" { "waitid" } else { "wait4" }, data)
            }
            _ => continue,
        };
        let time = if kind == "wait" {
            number("/entered_ns").unwrap()
        } else {
            at
        };
        let data = data.trim_end_matches(',');
        let event = format!(
            "{{\"timestamp\":{},\"name\":\"{name}\",\"workload\":{{\"process\":{{\"host_pid\":{pid},\
             \"pid\":{pid},\"thread\":{{\"name\":\"x\",\"host_tid\":{tid}}},\
             \"ancestors\":[{{\"host_pid\":1}}]}}}},\"data\":[{data}]}}\n",
            1_000_000_000_000 + time
        );
        events.push((u64::try_from(time).unwrap(), event));
    }
    events
}

/// Events of each thread behind those of others by some places, as the buffers
/// of the CPUs come.
fn out_of_order(events: &[(u64, String)], round: u64) -> String {
    let mut keyed: Vec<(u64, &String)> = Vec::new();
    for (place, (_, event)) in events.iter().enumerate() {
        let (_, tid) = event.split_once("\"host_tid\":").unwrap();
        let tid: u64 = tid.split('}').next().unwrap().parse().unwrap();
        let lag = (tid + round).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59;
        keyed.push((u64::try_from(place).unwrap() + lag, event));
    }
    keyed.sort_by_key(|(place, _)| *place);
    keyed.into_iter().map(|(_, event)| event.as_str()).collect()
}

#[test]
fn programs_are_judged_the_same_by_tracee_s_events_in_any_order() {
    let names = [
        "stolen_child_by_wildcard_wait",
        "zombie_leak",
        "not_late_reap_stopped",
        "not_signal_death_hidden_killed_by_parent",
        "not_status_discarded_sent_by_parent",
        "not_stolen_child_threads_by_pid",
        "stopped_and_continued",
        "waitid_pid_nowait_then_reap",
        "wait4_exit_codes",
        "exec_from_nonleader_thread",
    ];
    let known = run(std::process::Command::new(fixture_path()).arg("list")).stdout
        + &run(std::process::Command::new(fixture_path()).arg("bugs")).stdout;
    let mut judged = 0;
    for name in names {
        if !known
            .lines()
            .any(|line| line.split(' ').next() == Some(name))
        {
            continue;
        }
        judged += 1;
        let directory = TempDir::new().unwrap();
        let path = |name| directory.path().join(name).display().to_string();
        let (json, record) = (path("json"), path("record"));
        let live = run(&mut traced_fixture(
            &["--record", &json, "-o", "/dev/null"],
            name,
        ));
        let mut events = as_tracee(&fs::read_to_string(&json).unwrap());
        let plain: String = events.iter().map(|(_, event)| event.as_str()).collect();
        let mixed = [1, 2, 3].map(|round| out_of_order(&events, round));
        events.sort_by_key(|(time, _)| *time);
        let sorted: String = events.iter().map(|(_, event)| event.as_str()).collect();
        let [one, two, three] = mixed;
        for (number, order) in [plain, sorted, one, two, three].iter().enumerate() {
            fs::write(&record, order).unwrap();
            let (_, report) = read_again(&record);
            // Where the cause is out of reach a zombie is one all the same.
            let told = heads(&report)
                .into_iter()
                .filter(|head| !head.contains("[zombie-leak]"));
            for head in told {
                assert!(
                    heads(&live.stderr).contains(&head),
                    "{name}: {report}\n{}",
                    live.stderr
                );
            }
            let counts = |text: &str| {
                let last = text.lines().last().unwrap().to_owned();
                let mut counts = last.split(", ");
                [
                    counts.next().unwrap().to_owned(),
                    counts.next().unwrap().to_owned(),
                ]
            };
            // Who ends before its child's end is told has reaped it untold.
            if number < 2 {
                assert_eq!(counts(&report), counts(&live.stderr), "{name}: {report}");
            }
        }
    }
    assert!(judged >= 6, "{judged}");
}
