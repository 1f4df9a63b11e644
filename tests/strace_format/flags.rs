//! The flags: whole logs, line by line and to the byte, of programs whose
//! schedule is certain, and the lines of others.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::SystemTime;

use super::normal::{with_tokens, without_seconds};
use super::{
    Likeness, Log, MODES, Traced, assert_alike, fixture, ours, same_under_both, strace, to_file,
    words,
};
use crate::support::{have, run};
use Likeness::{Lines, SigchldAnywhere, WithoutRestarts};
use tempfile::TempDir;

/// The shell waits long before its child ends: the only order.
const SLEEPER: &str = "sleep 0.3; exit 3";

fn sleeper() -> Vec<OsString> {
    words(&["sh", "-c", SLEEPER])
}

/// A log with nothing changed but what cannot be equal: pids are named in the
/// order in which they appear, digits of addresses and times are masked, and
/// strace 6.1's cuts are respelled as 7.2's.
fn exact(text: &str) -> Vec<String> {
    const BEFORE: [&str; 6] = ["[pid", "Process", "=", "si_pid=", "<pid:", "in pid"];
    let mut met: Vec<u32> = Vec::new();
    let lines = text.lines().map(|line| {
        let line = with_tokens(&unpadded(line), &mut |before, token, after| {
            if before.ends_with("si_utime=") || before.ends_with("si_stime=") {
                return Some("N".to_owned());
            }
            // The digits of a time may be those of a pid.
            let is_of_time = before.ends_with('.') || after.starts_with(['.', ':']);
            let pid = token.parse().ok();
            let pid = pid.filter(|pid| *pid >= 100 && !is_of_time);
            let before = before.trim_end();
            let appears = before.is_empty() || BEFORE.iter().any(|word| before.ends_with(word));
            met.extend(pid.filter(|pid| appears && !met.contains(pid)));
            if let Some(at) = met.iter().position(|met| Some(*met) == pid) {
                return Some(format!("<{at}>"));
            }
            let digits = token.strip_prefix("0x").filter(|digits| digits.len() > 8)?;
            Some(format!("0x{}", "d".repeat(digits.len())))
        });
        // A pid of fewer digits than that of the other run.
        let line = line.replace("[pid   ", "[pid ").replace("[pid  ", "[pid ");
        let line = timeless(&without_seconds(&line));
        respelled(&line).replace("wait4-strace: ", "strace: ")
    });
    lines.collect()
}

/// A line without the spaces that make a short pid long: five columns, on the
/// left in a file and on the right on standard error.
fn unpadded(line: &str) -> String {
    let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (pid, padded) = if head == "[pid" {
        let (padded, _) = rest.split_once(']').unwrap_or((rest, ""));
        let pid = padded.trim_start();
        (pid, format!("[pid {pid:>5}]"))
    } else {
        (head, format!("{head:<5} "))
    };
    let plain = if head == "[pid" {
        format!("[pid {pid}]")
    } else {
        format!("{head} ")
    };
    match line.strip_prefix(&padded) {
        _ if pid.parse::<u32>().is_err() => line.to_owned(),
        Some(rest) => plain + rest,
        None => format!("badly padded: {line}"),
    }
}

/// A line as 7.2 cuts it.
fn respelled(line: &str) -> String {
    let line = line.replace(",  <unfinished ...>)", " <unfinished ...>)  ");
    let line = line.replace(",  <unfinished ...>", " <unfinished ...>");
    match line.split_once(" resumed>") {
        Some((head, tail)) if !tail.starts_with([',', ' ']) => format!("{head} resumed>, {tail}"),
        _ => line,
    }
}

