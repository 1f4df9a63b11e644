//! A log from standard error, where messages of strace's stand amid lines, and
//! where a line that matters may have been broken in two.

use std::collections::VecDeque;
use std::io::Read;

use memchr::memmem;

use super::call::Call;
use super::command::runs_strace;
use super::names::{kind, name};
use super::parser::{Apart, Strace, is_notice, is_whole, notice_at_end};
use super::prefix::split;
use super::shape::Shape;
use super::waits::first_half;
use crate::records::Broken;
use crate::records::lines::Lines;
use crate::records::log::{Fed, Input, Kind, Root, Translator, unread};
use crate::records::text::last_equals;

/// How many lines of the program's may stand within a call of strace's.
const MOST_BETWEEN: u32 = 16;

/// Lines, of which a message may have torn some in two.
pub(super) struct Stderr<R> {
    lines: Lines<R>,
    shape: Shape,
    /// The first part of a line that was torn.
    torn: Vec<u8>,
    /// Lines since then.
    between: u32,
    /// The line before, if it lacks an end.
    cut: Vec<u8>,
    /// The roots of the next logs, with the numbers of the lines that begin them.
    roots: VecDeque<(u64, Root)>,
}

impl<R: Read> Stderr<R> {
    pub(super) fn new(lines: Lines<R>, shape: Shape, roots: VecDeque<(u64, Root)>) -> Stderr<R> {
        Stderr {
            lines,
            shape,
            torn: Vec::new(),
            between: 0,
            cut: Vec::new(),
            roots,
        }
    }

    /// Take a line that was joined; it may be torn once more.
    fn take(&mut self, line: Vec<u8>, translator: &mut Translator<Strace>) -> Fed {
        match torn(&line) {
            Some(end) => {
                self.torn = line;
                self.torn.truncate(end);
                Fed::Own
            }
            None => translator.feed(&line),
        }
    }
}

impl<R: Read> Input<Strace> for Stderr<R> {
    fn feed(&mut self, translator: &mut Translator<Strace>) -> Result<Fed, Broken> {
        let number = self.lines.number + 1;
        let line = self.lines.next().map_err(|error| unread(number, &error))?;
        let line = line.map(without_blanks);
        let cut = std::mem::take(&mut self.cut);
        let Some(line) = line else {
            let torn = std::mem::take(&mut self.torn);
            feed_last(&torn, &cut, translator);
            return Ok(Fed::End);
        };
        if runs_strace(line) {
            let torn = std::mem::take(&mut self.torn);
            feed_last(&torn, &cut, translator);
            let number = self.lines.number;
            let next = self.roots.iter().position(|(begin, _)| *begin == number);
            let next = next.and_then(|at| self.roots.remove(at));
            translator.next_log(next.map(|(_, root)| root).unwrap_or_default());
            return Ok(Fed::Foreign);
        }
        if !cut.is_empty() && line.trim_ascii().is_empty() {
            // It may stand for a line that was joined to the one before.
            self.cut = cut;
            return Ok(Fed::Own);
        }
        if let Some(whole) = joined(&cut, line) {
            self.torn.clear();
            return Ok(translator.feed(&whole));
        }
        if !self.torn.is_empty() {
            if let Some(rest) = rest_of(&self.torn, line) {
                let mut whole = std::mem::take(&mut self.torn);
                whole.extend_from_slice(rest);
                return Ok(self.take(whole, translator));
            }
            // Several tasks may be announced within a call.
            let apart = Apart::of(line);
            let is_own =
                !is_notice(line) && !self.shape.is_foreign(line, &apart) && apart.line().is_some();
            self.between += 1;
            if is_own || self.between > MOST_BETWEEN {
                let mut torn = std::mem::take(&mut self.torn);
                if is_own && is_left_open(&torn, &apart) {
                    torn.extend_from_slice(b"<unfinished ...>");
                }
                translator.feed(&torn);
            }
        } else if !cut.is_empty() {
            translator.feed(&cut);
        }
        let plain = line.strip_suffix(b"\r").unwrap_or(line);
        let apart = Apart::of(plain);
        if self.shape.is_foreign(plain, &apart) {
            return Ok(Fed::Foreign);
        }
        if let Some(end) = torn_rest(&apart) {
            let head = plain.len() - apart.prefixed.rest.len();
            self.torn = plain.get(..head + end).unwrap_or(&[]).to_vec();
            self.between = 0;
            // What stands behind a notice goes on with what was before it.
            if notice_at_end(apart.prefixed.rest).is_none() {
                self.cut = line.to_vec();
            }
            return Ok(Fed::Own);
        }
        if is_cut(&apart) {
            self.cut = line.to_vec();
            return Ok(Fed::Own);
        }
        let fed = translator.feed_taken(plain, apart.line().as_ref());
        if fed != Fed::Foreign {
            return Ok(fed);
        }
        if let Some(half) = second_half(line) {
            return Ok(translator.feed(&half));
        }
        if let Some(at) = memmem::rfind(line, b"[pid ") {
            // Behind what the program wrote, without a line's end; in quotes it is told of.
            let is_quoted = at.checked_sub(1).and_then(|at| line.get(at));
            if !matches!(is_quoted, Some(b'`' | b'"' | b'\'' | b'*')) {
                return Ok(translator.feed(line.get(at..).unwrap_or(&[])));
            }
        }
        Ok(fed)
    }

