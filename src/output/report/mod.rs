//! The report: what is wrong, in rustc's shape or in that of a CI. Pure:
//! findings in, text out.

mod github;
mod gitlab;
mod junit;
mod wording;

pub(crate) use github::github_command;
pub(crate) use gitlab::{GitlabEntry, gitlab_array};
pub(crate) use junit::{JunitCase, junit_suite};

pub(super) use wording::{advice, sentence};

use std::fmt::{self, Write};
use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::annotations::write_quoted;
use super::frames::own_places;
use super::places::Place;
use super::span::Span as Seconds;
use super::styles::Styles;
use crate::event::{Named, WaitExit};
use crate::kernel::phrases::{how_it_ended, plural};
use crate::kernel::{IdType, WaitCall};
use crate::ledger::{CompletedWait, Counts, Outcome, Stamp, Waiting};
use crate::rules::{Action, AffectedChild, Evidence, Finding, ProcessRef, Severity, suppression};

/// How many processes with the same finding are named.
const MOST_SAME: usize = 16;
/// How much of a command line is shown.
const MOST_OF_A_COMMAND: usize = 72;

/// The report's forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportForm {
    /// For people.
    #[default]
    Text,
    /// Workflow commands of GitHub Actions.
    Github,
    /// A Code Quality report of GitLab.
    Gitlab,
    /// A test suite in XML, as Jenkins and others read it.
    Junit,
}

/// What is reported when a trace is over, or so far.
#[derive(Debug)]
pub struct Report<'a> {
    /// What was found.
    pub findings: &'a [Finding],
    /// How many processes there were.
    pub counts: Counts,
    /// How many zombies were not reaped while their parent lived on.
    pub left: u64,
    /// What was out of sight, a clause each.
    pub unseen: &'a [String],
    /// Lines of known findings that no finding met.
    pub unused: &'a [String],
    /// What else is said of a record, a sentence each.
    pub notes: &'a [String],
    /// Its colours.
    pub styles: Styles,
    /// The last line is wanted.
    pub summary: bool,
    /// The folder that CIs count the paths of source files from; empty if it is
    /// not known.
    pub root: String,
}

