//! The report as JSON: one object for each look.

use schemars::JsonSchema;
use serde::Serialize;

use super::cause::activity;
use super::report::{Report, Zombie};
use super::text::ended;
use crate::event::harmless_json;

/// One look at the zombies of a machine.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Look {
    /// The version of the format.
    v: u32,
    /// How many zombies there are.
    count: usize,
    /// How many processes were examined.
    processes: usize,
    /// The zombies, and processes of which only the main thread is dead.
    zombies: Vec<Entry>,
    /// What could not be observed, one clause each.
    unseen: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Entry {
    pid: i32,
    comm: String,
    /// The raw wait status; null if it may not be read.
    status: Option<i32>,
    /// How it ended, in words; null if that may not be read.
    ended: Option<String>,
    /// Seconds since it ended; null if the kernel does not show it.
    dead_for_seconds: Option<f64>,
    /// Seconds since it was started.
    age_seconds: Option<f64>,
    /// False for a process with live threads.
    is_zombie: bool,
    parent: Parent,
    /// The name of the cause.
    cause: &'static str,
    /// The cause in a clause.
    why: String,
    /// What would free it.
    help: String,
    /// What to do if that is not possible, if there is a way.
    way_out: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Parent {
    pid: i32,
    comm: Option<String>,
    /// The state of SIGCHLD: ignored, caught, blocked in all threads, pending; null
    /// if the parent is gone.
    sigchld: Option<Sigchld>,
    /// What its threads do, the first few.
    threads: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Sigchld {
    ignored: bool,
    caught: bool,
    blocked: bool,
    pending: bool,
}

/// The object, on one line.
pub(super) fn json(report: &Report) -> String {
    let look = Look {
        v: 1,
        count: report.count(),
        processes: report.survey.stats.len(),
        zombies: report
            .zombies
            .iter()
            .map(|zombie| entry(zombie, report))
            .collect(),
        unseen: report.unseen.clone(),
    };
    // The object holds only strings and numbers, which JSON can represent.
    let text = serde_json::to_string(&look).unwrap_or_default();
    let mut text = harmless_json(&text).into_owned();
    text.push('\n');
    text
}

fn entry(zombie: &Zombie, report: &Report) -> Entry {
    let parent = report.parents.get(&zombie.stat.parent);
    let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs_f64());
    Entry {
        pid: zombie.stat.pid.raw(),
        comm: zombie.stat.comm.to_string(),
        status: zombie.status.map(crate::kernel::WaitStatus::raw),
        ended: zombie.status.map(ended),
        dead_for_seconds: seconds(zombie.dead_for),
        age_seconds: seconds(zombie.age),
        is_zombie: zombie.stat.is_zombie(),
        parent: Parent {
            pid: zombie.stat.parent.raw(),
            comm: parent.map(|parent| parent.stat.comm.to_string()),
            sigchld: parent
                .and_then(|parent| parent.sigchld)
                .map(|sigchld| Sigchld {
                    ignored: sigchld.is_ignored,
                    caught: sigchld.is_caught,
                    blocked: sigchld.is_blocked,
                    pending: sigchld.is_pending,
                }),
            threads: parent
                .iter()
                .flat_map(|parent| &parent.threads)
                .map(activity)
                .collect(),
        },
        cause: zombie.cause.name(),
        why: zombie.cause.why(parent),
        help: zombie.cause.remedy(&zombie.stat),
        way_out: zombie.cause.fallback(&zombie.stat, parent),
    }
}
