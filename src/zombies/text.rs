//! The report as text: a block for each parent, with its zombies in a table and then
//! why, and what frees them.

use std::fmt::{self, Write};

use rustc_hash::FxHashSet;

use super::place::{command, place, user};
use super::report::{Report, Zombie};
use super::wording::{Age, activity};
use crate::kernel::phrases::{EndedBriefly, plural};
use crate::kernel::{Status, Tgid, WaitStatus};
use crate::output::Styles;

/// How many zombies of a parent are shown, and how many of its threads.
pub(super) const MOST_ZOMBIES: usize = 10;
const MOST_THREADS: usize = 4;
/// How many parents are shown.
const MOST_PARENTS: usize = 20;

/// The whole text.
pub(super) fn text(report: &Report, styles: &Styles) -> String {
    let mut to = String::new();
    // Writing to a String cannot fail.
    let _ = write_text(&mut to, report, styles);
    to
}

fn write_text(to: &mut String, report: &Report, styles: &Styles) -> fmt::Result {
    let blocks: Vec<&[Zombie]> = report.zombies.chunk_by(same_block).collect();
    for zombies in blocks.iter().take(MOST_PARENTS) {
        block(to, report, zombies, styles)?;
    }
    let rest = blocks.get(MOST_PARENTS..).unwrap_or_default();
    if !rest.is_empty() {
        let zombies: usize = rest.iter().map(|block| block.len()).sum();
        let parents = plural(rest.len() as u64, "more parent", "more parents");
        let zombies = plural(zombies as u64, "zombie", "zombies");
        writeln!(to, "… {parents} with {zombies}: --format json has all\n")?;
    }
    if !report.unseen.is_empty() {
        writeln!(to, "wait4-strace: not seen: {}", report.unseen.join("; "))?;
    }
    summary(to, report)
}

fn same_block(one: &Zombie, other: &Zombie) -> bool {
    one.stat.parent == other.stat.parent && one.stat.is_zombie() == other.stat.is_zombie()
}

/// The last line, which says what is worst, as that may have scrolled away.
fn summary(to: &mut String, report: &Report) -> fmt::Result {
    let zombies = report.zombies.iter();
    let zombies = zombies.filter(|zombie| zombie.stat.is_zombie());
    let parents: FxHashSet<Tgid> = zombies.map(|zombie| zombie.stat.parent).collect();
    let count = plural(report.count() as u64, "zombie", "zombies");
    let all = plural(report.survey.stats.len() as u64, "process", "processes");
    write!(to, "wait4-strace: {count}")?;
    if !parents.is_empty() {
        write!(
            to,
            " of {}",
            plural(parents.len() as u64, "parent", "parents")
        )?;
    }
    write!(to, " among {all}")?;
    if let Some(worst) = report.zombies.first().filter(|_| parents.len() > 1) {
        let of_worst = report
            .zombies
            .iter()
            .take_while(|zombie| same_block(worst, zombie));
        let parent = worst.stat.parent;
        write!(
            to,
            "; {} of {parent} {}",
            of_worst.count(),
            name(report, parent)
        )?;
    }
    if report.young > 0 {
        write!(
            to,
            "; {} more, dead for less than {}",
            report.young,
            Age(report.least)
        )?;
    }
    writeln!(to)
}

/// What a process is called: its arguments, or the name that is left of it.
fn name(report: &Report, pid: Tgid) -> String {
    let parent = report.parents.get(&pid);
    let argv = parent.and_then(|parent| parent.argv.as_deref());
    let comm = report.survey.stats.get(&pid).map(|stat| stat.comm);
    match (argv, comm) {
        (Some(argv), _) => command(argv),
        (None, Some(comm)) => comm.to_string(),
        (None, None) => String::new(),
    }
}

/// A parent and its zombies.
fn block(to: &mut String, report: &Report, zombies: &[Zombie], styles: &Styles) -> fmt::Result {
    let Some(first) = zombies.first() else {
        return Ok(());
    };
    let parent = first.stat.parent;
    if first.stat.is_zombie() {
        let count = plural(zombies.len() as u64, "zombie", "zombies");
        let who = match (parent.raw(), name(report, parent)) {
            (0, _) => "a parent outside".to_owned(),
            (_, name) if name.is_empty() => parent.to_string(),
            (_, name) => format!("{parent} {name}"),
        };
        writeln!(to, "{}", styles.wrong.style(format_args!("{who}: {count}")))?;
        whereabouts(to, report, parent)?;
    } else {
        writeln!(to, "no zombies, though ps shows Z:")?;
    }
    table(to, report, zombies, styles)?;
    for alike in zombies.chunk_by(|one, other| one.cause == other.cause) {
        paragraph(to, report, alike, styles)?;
    }
    writeln!(to)
}

