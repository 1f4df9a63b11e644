//! What the lines of a log have in common, by which a line that a program wrote is told
//! from strace's though it looks like one: `fork() = 77`.

use super::call::Call;
use super::parser::Apart;
use crate::records::text::last_equals;

/// How many lines must agree.
const FEWEST: usize = 5;
/// Calls that end before this column have spaces behind them, up to strace's column 40.
const SHORT: usize = 30;

/// What all lines have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// A pid without brackets, as in a file of `-o`.
    has_pids: bool,
    has_times: bool,
    /// Spaces before the results of short calls.
    is_aligned: bool,
}

impl Shape {
    /// The shape of a log that begins so.
    pub(super) fn of(text: &[u8]) -> Shape {
        let (mut sure, mut pids, mut times) = (0, 0, 0);
        let (mut short, mut padded) = (0, 0);
        for line in text.split(|byte| *byte == b'\n') {
            let apart = Apart::of(line.trim_ascii_end());
            if !is_sure(&apart) {
                continue;
            }
            sure += 1;
            pids += usize::from(apart.prefixed.tid.is_some() && !line.starts_with(b"["));
            times += usize::from(apart.prefixed.time.is_some());
            if let Some(is_padded) = padding(line, &apart) {
                short += 1;
                padded += usize::from(is_padded);
            }
        }
        let all = |count: usize, of: usize| count == of && of >= FEWEST;
        Shape {
            has_pids: all(pids, sure),
            has_times: all(times, sure),
            is_aligned: all(padded, short),
        }
    }

    /// Whether a line that may be one of strace's calls or marks lacks what all have.
    pub(super) fn is_foreign(self, line: &[u8], apart: &Apart<'_>) -> bool {
        let rest = apart.prefixed.rest;
        let marks = [&b"+++ "[..], b"--- ", b"<... "];
        if apart.call.is_none() && !marks.iter().any(|mark| rest.starts_with(mark)) {
            return false;
        }
        let lacks_pid = self.has_pids && apart.prefixed.tid.is_none();
        let lacks_time = self.has_times && apart.prefixed.time.is_none();
        let is_short = || apart.kind.is_some() && padding(line, apart) == Some(false);
        lacks_pid || lacks_time || self.is_aligned && is_short()
    }
}

/// Whether no other program writes such a line.
fn is_sure(line: &Apart<'_>) -> bool {
    let rest = line.prefixed.rest;
    let is_whole = || line.args().and_then(Call::parse).is_some();
    let begins = [&b"+++ exited with "[..], b"+++ killed by SIG", b"execve(\""];
    begins.iter().any(|begin| rest.starts_with(begin))
        || rest.starts_with(b"<... ") && rest.get(..48.min(rest.len())).is_some_and(is_resumed)
        || rest.starts_with(b"--- SIG") && rest.ends_with(b"---") && rest.contains(&b'{')
        || rest.ends_with(b"<unfinished ...>") && line.call.is_some()
        || line.call.is_some() && line.kind.is_none() && is_whole()
}

fn is_resumed(begin: &[u8]) -> bool {
    memchr::memmem::find(begin, b" resumed>").is_some()
}

/// Of a whole call that is short, whether more than one space stands before its result.
fn padding(line: &[u8], apart: &Apart<'_>) -> Option<bool> {
    let args = apart.args().filter(|args| Call::parse(args).is_some())?;
    let before = args.get(..last_equals(args)?)?;
    let args = before.trim_ascii_end();
    let width = line.len() - apart.args()?.len() + args.len();
    (width < SHORT).then_some(before.len() > args.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_foreign(log: &str, line: &str) -> bool {
        let apart = Apart::of(line.as_bytes());
        Shape::of(log.as_bytes()).is_foreign(line.as_bytes(), &apart)
    }

    #[test]
    fn a_line_that_lacks_what_all_have_is_another_program_s() {
        let pids = "600 getuid() = 0\n".repeat(6);
        assert!(is_foreign(&pids, "fork() = 77"));
        assert!(is_foreign(&pids, "--- SIGCHLD received ---"));
        assert!(!is_foreign(&pids, "600 fork() = 77"));
        assert!(!is_foreign(&pids, " > /lib/libc.so.6(fork) [0x1]"));
        let times = "12:00:01 getuid() = 0\n".repeat(6);
        assert!(is_foreign(&times, "wait4(77, NULL, 0, NULL) = 77"));
        assert!(!is_foreign(&times, "12:00:02 fork() = 77"));
        let aligned = "getuid()                                = 0\n".repeat(6);
        assert!(is_foreign(&aligned, "fork() = 77"));
        assert!(!is_foreign(
            &aligned,
            "fork()                                  = 77"
        ));
        let long = "wait4(77, NULL, WNOHANG, {ru_utime={tv_sec=0, ...}}) = 77";
        assert!(!is_foreign(&aligned, long));
    }

    #[test]
    fn lines_that_do_not_agree_tell_nothing() {
        let mixed = "600 getuid() = 0\n".repeat(6) + "getuid() = 0\n";
        assert!(!is_foreign(&mixed, "fork() = 77"));
        assert!(!is_foreign("600 getuid() = 0\n", "fork() = 77"));
        let unaligned = "getuid() = 0\n".repeat(6);
        assert!(!is_foreign(&unaligned, "fork() = 77"));
    }
}