impl Report<'_> {
    /// The report in one of its forms.
    #[must_use]
    pub fn formed(&self, form: ReportForm) -> String {
        match form {
            ReportForm::Text => self.text(),
            ReportForm::Github => self.github(),
            ReportForm::Gitlab => self.gitlab(),
            ReportForm::Junit => self.junit(),
        }
    }

    /// The whole text; a clean run is one line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut to = String::new();
        for same in self.groups() {
            let Some((finding, more)) = same.split_first() else {
                continue;
            };
            let style = match finding.severity {
                Severity::Error => self.styles.wrong,
                Severity::Warning => self.styles.warned,
                Severity::Info => self.styles.dim,
            };
            let head = format!("{}[{}]", finding.severity.name(), finding.rule.name());
            let (head, sentence) = (style.style(head), sentence(finding));
            // Writing to a String cannot fail.
            let _ = writeln!(to, "{head}: {sentence}\n{}", self.with_more(finding, more));
        }
        self.end(&mut to);
        to
    }

    /// The source line of the first call in the evidence, or else of the first
    /// child's creation: file, as CIs want it, and line.
    fn source(&self, finding: &Finding) -> Option<(String, u32)> {
        finding.stacks().find_map(|stack| {
            let places = own_places(stack);
            let (file, line) = places.iter().find_map(Place::source)?;
            let below = file
                .strip_prefix(&self.root)
                .filter(|_| !self.root.is_empty());
            let below = below.and_then(|below| below.strip_prefix('/'));
            let file = below.unwrap_or(file);
            let file = file.strip_prefix("./").unwrap_or(file);
            Some((crate::event::one_line(file).into_owned(), line))
        })
    }

    /// The findings, the most severe first.
    fn sorted(&self) -> Vec<&Finding> {
        let mut sorted: Vec<&Finding> = self.findings.iter().collect();
        sorted.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.when.at));
        sorted
    }

    /// Findings of one rule about processes of one program together, in the order of
    /// the first of each.
    fn groups(&self) -> Vec<Vec<&Finding>> {
        self.groups_by(|_| ())
    }

    /// The same, of findings that are alike in something more.
    fn groups_by<K: Eq + Hash>(&self, alike: impl Fn(&Finding) -> K) -> Vec<Vec<&Finding>> {
        let mut groups: Vec<Vec<&Finding>> = Vec::new();
        let mut places: FxHashMap<_, usize> = FxHashMap::default();
        for finding in self.sorted() {
            let kind = (
                finding.rule,
                finding.severity,
                finding.diagnosis.is_second_kind(),
            );
            let key = (kind, finding.parent.comm(), alike(finding));
            let place = *places.entry(key).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.push(finding),
                None => groups.push(vec![finding]),
            }
        }
        groups
    }

    /// The lines after the findings.
    fn end(&self, to: &mut String) {
        for note in self.notes {
            let _ = writeln!(to, "wait4-strace: {note}");
        }
        if !self.unseen.is_empty() {
            let _ = writeln!(to, "wait4-strace: partial view: {}", self.unseen.join("; "));
        }
        if !self.unused.is_empty() {
            let unused = self.unused.join(", ");
            let _ = writeln!(
                to,
                "wait4-strace: no finding met these lines (--suppress): {unused}"
            );
        }
        if self.summary {
            let _ = writeln!(to, "wait4-strace: {}", self.summary());
        }
    }

    /// `3 processes, 2 reaped, 0 zombies left; 1 error`
    #[must_use]
    pub fn summary(&self) -> String {
        let Counts {
            processes, reaped, ..
        } = self.counts;
        let levels = [Severity::Error, Severity::Warning, Severity::Info];
        let found = levels.into_iter().filter_map(|level| {
            let all = self.findings.iter();
            let count = all.filter(|finding| finding.severity == level).count();
            let name = level.name();
            let many = match level {
                Severity::Info => name.to_owned(),
                Severity::Error | Severity::Warning => format!("{name}s"),
            };
            (count > 0).then(|| plural(count as u64, name, &many))
        });
        let found: Vec<String> = found.collect();
        let found = if found.is_empty() {
            "no findings".to_owned()
        } else {
            found.join(", ")
        };
        format!(
            "{}, {reaped} reaped, {} left; {found}",
            plural(processes, "process", "processes"),
            plural(self.left, "zombie", "zombies")
        )
    }

    /// The lines of a finding below its first.
    pub(crate) fn rest(&self, finding: &Finding) -> String {
        self.with_more(finding, &[])
    }

    /// The same, with other findings that are the same.
    fn with_more(&self, finding: &Finding, more: &[&Finding]) -> String {
        let mut to = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_rest(&mut to, finding, more);
        to
    }

    fn write_rest(&self, to: &mut String, finding: &Finding, more: &[&Finding]) -> fmt::Result {
        let dim = self.styles.dim;
        writeln!(to, "  parent  {}", Command(&finding.parent))?;
        for child in &finding.children {
            writeln!(to, "  child   {}", ChildLine(child))?;
            creation(to, child)?;
        }
        let listed = finding.children.len() as u64;
        if finding.count > listed {
            writeln!(to, "  child   … and {} more", finding.count - listed)?;
        }
        self.evidence(to, &finding.evidence)?;
        if !more.is_empty() {
            let pids: Vec<String> = more
                .iter()
                .take(MOST_SAME)
                .map(|finding| finding.parent.tgid.to_string())
                .collect();
            let cut = if more.len() > MOST_SAME { " …" } else { "" };
            writeln!(
                to,
                "  = the same in {} more: {}{cut}",
                more.len(),
                pids.join(" ")
            )?;
        }
        writeln!(to, "  = help: {}", advice(finding))?;
        let explain = format!(
            "= note: more: wait4-strace --explain {}",
            finding.rule.name()
        );
        writeln!(to, "  {}", dim.style(explain))?;
        let line = suppression(finding);
        let accept = format!("= note: to accept it: --suppress FILE with the line \"{line}\"");
        writeln!(to, "  {}", dim.style(accept))
    }

    /// The chain of evidence, in columns.
    fn evidence(&self, to: &mut String, lines: &[Evidence]) -> fmt::Result {
        let rows = lines.iter().map(|line| {
            let at = When(line.when).to_string();
            let who = if line.tid == line.tgid.leader() {
                line.tgid.to_string()
            } else {
                format!("{}/{}", line.tgid, line.tid)
            };
            let did = Did(&line.action).to_string();
            [at, who, line.comm.to_string(), did]
        });
        let rows: Vec<[String; 4]> = rows.collect();
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let (when, who, comm, did) = (width(0), width(1), width(2), width(3));
        for ([at, id, name, action], line) in rows.iter().zip(lines) {
            let remark = line.remark;
            let did = if remark.is_empty() { 0 } else { did };
            let gap = if remark.is_empty() { "" } else { "  " };
            write!(
                to,
                "  |  {at:>when$}  {id:<who$}  {name:<comm$}  {action:<did$}{gap}"
            )?;
            writeln!(to, "{}", self.styles.dim.style(remark))?;
            let indent = when + 7;
            for place in line.stack().iter().flat_map(|stack| own_places(stack)) {
                writeln!(to, "  |{:indent$}> {place}", "")?;
            }
        }
        Ok(())
    }
}

/// Where a child was created.
fn creation(to: &mut String, child: &AffectedChild) -> fmt::Result {
    let places = child.created_at.as_deref().map(own_places);
    let mut label = "created";
    for place in places.unwrap_or_default() {
        writeln!(to, "  {label:<8}> {place}")?;
        label = "";
    }
    Ok(())
}

