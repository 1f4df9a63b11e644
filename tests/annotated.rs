//! The annotated style, by snapshots of the fixtures' traces.
//!
//! A trace's global order is a race, so each process has a lane of its own,
//! and lanes stand in the order of the fork tree. SIGCHLD is left out: whether
//! it arrives before or after the call that reaps is a race too; so is SIGCONT,
//! which a stop signal that follows at once discards.

use std::collections::HashMap;
use std::fmt::Write;

use crate::support::{fixture_path, run, traced};

/// The trace of a fixture as lanes: `root`, `root.1`, …
fn lanes(flags: &[&str], fixture: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut words = vec!["-e", "signal=!SIGCHLD,SIGCONT", "-o", log.to_str().unwrap()];
    words.extend(flags);
    // From its own directory: a long path would be cut short.
    let path = fixture_path();
    let outcome = run(traced(&words, ["./fixture", fixture]).current_dir(path.parent().unwrap()));
    assert_eq!(outcome.status, 0, "{fixture}: {outcome:?}");
    let log = std::fs::read_to_string(log).unwrap();
    let mut by_tid: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in log.lines() {
        let (tid, rest) = line.split_once(' ').unwrap();
        match by_tid.iter_mut().find(|(known, _)| *known == tid) {
            Some((_, lines)) => lines.push(rest.trim_start()),
            None => by_tid.push((tid, vec![rest.trim_start()])),
        }
    }
    let first = by_tid[0].0;
    let lines: HashMap<&str, Vec<String>> = by_tid
        .into_iter()
        .map(|(tid, lines)| (tid, joined(&lines)))
        .collect();
    let mut names = Vec::new();
    name_tree(first, "root", &lines, &mut names);
    let mut text = String::new();
    for (tid, name) in &names {
        writeln!(text, "{name}:").unwrap();
        for line in lines.get(tid).into_iter().flatten() {
            writeln!(text, "  {}", renamed(line, &names)).unwrap();
        }
    }
    text
}

/// Lines of one task, its calls whole: whether another task wrote while one
/// was under way is a race.
fn joined(lines: &[&str]) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    let mut begun: Vec<String> = Vec::new();
    for line in lines {
        let resumed = line.split_once("<... ");
        if let Some(head) = line.strip_suffix(" <unfinished ...>") {
            begun.push(head.to_owned());
        } else if let Some((comm, rest)) = resumed {
            let (_, tail) = rest.split_once(" resumed>").unwrap();
            let head = begun.pop().unwrap();
            assert!(head.starts_with(comm), "{line} resumes {head}");
            whole.push(head + tail);
        } else {
            whole.push((*line).to_owned());
        }
    }
    assert!(begun.is_empty(), "never resumed: {begun:?}");
    whole
}

/// Names for a task and, depth first, for all that it created.
fn name_tree<'a>(
    tid: &'a str,
    name: &str,
    lines: &'a HashMap<&str, Vec<String>>,
    names: &mut Vec<(&'a str, String)>,
) {
    names.push((tid, name.to_owned()));
    let mut count = 0;
    for line in lines.get(tid).into_iter().flatten() {
        let created = ["forked ", "vforked ", "cloned ", "started thread "]
            .iter()
            .find_map(|verb| line.split_once(&format!("+++ {verb}")));
        if let Some((_, rest)) = created {
            count += 1;
            let child = rest.split(' ').next().unwrap();
            name_tree(child, &format!("{name}.{count}"), lines, names);
        }
    }
}

/// Replace the numbers that are pids of the trace by their names.
fn renamed(line: &str, names: &[(&str, String)]) -> String {
    let mut text = String::new();
    let mut word = String::new();
    for c in line.chars().chain(['\0']) {
        if c.is_ascii_alphanumeric() || c == '.' {
            word.push(c);
            continue;
        }
        let name = names.iter().find(|(tid, _)| *tid == word);
        text.push_str(name.map_or(word.as_str(), |(_, name)| name));
        word.clear();
        text.push(c);
    }
    text.trim_end_matches('\0').to_owned()
}