    fn number(&self) -> Option<u64> {
        Some(self.lines.number)
    }

    fn overlong(&self) -> u64 {
        self.lines.overlong
    }
}

/// What is left of a log that is over.
fn feed_last(torn: &[u8], cut: &[u8], translator: &mut Translator<Strace>) {
    let mut begun = [torn, cut].into_iter();
    if let Some(wait) = begun.find(|begun| is_open_wait(&Apart::of(begun))) {
        // What a terminal shows while a call lasts.
        let wait = [wait.trim_ascii_end(), b"  <unfinished ...>"].concat();
        translator.feed(&wait);
    } else if !cut.is_empty() {
        translator.feed(cut);
    }
}

/// A line without what stands behind its end: blanks, if strace would not end it there.
fn without_blanks(line: &[u8]) -> &[u8] {
    let text = line.trim_ascii_end();
    let ends = || {
        let marks = [&b"...>"[..], b"+++", b"---"];
        let has_result = last_equals(text).and_then(|at| text.get(..at));
        marks.iter().any(|end| text.ends_with(end))
            || has_result.is_some_and(|call| call.trim_ascii_end().ends_with(b")"))
    };
    if text.len() < line.len() && ends() {
        text
    } else {
        line
    }
}

/// Where the first part of a line ends that is not whole: before a notice of
/// strace's, or where the program's output stands in a wait.
pub(super) fn torn(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let apart = Apart::of(line);
    Some(line.len() - apart.prefixed.rest.len() + torn_rest(&apart)?)
}

/// The same of what stands behind a line's prefix.
fn torn_rest(line: &Apart<'_>) -> Option<usize> {
    let rest = line.prefixed.rest;
    if let Some(at) = notice_at_end(rest) {
        let is_call = line.call.is_some() || rest.starts_with(b"<... ");
        return is_call.then_some(at);
    }
    let half = first_half(line)?;
    let is_whole = line.args().and_then(Call::parse).is_some() || rest.ends_with(b"...>");
    (!is_whole).then_some(half)
}

/// Whether a program's output stands in a wait or a call that creates a task, and not
/// the first of its other arguments.
pub(super) fn has_output(line: &[u8]) -> bool {
    let rest = torn(line).and_then(|end| line.get(end..)).unwrap_or(&[]);
    let args = [&b"["[..], b"{", b"NULL", b"0x", b"<"];
    !rest.trim_ascii().is_empty() && !args.iter().any(|arg| rest.starts_with(arg))
}

/// Whether a line of a call that matters lacks its end: it was broken at a space, say.
fn is_cut(line: &Apart<'_>) -> bool {
    if line.call.is_some() && (line.kind.is_none() || line.args().and_then(Call::parse).is_some()) {
        // Nearly all lines: they are no call that matters, or a whole one.
        return false;
    }
    let rest = line.prefixed.rest.trim_ascii_end();
    let matters = line.kind.is_some()
        || rest.strip_prefix(b"<... ").is_some_and(|resumed| {
            let name = resumed.split(|byte| *byte == b' ').next();
            name.and_then(kind).is_some()
        });
    let has = |mark: &str| memmem::find(rest, mark.as_bytes()).is_some();
    matters && !rest.ends_with(b"...>") && !has(") = ") && !has(")  ")
}