/// The chain of evidence, a line each, with the places in the code.
pub(super) fn evidence_lines(finding: &Finding) -> Vec<String> {
    let mut lines = Vec::new();
    for line in &finding.evidence {
        let at = When(line.when);
        let (who, did) = (line.tid, Did(&line.action));
        lines.push(format!("{at}  {who} {}  {did}  {}", line.comm, line.remark));
        let places = line.stack().map(own_places).unwrap_or_default();
        lines.extend(places.iter().map(|place| format!("  > {place}")));
    }
    lines
}

/// A wait call and what it waits for: `wait4(-1)`.
pub(super) fn call_words(call: WaitCall, named: Named) -> String {
    format!("{}({})", call.name(), WaitedFor(named))
}

/// What a wait gave, in a few words.
pub(super) fn shortly(exit: &WaitExit) -> String {
    match (exit.reported(), exit.result) {
        (Some((pid, Some(status))), _) if crate::ledger::is_end(status) => {
            format!("{pid}, which {}", how_it_ended(status))
        }
        (Some((pid, _)), _) | (None, Ok(pid)) => pid.to_string(),
        (None, Err(errno)) => errno.name().unwrap_or("an error").to_owned(),
    }
}

/// A warning while the trace goes on.
#[must_use]
pub fn warning(finding: &Finding) -> String {
    let Finding { severity, rule, .. } = finding;
    let sentence = sentence(finding);
    format!("{}[{}]: {sentence}", severity.name(), rule.name())
}

/// `2415 sh`
struct Name<'a>(&'a ProcessRef);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name(process) = self;
        write!(f, "{}", process.tgid)?;
        if process.comm().as_bytes().is_empty() {
            return Ok(());
        }
        write!(f, " {}", process.comm())
    }
}

/// `2415 sh -c 'exit 3'`: as one would type it, cut where it is long.
struct Command<'a>(&'a ProcessRef);

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Command(process) = self;
        if process.image.argv.is_empty() {
            return Name(process).fmt(f);
        }
        write!(f, "{}", process.tgid)?;
        let mut room = MOST_OF_A_COMMAND;
        for word in &process.image.argv {
            let shown = shell_word(word);
            let length = shown.chars().count();
            if length > room {
                let cut: String = shown.chars().take(room).collect();
                return write!(f, " {cut}…");
            }
            room -= length;
            write!(f, " {shown}")?;
        }
        Ok(())
    }
}

/// A word as a shell takes it; what could harm a terminal is escaped.
pub(crate) fn shell_word(word: &[u8]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_quoted(&mut text, word);
    text
}

/// A child and how it ended.
struct ChildLine<'a>(&'a AffectedChild);

impl fmt::Display for ChildLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChildLine(child) = self;
        write!(f, "{}", Command(&child.process))?;
        let Some((when, status)) = child.ended else {
            return f.write_str(", alive");
        };
        let at = if when.is_before_attach { "" } else { "at " };
        write!(f, ", {} {at}{}", how_it_ended(status), When(when))
    }
}

/// Seconds since the trace began, as far as that is known.
struct When(Stamp);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_before_attach {
            return f.write_str("before the attach");
        }
        let micros = self.0.at.0 / 1000;
        write!(f, "+{}.{:03} s", micros / 1_000_000, micros / 1000 % 1000)
    }
}

/// What a wait waits for: `-1`, `P_PGID, 12`.
struct WaitedFor(Named);

impl fmt::Display for WaitedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Named::Pid(pid) => pid.fmt(f),
            Named::Unknown => f.write_str("?"),
            Named::Id(IdType::ALL, _) => f.write_str("P_ALL"),
            Named::Id(kind, id) => write!(f, "{kind}, {}", id.cast_signed()),
        }
    }
}

/// A wait that ended: `wait4(2415, …) = ECHILD`.
struct Waited<'a>(&'a CompletedWait);

impl fmt::Display for Waited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Waited(completed) = self;
        write!(
            f,
            "{}({}, …",
            completed.call.name(),
            WaitedFor(completed.named)
        )?;
        if completed.options.raw() != 0 {
            write!(f, ", {}", completed.options)?;
        }
        f.write_str(") = ")?;
        match completed.outcome {
            Outcome::Child(pid, _) => write!(f, "{pid}"),
            Outcome::Nothing => f.write_str("0"),
            Outcome::Eintr(by) => write!(f, "EINTR by {by}"),
            Outcome::Error(errno) => match errno.name() {
                Some(name) => f.write_str(name),
                None => write!(f, "-{}", errno.raw()),
            },
        }
    }
}

/// An action in a few words.
struct Did<'a>(&'a Action);

