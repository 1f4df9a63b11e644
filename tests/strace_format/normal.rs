//! The normal form of a log: what must be equal in two runs, for each process.
//!
//! Pids, addresses and times differ from run to run, and the schedule decides
//! whether a call's line is cut in two. What else may differ is a matter of
//! the program that is traced: its [`Likeness`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How much of two runs of the same program must be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// All lines of each process, in order.
    Lines,
    /// As `Lines`, but SIGCHLD's lines in any place: a child's end is a race
    /// with what its parent does.
    SigchldAnywhere,
    /// As `SigchldAnywhere`, without the calls that a signal interrupted
    /// (`= ? ERESTARTSYS`), without SIGCHLD and SIGCONT: several children's
    /// ends are a race with each other, pending SIGCHLDs coalesce, a SIGCONT
    /// that is sent until it helps comes once or twice, and is dropped when a
    /// stop signal arrives before its delivery.
    WithoutRestarts,
    /// For each process its end, and in any order its calls that report a
    /// child. Polls, failures and WNOHANG are left out: how often a program
    /// looks, and when it blocks, depends on the schedule.
    Reaps,
    /// As `Reaps`, of all threads as one, and the ends of those that were
    /// reaped: which thread waits, or how many threads there are, depends on
    /// the schedule.
    ReapsOfAll,
}

/// The lines of each process (more exactly: thread), joined and without what
/// differs from run to run, but with pids. In the order of their tids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    tasks: BTreeMap<u32, Vec<String>>,
}

impl Log {
    /// Read what `-f -o FILE` wrote.
    pub(crate) fn parse(text: &str) -> Log {
        let mut log = Log::default();
        for line in text.lines() {
            let (tid, rest) = line.split_once(' ').unwrap_or((line, ""));
            // With -Y the name stands behind the pid.
            let (tid, _) = tid.split_once('<').unwrap_or((tid, ""));
            let tid = tid.parse().unwrap_or_else(|_| panic!("no pid: {line:?}"));
            let rest = rest.trim_start();
            log.tasks.entry(tid).or_default().push(rest.to_owned());
        }
        log.tidy()
    }

    /// Read what went to standard error: `[pid N] ` only while there are
    /// several; lines without it are those of the root, for programs whose
    /// root is the last to end. Messages (`strace: Process N attached`) are
    /// left out: strace 6.1 writes them into the midst of another line.
    pub(crate) fn parse_stderr(text: &str) -> Log {
        let root = text
            .lines()
            .filter_map(|line| line.strip_prefix("[pid "))
            .filter(|line| line.contains("] wait"))
            .find_map(|line| line.split([']', '<']).next()?.trim().parse().ok())
            .unwrap_or(0);
        let mut log = Log::default();
        for line in text.lines() {
            let line = match line.split_once("strace: Process ") {
                Some((head, _)) if head.ends_with(", ") => &format!("{head}<unfinished ...>"),
                Some(_) => continue,
                None if line == " <unfinished ...>" => continue,
                None => line,
            };
            let numbered = line.strip_prefix("[pid ").and_then(|rest| {
                let (pid, rest) = rest.split_once("] ")?;
                let (pid, _) = pid.split_once('<').unwrap_or((pid, ""));
                Some((pid.trim().parse().ok()?, rest))
            });
            let (tid, rest) = numbered.unwrap_or((root, line));
            log.tasks.entry(tid).or_default().push(rest.to_owned());
        }
        log.tidy()
    }

    /// Read the files of `-ff -o FILE`.
    pub(crate) fn from_files(files: impl IntoIterator<Item = (u32, String)>) -> Log {
        let mut log = Log::default();
        for (tid, text) in files {
            let lines = text.lines().map(str::to_owned).collect();
            log.tasks.insert(tid, lines);
        }
        log.tidy()
    }

    fn tidy(mut self) -> Log {
        for lines in self.tasks.values_mut() {
            // `???`: strace met a death where it looked for a call.
            lines.retain(|line| {
                let artefacts = ["???(", "<... ??? resumed>"];
                !line.contains("[ Process PID=")
                    && !artefacts.iter().any(|artefact| line.starts_with(artefact))
            });
            *lines = joined(lines);
            for line in lines {
                *line = masked(&single_spaced(line));
            }
        }
        self
    }

