//! strace's flags and words that are not taken here, each with what does the same.
//!
//! From strace(1) of 7.2. A row names the short flag, the long one, and the way out, which ends
//! the sentence "strace's -z is not taken here: …".

/// Short flag, long flag, way out.
type Row = (Option<char>, &'static str, &'static str);

const FLAGS: &[Row] = &[
    (
        Some('A'),
        "output-append-mode",
        "a command appends: -o '|cat >> FILE'",
    ),
    (
        Some('b'),
        "detach-on",
        "an exec is followed; --no-follow leaves children alone",
    ),
    (
        Some('d'),
        "debug",
        "--stats says at the end how many stops the trace took",
    ),
    (
        Some('D'),
        "daemonize",
        "start the command on its own, and attach with -p PID: it stays its parent's child then",
    ),
    (
        Some('F'),
        "follow-vforks",
        "-f is the default, and follows vfork too",
    ),
    (
        Some('i'),
        "instruction-pointer",
        "-k shows the call stack: functions, files and lines",
    ),
    (
        Some('I'),
        "interruptible",
        "^C is the command's own while it lives, and detaches with -p: leave -I out",
    ),
    (
        Some('n'),
        "syscall-number",
        "each line names its call (on x86-64 wait4 is 61, waitid 247): leave -n out",
    ),
    (Some('N'), "arg-names", "--format json names each argument"),
    (
        Some('O'),
        "summary-syscall-overhead",
        "the table of -c takes no overhead off: leave -O out",
    ),
    (
        Some('P'),
        "trace-path",
        "waits have no path; --only NAME shows the lines of one program",
    ),
    (
        Some('s'),
        "string-limit",
        "waits have no strings; -v shows command lines whole",
    ),
    (
        Some('U'),
        "summary-columns",
        "-c has the same columns always; -S COLUMN sorts by one",
    ),
    (
        Some('w'),
        "summary-wall-clock",
        "-c measures by the wall clock already: leave -w out",
    ),
    (
        Some('x'),
        "strings-in-hex",
        "waits have no strings; --format json has the raw words",
    ),
    (
        Some('X'),
        "const-print-style",
        "--format json has the raw words beside the names",
    ),
    (Some('z'), "successful-only", "-e status=successful does it"),
    (Some('Z'), "failed-only", "-e status=failed does it"),
    (None, "output-separately", "-ff writes a file for each task"),
    (
        None,
        "syscall-limit",
        "--duration SECONDS ends the trace by time",
    ),
    (
        None,
        "decode-pids",
        "-Y shows names behind pids, --pidns-translation pids in other namespaces",
    ),
    (None, "silent", "-q, -qq and -qqq say less"),
    (None, "silence", "-q, -qq and -qqq say less"),
    (None, "timestamps", "-t, -tt or -ttt does it"),
    (
        None,
        "inject",
        "--explore --faults lets forks and execs fail; strace injects other errors",
    ),
    (
        None,
        "fault",
        "--explore --faults lets forks and execs fail; strace injects other errors",
    ),
    (None, "abbrev", "-v shows all, whole"),
    (None, "verbose", "-v shows all, whole"),
    (None, "raw", "--format json has the raw words"),
    (None, "write", "waits write nothing; strace dumps data"),
    (None, "kvm", "waits know no vcpus; strace does"),
];

/// The flags that are taken without a value here, and with one by strace.
const COUNTED: [(&str, &str); 8] = [
    ("quiet", "-q, -qq and -qqq say less"),
    ("decode-fds", "-y or -yy"),
    ("absolute-timestamps", "-t, -tt or -ttt"),
    ("relative-timestamps", "-r, in microseconds"),
    ("syscall-times", "-T, in microseconds"),
    ("stack-trace", "-k"),
    ("follow-forks", "-f, or -ff"),
    ("pidns-translation", "the flag alone"),
];

/// What to say about a flag of strace's (`-z`, `--failed-only`) that is not taken.
pub(super) fn about_flag(typed: &str) -> Option<String> {
    let name = typed.split('=').next().unwrap_or(typed);
    let row = FLAGS.iter().find(|(short, long, _)| {
        let mut letters = name.chars().skip(1);
        let is_short = *short == letters.next() && letters.next().is_none();
        is_short && short.is_some() || name.strip_prefix("--") == Some(long)
    });
    row.map(|(_, _, way)| format!("strace's {name} is not taken here: {way}"))
}