/// A line whose times have `d` for digits.
fn timeless(line: &str) -> String {
    let starts = ["wait4(", "waitid(", "<... ", "--- ", "+++ "];
    let content = starts.iter().filter_map(|start| line.find(start)).min();
    let (head, tail) = line.split_at(content.unwrap_or(0));
    let pid_ends = head.find('>').map_or(0, |at| at + 1);
    let (pid, stamp) = head.split_at(pid_ends);
    let tail = match tail.rsplit_once(" <") {
        Some((call, time))
            if time.ends_with('>') && time.contains('.') && !time.contains("...") =>
        {
            format!("{call} <{}", masked(time))
        }
        _ => tail.to_owned(),
    };
    format!("{pid}{}{tail}", masked(stamp))
}

fn masked(text: &str) -> String {
    let mask = |c: char| if c.is_ascii_digit() { 'd' } else { c };
    text.chars().map(mask).collect()
}

/// That with these flags the whole logs are equal.
fn equal_with(flags: &[&str], program: &[OsString]) -> [Traced; 3] {
    let theirs = to_file(strace(flags), program);
    let [filtered, unfiltered] = MODES.map(|mode| {
        let mut tracer = ours(flags);
        tracer.args(mode);
        let ours = to_file(tracer, program);
        assert_eq!(ours.outcome, theirs.outcome, "{flags:?} {mode:?}");
        let (left, right) = (exact(&ours.text), exact(&theirs.text));
        assert_eq!(left, right, "{flags:?} {mode:?}: {}", theirs.text);
        ours
    });
    [theirs, filtered, unfiltered]
}

#[test]
fn the_whole_log_of_a_waiting_shell_is_equal() {
    if have("strace") {
        equal_with(&[], &sleeper());
    }
}

#[test]
fn what_is_compared_to_the_byte_sees_every_byte() {
    let text = "424   03:21:13.619973 wait4(4243,  <unfinished ...>)   = ?\n";
    assert_eq!(
        exact(text),
        ["<0> dd:dd:dd.dddddd wait4(4243 <unfinished ...>)     = ?"]
    );
    assert!(exact("424 +++ exited with 0 +++")[0].contains("badly padded"));
    assert!(exact("[pid 424] +++ exited with 0 +++")[0].contains("badly padded"));
    assert_eq!(
        exact("[pid   424] +++ exited +++"),
        ["[pid <0>] +++ exited +++"]
    );
    let text = "4242  wait4(-1, 0x7ffd42540f8c, WNOHANG, NULL) = -1 ECHILD (No child processes)\n\
                4243  +++ exited with 3 +++\n\
                4242  <... wait4 resumed>[{WIFEXITED(s)}], 0, NULL) = 4243 <0.103208>\n";
    let equal = [
        "<0> wait4(-1, 0xdddddddddddd, WNOHANG, NULL) = -1 ECHILD (No child processes)",
        "<1> +++ exited with 3 +++",
        "<0> <... wait4 resumed>, [{WIFEXITED(s)}], 0, NULL) = <1> <d.dddddd>",
    ];
    assert_eq!(exact(text), equal);
    for (from, to) in [
        ("NULL) = -1", "NULL)  = -1"),
        ("4242  wait4(-1", "4242   wait4(-1"),
        ("= 4243", "= 4242"),
        ("<0.103208>", "<0.10320>"),
        ("WNOHANG", "WNOHANG|__WALL"),
    ] {
        assert_ne!(exact(&text.replace(from, to)), equal, "{from}");
    }
}

#[test]
fn the_times_of_day_have_the_same_form() {
    if !have("strace") {
        return;
    }
    for flags in [&["-t"], &["-tt"]] {
        equal_with(flags, &sleeper());
    }
    let before = SystemTime::now();
    for traced in equal_with(&["-ttt"], &sleeper()) {
        let epoch = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let stamp = traced.text.split_whitespace().nth(1).unwrap();
        let stamp: f64 = stamp.parse().unwrap();
        let span = epoch(before).as_secs_f64() - 0.001..epoch(SystemTime::now()).as_secs_f64();
        assert!(span.contains(&stamp), "{span:?}: {}", traced.text);
    }
}