    /// The normal form: a text for each process, sorted, in which pids are
    /// replaced by what their processes did.
    pub(crate) fn normal(&self, likeness: Likeness) -> Vec<String> {
        let mut tasks: BTreeMap<u32, Vec<String>> = self.tasks.clone();
        for lines in tasks.values_mut() {
            *lines = lines
                .iter()
                .filter_map(|line| likeness.keeps(line))
                .collect();
        }
        if likeness == Likeness::ReapsOfAll {
            tasks = flattened(&tasks);
        }
        tasks.retain(|_, lines| !lines.is_empty());
        // A process is known by what it did, which names its children: a few
        // rounds carry the names up the tree.
        let mut names: BTreeMap<u32, String> =
            tasks.keys().map(|tid| (*tid, "task".to_owned())).collect();
        for _ in 0..8 {
            names = tasks
                .iter()
                .map(|(tid, lines)| {
                    let mut hasher = DefaultHasher::new();
                    likeness.text(*tid, lines, &names).hash(&mut hasher);
                    (*tid, format!("task#{:06x}", hasher.finish() & 0x00ff_ffff))
                })
                .collect();
        }
        let mut texts: Vec<String> = tasks
            .iter()
            .map(|(tid, lines)| {
                let name = names.get(tid).unwrap();
                format!("{name}:\n{}", likeness.text(*tid, lines, &names))
            })
            .collect();
        texts.sort();
        texts
    }

    /// What differs from another log, as a text; `None` if nothing does.
    pub(crate) fn difference(&self, other: &Log, likeness: Likeness) -> Option<String> {
        let (ours, theirs) = (self.normal(likeness), other.normal(likeness));
        if ours == theirs {
            return None;
        }
        let mut text = String::new();
        // A difference in a child changes the names in all its ancestors:
        // first those texts that differ without names.
        let (ours, theirs) = (anonymous(&ours), anonymous(&theirs));
        for (sign, these, those) in [('-', &theirs, &ours), ('+', &ours, &theirs)] {
            let mut those = those.clone();
            for task in these {
                if let Some(at) = those.iter().position(|other| other == task) {
                    those.swap_remove(at);
                    continue;
                }
                for line in task.lines() {
                    let _ = writeln!(text, "{sign} {line}");
                }
                text.push('\n');
            }
        }
        if text.is_empty() {
            text.push_str("the same lines name other processes\n");
        }
        Some(text)
    }

    /// The log without the lines that have this text.
    pub(crate) fn without(mut self, text: &str) -> Log {
        for lines in self.tasks.values_mut() {
            lines.retain(|line| !line.contains(text));
        }
        self
    }

    /// Change one line of the log that `pick` finds, for tests of the
    /// comparison: `None` removes it.
    pub(crate) fn mutated(&self, from: &str, to: Option<&str>) -> Log {
        let mut log = self.clone();
        let mut lines = log.tasks.values_mut();
        let found = lines.find_map(|lines| {
            let at = lines.iter().position(|line| line.contains(from))?;
            Some((lines, at))
        });
        let (lines, at) = found.unwrap_or_else(|| panic!("no line with {from}"));
        match to {
            Some(to) => lines[at] = lines[at].replacen(from, to, 1),
            None => drop(lines.remove(at)),
        }
        log
    }

    /// The log without translations of pids.
    pub(crate) fn untranslated(mut self) -> Log {
        for line in self.tasks.values_mut().flatten() {
            while let Some((head, rest)) = line.split_once(TRANSLATION) {
                let (head, _) = head.rsplit_once(" /* ").unwrap();
                *line = format!("{head}{rest}");
            }
        }
        self
    }

    /// In how many calls each translation names a task that ended as the call
    /// says. Panics if one names another.
    pub(crate) fn right_translations(&self) -> usize {
        let mut right = 0;
        for line in self.tasks.values().flatten() {
            let pieces: Vec<&str> = line.split(TRANSLATION).collect();
            let [heads @ .., _] = pieces.as_slice() else {
                continue;
            };
            let code = ["WEXITSTATUS(s) == ", "si_status="]
                .iter()
                .find_map(|field| line.split_once(field))
                .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit));
            let Some(code) = code.map(String::from_iter).filter(|_| !heads.is_empty()) else {
                continue;
            };
            for head in heads {
                let (_, pid) = head.rsplit_once(" /* ").unwrap();
                let lines = pid.parse().ok().and_then(|pid: u32| self.tasks.get(&pid));
                let end = lines.and_then(|lines| lines.last()).map(String::as_str);
                let expected = format!("+++ exited with {code} +++");
                assert_eq!(end, Some(expected.as_str()), "{line}");
            }
            right += usize::from(reports_a_child(line));
        }
        right
    }

    /// How many calls report a child.
    pub(crate) fn reaps(&self) -> usize {
        let lines = self.tasks.values().flatten();
        lines.filter(|line| reports_a_child(line)).count()
    }

    /// How many threads and processes wrote lines or have files.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.len()
    }
}

