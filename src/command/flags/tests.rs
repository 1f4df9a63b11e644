//! Flags and the modes that they resolve into.

use super::sets::{parse_calls, parse_signals, parse_statuses};
use super::*;
use crate::command::mode::TraceOptions;
use crate::kernel::{Signal, Tgid, WaitCalls};
use crate::output::{SignalSet, Style};
use crate::program::EnvChange;

fn mode(words: &[&str]) -> Result<Mode, String> {
    let command = Flags::command();
    let words = ["wait4-strace"].iter().chain(words);
    let matches = command.clone().try_get_matches_from(words);
    let asked = matches
        .map_err(Refusal::from)
        .and_then(|matches| resolve(matches, &command));
    match asked {
        Ok(Asked::Mode(mode)) => Ok(mode),
        Ok(other) => panic!("{other:?}"),
        Err(Refusal::Usage(error)) => Err(error.to_string()),
        Err(Refusal::Sentence(sentence)) => Err(sentence),
    }
}

fn trace(words: &[&str]) -> TraceOptions {
    match mode(words) {
        Ok(Mode::Trace(options)) => *options,
        other => panic!("{other:?}"),
    }
}

fn refusal(words: &[&str]) -> String {
    mode(words).unwrap_err()
}

#[test]
fn the_flags_do_not_contradict_each_other() {
    Flags::command().debug_assert();
}

#[test]
fn each_mode_takes_its_flags_and_refuses_the_rest() {
    let zombies = mode(&["--zombies", "-p", "1", "--format=json", "--color=never"]);
    let Ok(Mode::Zombies(options)) = zombies else {
        panic!("{zombies:?}");
    };
    assert!(options.json && options.roots == [Tgid::new(1)]);
    let decode = mode(&["--decode", "0x7f", "--abi", "linux", "--", "9"]);
    let Ok(Mode::Decode(options)) = decode else {
        panic!("{decode:?}");
    };
    assert_eq!(options.values, ["0x7f", "9"]);
    let replay = mode(&["--read", "f", "--abi", "linux"]);
    assert!(matches!(replay, Ok(Mode::Replay(options)) if options.system.is_some()));
    let refused: [(&[&str], &str); 4] = [
        (&["--zombies", "-o", "f"], "--output"),
        (&["--zombies", "true"], "a COMMAND"),
        (&["--zombies", "--decode", "1"], "--decode"),
        (&["--decode", "1", "-p", "1"], "--attach"),
    ];
    for (words, flag) in refused {
        assert!(refusal(words).starts_with(&format!("{flag} means nothing with")));
    }
}

#[test]
fn what_chooses_lines_of_text_is_refused_where_there_are_none() {
    let refused: [(&[&str], &str); 4] = [
        (&["--format", "json", "--only", "sh", "true"], "JSON"),
        (&["--format", "json", "--findings", "true"], "JSON"),
        (&["--strace", "--findings", "true"], "--strace"),
        (&["--report", "none", "--findings", "true"], "--report none"),
    ];
    for (words, why) in refused {
        assert!(refusal(words).contains(why), "{words:?}");
    }
}

#[test]
fn the_short_help_fits_on_a_screen_and_each_flag_has_one_line() {
    let help = Flags::command().term_width(80).render_help().to_string();
    assert!(help.lines().count() <= 48, "{help}");
    let flags = help
        .lines()
        .filter(|line| line.starts_with("  ") && !line.contains("wait4-strace"));
    for line in flags {
        assert!(
            line.trim_start().starts_with('-'),
            "a flag takes two lines: {line}"
        );
    }
}

#[test]
fn pids_come_in_lists_with_commas_or_spaces() {
    let options = trace(&["-p", "12,13", "-p", "14 15\n16", "-p12"]);
    assert_eq!(options.attach, [12, 13, 14, 15, 16]);
    assert!(options.command.is_none());
}

#[test]
fn a_word_that_is_no_pid_is_refused_with_the_way_out() {
    for word in ["0", "-1", "abc", "99999999999", "1.5", "0x10"] {
        assert!(refusal(&["-p", word]).contains("pgrep"), "{word}");
    }
    let own = std::process::id().to_string();
    assert!(refusal(&["-p", &own]).contains("itself"));
    assert!(refusal(&["-p", ""]).contains("does not run"));
}