/// A line that lacks its end with the next one, if that makes it whole.
fn joined(cut: &[u8], next: &[u8]) -> Option<Vec<u8>> {
    let rest = split(next);
    let is_own = rest.tid.is_some() || name(rest.rest).is_some() || rest.rest.starts_with(b"<... ");
    if cut.is_empty() || is_own {
        return None;
    }
    let whole = [cut.trim_ascii_end(), b" ", next.trim_ascii()].concat();
    is_whole(&whole).then_some(whole)
}

/// A wait's second half whose first is not in the log, where even its name is missing.
fn second_half(line: &[u8]) -> Option<Vec<u8>> {
    let rest = split(line).rest;
    let before = line.get(..line.len() - rest.len())?;
    let is_ours = rest.starts_with(b"[{WIF");
    is_ours.then(|| [before, b"<... wait4 resumed>", rest].concat())
}

/// The second part of a line that was torn, if a line is one; it may name its task again.
fn rest_of<'a>(torn: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    let again = split(line);
    let is_again = again.tid.is_some() && again.tid == split(torn).tid;
    match again.rest {
        rest if is_again && rest.starts_with(b"[{WIF") => Some(rest),
        _ => goes_on(line).then_some(line),
    }
}

/// Whether a line that was torn is a wait's first half, and another task's line follows:
/// its second half may come yet.
fn is_left_open(torn: &[u8], next: &Apart<'_>) -> bool {
    let torn = Apart::of(torn);
    let is_other = next.prefixed.tid.is_some() && next.prefixed.tid != torn.prefixed.tid;
    is_other && is_open_wait(&torn)
}