#[test]
fn the_times_since_the_line_before_have_the_same_form() {
    if have("strace") {
        for flags in [&["-r"][..], &["-r", "-t"], &["-r", "-tt"], &["-r", "-ttt"]] {
            equal_with(flags, &sleeper());
        }
    }
}

#[test]
fn the_time_in_a_call_has_the_same_form_and_is_that_of_the_wait() {
    if !have("strace") {
        return;
    }
    for traced in equal_with(&["-T"], &sleeper()) {
        let line = traced.text.lines().find(|line| line.contains("resumed>"));
        let (_, time) = line.unwrap().rsplit_once('<').unwrap();
        let time: f64 = time.trim_end_matches('>').parse().unwrap();
        assert!((0.2..60.0).contains(&time), "{}", traced.text);
    }
}

#[test]
fn results_stand_in_the_column_that_was_asked_for() {
    if !have("strace") {
        return;
    }
    let lone = fixture(&["wait4_unknown_options"]);
    for column in ["0", "1", "40", "60", "100"] {
        equal_with(&["-a", column], &lone);
    }
    equal_with(&["-a", "60"], &sleeper());
    equal_with(&["-a", "60", "-T", "-tt"], &sleeper());
    equal_with(&["-a", "60"], &fixture(&["wait4_esrch_int_min"]));
}

#[test]
fn quiet_drops_the_same_lines_from_a_file() {
    if have("strace") {
        for flag in ["-q", "-qq", "-qqq"] {
            equal_with(&[flag], &sleeper());
        }
    }
}

#[test]
fn quiet_drops_the_same_lines_when_a_thread_executes() {
    if have("strace") {
        for flag in ["-q", "-qq", "-qqq"] {
            let program = fixture(&["exec_from_nonleader_thread"]);
            same_under_both(&[flag], &program, SigchldAnywhere);
        }
    }
}

#[test]
fn verbose_shows_the_whole_rusage() {
    if have("strace") {
        same_under_both(&["-v"], &fixture(&["wait4_rusage"]), SigchldAnywhere);
        same_under_both(&["-v"], &fixture(&["waitid_rusage"]), SigchldAnywhere);
        same_under_both(&["-v"], &fixture(&["i386_int80_waits"]), SigchldAnywhere);
    }
}

#[test]
fn the_calls_that_were_asked_for_are_shown() {
    if !have("strace") {
        return;
    }
    for name in ["stopped_and_continued", "i386_int80_waits", "waitid_rusage"] {
        for calls in [
            "trace=waitid",
            "trace=wait4",
            "trace=wait4,waitid",
            "trace=?waitpid",
            "trace=none",
        ] {
            // strace's own words for the call that x86_64 has not.
            let our_calls = calls.replace('?', "");
            let program = fixture(&[name]);
            let theirs = to_file(strace(&["-e", calls]), &program);
            for mode in MODES {
                let mut tracer = ours(&["-e", &our_calls]);
                tracer.args(mode);
                let traced = to_file(tracer, &program);
                let what = format!("{name} {calls} {mode:?}");
                assert_alike(&what, &traced.log(), &theirs.log(), WithoutRestarts);
            }
        }
    }
}

#[test]
fn the_signals_that_were_asked_for_are_shown() {
    if !have("strace") {
        return;
    }
    let sets = [
        "none",
        "all",
        "!SIGCHLD",
        "SIGCHLD",
        "TERM",
        "!term,chld",
        "SIGRT_5",
    ];
    for set in sets.map(|set| format!("signal={set}")) {
        for name in ["signaled_term", "signaled_realtime", "siginfo_kinds"] {
            same_under_both(&["-e", &set], &fixture(&[name]), SigchldAnywhere);
        }
        equal_with(&["-e", &set], &sleeper());
    }
}