/// Whose a parent is, and where it runs.
fn whereabouts(to: &mut String, report: &Report, pid: Tgid) -> fmt::Result {
    let ancestors = report.survey.ancestors(pid);
    let above = ancestors.iter().rev();
    let above: Vec<String> = above
        .map(|stat| format!("{} {}", stat.pid, stat.comm))
        .collect();
    if !above.is_empty() {
        writeln!(to, "  below   {}", above.join(" > "))?;
    }
    let Some(parent) = report.parents.get(&pid) else {
        return Ok(());
    };
    if let Some(uid) = parent.uid {
        writeln!(to, "  user    {}", user(uid, &report.users))?;
    }
    if let Some(cgroup) = &parent.cgroup {
        writeln!(to, "  in      {}", place(cgroup))?;
    }
    Ok(())
}

/// The cells of a zombie.
struct Row {
    pid: String,
    name: String,
    status: String,
    dead_for: String,
    started: String,
    /// In what it differs from its parent.
    note: String,
}

fn table(to: &mut String, report: &Report, zombies: &[Zombie], styles: &Styles) -> fmt::Result {
    let shown = zombies.iter().take(MOST_ZOMBIES);
    let rows: Vec<Row> = shown.map(|zombie| row(zombie, report)).collect();
    let width = |cell: fn(&Row) -> &String, head: &str| {
        let widths = rows.iter().map(|row| cell(row).chars().count());
        widths.max().unwrap_or(0).max(head.len())
    };
    let name = width(|row| &row.name, "NAME");
    let status = width(|row| &row.status, "STATUS");
    let dead = width(|row| &row.dead_for, "DEAD FOR");
    let head = format!(
        "{:>9}  {:<name$}  {:<status$}  {:>dead$}  STARTED",
        "PID", "NAME", "STATUS", "DEAD FOR"
    );
    writeln!(to, "{}", styles.dim.style(head))?;
    for row in &rows {
        let text = format!(
            "{:>9}  {:<name$}  {:<status$}  {:>dead$}  {}{}",
            row.pid, row.name, row.status, row.dead_for, row.started, row.note
        );
        writeln!(to, "{}", text.trim_end())?;
    }
    if zombies.len() > rows.len() {
        writeln!(to, "{:>9}  {} more", "…", zombies.len() - rows.len())?;
    }
    Ok(())
}

fn row(zombie: &Zombie, report: &Report) -> Row {
    let age = |age: Option<std::time::Duration>| age.map(|age| Age(age).to_string());
    let argv = zombie.argv.as_deref();
    let parent = report.parents.get(&zombie.stat.parent);
    let mut note = String::new();
    if let Some(uid) = zombie.uid
        && parent.is_some_and(|parent| parent.uid != Some(uid))
    {
        let _ = write!(note, "  user {}", user(uid, &report.users));
    }
    if let Some(cgroup) = &zombie.cgroup
        && parent.is_some_and(|parent| parent.cgroup.as_ref() != Some(cgroup))
    {
        let _ = write!(note, "  in {}", place(cgroup));
    }
    Row {
        pid: zombie.stat.pid.to_string(),
        name: argv.map_or_else(|| zombie.stat.comm.to_string(), command),
        status: match zombie.status {
            _ if zombie.stat.is_headless() => "lives on".to_owned(),
            Some(status) => ended(status),
            None => "not readable".to_owned(),
        },
        dead_for: age(zombie.dead_for).unwrap_or_else(|| "?".to_owned()),
        started: age(zombie.age).map_or_else(String::new, |age| format!("{age} ago")),
        note,
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

/// Why those of one cause are not reaped, and what frees them.
fn paragraph(to: &mut String, report: &Report, alike: &[Zombie], styles: &Styles) -> fmt::Result {
    let Some(zombie) = alike.first() else {
        return Ok(());
    };
    let parent = report.parents.get(&zombie.stat.parent);
    let head = match alike.len() {
        1 => format!("{} {}", zombie.stat.pid, zombie.stat.comm),
        many => format!(
            "{} {} and {} more",
            zombie.stat.pid,
            zombie.stat.comm,
            many - 1
        ),
    };
    let style = if zombie.stat.is_zombie() {
        styles.warned
    } else {
        styles.dim
    };
    let cause = style.style(format!("[{}]", zombie.cause.name()));
    writeln!(to, "  {cause} {head}: {}", zombie.cause.why(parent))?;
    if let Some(parent) = parent.filter(|_| zombie.stat.is_zombie()) {
        for thread in parent.threads.iter().take(MOST_THREADS) {
            writeln!(to, "  thread  {}", activity(thread))?;
        }
        if parent.thread_count > MOST_THREADS {
            let more = parent.thread_count - MOST_THREADS;
            writeln!(to, "  thread  … {more} more")?;
        }
    }
    writeln!(to, "  = help: {}", zombie.cause.remedy(&zombie.stat))?;
    if let Some(way) = zombie.cause.fallback(&zombie.stat, parent) {
        writeln!(to, "  = or: {way}")?;
    }
    Ok(())
}
