//! One line of strace's, taken apart.

use memchr::{memchr, memmem};

use super::call::{Call, string};
use super::names::{self, kind, name};
use super::prefix::{Prefixed, split};
use super::values::{action, int, siginfo, signal};
use super::waits;
use crate::event::WaitEntry;
use crate::kernel::{Signal, WaitCall, WaitStatus};
use crate::records::log::{
    Action, Beginning, Birth, Effect, Format, Kind, LogLine, Program, Returned, Wait, What,
};
use crate::records::text::{after, arguments, number};

/// How strace writes.
pub(super) struct Strace;

/// A line whose prefix is taken off, and the call that it begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Apart<'a> {
    pub(super) prefixed: Prefixed<'a>,
    pub(super) call: Option<&'a [u8]>,
    /// What the call does, if it matters.
    pub(super) kind: Option<Kind>,
}

impl<'a> Apart<'a> {
    pub(super) fn of(line: &'a [u8]) -> Apart<'a> {
        let prefixed = split(line);
        let call = name(prefixed.rest);
        Apart {
            prefixed,
            call,
            kind: call.and_then(kind),
        }
    }

    /// What stands behind the parenthesis of a call.
    pub(super) fn args(&self) -> Option<&'a [u8]> {
        self.prefixed.rest.get(self.call?.len() + 1..)
    }

    /// What the line says; `None` if it is not strace's.
    pub(super) fn line(&self) -> Option<LogLine<'a>> {
        let Prefixed {
            tid,
            comm,
            time,
            rest,
        } = self.prefixed;
        let mut took = None;
        let what = match *rest.first()? {
            _ if self.kind.is_some() => match called(self, &mut took) {
                Some(What::Whole(kind, args, _)) if !is_believable(kind, self.call?, args) => {
                    return None;
                }
                what => what,
            },
            b'+' if rest.starts_with(b"+++ ") => Some(ended(rest.get(4..)?)?),
            b'-' if rest.starts_with(b"--- ") => Some(signalled(rest.get(4..)?)?),
            b'<' => resumed(rest, &mut took),
            b's' if rest.starts_with(b"strace: ") => Some(notice(rest).unwrap_or(What::Nothing)),
            b'P' | b'.' | b'/' => notice(rest),
            _ => None,
        };
        // What a program wrote may begin with a number, as lines with a pid do.
        let is_foreign = what.is_none() && self.call.is_none() && !is_own(rest);
        (!is_foreign).then_some(LogLine {
            pid: None,
            tid,
            comm,
            time,
            took,
            what: what.unwrap_or(What::OtherCall(rest)),
            text: rest,
        })
    }
}

impl Format for Strace {
    const AT_RETURN: bool = false;

    fn line<'a>(&self, line: &'a [u8]) -> Option<LogLine<'a>> {
        Apart::of(line).line()
    }

    /// Empty lines are of no program.
    fn is_data(&self, line: &[u8]) -> bool {
        line.trim_ascii().is_empty()
    }

    fn beginning(&self, line: &LogLine<'_>) -> Beginning {
        match line.what {
            What::Begins(Kind::Exec, _) | What::Whole(Kind::Exec, ..) | What::Cut(Kind::Exec) => {
                Beginning::Launch
            }
            _ => Beginning::Attach,
        }
    }

    fn wait(&self, call: WaitCall, args: &[u8]) -> Option<Wait> {
        waits::parse(call, args)
    }

    fn wait_of_halves(&self, call: WaitCall, first: &[u8], rest: &[u8]) -> Option<Wait> {
        let joined = waits::parse(call, &[first, rest].concat());
        joined.or_else(|| waits::parse_halves(call, first, rest))
    }

    fn half_of_wait(&self, call: WaitCall, args: &[u8]) -> Option<WaitEntry> {
        waits::parse_first(call, args)
    }

    fn rest_of_wait(&self, call: WaitCall, rest: &[u8]) -> Option<Wait> {
        waits::parse_rest(call, rest)
    }

    fn birth(&self, kind: Kind, args: &[u8]) -> Birth {
        names::birth(kind, args)
    }

    fn enters_pid_namespace(&self, args: &[u8]) -> bool {
        memmem::find(args, b"CLONE_NEWPID").is_some()
    }

    /// Of `"/bin/sh", ["sh", "-c", "exit 3"], 0x7ffe /* 39 vars */`, or of
    /// execveat's `AT_FDCWD, "/bin/sh", …`. A path that was cut short is no
    /// path.
    fn program(&self, args: &[u8]) -> Program {
        let args = arguments(args);
        let mut words = args.iter().skip_while(|word| !word.starts_with(b"\""));
        let path = words.next().and_then(|path| string(path));
        Program {
            path: path.and_then(|(path, is_cut)| (!is_cut).then_some(path)),
            argv: words.next().map(|list| strings(list)).unwrap_or_default(),
        }
    }

    fn action(&self, args: &[u8]) -> Action {
        let args = arguments(args);
        match args[..] {
            [name, new, ..] if signal(name) == Some(Signal::CHLD) && new != b"NULL" => {
                action(new).map_or(Action::Unknown, Action::Set)
            }
            _ => Action::Other,
        }
    }

    fn kill(&self, args: &[u8]) -> Option<(i32, Signal)> {
        let args = arguments(args);
        Some((int(args.first()?)?, signal(args.last()?)?))
    }

    fn death_signal(&self, args: &[u8]) -> Option<Signal> {
        let name = args.strip_prefix(b"PR_SET_PDEATHSIG, ")?;
        Some(signal(name).unwrap_or(Signal::from_raw(0)))
    }
}

