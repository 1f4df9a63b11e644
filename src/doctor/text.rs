//! The findings for people: a tree with a table in it, and the causes.

use std::fmt::{self, Write};

use rustc_hash::{FxHashMap, FxHashSet};

use super::cause::{Age, deed};
use super::findings::{Findings, Zombie};
use crate::event::Comm;
use crate::kernel::{Status, WaitStatus};
use crate::output::{Styles, plural};

/// How many zombies of a parent are shown, and how many of its threads.
pub(super) const MOST_ZOMBIES: usize = 10;
const MOST_THREADS: usize = 4;

/// The whole text.
pub(super) fn text(findings: &Findings, styles: &Styles) -> String {
    let mut to = String::new();
    // Writing to a String cannot fail.
    let _ = write_text(&mut to, findings, styles);
    to
}

fn write_text(to: &mut String, findings: &Findings, styles: &Styles) -> fmt::Result {
    if !findings.zombies.is_empty() {
        tree(to, findings, styles)?;
        causes(to, findings, styles)?;
    }
    if !findings.unseen.is_empty() {
        writeln!(to, "wait4-strace: not seen: {}", findings.unseen.join("; "))?;
    }
    let parents = findings
        .zombies
        .iter()
        .filter(|zombie| zombie.row.is_zombie());
    let parents: FxHashSet<i32> = parents.map(|zombie| zombie.row.parent).collect();
    let zombies = plural(findings.count() as u64, "zombie", "zombies");
    let of = match parents.len() {
        0 => String::new(),
        many => format!(" of {}", plural(many as u64, "parent", "parents")),
    };
    let all = plural(findings.survey.rows.len() as u64, "process", "processes");
    writeln!(to, "wait4-strace: {zombies}{of} among {all}")
}

/// The line of a process in the tree.
struct Line {
    /// Empty where it stands for several.
    pid: String,
    /// The branches before the name, and the name.
    name: String,
    status: String,
    dead_for: String,
    started: String,
    is_zombie: bool,
}

fn tree(to: &mut String, findings: &Findings, styles: &Styles) -> fmt::Result {
    let mut lines = Lines::default();
    lines.gather(findings);
    let lines = lines.lines;
    let width = |cell: fn(&Line) -> &String| {
        let widths = lines.iter().map(|line| cell(line).chars().count());
        widths.max().unwrap_or(0)
    };
    let name = width(|line| &line.name).max("COMMAND".len());
    let status = width(|line| &line.status).max("STATUS".len());
    let dead = width(|line| &line.dead_for).max("DEAD FOR".len());
    let head = format!(
        "{:>7}  {:<name$}  {:<status$}  {:>dead$}  STARTED",
        "PID", "COMMAND", "STATUS", "DEAD FOR"
    );
    writeln!(to, "{}", styles.dim.style(head))?;
    for line in &lines {
        let text = format!(
            "{:>7}  {:<name$}  {:<status$}  {:>dead$}  {}",
            line.pid, line.name, line.status, line.dead_for, line.started
        );
        let style = if line.is_zombie {
            styles.wrong
        } else {
            styles.dim
        };
        writeln!(to, "{}", style.style(text.trim_end()))?;
    }
    writeln!(to)
}

/// Lines of the tree, as they are gathered.
#[derive(Default)]
struct Lines {
    lines: Vec<Line>,
}

impl Lines {
    /// All zombies, and those above them.
    fn gather(&mut self, findings: &Findings) {
        let mut children: FxHashMap<i32, Vec<i32>> = FxHashMap::default();
        let mut known = FxHashSet::default();
        let mut roots = Vec::new();
        for zombie in &findings.zombies {
            let mut below = zombie.row.pid;
            for row in findings.survey.ancestors(below) {
                children.entry(row.pid).or_default().push(below);
                below = row.pid;
                if !known.insert(row.pid) {
                    below = 0;
                    break;
                }
            }
            if below != 0 {
                roots.push(below);
            }
        }
        let zombies = findings.zombies.iter();
        let zombies: FxHashMap<i32, &Zombie> =
            zombies.map(|zombie| (zombie.row.pid, zombie)).collect();
        let family = Family {
            findings,
            children,
            zombies,
        };
        for root in roots {
            self.enter(root, "", "", &family);
        }
    }

    fn enter(&mut self, pid: i32, branch: &str, indent: &str, family: &Family<'_>) {
        let children = family.children.get(&pid);
        let children = children.map(Vec::as_slice).unwrap_or_default();
        self.lines.push(family.line(pid, branch));
        let is_dead = |pid: &i32| family.zombies.contains_key(pid);
        let mut dead = 0;
        let mut shown: Vec<i32> = children.to_vec();
        shown.retain(|pid| {
            dead += usize::from(is_dead(pid));
            !is_dead(pid) || dead <= MOST_ZOMBIES
        });
        let more = children.len() - shown.len();
        for (index, child) in shown.iter().enumerate() {
            let is_last = index + 1 == shown.len() && more == 0;
            let (branch, below) = if is_last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            let branch = format!("{indent}{branch}");
            self.enter(*child, &branch, &format!("{indent}{below}"), family);
        }
        if more > 0 {
            self.lines.push(Line {
                pid: String::new(),
                name: format!("{indent}└─ … {more} more"),
                status: String::new(),
                dead_for: String::new(),
                started: String::new(),
                is_zombie: true,
            });
        }
    }
}