#[test]
fn the_command_keeps_its_own_flags() {
    let with = trace(&["--strace", "ls", "-l", "--color"]);
    assert_eq!(with.command.unwrap().argv, ["ls", "-l", "--color"]);
    assert_eq!(with.outputs.text.style, Style::Strace);
    let with = trace(&["--", "-odd", "-p"]);
    assert_eq!(with.command.unwrap().argv, ["-odd", "-p"]);
}

#[test]
fn sets_are_read_as_strace_reads_them() {
    assert_eq!(parse_calls("wait"), Ok(WaitCalls::ALL));
    assert_eq!(parse_calls("none"), Ok(WaitCalls::default()));
    assert!(!parse_calls("!wait4").unwrap().wait4);
    let set = parse_signals("CHLD,SIGRT_5,9").unwrap();
    assert!(set.has(Signal::CHLD) && set.has(Signal::from_raw(37)) && set.has(Signal::KILL));
    assert!(!set.has(Signal::TERM));
    assert!(!parse_signals("!chld").unwrap().has(Signal::CHLD));
    assert_eq!(parse_signals("none"), Ok(SignalSet(0)));
    assert!(parse_signals("SIGNOPE").unwrap_err().contains("kill -l"));
    assert!(
        parse_calls("open")
            .unwrap_err()
            .contains("strace -f -e trace=open traces others")
    );
    assert!(!parse_statuses("!failed").unwrap().failed);
}

#[test]
fn a_word_that_is_not_taken_is_answered_with_the_nearest_that_is() {
    let refused: [(&[&str], &str); 12] = [
        (&["--fail-on", "warnings", "x"], "do you mean warning?"),
        (&["--fail-on", "zombie", "x"], "do you mean zombie-leak?"),
        (
            &["--deny", "stolen", "x"],
            "--deny: there is no rule \"stolen\"",
        ),
        (&["-e", "trace=waitd", "x"], "do you mean waitid?"),
        (&["-e", "trace=open", "x"], "strace -f -e trace=open"),
        (&["-e", "trace=execve", "x"], "lines of their own"),
        (&["-e", "signal=TRM", "x"], "do you mean TERM?"),
        (&["-e", "signal=SIGTREM", "x"], "do you mean SIGTERM?"),
        (&["-e", "status=sucessful", "x"], "do you mean successful?"),
        (&["-e", "abbrev=none", "x"], "-v shows all"),
        (&["-a", "x", "x"], "a column is a number"),
        (&["--threshold", "zomby=1", "x"], "do you mean zombie?"),
    ];
    for (words, answer) in refused {
        let refusal = refusal(words);
        assert!(refusal.contains(answer), "{words:?}: {refusal}");
    }
    // What is like nothing gets no guess.
    for word in ["open", "%file", "qqq"] {
        let refusal = refusal(&["-e", &format!("trace={word}"), "x"]);
        assert!(!refusal.contains("do you mean"), "{refusal}");
    }
}

#[test]
fn straces_flags_that_are_not_taken_are_known() {
    let known = |words: &[&str]| {
        let words = ["wait4-strace"].iter().chain(words);
        let refused = Flags::command().try_get_matches_from(words).unwrap_err();
        of_strace(&refused).unwrap_or_default()
    };
    assert!(known(&["-z", "x"]).contains("-e status=successful"));
    assert!(known(&["-fZ", "x"]).contains("-e status=failed"));
    assert!(known(&["-s", "200", "x"]).contains("-v"));
    assert!(known(&["--quiet=exit", "x"]).contains("-qq"));
    assert_eq!(known(&["--bogus", "x"]), "");
    // Each row is of a flag that is not taken.
    for letter in ["A", "n", "i", "D", "w", "X", "P", "I", "d"] {
        let flag = format!("-{letter}");
        assert!(known(&[&flag, "x"]).contains(&flag), "{flag}");
    }
}

#[test]
fn what_is_for_processes_means_nothing_for_a_record() {
    let flags: [&[&str]; 8] = [
        &["--decode-fds"],
        &["--env", "A=b"],
        &["--user", "root"],
        &["--attach", "1"],
        &["--duration", "1"],
        &["--kill-on-exit"],
        &["--seccomp-bpf"],
        &["--seccomp-bpf=never"],
    ];
    for flags in flags {
        let refusal = refusal(&[&["--read", "f"], flags].concat());
        let flag = flags[0].split('=').next().unwrap();
        let sentence = format!("'--read <FILE>' cannot be used with '{flag}");
        assert!(refusal.contains(&sentence), "{refusal}");
    }
    assert!(mode(&["--read", "f", "-f", "-T"]).is_ok());
}

