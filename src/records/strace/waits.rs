//! A wait call, from what strace shows of it.

use memchr::memmem;

use super::parser::Apart;
use super::values::{int, rusage, siginfo, status, value};
use crate::event::{Comm, Fetched, NOT_SHOWN, Named, TargetName, WaitEntry};
use crate::kernel::{Abi, IdType, WaitCall, WaitOptions};
use crate::records::log::{Kind, Wait};
use crate::records::text::{after, arguments, hexadecimal, number, signed};

/// `None` if the text does not hold all arguments; a `?` is one that is not
/// known, dots are some that who wrote of the log has left out.
pub(super) fn parse(call: WaitCall, args: &[u8]) -> Option<Wait> {
    let mut args = arguments(args);
    let spelled = args.iter().position(|arg| is_left_out(arg));
    let statuses: Vec<Vec<u8>>;
    if let Some(at) = spelled {
        statuses = args
            .iter()
            .filter_map(|arg| status_amid_dots(arg))
            .collect();
        let count = match call {
            WaitCall::Waitid => 5,
            WaitCall::Wait4 | WaitCall::Wait6 => 4,
            WaitCall::Waitpid => 3,
        };
        fill(&mut args, at, count, statuses.first().map(Vec::as_slice));
    }
    let (named, target, place, options, rusage_arg) = match (call, &args[..]) {
        (WaitCall::Wait4, [pid, place, options, usage]) => {
            (of_pid(pid)?, target(pid), place, options, Some(*usage))
        }
        (WaitCall::Waitpid, [pid, place, options]) => {
            (of_pid(pid)?, target(pid), place, options, None)
        }
        (WaitCall::Waitid, [kind, id, place, options, usage]) => {
            (of_id(kind, id)?, target(id), place, options, Some(*usage))
        }
        _ => return None,
    };
    let usage = rusage_arg.map_or(Fetched::Null, |text| fetched(text, rusage(text)));
    let entry = WaitEntry {
        call,
        // It matters for layouts alone, and those strace has read.
        abi: Abi::X86_64,
        named,
        options: match *options {
            b"?" => WaitOptions::from_raw(0),
            options => std::str::from_utf8(value(options)).ok()?.parse().ok()?,
        },
        result_at: address(place)?,
        rusage_at: rusage_arg.map_or(Some(0), address)?,
        info_at: 0,
        is_restart: false,
        is_half: *options == b"?",
        pidfd: match &target {
            Some(TargetName::PidFd(pid)) => Some(*pid),
            _ => None,
        },
        target,
        stack: None,
    };
    let (status, info) = if call == WaitCall::Waitid {
        (Fetched::Null, fetched(place, siginfo(place)))
    } else {
        (fetched(place, status(place)), Fetched::Null)
    };
    Some(Wait {
        entry,
        status,
        info,
        rusage: usage,
    })
}

/// What stands for what was left out.
const DOTS: [&[u8]; 2] = [b"...", "\u{2026}".as_bytes()];

fn is_left_out(arg: &[u8]) -> bool {
    DOTS.iter().any(|dots| arg.starts_with(dots))
}

/// `[WEXITSTATUS(s) == 0` of `... WEXITSTATUS(s) == 0 ...`
fn status_amid_dots(arg: &[u8]) -> Option<Vec<u8>> {
    let status = memmem::find(arg, b"STATUS(s) == ").or_else(|| memmem::find(arg, b"SIG(s) == "));
    status.filter(|_| is_left_out(arg))?;
    Some([b"[", arg].concat())
}

/// Question marks for the arguments that dots at a place stand for, so that there are so
/// many; a status amid the dots is the second.
fn fill<'a>(args: &mut Vec<&'a [u8]>, at: usize, count: usize, status: Option<&'a [u8]>) {
    let missing = (count + 1).saturating_sub(args.len());
    args.splice(at..=at, std::iter::repeat_n(&b"?"[..], missing));
    if let (Some(status), Some(place)) = (status, args.get_mut(1).filter(|it| **it == b"?")) {
        *place = status;
    }
}

/// The arguments that strace writes when a call begins.
fn shown_first(call: WaitCall) -> usize {
    match call {
        WaitCall::Waitid => 2,
        WaitCall::Wait4 | WaitCall::Waitpid | WaitCall::Wait6 => 1,
    }
}

/// A wait's first half: `-1, ` or `P_PID, 12, `.
pub(super) fn parse_first(call: WaitCall, first: &[u8]) -> Option<WaitEntry> {
    let rest: &[u8] = match call {
        WaitCall::Waitpid => b"?, ?",
        WaitCall::Wait4 | WaitCall::Waitid | WaitCall::Wait6 => b"?, ?, ?",
    };
    Some(parse_halves(call, first, rest)?.entry)
}

/// A wait's second half: `[{…}], 0, NULL`.
pub(super) fn parse_rest(call: WaitCall, rest: &[u8]) -> Option<Wait> {
    parse_halves(call, b"?, ?", rest)
}