/// Only of a program that forks nothing: where two write, strace 6.1 goes on
/// with a filtered line without naming it (`[{WIFEXITED(s)…` alone).
#[test]
fn calls_are_shown_by_their_result() {
    if have("strace") {
        for status in [
            "failed",
            "successful",
            "successful,failed",
            "unfinished",
            "detached",
        ] {
            let status = format!("status={status}");
            for name in ["wait4_unknown_options", "wait4_esrch_int_min"] {
                equal_with(&["-e", &status], &fixture(&[name]));
            }
        }
    }
}

#[test]
fn descriptors_are_shown_with_what_they_are() {
    if have("strace") {
        for flag in ["-y", "-yy"] {
            let program = fixture(&["waitid_pidfd"]);
            same_under_both(&[flag], &program, SigchldAnywhere);
            let program = fixture(&["waitid_pidfd_nonblock_eagain"]);
            same_under_both(&[flag], &program, SigchldAnywhere);
        }
    }
}

#[test]
fn pids_are_shown_with_their_names() {
    if have("strace") {
        equal_with(&["-Y"], &sleeper());
        let program = words(&["sh", "-c", "sleep 0.3 & wait $!; exit 3"]);
        equal_with(&["-Y"], &program);
        same_under_both(
            &["-Y"],
            &fixture(&["restart_without_handler"]),
            WithoutRestarts,
        );
    }
}

/// strace looks a pid up in `/proc` when it prints it: a zombie has no
/// namespace there, so that what is translated is a race. We know it from the
/// fork. A child that the call at hand reaped is a number to both.
#[test]
fn pids_of_other_namespaces_are_translated() {
    if !have("strace") {
        return;
    }
    let flags = ["--pidns-translation"];
    for (name, calls) in [
        ("pidns_two_deep", 5),
        ("pidns_clone_newpid", 2),
        ("pidns_orphan_goes_to_init", 1),
        ("wait4_exit_codes", 0),
    ] {
        let program = fixture(&[name]);
        let theirs = to_file(strace(&flags), &program);
        for mode in MODES {
            let mut tracer = ours(&flags);
            tracer.args(mode);
            let ours = to_file(tracer, &program);
            let what = format!("{name} {mode:?}");
            assert_eq!(ours.outcome, theirs.outcome, "{what}");
            let skipped = ours.outcome.stdout.contains("skipped");
            let right = ours.log().right_translations();
            assert_eq!(
                right,
                if skipped { 0 } else { calls },
                "{what}: {}",
                ours.text
            );
            let (ours, theirs) = (ours.log().untranslated(), theirs.log().untranslated());
            assert_alike(&what, &ours, &theirs, WithoutRestarts);
        }
    }
}

