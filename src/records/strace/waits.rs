//! A wait call, from what strace shows of it.

use memchr::memmem;

use super::values::{rusage, siginfo, status};
use crate::event::{Comm, Fetched, Named, TargetName, WaitEntry};
use crate::kernel::{Abi, IdType, WaitCall, WaitOptions};
use crate::records::log::Wait;
use crate::records::text::{after, arguments, hexadecimal, signed};

/// The address of what strace shows the value of.
const NOT_SHOWN: u64 = u64::MAX;

/// `None` if the text does not hold all arguments.
pub(super) fn parse(call: WaitCall, args: &[u8]) -> Option<Wait> {
    let args = arguments(args);
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
        options: std::str::from_utf8(options)
            .ok()?
            .parse::<WaitOptions>()
            .ok()?,
        result_at: address(place)?,
        rusage_at: rusage_arg.map_or(Some(0), address)?,
        info_at: 0,
        is_restart: false,
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

fn of_pid(text: &[u8]) -> Option<Named> {
    let (pid, _) = signed(text)?;
    Some(Named::Pid(i32::try_from(pid).ok()?))
}

fn of_id(kind: &[u8], id: &[u8]) -> Option<Named> {
    let kind: IdType = std::str::from_utf8(kind).ok()?.parse().ok()?;
    let (id, _) = signed(id)?;
    let id = u32::try_from(id)
        .ok()
        .or_else(|| Some(i32::try_from(id).ok()?.cast_unsigned()))?;
    Some(Named::Id(kind, id))
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
        b"NULL" => Some(0),
        [b'[' | b'{', ..] => Some(NOT_SHOWN),
        _ => hexadecimal(text).map(|(address, _)| address),
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
