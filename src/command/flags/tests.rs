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
            .contains("strace traces others")
    );
    assert!(!parse_statuses("!failed").unwrap().failed);
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