/// What stands behind the pid in a translation: `2 /* 1234 in strace's…`.
const TRANSLATION: &str = " in strace's PID NS */";

/// The tasks of a normal form without the names of processes.
fn anonymous(tasks: &[String]) -> Vec<String> {
    let name = |text: &str| {
        let mut out = String::new();
        let mut pieces = text.split("task#");
        out.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            out.push_str("task");
            out.push_str(piece.get(6..).unwrap_or_default());
        }
        out
    };
    tasks.iter().map(|task| name(task)).collect()
}

impl Likeness {
    /// A line as far as it must be equal.
    fn keeps(self, line: &str) -> Option<String> {
        let is_racy = line.starts_with("--- SIGCHLD ") || line.starts_with("--- SIGCONT ");
        let is_interrupted = line.contains(") = ? ERESTART");
        match self {
            Likeness::Lines | Likeness::SigchldAnywhere => Some(line.to_owned()),
            Likeness::WithoutRestarts => (!is_racy && !is_interrupted).then(|| line.to_owned()),
            Likeness::Reaps | Likeness::ReapsOfAll => {
                // Whether an exec finds a leader to supersede may be a race.
                let is_end = line.starts_with("+++ ") && !line.contains("superseded");
                (is_end || reports_a_child(line)).then(|| without_nohang(line))
            }
        }
    }

    /// The text of a task, with these names in place of pids.
    fn text(self, tid: u32, lines: &[String], names: &BTreeMap<u32, String>) -> String {
        let is_aside =
            |line: &&String| self == Likeness::SigchldAnywhere && line.starts_with("--- SIGCHLD ");
        let (aside, lines): (Vec<&String>, Vec<&String>) = lines.iter().partition(is_aside);
        // Two children that did the same are still two, in the order in which
        // they are named.
        let mut met: Vec<u32> = Vec::new();
        let mut rename = |line: &String, meets: bool| {
            with_pids(line, &mut |pid| {
                if pid == tid {
                    return "self".to_owned();
                }
                let name = names.get(&pid).map_or("untraced", String::as_str);
                if meets && self.is_ordered() && !met.contains(&pid) {
                    met.push(pid);
                }
                match met.iter().position(|met| *met == pid) {
                    Some(at) => format!("{name}.{at}"),
                    None => name.to_owned(),
                }
            })
        };
        let mut lines: Vec<String> = lines.iter().map(|line| rename(line, true)).collect();
        let mut aside: Vec<String> = aside.iter().map(|line| rename(line, false)).collect();
        aside.sort();
        if !self.is_ordered() {
            lines.sort();
        }
        lines.extend(aside);
        lines.join("\n")
    }

    /// Whether the order of the lines is the program's own.
    fn is_ordered(self) -> bool {
        !matches!(self, Likeness::Reaps | Likeness::ReapsOfAll)
    }
}

/// All calls as those of one task, and the ends of those that were reaped.
fn flattened(tasks: &BTreeMap<u32, Vec<String>>) -> BTreeMap<u32, Vec<String>> {
    let lines = || tasks.values().flatten();
    let calls = lines().filter(|line| reports_a_child(line)).cloned();
    let mut reaped: BTreeSet<u32> = BTreeSet::new();
    for line in lines().filter(|line| reports_a_child(line)) {
        with_pids(line, &mut |pid| {
            reaped.insert(pid);
            String::new()
        });
    }
    let ends = tasks.iter().filter(|(tid, _)| reaped.contains(tid));
    let ends = ends.map(|(tid, lines)| {
        let ends = lines.iter().filter(|line| line.starts_with("+++ "));
        (*tid, ends.cloned().collect())
    });
    std::iter::once((0, calls.collect())).chain(ends).collect()
}

/// The lines of one task, its calls whole again. strace 6.1 writes
/// `wait4(-1,  <unfinished ...>` and `resumed>[{`, 7.2 `wait4(-1 <unfinished`
/// and `resumed>, [{`.
fn joined(lines: &[String]) -> Vec<String> {
    let mut whole = Vec::new();
    let mut begun: Vec<String> = Vec::new();
    for line in lines {
        if let Some(head) = line.strip_suffix("<unfinished ...>") {
            begun.push(head.trim_end_matches([' ', ',']).to_owned());
        } else if let Some((call, rest)) = line
            .strip_prefix("<... ")
            .and_then(|rest| rest.split_once(" resumed>"))
        {
            let head = begun
                .pop()
                .unwrap_or_else(|| panic!("resumed unbegun: {line}"));
            assert!(head.starts_with(call), "{line} resumes {head}");
            let rest = rest.strip_prefix(", ").unwrap_or(rest);
            whole.push(format!("{head}, {rest}"));
        } else {
            whole.push(line.clone());
        }
    }
    whole.extend(begun.into_iter().map(|head| head + " <never resumed>"));
    for line in &mut whole {
        // A call that never returns: `wait4(5,  <unfinished ...>) = ?`.
        for cut in [",  <unfinished ...>)", ", <unfinished ...>)"] {
            *line = line.replace(cut, " <unfinished ...>)");
        }
    }
    whole
}

