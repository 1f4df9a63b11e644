//! Command lines that begin a log: who pastes several logs leaves them in between.

use memchr::{memchr2, memmem};

/// Words that may stand before the program, besides settings of variables.
const BEFORE: [&[u8]; 7] = [b"sudo", b"doas", b"time", b"env", b"exec", b"nohup", b"-E"];

/// Whether a line is one in which a shell was told to run strace.
pub(super) fn runs_strace(line: &[u8]) -> bool {
    // Most lines of large logs begin with a pid or a time.
    if line.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    // In a call or a string it is what a program did.
    let end = memchr2(b'(', b'"', line).unwrap_or(line.len());
    let head = line.get(..end).unwrap_or(line).trim_ascii_start();
    let Some(at) = memmem::find(head, b"strace ") else {
        return false;
    };
    let (before, rest) = head.split_at(at);
    let arguments = rest.get(7..).unwrap_or(&[]).trim_ascii_start();
    let is_strict = matches!(arguments.first(), Some(b'-' | b'.' | b'/'));
    match prompt(before) {
        Some(b'$' | b'%') => !arguments.is_empty(),
        // A comment or a quotation may begin so.
        Some(b'#' | b'>') => is_strict,
        _ => false,
    }
}

/// The mark that ends a shell's prompt, behind which only words stand that may stand
/// before a program.
fn prompt(before: &[u8]) -> Option<u8> {
    let path = before.iter().rposition(|byte| *byte == b' ');
    let mut words = before.get(..path? + 1)?.split(|byte| *byte == b' ').rev();
    let mark = words.find(|word| {
        let is_setting = word.contains(&b'=') && !word.starts_with(b"=");
        !word.is_empty() && !is_setting && !BEFORE.contains(word)
    })?;
    mark.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_has_a_prompt() {
        for line in [
            "$ strace ./a.out",
            "root@host:~# strace -f -p 12",
            "[me@host dir]$ sudo LANG=C /usr/bin/strace -f ls",
            "host% time strace ls",
            "> strace -ff -o x y",
        ] {
            assert!(runs_strace(line.as_bytes()), "{line}");
        }
        for line in [
            "# strace says",
            "> strace shows that",
            "strace: Process 7 attached",
            "write(1, \"$ strace ls\", 11) = 11",
            "$ strace",
            "what strace -f prints",
            "strace -f ls",
            "execve(\"/usr/bin/strace \", 0x7) = 0",
        ] {
            assert!(!runs_strace(line.as_bytes()), "{line}");
        }
    }
}
