//! Looks at the machine, or a part of it: which processes are dead, and which of the
//! zombies are old enough to be judged.

use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use super::Options;
use super::cause::is_of_another_session;
use super::clock::Clock;
use super::report::Report;
use super::sightings::{Sightings, pause};
use super::survey::Survey;
use crate::kernel::Tgid;
use crate::proc::{self, Absence, Stat};

/// Ages up to this are found by the second look alone.
const SECOND: Duration = Duration::from_secs(1);
/// So many times as long an orphan may be a zombie: a process that reaps what it did not
/// start may do so once a second or two, as some PID 1 do.
const PATIENCE: u32 = 3;

/// Looks again and again.
pub(super) struct Looker<'a> {
    options: &'a Options,
    /// The pid namespace to examine, if limited to one.
    namespace: Option<u64>,
    /// Times of looks are from here.
    start: Instant,
    sightings: Sightings,
    has_looked: bool,
}

/// What one pass over `/proc` gave.
pub(super) struct Scene {
    pub(super) survey: Survey,
    /// Zombies, and processes of which the main thread alone is dead.
    pub(super) dead: Vec<Stat>,
    /// From which age on each is judged.
    least: FxHashMap<Tgid, Duration>,
    /// How long they are dead, if the kernel shows it and it matters.
    ages: FxHashMap<Tgid, Option<Duration>>,
    /// When the pass began.
    begun: Duration,
    /// What could not be observed, one clause each.
    pub(super) unseen: Vec<String>,
}

fn unreadable(error: &std::io::Error) -> String {
    format!("cannot read /proc: {error}")
}

/// Why a process is not among those that were looked at.
fn absence(root: Tgid) -> String {
    match Absence::of(root.leader()) {
        Some(Absence::Hidden) => format!("process {root}: {}", Absence::Hidden),
        // It has ended meanwhile, or it is a thread.
        _ => format!("there is no process {root}"),
    }
}

impl Looker<'_> {
    /// # Errors
    /// Which pid namespace cannot be read.
    pub(super) fn new(options: &Options) -> Result<Looker<'_>, String> {
        proc::require().map_err(|error| unreadable(&error))?;
        let namespace = options.namespace_of.map(|member| {
            proc::pid_namespace(member).ok_or_else(|| {
                format!(
                    "the pid namespace of {member} cannot be read: there is no such process, or \
                     it is another user's (use sudo)"
                )
            })
        });
        Ok(Looker {
            options,
            namespace: namespace.transpose()?,
            start: Instant::now(),
            sightings: Sightings::default(),
            has_looked: false,
        })
    }

    /// Looks, the first time twice if there are zombies, and examines the old ones.
    ///
    /// # Errors
    /// Which process does not exist.
    pub(super) fn look(&mut self) -> Result<Report, String> {
        let mut scene = self.scene()?;
        let least = self.options.least;
        let has_zombies = scene.dead.iter().any(Stat::is_zombie);
        if !self.has_looked && has_zombies && !least.is_zero() {
            let all_ages_are_known = scene.ages.values().all(Option::is_some);
            let longest = scene.least.values().max();
            let longest = longest.copied().unwrap_or(least);
            std::thread::sleep(pause(longest, all_ages_are_known));
            // A root that has ended meanwhile has no zombies.
            self.has_looked = true;
            scene = self.scene()?;
        }
        self.has_looked = true;
        let before = scene.dead.len();
        let dead = std::mem::take(&mut scene.dead);
        scene.dead = dead
            .into_iter()
            .filter(|stat| stat.is_headless() || self.is_old(stat, &scene))
            .collect();
        let young = before - scene.dead.len();
        Ok(Report::of(scene, young, self.options))
    }

    fn is_old(&self, stat: &Stat, scene: &Scene) -> bool {
        let age = scene.ages.get(&stat.pid).copied().flatten();
        let least = scene.least.get(&stat.pid).copied();
        let least = least.unwrap_or(self.options.least);
        self.sightings.is_old(stat, scene.begun, age, least)
    }

    /// One pass.
    fn scene(&mut self) -> Result<Scene, String> {
        let begun = self.start.elapsed();
        let survey = Survey::take().map_err(|error| unreadable(&error))?;
        let ended = self.start.elapsed();
        let mut unseen = Vec::new();
        if survey.hides_others {
            unseen.push("other users' processes, which /proc hides (hidepid)".to_owned());
        }
        if !proc::shows_our_namespace() {
            unseen.push(
                "this pid namespace: /proc shows another one, and all pids here are of that"
                    .to_owned(),
            );
        }
        let mut dead = survey.dead();
        self.retain_trees(&mut dead, &survey)?;
        self.retain_namespace(&mut dead, &mut unseen);
        let zombies = || dead.iter().filter(|stat| stat.is_zombie());
        self.sightings.note(zombies(), ended);
        let least = self.least(zombies(), &survey);
        let mut clock = Clock::new();
        let mut age = |stat: &Stat| clock.since_run(stat.pid, stat.pid.leader(), stat.cpu);
        let matters = |stat: &&Stat| least.get(&stat.pid).is_some_and(|least| *least > SECOND);
        let ages = zombies().filter(matters);
        let ages = ages.map(|stat| (stat.pid, age(stat))).collect();
        Ok(Scene {
            survey,
            dead,
            least,
            ages,
            begun,
            unseen,
        })
    }

    /// From which age on zombies are judged.
    fn least<'z>(
        &self,
        zombies: impl Iterator<Item = &'z Stat>,
        survey: &Survey,
    ) -> FxHashMap<Tgid, Duration> {
        let is_init =
            |tgid: Tgid| proc::status(tgid.leader()).is_some_and(|status| status.is_init());
        let mut inits: FxHashMap<Tgid, bool> = FxHashMap::default();
        let mut least = |zombie: &Stat| {
            let parent = zombie.parent;
            let is_orphan = |stat: &Stat| is_of_another_session(zombie, stat);
            let is_orphan = survey.stats.get(&parent).is_some_and(is_orphan)
                || *inits.entry(parent).or_insert_with(|| is_init(parent));
            self.options.least * if is_orphan { PATIENCE } else { 1 }
        };
        zombies.map(|zombie| (zombie.pid, least(zombie))).collect()
    }

    /// Keeps those below the roots, if there are any.
    fn retain_trees(&self, dead: &mut Vec<Stat>, survey: &Survey) -> Result<(), String> {
        let roots = &self.options.roots;
        if roots.is_empty() {
            return Ok(());
        }
        let mut trees = FxHashSet::default();
        for root in roots {
            if survey.stats.contains_key(root) {
                trees.extend(survey.tree(*root));
            } else if !self.has_looked {
                return Err(absence(*root));
            }
        }
        dead.retain(|stat| trees.contains(&stat.pid));
        Ok(())
    }

    /// Keeps those in the pid namespace that is examined.
    fn retain_namespace(&self, dead: &mut Vec<Stat>, unseen: &mut Vec<String>) {
        let Some(wanted) = self.namespace else {
            return;
        };
        let mut unknown = 0;
        dead.retain(|stat| {
            let namespace = proc::pid_namespace(stat.pid);
            unknown += usize::from(namespace.is_none());
            namespace == Some(wanted)
        });
        if unknown > 0 {
            unseen.push(format!(
                "{unknown} zombies of other users, whose namespace root may see"
            ));
        }
    }
}
