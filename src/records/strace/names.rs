//! Which calls matter, and what their first words mean.

use super::values::signal;
use crate::event::How;
use crate::kernel::{Signal, WaitCall};
use crate::records::log::{Birth, Kind};
use crate::records::text::{after, signed};

/// The call of a name, if it matters.
pub(super) fn kind(name: &[u8]) -> Option<Kind> {
    Some(match name {
        b"wait4" => Kind::Wait(WaitCall::Wait4),
        b"waitid" => Kind::Wait(WaitCall::Waitid),
        b"waitpid" => Kind::Wait(WaitCall::Waitpid),
        b"clone" | b"clone2" | b"clone3" | b"fork" => Kind::Create,
        b"vfork" => Kind::Vfork,
        b"execve" | b"execveat" => Kind::Exec,
        b"exit_group" | b"exit" | b"_exit" => Kind::Exit,
        b"rt_sigaction" | b"sigaction" => Kind::Sigaction,
        b"prctl" => Kind::Prctl,
        b"rt_sigreturn" | b"sigreturn" => Kind::Sigreturn,
        b"kill" | b"tkill" | b"tgkill" => Kind::Kill,
        b"unshare" | b"setns" => Kind::Namespace,
        _ => return None,
    })
}

/// The name of a call, if the text begins with one.
pub(super) fn name(text: &[u8]) -> Option<&[u8]> {
    // No call has a capital, the macros of a status have nothing else.
    let is_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_';
    let length = text
        .iter()
        .take(32)
        .take_while(|byte| is_word(byte))
        .count();
    let is_call = length > 0 && text.get(length) == Some(&b'(');
    text.get(..length).filter(|_| is_call)
}

/// How a call creates a task (`include/uapi/linux/sched.h`).
pub(super) fn birth(kind: Kind, args: &[u8]) -> Birth {
    const VM: u64 = 0x100;
    const VFORK: u64 = 0x4000;
    const PARENT: u64 = 0x8000;
    const THREAD: u64 = 0x1_0000;
    const NEWPID: u64 = 0x2000_0000;
    let flags = flags(args);
    let bits = flags.and_then(|flags| Some(signed(flags)?.0.cast_unsigned()));
    let has = |name: &[u8], bit: u64| match (bits, flags) {
        (Some(bits), _) => bits & bit != 0,
        (None, Some(flags)) => flags.split(|byte| *byte == b'|').any(|it| it == name),
        (None, None) => false,
    };
    // clone3 names the signal, clone has it as the last of its flags.
    let named = after(args, "exit_signal=").map(signal);
    let exit_signal = match (named, bits, flags) {
        (Some(named), ..) => named,
        (None, Some(bits), _) => i32::try_from(bits & 0xff).ok().map(Signal::from_raw),
        (None, None, Some(flags)) => flags.rsplit(|byte| *byte == b'|').next().and_then(|last| {
            // Who cut the name short, or left it out, left out no other.
            let is_cut = last.starts_with(b"SIG") || last.starts_with(b"...");
            let is_shared = has(b"CLONE_VM", VM);
            signal(last).or((is_cut && !is_shared).then_some(Signal::CHLD))
        }),
        // fork and vfork.
        _ if kind == Kind::Vfork || args.trim_ascii().is_empty() => Some(Signal::CHLD),
        _ => None,
    };
    let exit_signal = exit_signal.filter(|signal| signal.raw() != 0);
    let is_thread = has(b"CLONE_THREAD", THREAD);
    Birth {
        how: match exit_signal {
            _ if is_thread => How::Thread,
            _ if kind == Kind::Vfork || has(b"CLONE_VFORK", VFORK) => How::Vfork,
            Some(Signal::CHLD) => How::Fork,
            _ => How::Clone,
        },
        exit_signal: exit_signal.filter(|_| !is_thread),
        is_sibling: has(b"CLONE_PARENT", PARENT) && !is_thread,
        in_new_namespace: has(b"CLONE_NEWPID", NEWPID),
    }
}

/// The flags of a clone: names, or a number (`-X`, `-e raw`).
fn flags(args: &[u8]) -> Option<&[u8]> {
    let named = after(args, "flags=");
    // `-e raw`, and qemu-user.
    let first = || {
        let begins = [&b"0x"[..], b"CLONE_", b"SIG"];
        begins
            .iter()
            .any(|begin| args.starts_with(begin))
            .then_some(args)
    };
    let flags = named.or_else(first)?;
    let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b')');
    flags.split(is_end).next()
}
