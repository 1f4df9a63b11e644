//! Which schedules are tried, in which order, and when something counts. Pure: a
//! [`Runner`] runs them.
//!
//! First each point wherever it occurs, then injected errors if they are asked
//! for, then each occurrence of each point, then pairs, then holds at random. What
//! goes wrong is tried three times more, and counts if it goes wrong in two of them;
//! then the shortest schedule that shows it is looked for.

use super::baseline::{Baseline, NoBaseline};
use super::found::{Exploration, Limits};
use super::oracle::{Key, Symptom};
use super::run::{End, Run};
use super::schedule::{Point, Schedule};
use super::scheduler::{ALONE, Circumstances};
use super::turns::in_turns;

/// How many runs without a schedule there are.
pub(super) const BASELINES: u32 = 3;
/// How many occurrences of one point are tried.
const MOST_OCCURRENCES: usize = 60;
/// How many instructions a handler is put off by.
const SKEWS: [u32; 6] = [8, 5, 12, 3, 18, 26];
/// How many calls that failed are passed before a handler is put off, at most.
const MOST_PASSED: u32 = 12;
/// How many occurrences of `pid-reuse`: of many forks all are alike.
const MOST_REUSES: usize = 6;
/// How many pairs are tried.
const MOST_PAIRS: usize = 24;
/// How many seeds of random holds are.
const SEEDS: u32 = 30;

/// Runs a command.
pub(super) trait Runner {
    /// Run it under a schedule; `None` once the time is up or we were told to
    /// end.
    fn run(&mut self, schedule: &Schedule) -> Option<Run>;
}

/// The points that are orders of events, in the order in which they are tried.
fn orders() -> impl Iterator<Item = Point> {
    let all = Point::ALL.into_iter().map(|(point, _)| point);
    all.filter(|point| !point.is_fault() && *point != Point::Random)
}

/// Search for schedules under which something goes wrong.
pub(super) fn explore(runner: &mut impl Runner, limits: &Limits) -> Exploration {
    let mut search = Search {
        runner,
        limits: *limits,
        baseline: Baseline::default(),
        found: Exploration::default(),
        consequences: Vec::new(),
        doubted: 0,
        fruitless: Vec::new(),
        at_play: Circumstances::default(),
        came_about: false,
        is_over: false,
    };
    search.begin();
    search.found
}

struct Search<'a, R> {
    runner: &'a mut R,
    limits: Limits,
    baseline: Baseline,
    found: Exploration,
    /// Other statuses and outputs that were seen beside what was found.
    consequences: Vec<Key>,
    /// How many doubtful symptoms were compared with runs without a schedule, and counted
    /// for nothing.
    doubted: u32,
    /// Single steps that came about and showed nothing, for pairs.
    fruitless: Vec<Schedule>,
    /// What was at play in the last run.
    at_play: Circumstances,
    /// The last run ended by itself, and what it was to force came about.
    came_about: bool,
    is_over: bool,
}