impl fmt::Display for Did<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Action::Waited(completed) => Waited(completed).fmt(f),
            Action::NoWait(None) => f.write_str("made no wait from here on"),
            Action::NoWait(Some(call)) => write!(f, "made no wait from here on; it is in {call}"),
            Action::OtherWaits(waits, polls, last) => {
                let waits = plural(*waits, "wait", "waits");
                write!(
                    f,
                    "{waits} since then ({polls} WNOHANG), the last {}",
                    Waited(last)
                )
            }
            Action::Waits(waiting) => Waits(waiting).fmt(f),
            Action::Ended(status) => f.write_str(&how_it_ended(*status)),
            Action::Born => f.write_str("was created"),
            Action::Executed(image) => write!(f, "executed {}", image.comm),
            Action::Exits(code) => write!(f, "exit_group({code})"),
            Action::Kills(target, signal) => write!(f, "kill({target}, {signal})"),
            Action::Handles(address) => write!(f, "set the SIGCHLD handler {address:#x}"),
            Action::IgnoresSigchld => f.write_str("ignored SIGCHLD"),
            Action::SetsNoWait => f.write_str("set SA_NOCLDWAIT"),
            Action::Stopped(signal) => write!(f, "was stopped by {signal}"),
            Action::Got(signal) => write!(f, "got {signal}"),
            Action::ThreadEnded => f.write_str("the thread ended"),
            Action::Adopted(child) => write!(f, "adopted {child}"),
            Action::Vforked(child) => write!(f, "vforked {child}"),
            Action::OnPipe(true, fd) => write!(f, "write({fd}, …)"),
            Action::OnPipe(false, fd) => write!(f, "read({fd}, …)"),
            Action::AwaitsStream(fd) => write!(f, "is blocked until fd {fd} is readable"),
            Action::AwaitsSigchld => f.write_str("waits for SIGCHLD (sigwait or signalfd)"),
            Action::LivesOn { output, error } => f.write_str(match (output, error) {
                (true, true) => "is alive, and holds the command's output and error",
                (true, false) => "is alive, and holds the command's output",
                (false, true) => "is alive, and holds the command's standard error",
                (false, false) => "is alive",
            }),
        }
    }
}

/// A wait that has not ended: `is in wait4(2415, …)`.
struct Waits<'a>(&'a Waiting);

impl fmt::Display for Waits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Waits(waiting) = self;
        let (call, named) = (waiting.call.name(), WaitedFor(waiting.named));
        write!(f, "is in {call}({named}, …")?;
        if waiting.options.raw() != 0 {
            write!(f, ", {}", waiting.options)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Comm, Image};
    use crate::kernel::Tgid;
    use crate::ledger::Stamp;
    use crate::rules::RuleId;

    /// A finding about a process with this pid, name and arguments.
    pub(super) fn finding_of(pid: i32, rule: RuleId, comm: &str, argv: &[&str]) -> Finding {
        let image = Arc::new(Image {
            comm: Comm::new(comm.as_bytes()),
            argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
            path: None,
        });
        let process = ProcessRef {
            id: None,
            tgid: Tgid::new(pid),
            image,
        };
        Finding::new(rule, process, Stamp::default())
    }

    pub(super) fn finding(rule: RuleId, comm: &str) -> Finding {
        finding_of(1, rule, comm, &[])
    }

    pub(super) fn report(findings: &[Finding]) -> Report<'_> {
        Report {
            findings,
            counts: Counts {
                processes: 0,
                reaped: 0,
                ..Counts::default()
            },
            left: 0,
            unseen: &[],
            unused: &[],
            notes: &[],
            styles: Styles::plain(),
            summary: true,
            root: "/home/you".to_owned(),
        }
    }

    #[test]
    fn a_command_line_can_be_pasted_and_cannot_move_the_cursor() {
        assert_eq!(shell_word(b"a-b/c=1"), "a-b/c=1");
        assert_eq!(shell_word(b"exit \"$x\""), "'exit \"$x\"'");
        assert_eq!(shell_word(b"it's"), r"'it'\''s'");
        assert_eq!(shell_word(b""), "''");
        assert_eq!(shell_word(b"\x1b[2J\n"), r"'\33[2J\n'");
    }

    #[test]
    fn numbers_have_their_words() {
        let report = |processes, reaped| Report {
            findings: &[],
            counts: Counts {
                processes,
                reaped,
                ..Counts::default()
            },
            left: 0,
            unseen: &[],
            unused: &[],
            notes: &[],
            styles: Styles::plain(),
            summary: true,
            root: "/home/you".to_owned(),
        };
        assert_eq!(
            report(1, 0).summary(),
            "1 process, 0 reaped, 0 zombies left; no findings"
        );
        assert_eq!(
            report(3, 2).text(),
            "wait4-strace: 3 processes, 2 reaped, 0 zombies left; no findings\n"
        );
    }
}
