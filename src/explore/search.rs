//! Which schedules are tried, in which order, and when something counts. Pure: a
//! [`Runner`] runs them.
//!
//! First each point wherever it occurs, then injected errors if they are asked
//! for, then each occurrence of each point, then pairs, then holds at random. What
//! goes wrong is tried three times more, and counts if it goes wrong in two of them;
//! then the shortest schedule that shows it is looked for.

use super::found::{Exploration, Limits, Problem};
use super::oracle::{Baseline, Key, NoBaseline, Symptom};
use super::run::{End, Run};
use super::schedule::{Point, Schedule};

/// How many runs without a schedule there are.
pub(super) const BASELINES: u32 = 3;
/// How often a schedule is tried again that shows something.
const RERUNS: u32 = 3;
/// In how many of these it must show it.
const ENOUGH: u32 = 2;
/// How many occurrences of one point are tried.
const MOST_OCCURRENCES: u32 = 60;
/// How many instructions a handler is put off by.
const SKEWS: [u32; 6] = [8, 5, 12, 3, 18, 26];
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
        known: Vec::new(),
        fruitless: Vec::new(),
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
    /// What was found already.
    known: Vec<Key>,
    /// Single steps that held something and showed nothing, for pairs.
    fruitless: Vec<Schedule>,
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
            Ok(baseline) => self.baseline = baseline,
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
        let orders: Vec<Point> = orders().collect();
        // The first occurrences of all points before the later ones.
        for at in 1..=MOST_OCCURRENCES {
            for point in &orders {
                if *point != Point::Skew && self.count(*point) >= at {
                    let schedule = Schedule::of(*point, Some(at));
                    if self.try_out(&schedule) {
                        self.fruitless.push(schedule);
                    }
                }
            }
        }
    }

    fn skews(&mut self) {
        if self.occurs(Point::HoldDeaths) {
            for steps in SKEWS {
                self.try_out(&Schedule::of(Point::Skew, Some(steps)));
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
            for at in 1..=MOST_OCCURRENCES {
                if self.count(point) < at {
                    break;
                }
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
        if run.timed_out_in_hold {
            return Some(Vec::new());
        }
        Some(self.baseline.symptoms(&run, schedule.has_faults()))
    }

    /// Try a schedule; whether it was run and showed nothing.
    fn try_out(&mut self, schedule: &Schedule) -> bool {
        let Some(symptoms) = self.seen_under(schedule) else {
            return false;
        };
        self.found.schedules += 1;
        let is_fruitless = symptoms.is_empty();
        if let Some(index) = self.longer_known(schedule, &symptoms) {
            self.shorten(index, schedule, &symptoms);
        } else {
            self.add(schedule, symptoms);
        }
        is_fruitless
    }

    /// Add what is new among the symptoms of a schedule, if it shows again.
    fn add(&mut self, schedule: &Schedule, symptoms: Vec<Symptom>) {
        let news: Vec<Symptom> = symptoms
            .into_iter()
            .filter(|one| self.is_new(one))
            .collect();
        let Some(first) = news.first() else {
            return;
        };
        let Some(problem) = self.confirm(schedule, &news) else {
            let seen = (schedule.clone(), first.clone());
            self.found.unconfirmed.push(seen);
            return;
        };
        let problem = self.minimise(problem);
        self.known.extend(problem.symptoms.iter().map(Symptom::key));
        self.known.extend(news.iter().map(Symptom::key));
        self.found.problems.push(problem);
    }

    /// The problem that this shows too, if its schedule is longer: a point that is
    /// forced everywhere is longer than one occurrence.
    fn longer_known(&self, schedule: &Schedule, symptoms: &[Symptom]) -> Option<usize> {
        let length = schedule.length();
        let mut problems = self.found.problems.iter();
        problems.position(|problem| {
            let first = problem.symptoms.first().map(Symptom::key);
            let shows = symptoms.iter().any(|one| Some(one.key()) == first);
            shows && problem.schedule.length() > length
        })
    }

    /// Give a known problem a shorter schedule, if that shows it as well.
    fn shorten(&mut self, index: usize, schedule: &Schedule, symptoms: &[Symptom]) {
        let Some(shorter) = self.confirm(schedule, symptoms) else {
            return;
        };
        if let Some(problem) = self.found.problems.get_mut(index)
            && problem.symptoms.first().map(Symptom::key)
                == shorter.symptoms.first().map(Symptom::key)
            && shorter.shown >= problem.shown
        {
            *problem = shorter;
        }
    }

    fn is_new(&self, symptom: &Symptom) -> bool {
        !self.known.contains(&symptom.key())
    }

    /// Try a schedule again; the problem, if one of these symptoms is seen often
    /// enough.
    fn confirm(&mut self, schedule: &Schedule, seen: &[Symptom]) -> Option<Problem> {
        let mut best: Vec<(Symptom, u32)> = seen.iter().map(|one| (one.clone(), 0)).collect();
        let mut runs = 0;
        for _ in 0..RERUNS {
            // What was seen when the time was up may still be enough.
            let Some(symptoms) = self.seen_under(schedule) else {
                break;
            };
            runs += 1;
            for symptom in symptoms {
                let key = symptom.key();
                if let Some(known) = best.iter_mut().find(|(one, _)| one.key() == key) {
                    known.1 += 1;
                }
            }
        }
        best.retain(|(_, count)| *count >= ENOUGH);
        let shown = best.iter().map(|(_, count)| *count).max()?;
        Some(Problem {
            schedule: schedule.clone(),
            symptoms: best.into_iter().map(|(symptom, _)| symptom).collect(),
            shown,
            runs,
        })
    }

    /// The same problem under a shorter schedule, if there is one.
    fn minimise(&mut self, problem: Problem) -> Problem {
        let Some(first) = problem.symptoms.first().map(Symptom::key) else {
            return problem;
        };
        for candidate in self.shorter(&problem.schedule) {
            let shows = |symptoms: &[Symptom]| symptoms.iter().any(|one| one.key() == first);
            let Some(symptoms) = self.seen_under(&candidate) else {
                return problem;
            };
            if !shows(&symptoms) {
                continue;
            }
            if let Some(shorter) = self.confirm(&candidate, &symptoms)
                && shows(&shorter.symptoms)
                && shorter.shown >= problem.shown
            {
                return shorter;
            }
        }
        problem
    }

    /// What may show the same: single steps of a pair, single occurrences of a
    /// point that was forced everywhere.
    fn shorter(&self, schedule: &Schedule) -> Vec<Schedule> {
        let steps = schedule.steps();
        if steps.len() > 1 {
            let single = steps.iter().map(|step| Schedule::of(step.point, step.at));
            return single.collect();
        }
        match steps.first() {
            Some(step) if step.at.is_none() => {
                // Around the program there may be a script: its own occurrences are
                // the last ones.
                let count = self.count(step.point);
                let most = count.min(MOST_OCCURRENCES);
                let turns = (0..most).map(|turn| match turn % 2 {
                    0 => turn / 2 + 1,
                    _ => count - turn / 2,
                });
                turns.map(|at| Schedule::of(step.point, Some(at))).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::oracle::tests::{ended, hung};
    use super::*;

    /// A made-up program: what comes of a run under a schedule, the nth of it.
    struct Program<F> {
        behave: F,
        counts: Vec<(Point, u32)>,
        runs: Vec<String>,
    }

    impl<F: FnMut(&Schedule, usize) -> Run> Runner for Program<F> {
        fn run(&mut self, schedule: &Schedule) -> Option<Run> {
            let text = schedule.to_string();
            let nth = self.runs.iter().filter(|run| **run == text).count();
            self.runs.push(text);
            let mut run = (self.behave)(schedule, nth);
            for (point, count) in &self.counts {
                for _ in 0..*count {
                    run.counts.next(*point);
                }
            }
            Some(run)
        }
    }

    const POINTS: [(Point, u32); 3] = [
        (Point::ChildFirst, 3),
        (Point::Before, 2),
        (Point::HoldDeaths, 3),
    ];

    fn search<F: FnMut(&Schedule, usize) -> Run>(
        behave: F,
        limits: Limits,
    ) -> (Exploration, Vec<String>) {
        let mut program = Program {
            behave,
            counts: POINTS.to_vec(),
            runs: Vec::new(),
        };
        let found = explore(&mut program, &limits);
        (found, program.runs)
    }

    fn schedules(found: &Exploration) -> Vec<String> {
        let problems = found.problems.iter();
        problems
            .map(|problem| problem.schedule.to_string())
            .collect()
    }

    #[test]
    fn a_program_that_is_always_right_has_no_problems() {
        let (found, runs) = search(|_, _| ended(0, "ok\n"), Limits::default());
        assert!(found.problems.is_empty() && found.unconfirmed.is_empty());
        assert!(!found.is_cut && found.no_baseline.is_none());
        assert_eq!(runs[..3], ["", "", ""]);
        // First everywhere, then each occurrence, then pairs, then at random.
        let at = |text: &str| runs.iter().position(|run| run == text).unwrap();
        assert!(at("child-first") < at("before") && at("before") < at("child-first@1"));
        assert!(at("before@1") < at("child-first@2"));
        assert!(at("hold-deaths@3") < at("child-first@1,before@1"));
        assert!(at("child-first@1,before@1") < at("rand@1"));
        assert!(!runs.iter().any(|run| run.contains("fork-fail")));
        assert!(!runs.iter().any(|run| run.contains("steal")));
        assert_eq!(found.runs as usize, runs.len());
    }

    #[test]
    fn a_bug_is_found_with_the_one_occurrence_that_shows_it() {
        let behave = |schedule: &Schedule, _: usize| {
            if schedule.wants(Point::ChildFirst, 2) {
                hung()
            } else {
                ended(0, "")
            }
        };
        let (found, _) = search(behave, Limits::default());
        assert_eq!(schedules(&found), ["child-first@2"]);
        let problem = &found.problems[0];
        assert_eq!((problem.shown, problem.runs), (3, 3));
    }

    #[test]
    fn a_bug_that_needs_two_points_is_found_under_a_pair() {
        let behave = |schedule: &Schedule, _: usize| {
            if schedule.wants(Point::ChildFirst, 1) && schedule.wants(Point::Before, 2) {
                ended(3, "")
            } else {
                ended(0, "")
            }
        };
        let (found, _) = search(behave, Limits::default());
        assert_eq!(schedules(&found), ["child-first@1,before@2"]);
    }

    #[test]
    fn the_pairs_that_are_tried_are_not_all_with_one_step() {
        let behave = |schedule: &Schedule, _: usize| {
            let shows = schedule.wants(Point::ChildFirst, 2) && schedule.wants(Point::Before, 2);
            if shows && schedule.steps().iter().all(|step| step.at.is_some()) {
                hung()
            } else {
                ended(0, "")
            }
        };
        let counts = vec![(Point::ChildFirst, 30), (Point::Before, 30)];
        let mut program = Program {
            behave,
            counts,
            runs: Vec::new(),
        };
        let found = explore(&mut program, &Limits::default());
        assert_eq!(schedules(&found), ["child-first@2,before@2"]);
        let pairs = program.runs.iter().filter(|run| run.contains(','));
        assert!(pairs.count() <= MOST_PAIRS + RERUNS as usize + 2);
    }

    #[test]
    fn what_shows_something_by_itself_is_in_no_pair() {
        let behave = |schedule: &Schedule, _: usize| {
            let shows = schedule.wants(Point::Before, 1);
            if shows { hung() } else { ended(0, "") }
        };
        let (_, runs) = search(behave, Limits::default());
        let mut pairs = runs.iter().filter(|run| run.contains(','));
        assert!(pairs.all(|pair| !pair.contains("before@1")));
    }

    #[test]
    fn a_search_that_tried_nothing_says_so() {
        // Two runs are no baseline, and after three there is none for a schedule.
        for most in [1, 2, 3] {
            let limits = Limits {
                runs: most,
                ..Limits::default()
            };
            let (found, _) = search(|_, _| ended(0, ""), limits);
            assert_eq!(found.no_baseline, Some(NoBaseline::TooFew));
            assert_eq!((found.baselines, found.schedules), (most, 0));
        }
        // There is nothing to try.
        let limits = Limits {
            runs: 3,
            ..Limits::default()
        };
        let mut program = Program {
            behave: |_: &Schedule, _| ended(0, ""),
            counts: Vec::new(),
            runs: Vec::new(),
        };
        let found = explore(&mut program, &limits);
        assert_eq!((found.no_baseline, found.is_cut), (None, false));
    }

    #[test]
    fn what_cannot_be_shown_again_is_no_problem() {
        let once = |schedule: &Schedule, nth: usize| {
            let is_it = schedule.to_string() == "before" && nth == 0;
            ended(i32::from(is_it), "")
        };
        let (found, _) = search(once, Limits::default());
        assert!(found.problems.is_empty());
        assert_eq!(found.unconfirmed.len(), 1);
        assert_eq!(found.unconfirmed[0].0.to_string(), "before");
    }

    #[test]
    fn two_of_three_more_runs_are_enough() {
        let mostly = |schedule: &Schedule, nth: usize| {
            let is_it = schedule.to_string() == "before@2" && nth != 1;
            ended(i32::from(is_it), "")
        };
        let (found, _) = search(mostly, Limits::default());
        assert_eq!(schedules(&found), ["before@2"]);
        assert_eq!((found.problems[0].shown, found.problems[0].runs), (2, 3));
    }

    #[test]
    fn a_wait_that_gave_up_during_a_hold_says_nothing() {
        let late = |schedule: &Schedule, _: usize| Run {
            timed_out_in_hold: schedule.has(Point::Before),
            ..ended(i32::from(schedule.has(Point::Before)), "")
        };
        let (found, _) = search(late, Limits::default());
        assert!(found.problems.is_empty() && found.unconfirmed.is_empty());
    }

    #[test]
    fn one_bug_is_one_problem_however_often_it_shows() {
        let behave = |schedule: &Schedule, _: usize| {
            let shows = schedule.has(Point::ChildFirst) || schedule.has(Point::HoldDeaths);
            if shows { hung() } else { ended(0, "") }
        };
        let (found, _) = search(behave, Limits::default());
        assert_eq!(schedules(&found), ["child-first@1"]);
    }

    #[test]
    fn a_shorter_schedule_that_comes_later_replaces_a_longer_one() {
        // Everywhere, or at one occurrence of another point.
        let behave = |schedule: &Schedule, _: usize| {
            let everywhere = schedule.to_string() == "child-first";
            let shows = everywhere || schedule.to_string() == "hold-deaths@3";
            if shows { hung() } else { ended(0, "") }
        };
        let (found, _) = search(behave, Limits::default());
        assert_eq!(schedules(&found), ["hold-deaths@3"]);
    }

    #[test]
    fn the_number_of_runs_is_kept() {
        let limits = Limits {
            runs: 7,
            ..Limits::default()
        };
        let (found, runs) = search(|_, _| ended(0, ""), limits);
        assert_eq!((runs.len(), found.runs, found.schedules), (7, 7, 4));
        assert!(found.is_cut);
    }

    #[test]
    fn faults_are_tried_when_they_are_asked_for() {
        let behave = |schedule: &Schedule, _: usize| {
            if schedule.wants(Point::ForkFail, 2) {
                hung()
            } else {
                ended(0, "")
            }
        };
        let limits = Limits {
            faults: true,
            ..Limits::default()
        };
        let mut program = Program {
            behave,
            counts: [(Point::ForkFail, 2)].to_vec(),
            runs: Vec::new(),
        };
        let found = explore(&mut program, &limits);
        assert_eq!(schedules(&found), ["fork-fail@2"]);
    }

    #[test]
    fn a_command_that_hangs_by_itself_is_not_searched() {
        let (found, runs) = search(|_, _| hung(), Limits::default());
        assert!(matches!(found.no_baseline, Some(NoBaseline::Hangs(_))));
        assert_eq!(runs.len(), 1);
    }
}