/// Whether a text is of strace, though it says nothing of children and is no call with
/// a name: a call without one, a frame of `-k`, or that a process is a 32-bit one.
fn is_own(text: &[u8]) -> bool {
    let marks = [&b" > "[..], b"<... ", b"SYS_", b"????", b"[ Process PID="];
    marks.iter().any(|mark| text.starts_with(mark)) || is_tail(text)
}

/// Whether a text is what strace writes behind a program's output that stands in a call.
pub(super) fn is_tail(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let result = text.strip_prefix(b")").map(<[u8]>::trim_ascii_start);
    result.is_some_and(|result| result.starts_with(b"= "))
        || matches!(text, b"<unfinished ...>" | b"<detached ...>")
}

/// Whether a line is of a call that matters, and lacks nothing.
pub(super) fn is_whole(line: &[u8]) -> bool {
    match Strace.line(line).map(|line| line.what) {
        Some(What::Whole(Kind::Wait(call), args, _)) => waits::parse(call, args).is_some(),
        Some(What::Ends(Kind::Wait(call), args, _)) => waits::parse_rest(call, args).is_some(),
        Some(What::Begins(Kind::Wait(call), args)) => waits::parse_first(call, args).is_some(),
        Some(What::Whole(..) | What::Ends(..) | What::Begins(..)) => true,
        _ => false,
    }
}

/// `strace: Process 12 attached with 3 threads`; without `strace: ` to 4.7.
fn notice(text: &[u8]) -> Option<What<'_>> {
    // It calls itself as it was called.
    let text = match memmem::find(text, b"Process ")? {
        0 => text,
        at => {
            let (before, text) = text.split_at_checked(at)?;
            caller(before).filter(|at| *at == 0)?;
            text
        }
    };
    let (pid, rest) = number(text.strip_prefix(b"Process ")?)?;
    let pid = i32::try_from(pid).ok()?;
    let verb = rest.strip_prefix(b" ")?;
    let end = verb.iter().position(|byte| !byte.is_ascii_lowercase());
    match verb.get(..end.unwrap_or(verb.len()))? {
        b"attached" => Some(What::Attached(pid)),
        b"detached" => Some(What::Detached(pid)),
        b"suspended" | b"resumed" => Some(What::Nothing),
        _ => None,
    }
}

/// The task that a notice at the end of a line says is traced from now on.
pub(super) fn announced(line: &[u8]) -> Option<i32> {
    let begin = memmem::rfind(line, b"Process ")?;
    match notice(line.get(begin..)?)? {
        What::Attached(pid) => Some(pid),
        _ => None,
    }
}

/// How long a notice of strace's is at most, from `Process` on.
const LONGEST_NOTICE: usize = 80;

/// Where a notice of strace's begins that ends a line, amid a call.
pub(super) fn notice_at_end(line: &[u8]) -> Option<usize> {
    // Most lines end in a number, which no notice does: they need no search.
    let may_be = matches!(line.last(), Some(b'a'..=b'z' | b')' | b' ')) || line.ends_with(b"...>");
    if !may_be {
        return None;
    }
    let end = line.get(line.len().saturating_sub(LONGEST_NOTICE)..)?;
    let mut capitals = memchr::memrchr_iter(b'P', end);
    let is_process = |at: &usize| {
        end.get(*at..)
            .is_some_and(|end| end.starts_with(b"Process "))
    };
    let begin = line.len() - end.len() + capitals.find(is_process)?;
    let text = line.get(begin..)?;
    notice(text)?;
    let begin = caller(line.get(..begin)?).unwrap_or(begin);
    (begin > 0).then_some(begin)
}

