//! One line of strace's, taken apart.

use memchr::{memchr, memmem};

use super::call::{Call, string};
use super::names::{self, kind, name};
use super::prefix::{Prefixed, split};
use super::values::{action, siginfo, signal};
use super::waits;
use crate::event::How;
use crate::kernel::{Signal, WaitCall, WaitStatus};
use crate::records::log::{
    Action, Beginning, Birth, Effect, Format, Kind, LogLine, Program, Returned, Wait, What,
};
use crate::records::text::{after, arguments, number, signed};

/// How strace writes.
pub(super) struct Strace;

impl Format for Strace {
    const AT_RETURN: bool = false;

    fn line<'a>(&self, line: &'a [u8]) -> Option<LogLine<'a>> {
        let Prefixed {
            tid,
            comm,
            time,
            rest,
        } = split(line);
        let mut took = None;
        let what = match *rest.first()? {
            b'+' if rest.starts_with(b"+++ ") => Some(ended(rest.get(4..)?)),
            b'-' if rest.starts_with(b"--- ") => Some(signalled(rest.get(4..)?)),
            b'<' => resumed(rest, &mut took),
            b's' if rest.starts_with(b"strace: ") => Some(message(rest)),
            b'w' | b'c' | b'f' | b'v' | b'e' | b'r' | b's' | b'p' | b'k' | b't' => {
                called(rest, &mut took)
            }
            _ => None,
        };
        let is_foreign = what.is_none()
            && tid.is_none()
            && time.is_none()
            // `-k` shows who called, a frame a line.
            && !(name(rest).is_some() || rest.starts_with(b" > "));
        (!is_foreign).then_some(LogLine {
            pid: None,
            tid,
            comm,
            time,
            took,
            what: what.unwrap_or(What::OtherCall(rest)),
        })
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

    fn birth(&self, kind: Kind, args: &[u8]) -> Birth {
        let has = |flag: &str| memmem::find(args, flag.as_bytes()).is_some();
        let exit_signal = names::exit_signal(kind, args);
        let is_thread = has("CLONE_THREAD");
        Birth {
            how: match exit_signal {
                _ if is_thread => How::Thread,
                _ if kind == Kind::Vfork || has("CLONE_VFORK") => How::Vfork,
                Some(Signal::CHLD) => How::Fork,
                _ => How::Clone,
            },
            exit_signal: exit_signal.filter(|_| !is_thread),
            is_sibling: has("CLONE_PARENT|") && !is_thread,
            in_new_namespace: has("CLONE_NEWPID"),
        }
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
        let action = match args[..] {
            [name, new, ..] if signal(name) == Some(Signal::CHLD) => action(new),
            _ => None,
        };
        action.map_or(Action::Other, Action::Set)
    }

    fn kill(&self, args: &[u8]) -> Option<(i32, Signal)> {
        let args = arguments(args);
        let (target, _) = signed(args.first()?)?;
        Some((i32::try_from(target).ok()?, signal(args.last()?)?))
    }

    fn death_signal(&self, args: &[u8]) -> Option<Signal> {
        let name = args.strip_prefix(b"PR_SET_PDEATHSIG, ")?;
        Some(signal(name).unwrap_or(Signal::from_raw(0)))
    }
}

/// `strace: Process 12 attached with 3 threads`
fn message(text: &[u8]) -> What<'_> {
    let process = after(text, "Process ").and_then(number);
    let process = process.and_then(|(pid, rest)| Some((i32::try_from(pid).ok()?, rest)));
    match process {
        Some((pid, rest)) if rest.starts_with(b" attached") => What::Attached(pid),
        Some((pid, rest)) if rest.starts_with(b" detached") => What::Detached(pid),
        _ => What::Nothing,
    }
}

/// `wait4(-1, NULL, 0, NULL) = 12`, or its first half. `None` if it is not
/// about children: most of the calls of some kinds are not.
fn called<'a>(rest: &'a [u8], took: &mut Option<u64>) -> Option<What<'a>> {
    let kind = kind(name(rest)?)?;
    let args = memchr(b'(', rest).and_then(|at| rest.get(at + 1..))?;
    if kind == Kind::Sigaction && !args.starts_with(b"SIGCHLD") {
        return None;
    }
    let Some(end) = memmem::rfind(args, b"<unfinished ...>") else {
        let Some(call) = Call::parse(args) else {
            return Some(What::Cut(kind));
        };
        *took = call.took;
        return Some(What::Whole(kind, call.args, call.returned));
    };
    let args = args.get(..end)?;
    let is_over = kind == Kind::Exit || rest.ends_with(b"= ?");
    Some(if is_over {
        What::Whole(kind, args, Returned::Never)
    } else {
        What::Begins(kind, args)
    })
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
fn signalled(text: &[u8]) -> What<'_> {
    if let Some(name) = text.strip_prefix(b"stopped by ") {
        return What::Stopped(signal(name));
    }
    What::Signalled {
        signal: signal(text),
        info: memchr(b'{', text).and_then(|at| siginfo(text.get(at..)?)),
        effect: Effect::OnOtherLines,
    }
}

/// `exited with 42 +++`, `killed by SIGABRT (core dumped) +++`,
/// `superseded by execve in pid 12 +++`
fn ended(text: &[u8]) -> What<'_> {
    if let Some(by) = text.strip_prefix(b"superseded by execve in pid ") {
        let former = number(by).and_then(|(by, _)| i32::try_from(by).ok());
        return former.map_or(What::Nothing, What::SupersededBy);
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
    status.map_or(What::Nothing, What::ThreadEnded)
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