#[test]
fn both_spellings_of_a_filter_are_taken() {
    let short = trace(&["-e", "trace=waitid", "-e", "signal=none", "x"]);
    let long = trace(&["--trace=waitid", "--signal=none", "x"]);
    assert_eq!(short.outputs.text.calls, long.outputs.text.calls);
    assert_eq!(short.outputs.text.signals, long.outputs.text.signals);
    assert!(trace(&["-e", "wait4", "x"]).outputs.text.calls.wait4);
}

#[test]
fn an_output_is_a_file_a_command_or_a_prefix() {
    let output = |words: &[&str]| trace(words).outputs.output;
    assert_eq!(output(&["x"]), OutputTo::Stderr);
    assert_eq!(output(&["-o", "f", "x"]), OutputTo::File("f".into()));
    assert_eq!(
        output(&["-o", "|cat", "x"]),
        OutputTo::Command("cat".into())
    );
    assert_eq!(output(&["-ffof", "x"]), OutputTo::PerTask("f".into()));
    assert!(refusal(&["-ff", "x"]).contains("-o FILE"));
}

#[test]
fn the_environment_is_changed_in_order() {
    let options = trace(&["-E", "A=b=c", "-E", "D", "x"]);
    assert_eq!(
        options.command.unwrap().env,
        [
            EnvChange::Set("A".into(), "b=c".into()),
            EnvChange::Unset("D".into())
        ]
    );
}

#[test]
fn a_name_that_is_empty_is_refused() {
    for (words, answer) in [
        (&["-E", "=x", "x"][..], "\"=x\" has no name"),
        (&["-E", "", "x"], "\"\" has no name"),
        (&["--explore", "-E", "=x", "x"], "\"=x\" has no name"),
        (&["--only", "", "x"], "--only wants the name or pid"),
    ] {
        let refusal = refusal(words);
        assert!(refusal.contains(answer), "{words:?}: {refusal}");
    }
}

/// Words of a line of shell, if it has nothing that a shell would expand.
fn shell_words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '|' | '&' | '>' | '<' | ';') | (None | Some('"'), '$' | '`') => return None,
            (None, '#') if word.is_empty() => return Some(words),
            (None, ' ') if word.is_empty() => {}
            (None, ' ') => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    Some(words)
}

/// The commands in the blocks of shell of the README and the pages.
fn documented() -> Vec<(String, Vec<String>)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("docs")).unwrap();
    let pages = pages.map(|page| page.unwrap().path());
    let mut commands = Vec::new();
    for page in pages.chain([root.join("README.md")]) {
        if page.extension().is_none_or(|end| end != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&page).unwrap();
        let blocks = text.split("```").skip(1).step_by(2);
        let shell =
            blocks.filter(|block| block.starts_with("sh\n") || block.starts_with("console\n"));
        for line in shell.flat_map(str::lines) {
            let line = line.trim_start_matches("$ ");
            let Some(rest) = line.strip_prefix("wait4-strace ") else {
                continue;
            };
            if let Some(words) = shell_words(rest) {
                commands.push((format!("{}: {line}", page.display()), words));
            }
        }
    }
    commands
}

#[test]
fn every_command_of_the_docs_is_one_that_is_taken() {
    let room = tempfile::tempdir().unwrap();
    let known = room.path().join("known.txt");
    std::fs::write(&known, "zombie-leak worker\n").unwrap();
    let commands = documented();
    assert!(commands.len() > 40, "{}", commands.len());
    for (place, mut words) in commands {
        // The only file that flags read.
        if let Some(at) = words.iter().position(|word| word == "--suppress") {
            words[at + 1] = known.to_str().unwrap().to_owned();
        }
        // A line goes on in the next.
        if words
            .iter()
            .any(|word| word == "\\" || word == "--generate" || word == "--explain")
        {
            continue;
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Err(refusal) = mode(&words) {
            panic!("{place}: {refusal}");
        }
    }
}
