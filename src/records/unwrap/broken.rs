//! Lines that were broken in two, by a mailer or at the width of a terminal.

use memchr::memmem;

use super::before::{cut, quote};
use crate::records::strace;

pub(super) fn soft_end(line: &[u8], next: &[u8]) -> Option<Vec<u8>> {
    Some([line.strip_suffix(b"=")?, next].concat())
}

/// Whether the next line is no line of its own, and this one lacks an end.
fn goes_on(line: &[u8], next: &[u8]) -> bool {
    let has = |mark: &str| memmem::find(line, mark.as_bytes()).is_some();
    if strace::is_prefix(line) {
        return begins(next) && !strace::has_prefix(next);
    }
    // Who reads the log takes the output out.
    if strace::has_output(line) {
        return false;
    }
    let lacks_end = if has("--- SIG") || line.ends_with(b"---") {
        !line.ends_with(b"---")
    } else if has("+++ ") {
        !line.ends_with(b"+++")
    } else if let Some(at) = memmem::rfind(line, b" = ").filter(|_| has(") = ") || has(")  ")) {
        lacks_result(line.get(at + 3..).unwrap_or(&[]), next)
    } else {
        let is_begun = memchr::memchr(b'(', line).is_some() || has("<... ");
        is_begun && !line.ends_with(b" ...>") && !strace::ends_in_notice(line)
    };
    lacks_end && !next.is_empty() && !begins(next) && !strace::is_behind_output(line, next)
}

/// Whether the rest of a result may be on the next line: of an error with its
/// explanation, of a number, or how long the call took.
fn lacks_result(result: &[u8], next: &[u8]) -> bool {
    if result.starts_with(b"-1 E") || result.starts_with(b"? E") {
        return !result.ends_with(b")") && !result.ends_with(b">");
    }
    if result.trim_ascii().is_empty() {
        return matches!(next.first(), Some(b'0'..=b'9' | b'-' | b'?'));
    }
    let is_number = result.last().is_some_and(u8::is_ascii_digit);
    next.starts_with(b"E")
        || next.starts_with(b"<0.")
        || is_number && next.iter().all(u8::is_ascii_digit)
}

/// Whether a line begins as those of records do: behind a pid and a time, if
/// any, with a mark or the name of a call.
fn begins(line: &[u8]) -> bool {
    strace::is_prefix(line) || strace::begins(line)
}

pub(super) fn broken_at_space(line: &[u8], next: &[u8]) -> Option<Vec<u8>> {
    goes_on(line, next).then(|| [line.trim_ascii_end(), b" ", next.trim_ascii_start()].concat())
}

pub(super) fn broken_at_width(line: &[u8], next: &[u8]) -> Option<Vec<u8>> {
    goes_on(line, next).then(|| [line, next].concat())
}

/// Whether lines were broken at a width, and not at spaces: all of them are of
/// one length.
pub(super) fn is_broken_at_width(text: &[u8]) -> bool {
    let bare = |line| cut(line, quote(line)).unwrap_or_else(|| line.to_vec());
    let lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(bare).collect();
    let pairs = lines.iter().zip(lines.iter().skip(1));
    let broken = pairs.filter(|(line, next)| goes_on(line, next));
    let mut lengths: Vec<usize> = broken.map(|(line, _)| line.len()).collect();
    let count = lengths.len();
    lengths.dedup();
    lengths.len() == 1 && (count > 1 || lengths.contains(&80))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rest_of_a_call_is_joined() {
        let first = b"600 wait4(-1, [{WIFEXITED(s) &&";
        let rest = b"WEXITSTATUS(s) == 0}], 0, NULL) = 7";
        let whole = broken_at_space(first, rest).unwrap_or_default();
        assert!(strace::is_strace_s(&whole));
        assert_eq!(broken_at_space(first, b"601 exit(0"), None);
        assert_eq!(broken_at_space(b"some prose", rest), None);
        let status = b"[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 7";
        assert_eq!(broken_at_space(b"wait4(-1, no such file", status), None);
        assert_eq!(soft_end(b"a=", b"b"), Some(b"ab".to_vec()));
    }
}
