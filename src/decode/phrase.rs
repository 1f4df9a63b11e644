//! How programs tell of an end in words: `exit code 137`, `rc=35584`,
//! `returncode=-11`, `code=killed, status=9/KILL`, `signal: killed`, `OOMKilled`.

use super::answer::{Answer, existing};
use super::number::word;
use super::status::{Reading, by_python, by_shell, by_windows, readings, status_readings};
use crate::kernel::phrases::{ExitedWith, KilledBy};
use crate::kernel::{Signal, System};

/// The meaning of a text that tells of an end, or of several.
pub(super) fn of(text: &str, system: System) -> Option<Answer> {
    if let Some(reading) = by_make(text, system) {
        return Some(readings(reading));
    }
    let words = words(text);
    let mut found: Vec<Reading> = Vec::new();
    let mut at = 0;
    while let Some(rest) = words.get(at..).filter(|rest| !rest.is_empty()) {
        match reading(rest, system) {
            Some((length, more)) => {
                at += length.max(1);
                for reading in more {
                    if !found.contains(&reading) {
                        found.push(reading);
                    }
                }
            }
            None => at += 1,
        }
    }
    // Who received a signal may have handled it.
    let is_received =
        |word: &String| matches!(word.as_str(), "received" | "caught" | "got" | "sent");
    if words.iter().any(is_received) {
        found.retain(|(kind, _)| *kind != "as a signal");
        if found.is_empty() {
            return None;
        }
    }
    if found.is_empty() {
        found.push(message(&words).map(|signal| killed(signal, has_core(&words)))?);
    }
    Some(readings(found))
}

/// Whether a text begins with such words, and with nothing else before them.
pub(super) fn begins(text: &str, system: System) -> bool {
    let words = words(text);
    reading(&words, system).is_some()
}

/// The words of a text in lower case, without the marks around them.
fn words(text: &str) -> Vec<String> {
    let is_mark = |c: char| c.is_whitespace() || ":=,;()[]{}<>\"'`".contains(c);
    let text = with_pairs(text);
    let words = text.split(is_mark).map(|word| {
        let word = word.replace(PAIR, ":");
        let word = word.trim_end_matches('.').to_ascii_lowercase();
        if word.starts_with(|first: char| first.is_ascii_alphabetic()) {
            word.replace(['_', '-'], "")
        } else {
            word
        }
    });
    words.filter(|word| !word.is_empty()).collect()
}

/// Stands for the colon between two numbers.
const PAIR: char = '\u{1}';

/// A text in which numbers with a colon between them are one word.
fn with_pairs(text: &str) -> String {
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    let mut whole = String::with_capacity(text.len());
    while let Some(char) = chars.next() {
        let is_behind = chars.peek().is_some_and(char::is_ascii_digit);
        let is_pair = char == ':' && before.is_ascii_digit() && is_behind;
        whole.push(if is_pair { PAIR } else { char });
        before = char;
    }
    whole
}

/// `make: *** [all] Error 2`, `make: *** [all] Killed`
fn by_make(text: &str, system: System) -> Option<Vec<Reading>> {
    let (_, target) = text.split_once("*** [")?;
    let (_, end) = target.split_once("] ")?;
    if let Some(code) = end.trim_start().strip_prefix("Error ") {
        return Some(of_exit_code(word(code.split(' ').next()?)?, system));
    }
    let words = words(end);
    Some(vec![killed(message(&words)?, has_core(&words))])
}

