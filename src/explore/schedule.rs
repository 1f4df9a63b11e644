//! A schedule: where tasks are held back, as a value that can be written down.
//!
//! `POINT[@NUMBER],…`. The number is the occurrence, counted from 1 in each run;
//! without one the point is forced wherever it occurs. Of `skew` it is a number
//! of instructions, and hundreds for calls that are passed before; of `rand` the seed.

use std::fmt;
use std::str::FromStr;

/// A place where the order of things is forced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// A creator waits at its fork until the child has ended or sleeps.
    ChildFirst,
    /// A child waits at its first stop until its creator sleeps.
    ParentFirst,
    /// A task waits before a call that sleeps until a signal is pending, which is
    /// delivered before the call.
    Before,
    /// Children wait at their exit and end together, while the parent stands
    /// still.
    HoldDeaths,
    /// A child waits at its exit until its parent sleeps in its nth sleep.
    Eintr,
    /// A wait for one child waits until another waiter had its turn.
    Steal,
    /// A parent learns of a child's death after the end of its pipes.
    EofFirst,
    /// A new child gets the pid of a dead process.
    PidReuse,
    /// The handler of SIGCHLD runs so many instructions after a call that failed.
    Skew,
    /// A fork fails with EAGAIN.
    ForkFail,
    /// An exec fails with ENOMEM.
    ExecFail,
    /// Tasks are held at random, from this seed.
    Random,
}

impl Point {
    /// Every point with its name, in the order in which they are tried.
    pub const ALL: [(Point, &'static str); 12] = [
        (Point::ChildFirst, "child-first"),
        (Point::Before, "before"),
        (Point::HoldDeaths, "hold-deaths"),
        (Point::ParentFirst, "parent-first"),
        (Point::Eintr, "eintr"),
        (Point::Steal, "steal"),
        (Point::EofFirst, "eof-first"),
        (Point::PidReuse, "pid-reuse"),
        (Point::Skew, "skew"),
        (Point::ForkFail, "fork-fail"),
        (Point::ExecFail, "exec-fail"),
        (Point::Random, "rand"),
    ];

    /// Its name in schedules.
    #[must_use]
    pub fn name(self) -> &'static str {
        let mut all = Point::ALL.into_iter();
        let found = all.find(|(point, _)| *point == self);
        found.map_or("", |(_, name)| name)
    }

    /// Whether it is an error that is injected, and no order of things.
    #[must_use]
    pub fn is_fault(self) -> bool {
        matches!(self, Point::ForkFail | Point::ExecFail)
    }

    /// The point whose count tells how often this one is reached: each sleep that
    /// a signal can interrupt counts for both.
    #[must_use]
    pub(crate) fn counted_as(self) -> Point {
        match self {
            Point::Eintr => Point::Before,
            Point::Random => Point::ChildFirst,
            point => point,
        }
    }

    /// Whether it means nothing without a number.
    pub(crate) fn needs_number(self) -> bool {
        matches!(self, Point::Skew | Point::Random)
    }
}

/// A point, and which of its occurrences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// Where.
    pub point: Point,
    /// Which occurrence, from 1; of a skew how many instructions, and hundreds for calls
    /// that are passed before; of random holds the seed. `None` for every occurrence.
    pub at: Option<u32>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.point.name())?;
        match self.at {
            Some(number) => write!(f, "@{number}"),
            None => Ok(()),
        }
    }
}

/// What is forced in a run: nothing, or some points.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schedule(Vec<Step>);

impl Schedule {
    /// Nothing is forced.
    #[must_use]
    pub fn none() -> Schedule {
        Schedule::default()
    }

    /// One point.
    #[must_use]
    pub fn of(point: Point, at: Option<u32>) -> Schedule {
        Schedule(vec![Step { point, at }])
    }

    /// Both.
    #[must_use]
    pub fn and(&self, other: &Schedule) -> Schedule {
        let mut steps = self.0.clone();
        for step in &other.0 {
            if !steps.contains(step) {
                steps.push(*step);
            }
        }
        Schedule(steps)
    }

