//! Lines of strace's that stand in one line, as a chat or a forum leaves them that
//! takes line ends for spaces.

use crate::records::strace;

/// Where the second line begins in a text that is several: behind a first that has its
/// end, outside of strings, as strace begins one.
pub(super) fn next_line(text: &[u8]) -> Option<usize> {
    let mut seen = Seen::default();
    for (at, byte) in text.iter().enumerate() {
        let begins = *byte != b' ' && at > 0 && text.get(at - 1) == Some(&b' ');
        if begins && !seen.is_quoted && seen.ends_at(text, at) {
            let rest = text.get(at..)?;
            if strace::begins(rest) || strace::is_notice(rest) {
                return Some(at);
            }
        }
        seen.take(*byte, at);
    }
    None
}

/// What of a line was looked at.
#[derive(Default)]
struct Seen {
    is_quoted: bool,
    is_escaped: bool,
    /// Parentheses that are open.
    depth: u32,
    /// Where the last `=` is that stands in none and in no string.
    equals: Option<usize>,
}

impl Seen {
    fn take(&mut self, byte: u8, at: usize) {
        if self.is_escaped {
            self.is_escaped = false;
            return;
        }
        match byte {
            b'\\' if self.is_quoted => self.is_escaped = true,
            b'"' => self.is_quoted = !self.is_quoted,
            _ if self.is_quoted => {}
            b'(' => self.depth += 1,
            b')' => self.depth = self.depth.saturating_sub(1),
            b'=' if self.depth == 0 => self.equals = Some(at),
            _ => {}
        }
    }

    /// Whether a line may end before this.
    fn ends_at(&self, text: &[u8], at: usize) -> bool {
        let before = text.get(..at).unwrap_or(&[]).trim_ascii_end();
        let marks = [&b" +++"[..], b" ---", b" ...>"];
        if marks.iter().any(|mark| before.ends_with(mark)) || strace::is_notice(before) {
            return true;
        }
        let call = self.equals.and_then(|equals| text.get(equals..at));
        call.is_some_and(|result| self.depth == 0 && strace::is_result(result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<&str> {
        let (mut lines, mut rest) = (Vec::new(), text);
        while let Some((line, next)) =
            next_line(rest.as_bytes()).and_then(|at| rest.split_at_checked(at))
        {
            lines.push(line.trim_end());
            rest = next;
        }
        lines.push(rest);
        lines
    }

    #[test]
    fn each_line_of_a_paragraph_is_found() {
        for all in [
            &[
                "600 execve(\"./x\", [\"./x\"], 0x7ffd /* 20 vars */) = 0",
                "600 openat(AT_FDCWD, \"x\", O_RDONLY) = -1 ENOENT (No such file or directory)",
                "600 clone(child_stack=NULL, flags=SIGCHLD) = 601",
                "600 wait4(-1,  <unfinished ...>",
                "601 write(1, \"600 fork() = 7 600 fork() = 8\", 30) = 30",
                "601 exit_group(3) = ?",
                "601 +++ exited with 3 +++",
                "600 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 601",
                "600 --- SIGCHLD {si_signo=SIGCHLD, si_pid=601} ---",
            ][..],
            &[
                "clone(child_stack=NULL, flags=SIGCHLD) = 601 <0.000012>",
                "strace: Process 601 attached",
                "[pid   600] 12:00:01.000002 wait4(601,  <unfinished ...>",
                "[pid   601] 12:00:01.000003 getpid() = 601",
                "[pid   601] 12:00:01.000004 +++ killed by SIGKILL +++",
                "--- SIGCHLD {si_signo=SIGCHLD} ---",
                "poll([{fd=3}], 1, 0) = 1 ([{fd=3, revents=POLLIN}])",
                "exit(0) = ?",
            ],
            &["0.000012 getpid() = 601", "0.000100 fork() = 7"],
        ] {
            assert_eq!(lines(&all.join(" ")), all);
        }
    }

    #[test]
    fn one_line_is_no_paragraph() {
        for line in [
            "600 write(1, \"a\\\" 600 fork() = 8\", 30) = 30",
            "600 wait4(-1, hello fork() world",
            "some prose on fork() = 7",
            "600 fork() = 7 is what fork returns",
            "--- SIGCHLD {si_signo=SIGCHLD} ---",
        ] {
            assert_eq!(lines(line), [line]);
        }
    }
}