/// Where `strace: ` or `/usr/bin/strace: ` begins that ends a text.
fn caller(text: &[u8]) -> Option<usize> {
    let before = text.strip_suffix(b"strace: ")?;
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./".contains(byte);
    let run = before
        .iter()
        .rev()
        .take_while(|byte| is_inner(byte))
        .count();
    let path = before.get(before.len() - run..)?;
    let slash = path.iter().position(|byte| *byte == b'/');
    let begin = match slash.filter(|_| path.ends_with(b"/")) {
        Some(at) => {
            let dots = path.get(..at)?.iter().rev();
            before.len() - run + at - dots.take_while(|byte| **byte == b'.').count()
        }
        None => before.len(),
    };
    Some(begin)
}

/// Whether a line is a notice of strace's alone.
pub(super) fn is_notice(line: &[u8]) -> bool {
    notice(line).is_some()
}

/// `wait4(-1, NULL, 0, NULL) = 12`, or its first half. `None` if it is not
/// about children: most of the calls of some kinds are not.
fn called<'a>(line: &Apart<'a>, took: &mut Option<u64>) -> Option<What<'a>> {
    let (kind, args) = (line.kind?, line.args()?);
    if kind == Kind::Sigaction && !is_sigchld(args) {
        let is_cut = memchr(b',', args).is_none() && !args.ends_with(b"...>");
        return is_cut.then_some(What::Cut(kind));
    }
    if let Some(args) = args.strip_suffix(b"<detached ...>") {
        return Some(What::LeftIn(kind, args));
    }
    let Some(end) = memmem::rfind(args, b"<unfinished ...>") else {
        let Some(call) = Call::parse(args) else {
            return Some(What::Cut(kind));
        };
        *took = call.took;
        let has_none = line.call.is_some_and(|call| call.ends_with(b"fork"));
        if has_none
            && !call.args.trim_ascii().is_empty()
            && is_believable(kind, line.call?, call.args)
        {
            // Several calls, of which the last has this result.
            return Some(What::Cut(kind));
        }
        return Some(What::Whole(kind, call.args, call.returned));
    };
    let args = args.get(..end)?;
    let is_over = kind == Kind::Exit || line.prefixed.rest.ends_with(b"= ?");
    Some(if is_over {
        What::Whole(kind, args, Returned::Never)
    } else {
        What::Begins(kind, args)
    })
}

/// Whether arguments begin with SIGCHLD.
fn is_sigchld(args: &[u8]) -> bool {
    // Nearly all names of signals are others.
    let may_be = args.starts_with(b"SIGCH") || !args.starts_with(b"SIG");
    may_be && signal(args) == Some(Signal::CHLD)
}

/// `<... wait4 resumed>[{…}], 0, NULL) = 12`
fn resumed<'a>(rest: &'a [u8], took: &mut Option<u64>) -> Option<What<'a>> {
    let text = rest.strip_prefix(b"<... ")?;
    let end = text.iter().take(32).position(|byte| *byte == b' ')?;
    let (call, text) = text.split_at(end);
    let kind = kind(call)?;
    let parsed = text.strip_prefix(b" resumed>").and_then(Call::parse);
    let Some(call) = parsed else {
        return Some(What::Cut(kind));
    };
    *took = call.took;
    Some(What::Ends(kind, call.args, call.returned))
}

/// `SIGCHLD {si_signo=…} ---`, `stopped by SIGSTOP ---`
fn signalled(text: &[u8]) -> Option<What<'_>> {
    if let Some(name) = text.strip_prefix(b"stopped by ") {
        return Some(What::Stopped(signal(name)));
    }
    // Up to 4.6 an explanation follows, `(Child exited) @ 0 (0)`; else it is prose.
    let behind = memchr(b' ', text).and_then(|at| text.get(at + 1..));
    let is_ours = behind.is_none_or(|text| matches!(text.first(), Some(b'{' | b'(' | b'-') | None));
    let is_signal = text.starts_with(b"SIG") || text.first().is_some_and(u8::is_ascii_digit);
    (is_ours && is_signal).then(|| What::Signalled {
        signal: signal(text),
        info: memchr(b'{', text).and_then(|at| siginfo(text.get(at..)?)),
        effect: Effect::OnOtherLines,
    })
}