/// What the first words mean, and how many they are.
fn reading(words: &[String], system: System) -> Option<(usize, Vec<Reading>)> {
    let all: Vec<&str> = words.iter().take(8).map(String::as_str).collect();
    if let ["result", "oomkill", ..] = all[..] {
        let what = "the kernel's OOM killer killed a process of the unit";
        return Some((2, vec![("as systemd's result", Ok(what.to_owned()))]));
    }
    if let ["oomkilled", rest @ ..] = &all[..] {
        let what = "killed by SIGKILL, by the kernel's OOM killer: exit code 137";
        let is_false = matches!(rest, ["false" | "0", ..]);
        return (!is_false).then(|| (1, vec![("as a container's end", Ok(what.to_owned()))]));
    }
    if let ["code", "exited" | "killed" | "dumped", "status", status, ..] = all[..] {
        return Some((4, systemd(status, all.get(1) == Some(&"dumped"), system)?));
    }
    if let ["status", status, ..] = all[..]
        && status.contains('/')
    {
        return Some((2, systemd(status, false, system)?));
    }
    if let ["unixwaitstatus", status, ..] = all[..] {
        return Some((2, status_readings(word(status)?, Some(system))));
    }
    if let ["$?", rest @ ..] = &all[..] {
        let filler = usize::from(matches!(rest.first(), Some(&"is")));
        let number = word(rest.get(filler)?)?;
        return Some((2 + filler, of_last_status(number, system)));
    }
    if let ["exitcode" | "derivedexitcode", word, ..] = all[..] {
        // Slurm's: the code, and the signal.
        if let Some((code, signal)) = word.split_once(':') {
            let (code, signal): (i32, i32) = (code.parse().ok()?, signal.parse().ok()?);
            let reading = match signal {
                0 => of_exit_code(code, system),
                signal => vec![killed(existing(system, signal)?, false)],
            };
            return Some((2, reading));
        }
        // Python's multiprocessing.
        if let Some(signal) = word.strip_prefix("-sig") {
            return Some((2, vec![killed(named(signal, system)?, false)]));
        }
    }
    if let ["exit" | "returned", "code" | "status", "-1", ..] = all[..] {
        let what = "not known to what reports it (a CI agent), or exit(-1) on Windows; of \
                    Python's subprocess: killed by SIGHUP";
        return Some((3, vec![("as an exit code", Ok(what.to_owned()))]));
    }
    if let Some((length, number)) = exit_code(&all) {
        return Some((length, of_exit_code(number, system)));
    }
    if let ["signal", rest @ ..] | ["with", "signals", rest @ ..] = &all[..] {
        let length = all.len() - rest.len();
        let signal = rest.first().and_then(|word| named(word, system));
        let signal = signal.or_else(|| message(words.get(length..)?))?;
        if !kills(signal) {
            return None;
        }
        let reading = killed(signal, has_core(words));
        return Some((length + 1, vec![reading]));
    }
    let python = all.first()?.strip_prefix("signals.")?;
    let signal = named(python, system)?;
    Some((2, vec![killed(signal, false)]))
}

/// `exit code 3`, `exited with 3`, `rc 3`, and how many words that is.
fn exit_code(words: &[&str]) -> Option<(usize, i32)> {
    let named = match words {
        ["exited", "with", "exit" | "error", "code" | "status", ..] => 4,
        [
            "exited",
            "with",
            "code" | "status" | "returncode" | "value",
            ..,
        ] => 3,
        ["exit" | "return", "code" | "status" | "value", ..]
        | ["with", "code" | "status", ..]
        | ["exited", "with", ..] => 2,
        [
            "exited" | "exitcode" | "exitstatus" | "returncode" | "retcode" | "rc" | "lastexitcode"
            | "$lastexitcode",
            ..,
        ] => 1,
        // Of a shell's jobs, and Ruby's.
        ["exit", code, ..] if code.parse::<u8>().is_ok() => 1,
        _ => return None,
    };
    let filler = matches!(words.get(named), Some(&("of" | "is" | "was")));
    let at = named + usize::from(filler);
    Some((at + 1, word(words.get(at)?)?))
}

/// What is called an exit code may be a signal of Python's, a whole wait status,
/// or a code of Windows.
fn of_exit_code(number: i32, system: System) -> Vec<Reading> {
    if let Some(shell) = by_shell(number, system) {
        return vec![("as an exit code", Ok(shell))];
    }
    if let Some(returncode) = by_python(number, system) {
        return vec![("as a returncode", Ok(returncode))];
    }
    if let Some(name) = by_windows(number) {
        return vec![("as Windows' exit code", Ok(name))];
    }
    let no_code = "an exit code has 8 bits".to_owned();
    let mut all = vec![("as an exit code", Err(no_code))];
    all.extend(status_readings(number, Some(system)));
    all.rotate_left(1);
    all
}