/// Who is whose child, as far as it is shown.
struct Family<'a> {
    findings: &'a Findings,
    children: FxHashMap<i32, Vec<i32>>,
    zombies: FxHashMap<i32, &'a Zombie>,
}

impl Family<'_> {
    fn line(&self, pid: i32, branch: &str) -> Line {
        let comm = self.findings.survey.rows.get(&pid).map(|row| row.comm);
        let name = format!("{branch}{}", comm.unwrap_or(Comm::new(b"?")));
        let Some(zombie) = self.zombies.get(&pid) else {
            let dead = self.children.get(&pid).into_iter().flatten();
            let dead = dead.filter(|pid| {
                let zombie = self.zombies.get(pid);
                zombie.is_some_and(|zombie| zombie.row.is_zombie())
            });
            let dead = dead.count();
            let status = (dead > 0).then(|| plural(dead as u64, "zombie", "zombies"));
            return Line {
                pid: pid.to_string(),
                name,
                status: status.unwrap_or_default(),
                dead_for: String::new(),
                started: String::new(),
                is_zombie: false,
            };
        };
        let age = |age: Option<std::time::Duration>| age.map(|age| Age(age).to_string());
        Line {
            pid: pid.to_string(),
            name,
            status: match zombie.status {
                _ if zombie.row.is_headless() => "lives on".to_owned(),
                Some(status) => ended(status),
                None => "not readable".to_owned(),
            },
            dead_for: age(zombie.dead_for).unwrap_or_else(|| "?".to_owned()),
            started: age(zombie.age).map_or_else(String::new, |age| format!("{age} ago")),
            is_zombie: zombie.row.is_zombie(),
        }
    }
}

/// How it ended.
pub(super) fn ended(status: WaitStatus) -> String {
    match status.decode() {
        Status::Exited(code) => format!("exited {code}"),
        Status::Signaled { signal, core: true } => format!("{signal}, core dumped"),
        Status::Signaled { signal, .. } => signal.to_string(),
        _ => format!("{:#x}", status.raw()),
    }
}

/// Why, and what frees them: a paragraph for each parent and cause.
fn causes(to: &mut String, findings: &Findings, styles: &Styles) -> fmt::Result {
    let mut told: Vec<&Zombie> = Vec::new();
    for zombie in &findings.zombies {
        let same =
            |other: &&Zombie| other.row.parent == zombie.row.parent && other.cause == zombie.cause;
        // They stand in the order of their parents.
        let mut before = told.iter().rev();
        if before
            .by_ref()
            .take_while(|other| other.row.parent == zombie.row.parent)
            .any(&same)
        {
            continue;
        }
        let count = findings.zombies.iter().filter(|other| same(other)).count();
        told.push(zombie);
        paragraph(to, findings, zombie, count, styles)?;
    }
    Ok(())
}

fn paragraph(
    to: &mut String,
    findings: &Findings,
    zombie: &Zombie,
    count: usize,
    styles: &Styles,
) -> fmt::Result {
    let parent = findings.parents.get(&zombie.row.parent);
    let head = match count {
        1 => format!("{} {}", zombie.row.pid, zombie.row.comm),
        many => format!(
            "{} {} and {} more",
            zombie.row.pid,
            zombie.row.comm,
            many - 1
        ),
    };
    let comm = parent.map(|parent| format!(" {}", parent.row.comm));
    let style = if zombie.row.is_zombie() {
        styles.warned
    } else {
        styles.dim
    };
    write!(
        to,
        "{}",
        style.style(format_args!("[{}]", zombie.cause.name()))
    )?;
    writeln!(to, " {head}: {}", zombie.cause.why(parent))?;
    writeln!(
        to,
        "  parent  {}{}",
        zombie.row.parent,
        comm.unwrap_or_default()
    )?;
    if let Some(parent) = parent {
        for thread in parent.threads.iter().take(MOST_THREADS) {
            writeln!(to, "  thread  {}", deed(thread))?;
        }
        if parent.thread_count > MOST_THREADS {
            writeln!(
                to,
                "  thread  … {} more",
                parent.thread_count - MOST_THREADS
            )?;
        }
    }
    writeln!(to, "  = help: {}", zombie.cause.cure(&zombie.row))?;
    if let Some(way) = zombie.cause.way_out(&zombie.row, parent) {
        writeln!(to, "  = or: {way}")?;
    }
    writeln!(to)
}