    /// Its steps.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether this occurrence of a point is forced.
    #[must_use]
    pub fn wants(&self, point: Point, occurrence: u32) -> bool {
        let mut steps = self.0.iter();
        steps.any(|step| step.point == point && step.at.is_none_or(|at| at == occurrence))
    }

    /// Whether any occurrence of a point is forced.
    #[must_use]
    pub fn has(&self, point: Point) -> bool {
        self.0.iter().any(|step| step.point == point)
    }

    /// The number of a point, if it is forced with one.
    #[must_use]
    pub fn number(&self, point: Point) -> Option<u32> {
        self.0.iter().find(|step| step.point == point)?.at
    }

    /// How much is forced: one occurrence is less than all of them.
    #[must_use]
    pub(crate) fn length(&self) -> usize {
        let steps = self.0.iter();
        let lengths = steps.map(|step| if step.at.is_some() { 1 } else { 3 });
        lengths.sum()
    }

    /// Whether it injects errors.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        self.0.iter().any(|step| step.point.is_fault())
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{step}")?;
        }
        Ok(())
    }
}

/// Why a text is no schedule, as the end of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSchedule(String);

impl FromStr for Schedule {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Schedule, BadSchedule> {
        let words = text.split(',').map(str::trim);
        let steps = words
            .map(step)
            .collect::<Result<Vec<Step>, BadSchedule>>()?;
        Ok(Schedule(steps))
    }
}

fn step(word: &str) -> Result<Step, BadSchedule> {
    let (name, number) = match word.split_once('@') {
        Some((name, number)) => (name, Some(number)),
        None => (word, None),
    };
    let found = Point::ALL.iter().find(|(_, own)| *own == name);
    let Some((point, _)) = found else {
        let names: Vec<&str> = Point::ALL.iter().map(|(_, name)| *name).collect();
        let names = names.join(", ");
        return Err(BadSchedule(format!(
            "there is no point {name:?}; there are {names}"
        )));
    };
    let parse = |number: &str| {
        let parsed = number.parse().ok();
        // A seed or a number of instructions may be 0; occurrences count from 1.
        let parsed = parsed.filter(|number| *number > 0 || point.needs_number());
        parsed.ok_or_else(|| BadSchedule(format!("{number:?} is no number of {name}")))
    };
    let at = number.map(parse).transpose()?;
    if at.is_none() && point.needs_number() {
        return Err(BadSchedule(format!("{name} needs a number: {name}@8")));
    }
    Ok(Step { point: *point, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_as_it_is_written() {
        for text in [
            "child-first",
            "before@4",
            "hold-deaths@2,eintr@3",
            "skew@0",
            "rand@77,parent-first",
        ] {
            let schedule: Schedule = text.parse().unwrap();
            assert_eq!(schedule.to_string(), text);
        }
        let spaced: Schedule = " before@1 , steal ".parse().unwrap();
        assert_eq!(spaced.to_string(), "before@1,steal");
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_a_reason() {
        let refused = |text: &str| text.parse::<Schedule>().unwrap_err().to_string();
        assert!(refused("nope").contains("child-first"));
        assert!(refused("").contains("no point"));
        assert!(refused("before@0").contains("no number"));
        assert!(refused("before@x").contains("no number"));
        assert!(refused("before@-1").contains("no number"));
        assert!(refused("skew").contains("needs a number"));
        assert!(refused("before,,steal").contains("no point"));
    }

    #[test]
    fn a_point_without_a_number_is_every_occurrence() {
        let all: Schedule = "before".parse().unwrap();
        assert!(all.wants(Point::Before, 1) && all.wants(Point::Before, 9));
        let second: Schedule = "before@2".parse().unwrap();
        assert!(second.wants(Point::Before, 2) && !second.wants(Point::Before, 1));
        assert!(!second.wants(Point::Eintr, 2) && !second.has_faults());
        let both = all.and(&second).and(&all);
        assert_eq!(both.steps().len(), 2);
    }
}