impl<R: Runner> Search<'_, R> {
    fn begin(&mut self) {
        let mut runs = Vec::new();
        for _ in 0..BASELINES {
            let Some(run) = self.run(&Schedule::none()) else {
                self.found.no_baseline = Some(NoBaseline::TooFew);
                return;
            };
            self.found.baselines += 1;
            let is_usable = matches!(run.end, End::Ended(_));
            runs.push(run);
            if !is_usable {
                break;
            }
        }
        match Baseline::new(&runs) {
            Ok(baseline) => {
                self.found.usual = baseline.usual();
                self.found.varying = baseline.varying();
                self.found.always = baseline.always();
                self.baseline = baseline;
            }
            Err(why) => {
                self.found.no_baseline = Some(why);
                return;
            }
        }
        self.everywhere();
        if self.limits.faults {
            self.faults();
        }
        self.one_by_one();
        self.later_skews();
        self.pairs();
        self.at_random();
        if self.found.is_cut && self.found.schedules == 0 {
            self.found.no_baseline = Some(NoBaseline::TooFew);
        }
    }

    /// Each point wherever it occurs.
    fn everywhere(&mut self) {
        for point in orders() {
            if point == Point::Skew {
                self.skews();
            } else if self.occurs(point) {
                self.try_out(&Schedule::of(point, None));
            }
        }
    }

    /// Each occurrence of each point.
    fn one_by_one(&mut self) {
        let points = orders().filter(|point| *point != Point::Skew);
        let queues: Vec<(Point, Vec<u32>)> = points
            .map(|point| (point, self.occurrences(point)))
            .collect();
        // The first of all points before the later ones.
        let most = queues.iter().map(|(_, queue)| queue.len()).max();
        for turn in 0..most.unwrap_or(0) {
            for (point, queue) in &queues {
                let Some(at) = queue.get(turn) else {
                    continue;
                };
                let schedule = Schedule::of(*point, Some(*at));
                if self.try_out(&schedule) && *point != Point::PidReuse {
                    self.fruitless.push(schedule);
                }
            }
        }
    }

    /// The occurrences of a point that are tried, in their order.
    fn occurrences(&self, point: Point) -> Vec<u32> {
        let places = self.found.counts.places(point.counted_as());
        let most = match point {
            Point::PidReuse => MOST_REUSES,
            _ => MOST_OCCURRENCES,
        };
        let mut order = in_turns(places, self.count(point), most);
        if point == Point::Eintr {
            // No child interrupts who has none.
            let is_alone = |at: u32| {
                let place = places.get(at as usize - 1);
                place.is_some_and(|place| place.call == ALONE)
            };
            order.retain(|at| !is_alone(*at));
        }
        order
    }

    fn skews(&mut self) {
        // It is not known where it applies before it is tried.
        if !self.occurs(Point::HoldDeaths) {
            return;
        }
        for steps in SKEWS {
            self.try_out(&Schedule::of(Point::Skew, Some(steps)));
            if self.found.forced.of(Point::Skew) == 0 {
                return;
            }
        }
    }

    /// After calls that failed later than the first one.
    fn later_skews(&mut self) {
        let last = self.count(Point::Skew).min(MOST_PASSED + 1);
        for passed in 1..last {
            for steps in SKEWS.iter().take(2) {
                let number = passed * 100 + steps;
                self.try_out(&Schedule::of(Point::Skew, Some(number)));
            }
        }
    }

    /// Pairs of different points, those of the first occurrences first.
    fn pairs(&mut self) {
        let singles = std::mem::take(&mut self.fruitless);
        let point = |single: &Schedule| single.steps().first().map(|step| step.point);
        let mut pairs = Vec::new();
        for (index, second) in singles.iter().enumerate() {
            for first in singles.iter().take(index) {
                if point(first) != point(second) {
                    pairs.push(first.and(second));
                }
            }
            if pairs.len() >= MOST_PAIRS {
                break;
            }
        }
        for pair in pairs.iter().take(MOST_PAIRS) {
            self.try_out(pair);
        }
    }

    /// Errors that the kernel may return.
    fn faults(&mut self) {
        for point in [Point::ForkFail, Point::ExecFail] {
            self.try_out(&Schedule::of(point, None));
            for at in self.occurrences(point) {
                self.try_out(&Schedule::of(point, Some(at)));
            }
        }
    }

    /// Holds at random, as long as there is time.
    fn at_random(&mut self) {
        if !self.occurs(Point::ChildFirst) {
            return;
        }
        for seed in 1..=SEEDS {
            self.try_out(&Schedule::of(Point::Random, Some(seed)));
        }
    }

    fn count(&self, point: Point) -> u32 {
        self.found.counts.of(point.counted_as())
    }

    fn occurs(&self, point: Point) -> bool {
        self.count(point) > 0
    }

    fn run(&mut self, schedule: &Schedule) -> Option<Run> {
        if self.is_over || self.found.runs >= self.limits.runs {
            self.is_over = true;
            self.found.is_cut = true;
            return None;
        }
        let run = self.runner.run(schedule);
        let run = run.filter(|run| !matches!(run.end, End::Interrupted(_)));
        if let Some(run) = &run {
            self.found.runs += 1;
            self.found.counts.join(&run.counts);
            self.found.forced.join(&run.forced);
            self.at_play.clone_from(&run.at_play);
            let mut points = schedule.steps().iter().map(|step| step.point);
            self.came_about = matches!(run.end, End::Ended(_))
                && !run.timed_out_in_hold
                && points.all(|point| run.forced.of(point) > 0);
            for step in schedule.steps() {
                self.found.tried.next(step.point);
            }
        } else {
            self.is_over = true;
            self.found.is_cut = true;
        }
        run
    }

    /// What is wrong under a schedule. A wait that gave up while a task was held
    /// says nothing.
    fn seen_under(&mut self, schedule: &Schedule) -> Option<Vec<Symptom>> {
        let run = self.run(schedule)?;
        if run.end == End::TimedOut && !self.found.late.contains(schedule) {
            self.found.late.push(schedule.clone());
        }
        if run.timed_out_in_hold {
            return Some(Vec::new());
        }
        Some(self.baseline.symptoms(&run, schedule.has_faults()))
    }

    /// Try a schedule; whether it came about and showed nothing.
    fn try_out(&mut self, schedule: &Schedule) -> bool {
        let Some(symptoms) = self.seen_under(schedule) else {
            return false;
        };
        self.found.schedules += 1;
        let is_fruitless = symptoms.is_empty() && self.came_about;
        if !self.shortens(schedule, &symptoms) {
            self.add(schedule, symptoms);
        }
        is_fruitless
    }
}

mod confirmed;
#[cfg(test)]
mod tests;
