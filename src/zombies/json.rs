//! The report as JSON: one object for each look.

use schemars::JsonSchema;
use serde::Serialize;

use super::report::{Report, Zombie};
use super::text::ended;
use super::wording::activity;
use crate::event::harmless_json;
use crate::kernel::Tgid;
use crate::proc::Cgroup;
use crate::wire::Text;

/// One look at the zombies of a machine.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Look {
    /// The version of the format.
    v: u32,
    /// How many zombies there are, those that are too young left out.
    count: usize,
    /// How many more are too young to be judged: about to be reaped, perhaps.
    young: usize,
    /// The age from which a zombie is judged (`--threshold zombie=`).
    threshold_seconds: f64,
    /// How many processes were examined.
    processes: usize,
    /// The zombies, those of the parent that has most first; then processes of which only
    /// the main thread is dead.
    zombies: Vec<Entry>,
    /// The parents of zombies, that with most of them first.
    parents: Vec<Parent>,
    /// What could not be observed, one clause each.
    unseen: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Entry {
    pid: i32,
    /// The name that the kernel keeps, at most 15 bytes.
    comm: String,
    /// Its arguments. Null for a zombie, which has no memory any more.
    argv: Option<Vec<Text>>,
    /// Its real uid, and the name that `/etc/passwd` has for it.
    uid: Option<u32>,
    user: Option<String>,
    /// Its control group. Null for the root; with cgroup v1 for every zombie.
    cgroup: Option<Group>,
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
    parent: OfParent,
    /// The name of the cause.
    cause: &'static str,
    /// The cause in a clause.
    why: String,
    /// What would free it.
    help: String,
    /// What to do if that is not possible, if there is a way.
    way_out: Option<String>,
}

/// What a parent of zombies is, whose, and where it runs.
#[derive(Debug, Serialize, JsonSchema)]
struct Parent {
    /// 0 if it is outside of the pid namespace that is seen.
    pid: i32,
    comm: Option<String>,
    /// How many zombies of it there are.
    zombies: usize,
    /// Its arguments; null if they cannot be read.
    argv: Option<Vec<Text>>,
    /// Its real uid, and the name that `/etc/passwd` has for it.
    uid: Option<u32>,
    user: Option<String>,
    /// Its control group. Null for the root.
    cgroup: Option<Group>,
    /// Its ancestors, the nearest first.
    ancestors: Vec<Ancestor>,
}

/// What a parent does.
#[derive(Debug, Serialize, JsonSchema)]
struct OfParent {
    /// 0 if it is outside of the pid namespace that is seen.
    pid: i32,
    comm: Option<String>,
    /// The state of SIGCHLD: ignored, caught, blocked in all threads, pending; null
    /// if the parent is gone.
    sigchld: Option<Sigchld>,
    /// What its threads do, the first few.
    threads: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Ancestor {
    pid: i32,
    comm: String,
}

/// A control group, and what its path says.
#[derive(Debug, Serialize, JsonSchema)]
struct Group {
    path: String,
    /// The innermost systemd service or scope.
    unit: Option<String>,
    /// The innermost container.
    container: Option<Container>,
    /// The uid of the Kubernetes pod.
    pod: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Container {
    /// `docker`, `podman`, `containerd`, `cri-o`, `lxc` or `systemd-nspawn`; null if the
    /// path does not say.
    runtime: Option<&'static str>,
    /// The id, or the name of a machine.
    id: String,
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
        young: report.young,
        threshold_seconds: report.least.as_secs_f64(),
        processes: report.survey.stats.len(),
        zombies: report
            .zombies
            .iter()
            .map(|zombie| entry(zombie, report))
            .collect(),
        parents: parents(report),
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
        argv: argv(zombie.argv.as_deref()),
        uid: zombie.uid,
        user: user(zombie.uid, report),
        cgroup: zombie.cgroup.as_ref().map(group),
        status: zombie.status.map(crate::kernel::WaitStatus::raw),
        ended: zombie.status.map(ended),
        dead_for_seconds: seconds(zombie.dead_for),
        age_seconds: seconds(zombie.age),
        is_zombie: zombie.stat.is_zombie(),
        parent: of_parent(zombie.stat.parent, report),
        cause: zombie.cause.name(),
        why: zombie.cause.why(parent),
        help: zombie.cause.remedy(&zombie.stat),
        way_out: zombie.cause.fallback(&zombie.stat, parent),
    }
}

/// The parents, in the order of their zombies.
fn parents(report: &Report) -> Vec<Parent> {
    let zombies = report
        .zombies
        .iter()
        .filter(|zombie| zombie.stat.is_zombie());
    let zombies: Vec<&Zombie> = zombies.collect();
    let of_parents = zombies.chunk_by(|one, other| one.stat.parent == other.stat.parent);
    let parents = of_parents.filter_map(|zombies| {
        let pid = zombies.first()?.stat.parent;
        let parent = report.parents.get(&pid);
        let uid = parent.and_then(|parent| parent.uid);
        let ancestors = report.survey.ancestors(pid).into_iter();
        Some(Parent {
            pid: pid.raw(),
            comm: parent.map(|parent| parent.stat.comm.to_string()),
            zombies: zombies.len(),
            argv: argv(parent.and_then(|parent| parent.argv.as_deref())),
            uid,
            user: user(uid, report),
            cgroup: parent.and_then(|parent| parent.cgroup.as_ref()).map(group),
            ancestors: ancestors
                .map(|stat| Ancestor {
                    pid: stat.pid.raw(),
                    comm: stat.comm.to_string(),
                })
                .collect(),
        })
    });
    parents.collect()
}

fn of_parent(pid: Tgid, report: &Report) -> OfParent {
    let parent = report.parents.get(&pid);
    let sigchld = parent.and_then(|parent| parent.sigchld);
    let threads = parent.iter().flat_map(|parent| &parent.threads);
    OfParent {
        pid: pid.raw(),
        comm: parent.map(|parent| parent.stat.comm.to_string()),
        sigchld: sigchld.map(|sigchld| Sigchld {
            ignored: sigchld.is_ignored,
            caught: sigchld.is_caught,
            blocked: sigchld.is_blocked,
            pending: sigchld.is_pending,
        }),
        threads: threads.map(activity).collect(),
    }
}

fn argv(argv: Option<&[Vec<u8>]>) -> Option<Vec<Text>> {
    argv.map(|argv| argv.iter().cloned().map(Text).collect())
}

fn user(uid: Option<u32>, report: &Report) -> Option<String> {
    report.users.name(uid?).map(str::to_owned)
}

fn group(cgroup: &Cgroup) -> Group {
    Group {
        path: cgroup.path.clone(),
        unit: cgroup.unit.clone(),
        container: cgroup.container.as_ref().map(|container| Container {
            runtime: container.runtime,
            id: container.id.clone(),
        }),
        pod: cgroup.pod.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the schema of a look is kept.
    const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/zombies-schema.json");

    #[test]
    fn the_schema_in_the_docs_is_that_of_the_types() {
        let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
        let schema = settings.into_generator().into_root_schema_for::<Look>();
        let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("WAIT4_STRACE_UPDATE").is_some() {
            std::fs::write(SCHEMA, &schema).unwrap();
        }
        let kept = std::fs::read_to_string(SCHEMA).unwrap();
        assert!(
            kept == schema,
            "`WAIT4_STRACE_UPDATE=1 cargo test --lib zombies` writes {SCHEMA}"
        );
    }
}