/// Whether a whole call has arguments as strace writes them, and not as a program that
/// says what it does: `waitpid(pid, &status, 0) = 77`.
fn is_believable(kind: Kind, call: &[u8], args: &[u8]) -> bool {
    let is_value = |arg: &&[u8]| match arg.first() {
        Some(b'(') => arg.starts_with(b"(nil)"),
        Some(first) => !first.is_ascii_lowercase() && !b"&*<".contains(first),
        None => false,
    };
    let begin = args.trim_ascii_start();
    match kind {
        // Output may stand in it.
        Kind::Wait(_) => {
            let shows = |mark: &str| memmem::find(args, mark.as_bytes()).is_some();
            shows("{WIF") || shows("{si_") || arguments(args).iter().all(is_value)
        }
        Kind::Create | Kind::Vfork if call.ends_with(b"fork") => {
            begin.is_empty() || is_value(&begin)
        }
        _ => true,
    }
}

/// `exited with 42 +++`, `killed by SIGABRT (core dumped) +++`,
/// `superseded by execve in pid 12 +++`
fn ended(text: &[u8]) -> Option<What<'_>> {
    let begins = [&b"exited"[..], b"killed", b"superseded"];
    if !begins.iter().any(|begin| text.starts_with(begin)) {
        return None;
    }
    if let Some(by) = text.strip_prefix(b"superseded by execve in pid ") {
        let former = number(by).and_then(|(by, _)| i32::try_from(by).ok());
        return Some(former.map_or(What::Nothing, What::SupersededBy));
    }
    let word = if let Some(code) = text.strip_prefix(b"exited with ") {
        number(code).and_then(|(code, _)| Some((i32::try_from(code).ok()? & 0xff) << 8))
    } else {
        let core = if after(text, "core dumped").is_some() {
            0x80
        } else {
            0
        };
        let name = text.strip_prefix(b"killed by ");
        name.and_then(|name| Some(signal(name)?.raw() & 0x7f | core))
    };
    let status = word.map(WaitStatus::from_raw);
    Some(status.map_or(What::Nothing, What::ThreadEnded))
}

/// `["sh", "-c", "long"...]`; what is cut short shows it.
fn strings(list: &[u8]) -> Vec<Vec<u8>> {
    let inner = list.strip_prefix(b"[");
    let inner = inner.and_then(|list| list.strip_suffix(b"]"));
    let words = inner.map(arguments).unwrap_or_default();
    let words = words.into_iter().filter_map(string);
    words
        .map(|(mut word, is_cut)| {
            if is_cut {
                word.extend(b"...");
            }
            word
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_of_its_calls_is_no_call() {
        let what = |line: &'static str| Strace.line(line.as_bytes()).map(|line| line.what);
        for line in [
            "waitpid(77) = 77",
            "waitpid(pid, &status, 0) = 77",
            "wait4() = 3",
            "wait4(-1, status, 0, NULL) = 77",
            "fork(child) = 77",
            "--- SIGCHLD received ---",
        ] {
            let is_said = match what(line) {
                None => true,
                // It is cut short.
                Some(What::Whole(Kind::Wait(call), args, _)) => waits::parse(call, args).is_none(),
                _ => false,
            };
            assert!(is_said, "{line}");
        }
        for line in [
            "waitpid(77, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0) = 77",
            "wait4(0xffffffff, 0x7ffd, 0, 0) = 77",
            "waitid(P_ALL, -1, {}, WNOHANG|WEXITED, NULL) = 0",
            "wait4(-1, hello [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 7",
            "vfork() = 7",
            "--- SIGCHLD (Child exited) @ 0 (0) ---",
            "--- SIGCHLD {si_signo=SIGCHLD} ---",
            "--- SIGCHLD ---",
        ] {
            assert!(what(line).is_some(), "{line}");
        }
        let several = what("fork() = 601 600 getpid() = 600");
        assert_eq!(several, Some(What::Cut(Kind::Create)));
    }

    #[test]
    fn a_command_line_is_read() {
        let program =
            Strace.program(br#""/bin/sh", ["sh", "-c", "a, \"b\""...], 0x7ffe /* 39 vars */"#);
        let argv: Vec<&[u8]> = program.argv.iter().map(Vec::as_slice).collect();
        assert_eq!(argv, [&b"sh"[..], b"-c", b"a, \"b\"..."]);
        assert_eq!(program.path.as_deref(), Some(&b"/bin/sh"[..]));
    }

    #[test]
    fn a_path_that_was_cut_short_is_none() {
        let program = Strace.program(br#""/very/long/pa"..., ["x"], NULL"#);
        assert_eq!(program.path, None);
    }
}
