//! Which calls matter, and what their first words mean.

use super::values::signal;
use crate::kernel::{Signal, WaitCall};
use crate::records::log::Kind;
use crate::records::text::after;

/// The call of a name, if it matters.
pub(super) fn kind(name: &[u8]) -> Option<Kind> {
    Some(match name {
        b"wait4" => Kind::Wait(WaitCall::Wait4),
        b"waitid" => Kind::Wait(WaitCall::Waitid),
        b"waitpid" => Kind::Wait(WaitCall::Waitpid),
        b"clone" | b"clone2" | b"clone3" | b"fork" => Kind::Create,
        b"vfork" => Kind::Vfork,
        b"execve" | b"execveat" => Kind::Exec,
        b"exit_group" | b"exit" => Kind::Exit,
        b"rt_sigaction" | b"sigaction" => Kind::Sigaction,
        b"prctl" => Kind::Prctl,
        b"rt_sigreturn" | b"sigreturn" => Kind::Sigreturn,
        b"kill" | b"tkill" | b"tgkill" => Kind::Kill,
        _ => return None,
    })
}

/// The name of a call, if the text begins with one.
pub(super) fn name(text: &[u8]) -> Option<&[u8]> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = text
        .iter()
        .take(32)
        .take_while(|byte| is_word(byte))
        .count();
    let is_call = length > 0 && text.get(length) == Some(&b'(');
    text.get(..length).filter(|_| is_call)
}

/// The signal that a child's end sends; clone3 names it, clone has it as the
/// last of its flags.
pub(super) fn exit_signal(kind: Kind, args: &[u8]) -> Option<Signal> {
    if let Some(name) = after(args, "exit_signal=") {
        return signal(name).filter(|signal| signal.raw() != 0);
    }
    let Some(flags) = after(args, "flags=") else {
        // fork and vfork.
        let plain = kind == Kind::Vfork || args.trim_ascii().is_empty();
        return plain.then_some(Signal::CHLD);
    };
    let flags = flags
        .split(|byte| matches!(byte, b',' | b'}' | b' ' | b')'))
        .next()?;
    signal(flags.rsplit(|byte| *byte == b'|').next()?)
}