/// Snapshot a fixture's trace with what differs from run to run left out.
fn snapshot(name: &str, flags: &[&str], fixture: &str) {
    let text = lanes(flags, fixture);
    insta::with_settings!({filters => vec![
        // Times, and padding that depends on the length of a pid or path.
        (r"[0-9.]+ (µs|ms|s) after", "[time] after"),
        (r"times in [0-9.]+ (µs|ms|s)", "times in [time]"),
        (r"[0-9.]+ s user, [0-9.]+ s system, [0-9.]+ MB", "[usage]"),
        (r"tv_sec=\d+, tv_usec=\d+", "[time]"),
        (r"(ru_maxrss|ru_minflt|ru_majflt|ru_inblock|ru_oublock|ru_nvcsw|ru_nivcsw)=\d+", "$1=[n]"),
        (r" {2,}= ", " = "),
        (r"(si_[us]time)=\d+( /\* [0-9.]+ s \*/)?", "$1=[n]"),
        // The death of a sibling, which is handled, may or may not fall into a wait.
        (r"restarted after SIGCHLD; the program saw nothing(; )?", ""),
        (r"  # \n", "\n"),
        (r"0x[0-9a-f]{7,16}", "[addr]"),
        // A long path is cut.
        (r#""?[./][^ "]*(/fixture"?|"\.\.\.)"#, "[fixture]"),
        (r"si_uid=\d+", "si_uid=[uid]"),
        (r" {2,}#", "  #"),
        (r"fixture {2,}", "fixture "),
    ]}, { insta::assert_snapshot!(name, text) });
}

macro_rules! snapshots {
    ($($test:ident: $flags:expr, $fixture:expr;)*) => {
        $(
            #[test]
            fn $test() {
                snapshot(stringify!($test), &$flags, $fixture);
                // The same words whether a filter or every call stops.
                let mut flags = vec!["--seccomp-bpf=never"];
                flags.extend_from_slice(&$flags);
                snapshot(stringify!($test), &flags, $fixture);
            }
        )*
    };
}

snapshots! {
    exits_are_reaped_and_named: [], "wait4_exit_codes";
    specific_waits_name_their_child: [], "wait4_specific";
    groups_are_waited_for: [], "wait4_group";
    errors_are_spelled_out: [], "wait4_unknown_options";
    the_rusage_is_whole_with_v: ["-v"], "wait4_rusage";
    a_core_dump_is_told: [], "signaled_core";
    a_real_time_signal_has_its_number: [], "signaled_realtime";
    stops_are_not_taken_for_ends: [], "stopped_and_continued";
    waitid_decodes_its_siginfo: [], "waitid_all";
    a_peek_leaves_the_zombie: [], "waitid_pid_nowait_then_reap";
    a_pidfd_is_shown_as_what_it_is: ["-yy"], "waitid_pidfd";
    an_unreadable_siginfo_loses_the_status: [], "waitid_bad_infop";
    a_lost_status_is_told: [], "wait4_bad_status_pointer";
    eintr_and_who_caused_it_is_told: [], "eintr_without_sa_restart";
    a_restarted_call_is_one_call: [], "restart_with_sa_restart";
    a_handler_may_wait_in_the_midst_of_a_wait: [], "sigchld_handler_reaps";
    a_call_left_by_longjmp_never_returns: [], "longjmp_out_of_wait";
    polls_are_counted: [], "wnohang_poll";
    a_thread_that_execs_supersedes_its_leader: ["-v"], "exec_from_nonleader_thread";
    a_vfork_is_told_from_a_fork: [], "vfork_exec";
    clone_parent_makes_a_sibling: [], "clone_parent";
    an_exit_signal_of_its_own_makes_a_clone: [], "clone_no_exit_signal";
    an_orphan_is_adopted_by_the_nearest_subreaper: [], "orphan_adopted_by_subreaper";
    pids_of_inner_namespaces_are_translated: ["--pidns-translation"], "pidns_two_deep";
    calls_of_32_bit_code_are_decoded: [], "i386_int80_waits";
}

#[test]
fn with_v_every_poll_is_a_line_of_its_own() {
    let text = lanes(&["-v"], "wnohang_poll");
    let polls = text.lines().filter(|line| line.ends_with("= 0"));
    assert_eq!(polls.count(), 100, "{text}");
}

#[test]
fn the_docs_list_the_exit_statuses_that_help_lists() {
    let page = std::fs::read_to_string("docs/using.md").unwrap();
    for (what, status) in wait4_strace::command::Exit::TABLE {
        let row = format!("| {what} | {status} |");
        assert!(page.contains(&row), "docs/using.md lacks {row:?}");
    }
}

#[test]
fn a_restart_that_only_tracing_made_is_not_told() {
    let text = lanes(&[], "restart_without_handler");
    assert!(text.contains("wait4("), "{text}");
    assert!(!text.contains("restarted"), "{text}");
    // A handler interrupts untraced as well.
    let text = lanes(&[], "restart_with_sa_restart");
    assert!(
        text.contains("restarted after SIGUSR1; the program saw nothing"),
        "{text}"
    );
}
