//! A call as strace writes it, taken apart: arguments and result.

use memchr::memmem;

use crate::kernel::Errno;
use crate::records::log::Returned;
use crate::records::text::{last_equals, number, seconds, signed};

/// A call or the rest of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call<'a> {
    /// Between the parentheses, without the last.
    pub(super) args: &'a [u8],
    /// What it returned.
    pub(super) returned: Returned,
    /// How long it took, in nanoseconds (`-T`).
    pub(super) took: Option<u64>,
}

impl<'a> Call<'a> {
    /// `-1, NULL, 0, NULL) = 12 <0.000031>`: what follows the name and the
    /// parenthesis, or `resumed>`.
    pub(super) fn parse(text: &'a [u8]) -> Option<Call<'a>> {
        // The result has no ` = ` in it; arguments may.
        let at = last_equals(text)?;
        let args = text.get(..at)?.trim_ascii_end().strip_suffix(b")")?;
        let result = text.get(at + 3..)?;
        let (took, result) = duration(result);
        Some(Call {
            args,
            returned: returned(result)?,
            took,
        })
    }
}

/// Whether a text is what strace writes behind a call: `= 12 <0.000031>`.
pub(super) fn is_result(text: &[u8]) -> bool {
    let result = text.strip_prefix(b"= ").map(<[u8]>::trim_ascii);
    result.is_some_and(|result| returned(duration(result).1).is_some())
}

/// ` <0.000031>` at the end, and what is before it.
fn duration(result: &[u8]) -> (Option<u64>, &[u8]) {
    let taken = || {
        let inner = result.strip_suffix(b">")?;
        let at = memchr::memrchr(b'<', inner)?;
        let before = inner.get(..at)?.strip_suffix(b" ")?;
        let (nanos, rest) = seconds(inner.get(at + 1..)?)?;
        rest.is_empty().then_some((Some(nanos), before))
    };
    taken().unwrap_or((None, result))
}

fn returned(result: &[u8]) -> Option<Returned> {
    if result == b"?" || result == b"? <unavailable>" {
        return Some(Returned::Never);
    }
    if let Some(rest) = result.strip_prefix(b"? ") {
        return Some(Returned::Error(errno(rest)?));
    }
    if result.starts_with(b"-1 E") {
        return Some(Returned::Error(errno(result.get(3..)?)?));
    }
    if let Some(errno) = result.strip_prefix(b"-1 errno=") {
        // qemu-user's.
        let errno = i32::try_from(number(errno)?.0).ok()?;
        return Some(Returned::Error(Errno::from_raw(errno)));
    }
    let (value, rest) = signed(result)?;
    // A name, an explanation or nothing; else it is what a program wrote.
    if !matches!(rest.first(), None | Some(b' ' | b'<')) {
        return None;
    }
    let ours = memmem::find(rest, b" in strace's PID NS").and_then(|end| {
        let start = memmem::find(rest, b"/* ")? + 3;
        let (pid, _) = number(rest.get(start..end)?)?;
        i32::try_from(pid).ok()
    });
    Some(Returned::Number(value, ours))
}

/// `ECHILD (No child processes)`
fn errno(text: &[u8]) -> Option<Errno> {
    let name = text.split(|byte| *byte == b' ').next()?;
    let name = std::str::from_utf8(name).ok()?;
    if let Some(number) = name.strip_prefix("ERRNO_") {
        return number.parse().ok().map(Errno::from_raw);
    }
    (1..=530)
        .map(Errno::from_raw)
        .find(|errno| errno.name() == Some(name))
}

/// The bytes of a string as strace quotes it, and whether it was cut short.
pub(super) fn string(text: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut bytes = text.strip_prefix(b"\"")?.iter().copied().peekable();
    let mut value = Vec::new();
    loop {
        let byte = match bytes.next()? {
            b'"' => break,
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'v' => 0x0b,
                b'f' => 0x0c,
                b'x' => {
                    let mut byte: u8 = 0;
                    for _ in 0..2 {
                        let digit = char::from(bytes.next()?).to_digit(16)?;
                        byte = byte << 4 | u8::try_from(digit).ok()?;
                    }
                    byte
                }
                first @ b'0'..=b'7' => {
                    let mut value = u32::from(first - b'0');
                    for _ in 0..2 {
                        let Some(digit @ b'0'..=b'7') = bytes.peek().copied() else {
                            break;
                        };
                        value = value << 3 | u32::from(digit - b'0');
                        bytes.next();
                    }
                    u8::try_from(value & 0xff).ok()?
                }
                other => other,
            },
            other => other,
        };
        value.push(byte);
    }
    let is_cut = bytes.next() == Some(b'.');
    Some((value, is_cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_taken_apart() {
        let call = |text: &'static str| Call::parse(text.as_bytes());
        let whole = call("-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 12 <0.000031>");
        let whole = whole.map(|call| (call.args, call.returned, call.took));
        let args: &[u8] = b"-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL";
        assert_eq!(
            whole,
            Some((args, Returned::Number(12, None), Some(31_000)))
        );
        let returned = |text: &'static str| call(text).map(|call| call.returned);
        assert_eq!(returned("0)      = ?"), Some(Returned::Never));
        let echild = Some(Returned::Error(Errno::CHILD));
        assert_eq!(returned(") = -1 ECHILD (No child processes)"), echild);
        assert_eq!(returned(") = -1 errno=10 (No child processes)"), echild);
        let restart = Some(Returned::Error(Errno::RESTARTSYS));
        assert_eq!(
            returned(") = ? ERESTARTSYS (To be restarted if SA_RESTART is set)"),
            restart
        );
        let inner = Some(Returned::Number(5, Some(123)));
        assert_eq!(returned(") = 5 /* 123 in strace's PID NS */"), inner);
        assert_eq!(returned(") = 5<name>"), Some(Returned::Number(5, None)));
        assert_eq!(returned("no result"), None);
        assert_eq!(returned(" [f(0x57f) = 23] x"), None);
    }

    #[test]
    fn strings_are_unquoted() {
        let value = |text: &str| string(text.as_bytes());
        assert_eq!(
            value(r#""a\n\33\x7f""#),
            Some((b"a\n\x1b\x7f".to_vec(), false))
        );
        assert_eq!(value(r#""abc"..."#), Some((b"abc".to_vec(), true)));
        assert_eq!(value("NULL"), None);
        assert_eq!(value("\"open"), None);
    }
}
