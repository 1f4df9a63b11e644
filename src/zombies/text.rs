//! The report as text: a tree with a table, then the causes.

use std::fmt::{self, Write};

use rustc_hash::{FxHashMap, FxHashSet};

use super::cause::{Age, activity};
use super::report::{Report, Zombie};
use crate::event::Comm;
use crate::kernel::phrases::{EndedBriefly, plural};
use crate::kernel::{Status, Tgid, WaitStatus};
use crate::output::Styles;

/// How many zombies of a parent are shown, and how many of its threads.
pub(super) const MOST_ZOMBIES: usize = 10;
const MOST_THREADS: usize = 4;

/// The whole text.
pub(super) fn text(report: &Report, styles: &Styles) -> String {
    let mut to = String::new();
    // Writing to a String cannot fail.
    let _ = write_text(&mut to, report, styles);
    to
}

fn write_text(to: &mut String, report: &Report, styles: &Styles) -> fmt::Result {
    if !report.zombies.is_empty() {
        tree(to, report, styles)?;
        causes(to, report, styles)?;
    }
    if !report.unseen.is_empty() {
        writeln!(to, "wait4-strace: not seen: {}", report.unseen.join("; "))?;
    }
    let parents = report
        .zombies
        .iter()
        .filter(|zombie| zombie.stat.is_zombie());
    let parents: FxHashSet<Tgid> = parents.map(|zombie| zombie.stat.parent).collect();
    let zombies = plural(report.count() as u64, "zombie", "zombies");
    let of = match parents.len() {
        0 => String::new(),
        many => format!(" of {}", plural(many as u64, "parent", "parents")),
    };
    let all = plural(report.survey.stats.len() as u64, "process", "processes");
    writeln!(to, "wait4-strace: {zombies}{of} among {all}")
}

/// The line of a process in the tree.
struct Line {
    /// Empty if the line stands for several.
    pid: String,
    /// The branches of the tree, then the name.
    name: String,
    status: String,
    dead_for: String,
    started: String,
    is_zombie: bool,
}

fn tree(to: &mut String, report: &Report, styles: &Styles) -> fmt::Result {
    let mut lines = Lines::default();
    lines.gather(report);
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

/// The lines of the tree, in order.
#[derive(Default)]
struct Lines {
    lines: Vec<Line>,
}

impl Lines {
    /// Adds all zombies and their ancestors.
    fn gather(&mut self, report: &Report) {
        let mut children: FxHashMap<Tgid, Vec<Tgid>> = FxHashMap::default();
        let mut known = FxHashSet::default();
        let mut roots = Vec::new();
        for zombie in &report.zombies {
            let mut below = zombie.stat.pid;
            // The line from its root exists already.
            let mut joins = false;
            for row in report.survey.ancestors(below) {
                children.entry(row.pid).or_default().push(below);
                below = row.pid;
                if !known.insert(row.pid) {
                    joins = true;
                    break;
                }
            }
            if !joins {
                roots.push(below);
            }
        }
        let zombies = report.zombies.iter();
        let zombies: FxHashMap<Tgid, &Zombie> =
            zombies.map(|zombie| (zombie.stat.pid, zombie)).collect();
        let family = Family {
            report,
            children,
            zombies,
        };
        for root in roots {
            self.enter(root, "", "", &family);
        }
    }

    fn enter(&mut self, pid: Tgid, branch: &str, indent: &str, family: &Family<'_>) {
        let children = family.children.get(&pid);
        let children = children.map(Vec::as_slice).unwrap_or_default();
        self.lines.push(family.line(pid, branch));
        let is_dead = |pid: &Tgid| family.zombies.contains_key(pid);
        let mut dead = 0;
        let mut shown: Vec<Tgid> = children.to_vec();
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

/// The parent and children of each process that is shown.
struct Family<'a> {
    report: &'a Report,
    children: FxHashMap<Tgid, Vec<Tgid>>,
    zombies: FxHashMap<Tgid, &'a Zombie>,
}

impl Family<'_> {
    fn line(&self, pid: Tgid, branch: &str) -> Line {
        let comm = self.report.survey.stats.get(&pid).map(|row| row.comm);
        let name = format!("{branch}{}", comm.unwrap_or(Comm::new(b"?")));
        let Some(zombie) = self.zombies.get(&pid) else {
            let dead = self.children.get(&pid).into_iter().flatten();
            let dead = dead.filter(|pid| {
                let zombie = self.zombies.get(pid);
                zombie.is_some_and(|zombie| zombie.stat.is_zombie())
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
                _ if zombie.stat.is_headless() => "lives on".to_owned(),
                Some(status) => ended(status),
                None => "not readable".to_owned(),
            },
            dead_for: age(zombie.dead_for).unwrap_or_else(|| "?".to_owned()),
            started: age(zombie.age).map_or_else(String::new, |age| format!("{age} ago")),
            is_zombie: zombie.stat.is_zombie(),
        }
    }
}

/// How it ended, in words.
pub(super) fn ended(status: WaitStatus) -> String {
    let core = match status.decode() {
        Status::Signaled { core: true, .. } => ", core dumped",
        _ => "",
    };
    format!("{}{core}", EndedBriefly(status))
}

/// Why, and what frees them: a paragraph for each parent and cause.
fn causes(to: &mut String, report: &Report, styles: &Styles) -> fmt::Result {
    let mut told: Vec<&Zombie> = Vec::new();
    for zombie in &report.zombies {
        let same = |other: &&Zombie| {
            other.stat.parent == zombie.stat.parent && other.cause == zombie.cause
        };
        // They are sorted by parent.
        let mut before = told.iter().rev();
        if before
            .by_ref()
            .take_while(|other| other.stat.parent == zombie.stat.parent)
            .any(&same)
        {
            continue;
        }
        let count = report.zombies.iter().filter(|other| same(other)).count();
        told.push(zombie);
        paragraph(to, report, zombie, count, styles)?;
    }
    Ok(())
}

fn paragraph(
    to: &mut String,
    report: &Report,
    zombie: &Zombie,
    count: usize,
    styles: &Styles,
) -> fmt::Result {
    let parent = report.parents.get(&zombie.stat.parent);
    let head = match count {
        1 => format!("{} {}", zombie.stat.pid, zombie.stat.comm),
        many => format!(
            "{} {} and {} more",
            zombie.stat.pid,
            zombie.stat.comm,
            many - 1
        ),
    };
    let comm = parent.map(|parent| format!(" {}", parent.stat.comm));
    let style = if zombie.stat.is_zombie() {
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
        zombie.stat.parent,
        comm.unwrap_or_default()
    )?;
    if let Some(parent) = parent {
        for thread in parent.threads.iter().take(MOST_THREADS) {
            writeln!(to, "  thread  {}", activity(thread))?;
        }
        if parent.thread_count > MOST_THREADS {
            writeln!(
                to,
                "  thread  … {} more",
                parent.thread_count - MOST_THREADS
            )?;
        }
    }
    writeln!(to, "  = help: {}", zombie.cause.remedy(&zombie.stat))?;
    if let Some(way) = zombie.cause.fallback(&zombie.stat, parent) {
        writeln!(to, "  = or: {way}")?;
    }
    writeln!(to)
}