/// Whether a line is a wait's first half and lacks the mark behind it: `wait4(-1, `, of
/// which a forum or a mailer takes the last blank.
pub(super) fn is_open_wait(line: &Apart<'_>) -> bool {
    let is_wait = matches!(line.kind, Some(Kind::Wait(_)));
    let args = line.args().filter(|_| is_wait).unwrap_or(&[]);
    let named = args.trim_ascii_end().strip_suffix(b",").unwrap_or(&[]);
    // In source code stand names there.
    let kinds = [&b"P_ALL"[..], b"P_PID", b"P_PGID"];
    let begins = |text: &[u8]| {
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        digits.first().is_some_and(u8::is_ascii_digit)
    };
    let is_name_s = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_, <>[]:/*'".contains(byte);
    (begins(named) || kinds.iter().any(|kind| named.starts_with(kind)))
        && named.iter().all(is_name_s)
}

/// Whether a line may be the second part of one that was torn.
fn goes_on(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let ends = memmem::find(line, b") = ").is_some()
        || memmem::find(line, b")  ").is_some()
        || line.ends_with(b"<unfinished ...>")
        || line.ends_with(b"<detached ...>")
        || notice_at_end(line).is_some();
    let line = split(line);
    ends && line.tid.is_none()
        && line.time.is_none()
        && name(line.rest).is_none()
        && !line.rest.starts_with(b"<... ")
        && !line.rest.starts_with(b"strace: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(line: &str) -> Option<&str> {
        line.get(..torn(line.as_bytes())?)
    }

    #[test]
    fn blanks_behind_a_whole_line_are_no_part_of_it() {
        let whole = "9 wait4(-1,  <unfinished ...>";
        assert_eq!(
            without_blanks(b"9 wait4(-1,  <unfinished ...>  "),
            whole.as_bytes()
        );
        assert_eq!(without_blanks(b"9 fork() = 7 \r"), b"9 fork() = 7");
        assert_eq!(without_blanks(b"9 exit(0)   = ?  "), b"9 exit(0)   = ?");
        assert_eq!(without_blanks(b"9 wait4(7, "), b"9 wait4(7, ");
    }

    #[test]
    fn a_line_is_torn_before_a_notice_or_what_the_program_wrote() {
        assert_eq!(head("clone(strace: Process 7 attached"), Some("clone("));
        assert_eq!(head("clone(Process 7 attached"), Some("clone("));
        let suspended = "[pid  6] waitpid(7, Process 6 suspended";
        assert_eq!(head(suspended), Some("[pid  6] waitpid(7, "));
        assert_eq!(head("[pid 6] wait4(7, hello"), Some("[pid 6] wait4(7, "));
        assert_eq!(head("waitid(P_PID, 7, a, b"), Some("waitid(P_PID, 7, "));
        assert_eq!(head("clone(./strace: Process 7 attached"), Some("clone("));
        let by_path = "clone(flags=SIGCHLD/usr/bin/strace: Process 7 attached";
        assert_eq!(head(by_path), Some("clone(flags=SIGCHLD"));
        assert_eq!(head("clone(hello"), Some("clone("));
        assert_eq!(head("[pid 6] vfork(hello"), Some("[pid 6] vfork("));
        assert_eq!(head("clone(child_stack=NULL, flags=SIGC"), None);
        assert_eq!(head("wait4(-1, NULL, 0, NULL) = 7"), None);
        assert_eq!(head("wait4(-1, NULL, 0, NULL)    = -1 ECHILD (x)"), None);
        assert_eq!(head("exit_group(0)      = ?"), None);
        assert_eq!(head("wait4(7,  [f(0x57f) = 23] x"), Some("wait4(7, "));
        assert_eq!(head("wait4(-1,  <unfinished ...>"), None);
        assert_eq!(head("strace: Process 7 attached"), None);
        assert_eq!(head("write(1, \"hello\", 5"), None);
    }

    #[test]
    fn a_line_that_was_broken_is_joined_where_that_makes_it_whole() {
        let is_joined = |line: &str, next: &str| {
            let cut = is_cut(&Apart::of(line.as_bytes())) || torn(line.as_bytes()).is_some();
            cut && joined(line.as_bytes(), next.as_bytes()).is_some()
        };
        for (line, next) in [
            (
                "<... wait4 resumed> [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) =",
                "6187",
            ),
            (
                "12 <... wait4 resumed> [{WIFEXITED(s) && WEXITSTATUS(s) == 0}],  ",
                "0, NULL) = 7",
            ),
            (
                "12 wait4(-1, [{WIFEXITED(s) &&",
                "WEXITSTATUS(s) == 0}], 0, NULL) = 7 <0.000010>",
            ),
            ("wait4(7,", "<unfinished ...>"),
            (
                "clone(child_stack=0, flags=CLONE_CHILD_CLEARTID|SIGCHLD,",
                "child_tidptr=0x7f) = 7",
            ),
        ] {
            assert!(is_joined(line, next), "{line} {next}");
        }
        for (line, next) in [
            (
                "<... wait4 resumed> [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) =",
                "hello",
            ),
            ("wait4(-1, [{WIFEXITED(s) &&", "12 exit_group(0) = ?"),
            ("wait4(-1, [{WIFEXITED(s) &&", "getpid() = 7"),
            ("write(1, \"hello", "world\", 10) = 10"),
            ("wait4(-1, NULL, 0, NULL) = 7", "8"),
        ] {
            assert!(!is_joined(line, next), "{line} {next}");
        }
    }

    #[test]
    fn output_in_a_wait_is_none_of_its_arguments() {
        assert!(has_output(b"wait4(-1, say: no such file"));
        assert!(has_output(b"[pid 7] clone(hello"));
        assert!(!has_output(b"wait4(-1, [{WIFEXITED(s) &&"));
        assert!(!has_output(b"waitid(P_PID, 7, {si_signo=SIGCHLD,"));
        assert!(!has_output(b"wait4(-1, "));
        assert!(!has_output(b"write(1, \"a\", 1a"));
    }

    #[test]
    fn a_second_half_without_a_name_is_a_wait_s() {
        let half = |line: &str| second_half(line.as_bytes());
        let rest = "[{WIFEXITED(s) && WEXITSTATUS(s) == 2}], 0, NULL) = 7";
        let whole =
            |before: &str| Some([before, "<... wait4 resumed>", rest].concat().into_bytes());
        assert_eq!(half(rest), whole(""));
        assert_eq!(half(&format!("[pid  7] {rest}")), whole("[pid  7] "));
        assert_eq!(half("[{fd=7}], 0) = 1"), None);
    }

    #[test]
    fn the_rest_of_a_line_has_no_prefix_and_ends_as_a_call_does() {
        for rest in [
            " <unfinished ...>",
            "child_stack=0, flags=SIGCHLD) = 7",
            "[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 7",
            ", child_tidptr=0x7f) = 7",
        ] {
            assert!(goes_on(rest.as_bytes()), "{rest}");
        }
        for line in [
            "hello",
            "[pid 7] a() = 1",
            "a() = 1",
            "<... a resumed>) = 1",
        ] {
            assert!(!goes_on(line.as_bytes()), "{line}");
        }
    }
}