/// Both halves; what stands behind the arguments of the first is the
/// program's output.
pub(super) fn parse_halves(call: WaitCall, first: &[u8], rest: &[u8]) -> Option<Wait> {
    let mut all = arguments(first);
    all.truncate(shown_first(call));
    // Some versions write the comma with what follows it.
    all.push(rest.strip_prefix(b", ").unwrap_or(rest));
    parse(call, &all.join(&b", "[..]))
}

/// How much of the first half of a wait or of a call that creates a task, from
/// its name on, are its arguments; the rest is the program's output.
pub(super) fn first_half(line: &Apart<'_>) -> Option<usize> {
    let begin = line.call?.len() + 1;
    let args = line.args()?;
    let call = match line.kind? {
        Kind::Wait(call) => call,
        Kind::Create | Kind::Vfork => {
            // Of these strace shows none before they return.
            let first = ["child_stack=", "flags=", "{flags=", ")"];
            let is_shown = |first: &&str| args.starts_with(first.as_bytes());
            return (!first.iter().any(is_shown)).then_some(begin);
        }
        _ => return None,
    };
    let mut at = 0;
    for _ in 0..shown_first(call) {
        at += memmem::find(args.get(at..)?, b", ")? + 2;
    }
    Some(begin + at)
}

fn of_pid(text: &[u8]) -> Option<Named> {
    if text == b"?" {
        return Some(Named::Unknown);
    }
    Some(Named::Pid(int(text)?))
}

fn of_id(kind: &[u8], id: &[u8]) -> Option<Named> {
    if kind == b"?" {
        return Some(Named::Unknown);
    }
    let kind = match int(kind) {
        Some(number) => IdType::from_raw(number.cast_unsigned()),
        None => std::str::from_utf8(kind).ok()?.parse().ok()?,
    };
    Some(Named::Id(kind, int(id)?.cast_unsigned()))
}

/// `12<name>` (`-Y`), `3<anon_inode:[pidfd]>` (`-y`), `3<pid:12>` (`-yy`).
fn target(text: &[u8]) -> Option<TargetName> {
    let at = memmem::find(text, b"<")?;
    let name = text.get(at + 1..)?.strip_suffix(b">")?;
    if let Some(pid) = name.strip_prefix(b"pid:") {
        return Some(TargetName::PidFd(i32::try_from(signed(pid)?.0).ok()?));
    }
    Some(match after(name, ":[") {
        Some(_) => TargetName::Link(name.to_vec()),
        None => TargetName::Comm(Comm::new(name)),
    })
}

fn address(text: &[u8]) -> Option<u64> {
    match text {
        // qemu-user writes it as C's `%p` does.
        b"NULL" | b"(nil)" => Some(0),
        [b'[' | b'{', ..] | b"?" => Some(NOT_SHOWN),
        // `-e raw` writes NULL as 0.
        _ => hexadecimal(text).or_else(|| number(text)).map(|(at, _)| at),
    }
}

/// What lay where an argument points to.
fn fetched<T>(text: &[u8], value: Option<T>) -> Fetched<T> {
    match (address(text), value) {
        (Some(0), _) => Fetched::Null,
        (addr, Some(value)) => Fetched::Value {
            addr: addr.unwrap_or(NOT_SHOWN),
            value,
        },
        (addr, None) => Fetched::Unread {
            addr: addr.unwrap_or(NOT_SHOWN),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{NsPid, WaitStatus};

    /// The arguments of a wait, and the status that it shows.
    fn shown(call: WaitCall, args: &str) -> Option<(Named, bool, Option<i32>)> {
        let wait = parse(call, args.as_bytes())?;
        let status = wait.status.value().copied().map(WaitStatus::raw);
        Some((wait.entry.named, wait.entry.is_half, status))
    }

    #[test]
    fn dots_stand_for_what_was_left_out() {
        let any = Named::Pid(-1);
        let (seven, unknown) = (Named::Pid(7), Named::Unknown);
        for (args, expected) in [
            (
                "-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], ...",
                (any, true, Some(768)),
            ),
            (
                "-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, ...",
                (any, false, Some(768)),
            ),
            ("7, ..., 0, NULL", (seven, false, None)),
            ("7, ...", (seven, true, None)),
            ("...", (unknown, true, None)),
            ("\u{2026}", (unknown, true, None)),
            (
                "?, \u{2026} WEXITSTATUS(s) == 3 \u{2026}",
                (unknown, true, Some(768)),
            ),
            (
                "-1, ... WTERMSIG(s) == SIGKILL ..., 0, NULL",
                (any, false, Some(9)),
            ),
        ] {
            assert_eq!(shown(WaitCall::Wait4, args), Some(expected), "{args}");
        }
        assert_eq!(shown(WaitCall::Wait4, "-1, [{WIFEXITED(s) && "), None);
        let waitid = parse(WaitCall::Waitid, b"P_PID, 7, ..., WEXITED, NULL");
        assert!(waitid.is_some_and(|wait| wait.entry.named.process() == Some(NsPid::new(7))));
    }
}
