//! The search on made-up programs.

use super::super::made_up::{ended, found_in, hung, hung_of};
use super::confirmed::{DOUBTED_RUNS, RERUNS};
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
        for step in schedule.steps() {
            run.forced.next(step.point);
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
fn what_did_not_come_about_or_did_not_end_is_in_no_pair() {
    let behave = |schedule: &Schedule, _: usize| {
        let mut run = ended(0, "");
        if schedule.to_string() == "child-first@1" {
            run.end = End::TimedOut;
        }
        run.timed_out_in_hold = schedule.to_string() == "hold-deaths@1";
        run
    };
    let mut program = Program {
        behave,
        counts: POINTS.to_vec(),
        runs: Vec::new(),
    };
    let mut never = Unforced(&mut program);
    explore(&mut never, &Limits::default());
    let pairs = program.runs.iter().filter(|run| run.contains(','));
    for pair in pairs {
        for step in ["before@2", "child-first@1", "hold-deaths@1"] {
            assert!(!pair.contains(step), "{pair}");
        }
    }
    assert!(program.runs.iter().any(|run| run.contains(',')));
}

/// Where the order of events of `before@2` never comes about.
struct Unforced<'a, R>(&'a mut R);

impl<R: Runner> Runner for Unforced<'_, R> {
    fn run(&mut self, schedule: &Schedule) -> Option<Run> {
        let mut run = self.0.run(schedule)?;
        if schedule.wants(Point::Before, 2) {
            run.forced = crate::explore::scheduler::Counts::default();
        }
        Some(run)
    }
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
fn a_run_that_does_not_end_is_no_problem_and_its_schedule_is_named_once() {
    let behave = |schedule: &Schedule, _: usize| {
        let mut run = ended(0, "");
        if schedule.has(Point::HoldDeaths) && schedule.steps().len() == 1 {
            run.end = End::TimedOut;
        }
        run
    };
    let (found, _) = search(behave, Limits::default());
    assert!(found.problems.is_empty());
    let late: Vec<String> = found.late.iter().map(Schedule::to_string).collect();
    assert_eq!(late[..2], ["hold-deaths", "hold-deaths@1"]);
    assert_eq!(late.len(), 4);
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
fn two_hangs_under_one_point_are_two_problems() {
    for both_at_once in [true, false] {
        let behave = |schedule: &Schedule, _: usize| {
            let first = schedule.wants(Point::ChildFirst, 1);
            match (first, schedule.wants(Point::ChildFirst, 3)) {
                (true, true) if both_at_once => hung_of(&["x", "y"]),
                (true, _) => hung_of(&["x"]),
                (_, true) => hung_of(&["y"]),
                _ => ended(0, ""),
            }
        };
        let (found, _) = search(behave, Limits::default());
        assert_eq!(schedules(&found), ["child-first@1", "child-first@3"]);
    }
}

#[test]
fn what_the_shortest_schedule_does_not_show_is_a_problem_of_its_own() {
    let behave = |schedule: &Schedule, _: usize| {
        let mut run = ended(0, "");
        for (at, name) in [(1, "x"), (3, "y")] {
            if schedule.wants(Point::ChildFirst, at) {
                run.findings.push(found_in(name));
            }
        }
        run
    };
    let (found, _) = search(behave, Limits::default());
    assert_eq!(schedules(&found), ["child-first@1", "child-first@3"]);
}

#[test]
fn what_a_shorter_schedule_that_comes_later_does_not_show_stays_a_problem() {
    // Both everywhere alone, and one of them at an occurrence of another point.
    let behave = |schedule: &Schedule, _: usize| {
        let everywhere = schedule.to_string() == "child-first";
        let mut run = ended(0, "");
        if everywhere || schedule.to_string() == "hold-deaths@3" {
            run.findings.push(found_in("x"));
        }
        if everywhere {
            run.findings.push(found_in("y"));
        }
        run
    };
    let (found, _) = search(behave, Limits::default());
    assert_eq!(schedules(&found), ["hold-deaths@3", "child-first"]);
}

#[test]
fn another_status_beside_a_finding_is_no_problem_of_its_own() {
    // The status is how many of the children went wrong.
    let behave = |schedule: &Schedule, _: usize| {
        let wrong = (1..=3).filter(|at| schedule.wants(Point::ChildFirst, *at));
        let wrong = i32::try_from(wrong.count()).unwrap();
        let mut run = ended(wrong, "");
        run.findings.extend((0..wrong).map(|_| found_in("x")));
        // And one bug that has the same status, alone.
        if schedule.wants(Point::HoldDeaths, 2) && schedule.steps().len() == 1 {
            run = ended(3, "");
        }
        run
    };
    let (found, _) = search(behave, Limits::default());
    assert_eq!(schedules(&found), ["child-first@1", "hold-deaths@2"]);
    assert!(found.problems.iter().all(|problem| problem.shown == 3));
}

/// A search of a program whose runs without a schedule end with these statuses in turn.
fn with_baselines(statuses: &[i32], under: impl Fn(&Schedule) -> i32) -> Exploration {
    let behave = |schedule: &Schedule, nth: usize| {
        let is_without = schedule.steps().is_empty();
        let by_itself = statuses[nth % statuses.len()];
        ended(
            if is_without {
                by_itself
            } else {
                under(schedule)
            },
            "",
        )
    };
    search(behave, Limits::default()).0
}

#[test]
fn a_race_that_happened_once_by_itself_is_found_if_a_schedule_always_shows_it() {
    let under = |schedule: &Schedule| i32::from(schedule.wants(Point::Before, 2));
    let found = with_baselines(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], under);
    assert_eq!(schedules(&found), ["before@2"]);
    let problem = &found.problems[0];
    assert_eq!((problem.shown, problem.runs), (DOUBTED_RUNS, DOUBTED_RUNS));
    assert!(problem.without.0 <= 1 && problem.without.1 == DOUBTED_RUNS);
    assert_eq!(found.varying, ["exit status"]);
    // It happens by itself too often to tell.
    let found = with_baselines(&[0, 1, 0], under);
    assert!(found.problems.is_empty());
}

#[test]
fn what_comes_and_goes_by_itself_is_no_problem_of_a_schedule() {
    let mut state = 7u64;
    let mut dice = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        i32::from(state >> 62 == 0)
    };
    // One of the first runs is another than the two others.
    let mut runs = 0;
    let mut outcome = move || {
        runs += 1;
        if runs == 1 {
            1
        } else {
            dice() * i32::from(runs > 3)
        }
    };
    let (found, runs) = search(|_, _| ended(outcome(), ""), Limits::default());
    assert_eq!(found.varying, ["exit status"]);
    assert!(found.problems.is_empty() && found.unconfirmed.is_empty());
    assert!(runs.len() < 150, "{}", runs.len());
}

#[test]
fn a_finding_that_one_run_had_by_itself_counts_if_a_schedule_always_shows_it() {
    let behave = |schedule: &Schedule, nth: usize| {
        let mut run = ended(0, "");
        let by_itself = schedule.steps().is_empty() && nth == 2;
        if by_itself || schedule.wants(Point::HoldDeaths, 1) {
            run.findings.push(found_in("x"));
        }
        run
    };
    let (found, _) = search(behave, Limits::default());
    assert_eq!(schedules(&found), ["hold-deaths@1"]);
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