/// Run with `-ff -o PREFIX`; how it ended, and the files.
fn to_files(mut tracer: Command, program: &[OsString]) -> Vec<(u32, String)> {
    let directory = TempDir::new().unwrap();
    tracer
        .args(["-ff", "-o"])
        .arg(directory.path().join("log"))
        .arg("--")
        .args(program);
    let outcome = run(&mut tracer);
    assert_eq!(outcome.stderr, "", "{tracer:?}");
    let files = fs::read_dir(directory.path()).unwrap().map(|file| {
        let path = file.unwrap().path();
        let tid = path.extension().unwrap().to_str().unwrap().parse().unwrap();
        (tid, fs::read_to_string(&path).unwrap())
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    files
}

#[test]
fn each_task_has_a_file_of_its_own_with_the_same_lines() {
    if !have("strace") {
        return;
    }
    for (program, likeness) in [
        (sleeper(), Lines),
        (fixture(&["stopped_and_continued"]), WithoutRestarts),
        (fixture(&["threads_start_and_end"]), Lines),
        (fixture(&["vfork_chain"]), SigchldAnywhere),
    ] {
        let theirs = to_files(strace(&[]), &program);
        for mode in MODES {
            let mut tracer = ours(&[]);
            tracer.args(mode);
            let ours = to_files(tracer, &program);
            assert_eq!(ours.len(), theirs.len(), "{program:?} {mode:?}");
            let what = format!("-ff {program:?} {mode:?}");
            let (ours, theirs) = (Log::from_files(ours), Log::from_files(theirs.clone()));
            assert_alike(&what, &ours, &theirs, likeness);
        }
    }
}

#[test]
fn the_log_goes_to_a_command_when_one_is_named() {
    if !have("strace") {
        return;
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("piped");
    let piped = |mut tracer: Command| {
        let to = format!("|cat >'{}'", path.display());
        tracer.args(["-f", "-o", &to, "--"]).args(sleeper());
        let outcome = run(&mut tracer);
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        (outcome, exact(&text))
    };
    assert_eq!(piped(ours(&[])), piped(strace(&[])));
}

#[test]
fn standard_error_has_the_same_lines_with_the_same_prefixes() {
    if !have("strace") {
        return;
    }
    let to_stderr = |mut tracer: Command| {
        tracer.args(["-f", "--"]).args(sleeper());
        run(&mut tracer).stderr
    };
    for flags in [&[][..], &["-q"], &["-qq"], &["-t"], &["-T", "-r"], &["-Y"]] {
        // strace 6.1 tells of a child when it first stops, which may be after
        // its parent waits for it, then in the midst of that line.
        let mut theirs = to_stderr(strace(flags));
        while theirs.contains(", strace: Process") || !theirs.contains("[pid ") {
            theirs = to_stderr(strace(flags));
        }
        for mode in MODES {
            let mut tracer = ours(flags);
            tracer.args(mode);
            let ours = to_stderr(tracer);
            assert_eq!(exact(&ours), exact(&theirs), "{flags:?} {mode:?}");
        }
    }
}

#[test]
fn standard_error_has_the_same_lines_of_programs_that_fork() {
    if !have("strace") {
        return;
    }
    for (name, likeness) in [
        ("wait4_exit_codes", SigchldAnywhere),
        ("wait4_echild", SigchldAnywhere),
        ("stopped_and_continued", WithoutRestarts),
        ("waitid_pidfd", SigchldAnywhere),
        ("siginfo_kinds", SigchldAnywhere),
        ("vfork_exec", SigchldAnywhere),
    ] {
        let to_stderr = |mut tracer: Command| {
            tracer.args(["-f", "--"]).args(fixture(&[name]));
            Log::parse_stderr(&run(&mut tracer).stderr)
        };
        let theirs = to_stderr(strace(&[]));
        for mode in MODES {
            let mut tracer = ours(&[]);
            tracer.args(mode);
            assert_alike(name, &to_stderr(tracer), &theirs, likeness);
        }
    }
}

/// How a command ends, to the bit.
fn end(command: &mut Command) -> ExitStatus {
    let null = || Stdio::null();
    let command = command.stdin(null()).stdout(null()).stderr(null());
    command.status().unwrap()
}

#[test]
fn the_end_is_that_of_the_command() {
    if !have("strace") {
        return;
    }
    let mut programs: Vec<Vec<OsString>> = Vec::new();
    for signal in ["1", "2", "6", "9", "11", "13", "15", "24", "37", "64"] {
        programs.push(fixture(&["die_by", signal]));
    }
    for code in ["0", "1", "77", "125", "126", "127", "128", "137", "255"] {
        programs.push(fixture(&["exit_with", code]));
    }
    for program in programs {
        let theirs = end(strace(&["-f"]).arg("--").args(&program));
        let itself = end(Command::new(&program[0]).args(&program[1..]));
        assert_eq!(theirs, itself, "{program:?}");
        for mode in MODES {
            let ours = end(ours(mode).arg("--").args(&program));
            assert_eq!(ours, theirs, "{program:?} {mode:?}");
            assert!(!ours.core_dumped());
        }
    }
}