/// What a shell and Perl call `$?`: an exit code there, a wait status here.
fn of_last_status(number: i32, system: System) -> Vec<Reading> {
    let shell = by_shell(number, system).map(|shell| ("as a shell's $?", Ok(shell)));
    let mut all: Vec<Reading> = shell.into_iter().collect();
    all.extend(status_readings(number, Some(system)));
    all
}

/// Whether a signal ends a process that does nothing about it.
fn kills(signal: Signal) -> bool {
    let harmless = [Signal::CHLD, Signal::CONT, Signal::URG, Signal::WINCH];
    !harmless.contains(&signal) && !signal.is_stopping()
}

/// `9/KILL`, `203/EXEC`, `1/FAILURE`: what systemd says of a service's end.
fn systemd(status: &str, core: bool, system: System) -> Option<Vec<Reading>> {
    let (number, name) = status.split_once('/')?;
    let number = word(number)?;
    let signal = named(name, system).filter(|signal| signal.raw() == number);
    if let Some(signal) = signal {
        return Some(vec![killed(signal, core)]);
    }
    let exited = ExitedWith(number).to_string();
    let step = match name {
        "exec" => "could not execute the program",
        "chdir" => "could not change to the working directory",
        "user" => "could not change to the user",
        "group" => "could not change to the group",
        "namespace" => "could not set up the mount namespace",
        "cgroup" => "could not move it into its control group",
        "stdin" | "stdout" | "stderr" => "could not set up its standard streams",
        "seccomp" => "could not apply the seccomp filter",
        "limits" => "could not set the resource limits",
        // systemd.exec(5): codes from 200 on are of steps before the program.
        _ if (200..=255).contains(&number) => "could not set it up",
        _ => return Some(vec![("as systemd's status", Ok(exited))]),
    };
    let what = format!("{exited}: systemd {step}; the program did not run");
    Some(vec![("as systemd's status", Ok(what))])
}

fn killed(signal: Signal, core: bool) -> Reading {
    let core = if core { ", core dumped" } else { "" };
    ("as a signal", Ok(format!("{}{core}", KilledBy(signal))))
}

fn has_core(words: &[String]) -> bool {
    words.windows(2).any(|pair| pair == ["core", "dumped"])
}

/// `9`, `sigkill`, `kill`
fn named(word: &str, system: System) -> Option<Signal> {
    match word.parse() {
        Ok(number) => existing(system, number),
        Err(_) => Signal::from_name_in(system, word),
    }
}