/// A call's line with one space before its `=`: the column depends on where
/// the line was cut.
fn single_spaced(line: &str) -> String {
    let gap = line
        .match_indices(')')
        .map(|(at, _)| (&line[..=at], &line[at + 1..]))
        .find(|(_, rest)| rest.starts_with(' ') && rest.trim_start().starts_with("= "));
    match gap {
        Some((head, rest)) if !line.starts_with("---") => format!("{head} {}", rest.trim_start()),
        _ => line.to_owned(),
    }
}

/// Times, resource use and addresses that differ from run to run.
fn masked(line: &str) -> String {
    // The fields that are not always 0, and the comment in seconds.
    const VARYING: [&str; 13] = [
        "tv_sec=",
        "tv_usec=",
        "si_utime=",
        "si_stime=",
        "ru_maxrss=",
        "ru_minflt=",
        "ru_majflt=",
        "ru_inblock=",
        "ru_oublock=",
        "ru_nvcsw=",
        "ru_nivcsw=",
        "si_call_addr=",
        "si_timerid=0x",
    ];
    let line = with_tokens(line, &mut |before, token, after| {
        if VARYING.iter().any(|field| before.ends_with(field)) {
            // What a fixture put there is not the kernel's.
            let poison = token
                .parse()
                .is_ok_and(|number: u64| number >= 1_000_000_000);
            return (!poison).then(|| "N".to_owned());
        }
        let digits = token.strip_prefix("0x")?;
        let is_address = digits.len() >= 6 && !before.ends_with('|') && !after.starts_with(" /*");
        is_address.then(|| "0xADDR".to_owned())
    });
    without_seconds(&line)
}

/// Without the seconds that strace puts behind clock ticks which are not 0.
pub(crate) fn without_seconds(line: &str) -> String {
    let mut out = String::new();
    let mut pieces = line.split("time=N /* ");
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        out.push_str("time=N");
        out.push_str(piece.split_once(" */").map_or(piece, |(_, rest)| rest));
    }
    out
}

/// Whether a call reports a child.
fn reports_a_child(line: &str) -> bool {
    let found_pid = || {
        let (_, result) = line.rsplit_once(") = ")?;
        let digits = result.split([' ', '<']).next()?;
        Some(digits.parse::<u32>().ok()? > 0)
    };
    match line.split_once('(') {
        Some(("wait4" | "waitpid", _)) => found_pid().unwrap_or(false),
        Some(("waitid", _)) => line.contains("{si_signo=SIGCHLD"),
        _ => false,
    }
}

/// A call's line without WNOHANG.
fn without_nohang(line: &str) -> String {
    line.replace("WNOHANG|", "").replace(", WNOHANG", ", 0")
}

/// Replace the pids of a line.
fn with_pids(line: &str, name: &mut dyn FnMut(u32) -> String) -> String {
    const BEFORE: [&str; 10] = [
        "wait4(",
        "wait4(-",
        "waitpid(",
        "waitpid(-",
        "P_PID, ",
        "P_PGID, ",
        "si_pid=",
        "in pid ",
        // -yy and --pidns-translation
        "<pid:",
        " /* ",
    ];
    let returns_pid = line.starts_with("wait4(") || line.starts_with("waitpid(");
    with_tokens(line, &mut |before, token, _| {
        let is_pid = BEFORE.iter().any(|word| before.ends_with(word))
            || returns_pid && before.ends_with(") = ");
        let pid: u32 = token.parse().ok().filter(|_| is_pid)?;
        // Smaller ones are those of other pid namespaces, larger ones (the
        // kernel's limit is 4194304) were never given.
        (100..=4_194_304).contains(&pid).then(|| name(pid))
    })
}

/// Replace words by what `change` makes of them, which sees what stands before
/// and after.
pub(crate) fn with_tokens(
    line: &str,
    change: &mut dyn FnMut(&str, &str, &str) -> Option<String>,
) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut at = 0;
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if length == 0 {
            let other = rest.find(is_word).unwrap_or(rest.len());
            out.push_str(&rest[..other]);
            at += other;
            continue;
        }
        let (token, after) = rest.split_at(length);
        match change(&line[..at], token, after) {
            Some(new) => out.push_str(&new),
            None => out.push_str(token),
        }
        at += length;
    }
    out
}