/// Flags that are not strace's, and have another name here.
const RENAMED: [(&str, &str); 2] = [
    ("json", "--format json writes JSON lines"),
    ("timeout", "--duration SECONDS ends the trace by time"),
];

/// What to say about a flag that others have by this name (`--json`).
pub(super) fn renamed(typed: &str) -> Option<String> {
    let name = typed.split('=').next()?.strip_prefix("--")?;
    let row = RENAMED.iter().find(|(known, _)| *known == name);
    row.map(|(name, way)| format!("there is no --{name}: {way}"))
}

/// What to say about a value for a flag that has none here.
pub(super) fn about_value(flag: &str, value: &str) -> Option<String> {
    let long = flag.strip_prefix("--")?;
    let long = long.split(['.', ' ', '=']).next()?;
    let row = COUNTED.iter().find(|(known, _)| *known == long);
    row.map(|(_, way)| format!("--{long} takes no value, and {value:?} is given: {way}"))
}

/// What to say about `-e KEY=`.
pub(super) fn about_key(key: &str) -> String {
    let long = match key {
        "q" | "quiet" | "silent" | "silence" => "silent",
        "a" | "abbrev" => "abbrev",
        "v" | "verbose" => "verbose",
        "x" | "raw" => "raw",
        "w" | "writes" => "write",
        "decode-fds" | "decode-fd" => {
            return format!("there is no -e {key}=: -y or -yy say what pidfds are");
        }
        _ => key,
    };
    match FLAGS.iter().find(|(_, known, _)| *known == long) {
        Some((_, _, way)) => format!("there is no -e {key}=: {way}"),
        None => format!("there is no -e {key}=: there are trace, signal and status"),
    }
}

/// What to say about a call that is not traced (`-e trace=open`), beside the list of those that
/// are; `likely` is a typo's correction.
pub(super) fn about_call(word: &str, likely: &str) -> String {
    let plain = word.trim_start_matches(['%', '?']);
    let plain = plain.split('@').next().unwrap_or(plain);
    let shown = [
        "process",
        "fork",
        "vfork",
        "clone",
        "clone3",
        "execve",
        "execveat",
        "exit",
        "exit_group",
        "kill",
        "tkill",
        "tgkill",
        "signal",
    ];
    let there_are = "wait4, waitid, waitpid, wait (all three) and none";
    if shown.contains(&plain) {
        return format!(
            "{word:?} is no wait (-e trace=): forks, execs, signals and ends have lines of their \
             own, so leave it out; there are {there_are}"
        );
    }
    let strace = if likely.is_empty() {
        format!("; strace -f -e trace={word} traces others")
    } else {
        String::new()
    };
    format!("{word:?} is no wait (-e trace=){likely}: there are {there_are}{strace}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_of_straces_has_a_way_out_by_both_of_its_names() {
        for (short, long, way) in FLAGS {
            let by_long = about_flag(&format!("--{long}=3"));
            assert!(by_long.is_some_and(|said| said.ends_with(way)), "{long}");
            if let Some(short) = short {
                let by_short = about_flag(&format!("-{short}"));
                assert!(by_short.is_some_and(|said| said.ends_with(way)), "{short}");
            }
        }
        for own in ["-", "--", "-?", "--bogus", "-zz", "z"] {
            assert_eq!(about_flag(own), None, "{own}");
        }
    }

    #[test]
    fn a_flag_that_others_have_is_answered_with_ours() {
        let said = renamed("--json").unwrap();
        assert_eq!(said, "there is no --json: --format json writes JSON lines");
        assert_eq!(renamed("--json=x"), Some(said));
        assert_eq!(renamed("--jso"), None);
        assert_eq!(renamed("json"), None);
    }

    #[test]
    fn a_value_for_a_counted_flag_names_the_letters() {
        let said = about_value("--absolute-timestamps...", "us").unwrap();
        assert!(said.contains("-tt"), "{said}");
        assert_eq!(about_value("--timeline", "x"), None);
    }

    #[test]
    fn calls_that_have_lines_anyway_are_told_from_others() {
        assert!(about_call("%process", "").contains("lines of their own"));
        assert!(about_call("open", "").contains("strace -f -e trace=open"));
        assert!(!about_call("wait_4", " (do you mean wait4?)").contains("strace"));
    }
}