/// The signal of which the C library or Go has this message, and no other word
/// before it.
fn message(words: &[String]) -> Option<Signal> {
    const MESSAGES: [(&str, Signal); 19] = [
        ("killed", Signal::KILL),
        ("terminated", Signal::TERM),
        ("interrupt", Signal::INT),
        ("hangup", Signal::HUP),
        ("quit", Signal::QUIT),
        ("aborted", Signal::ABRT),
        ("abort", Signal::ABRT),
        ("abort trap", Signal::ABRT),
        ("segmentation fault", Signal::SEGV),
        ("segmentation violation", Signal::SEGV),
        ("bus error", Signal::BUS),
        ("illegal instruction", Signal::ILL),
        ("floating point exception", Signal::FPE),
        ("trace/breakpoint trap", Signal::TRAP),
        ("broken pipe", Signal::PIPE),
        ("alarm clock", Signal::ALRM),
        ("bad system call", Signal::SYS),
        ("user defined signal 1", Signal::USR1),
        ("user defined signal 2", Signal::USR2),
    ];
    let text = words.join(" ");
    let rest = |message: &str| Some(text.strip_prefix(message)?.trim_start().to_owned());
    let is_end = |rest: String| rest.is_empty() || rest == "core dumped";
    let found = |(message, _): &&(&str, Signal)| rest(message).is_some_and(is_end);
    MESSAGES.iter().find(found).map(|(_, signal)| *signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        of(text, System::Linux).map_or_else(String::new, |answer| answer.text)
    }

    #[test]
    fn an_end_is_found_in_words() {
        for (text, what) in [
            (
                "exit code 137",
                "killed by SIGKILL (128 + 9), or exited with 137",
            ),
            ("exited with code 143.", "killed by SIGTERM (128 + 15)"),
            ("Exited (130) 3 minutes ago", "killed by SIGINT (128 + 2)"),
            ("Exit Code:    127", "exited with 127: command not found"),
            (r#""ExitCode": 126,"#, "exited with 126"),
            (
                "rc=35584",
                "exited with 139, as a shell does if its command was killed by SIGSEGV",
            ),
            ("rc=1", "exited with 1"),
            ("returncode=-11", "killed by SIGSEGV (Python's subprocess)"),
            ("returned non-zero exit status 2.", "exited with 2"),
            ("died with <Signals.SIGKILL: 9>", "killed by SIGKILL"),
            (
                "code=exited, status=203/EXEC",
                "systemd could not execute the program",
            ),
            ("code=killed, status=9/KILL", "killed by SIGKILL"),
            (
                "code=dumped, status=6/ABRT",
                "killed by SIGABRT, core dumped",
            ),
            ("status=1/FAILURE", "exited with 1"),
            ("signal: killed", "killed by SIGKILL"),
            (
                "signal: segmentation fault (core dumped)",
                "killed by SIGSEGV, core dumped",
            ),
            ("signal: 9 (SIGKILL)", "killed by SIGKILL"),
            ("terminated by signal SIGTERM (15)", "killed by SIGTERM"),
            (
                "Segmentation fault (core dumped)",
                "killed by SIGSEGV, core dumped",
            ),
            ("Killed", "killed by SIGKILL"),
            ("OOMKilled", "OOM killer"),
            ("exit code 3221225477", "STATUS_ACCESS_VIOLATION"),
            ("ExitStatus(unix_wait_status(256))", "exited with 1"),
            ("ExitStatus(unix_wait_status(9))", "killed by SIGKILL"),
            ("$? = 34304", "exited with 134"),
            ("$?=11", "killed by SIGSEGV"),
            ("$? is 137", "killed by SIGKILL (128 + 9)"),
            ("ExitCode=0:9", "killed by SIGKILL"),
            ("DerivedExitCode=3:0", "exited with 3"),
            ("exitcode=-SIGTERM", "killed by SIGTERM"),
            (
                "script returned exit code -1",
                "not known to what reports it",
            ),
            ("$LASTEXITCODE: -1073741819", "STATUS_ACCESS_VIOLATION"),
            ("#<Process::Status: pid 12 exit 3>", "exited with 3"),
            ("pid 12 SIGKILL (signal 9)", "killed by SIGKILL"),
            (
                "[1]+  Exit 127    foo",
                "exited with 127: command not found",
            ),
            ("child exited with value 3", "exited with 3"),
            ("make[1]: *** [Makefile:3: all] Error 2", "exited with 2"),
            (
                "make: *** [all] Segmentation fault (core dumped)",
                "killed by SIGSEGV, core",
            ),
            ("code: null signal: 'SIGKILL'", "killed by SIGKILL"),
            ("has been signaled with signal \"9\"", "killed by SIGKILL"),
            (
                "Failed with result 'oom-kill'.",
                "OOM killer killed a process of the unit",
            ),
            ("{exit_status,139}", "killed by SIGSEGV (128 + 11)"),
        ] {
            assert!(said(text).contains(what), "{text}: {}", said(text));
        }
        let both = said("Reason: OOMKilled, Exit Code: 137");
        assert_eq!(both.lines().filter(|line| !line.is_empty()).count(), 2);
    }

    #[test]
    fn other_words_mean_nothing() {
        for text in [
            "",
            "foo",
            "exit code",
            "exit code x",
            "killed all humans",
            "\"OOMKilled\": false",
            "status=x/y",
            "signal: 99",
            "signal 17 (SIGCHLD) received from 12",
            "Received signal 15",
            "stopped by signal SIGTSTP",
            "Detected 1 oom-kill event(s) in StepId=1.batch",
            "exit 256",
            "make: *** [all] Foo",
            "signal=",
        ] {
            assert_eq!(said(text), "", "{text}");
        }
    }
}
