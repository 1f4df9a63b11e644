//! Times of rounds, and what they come to.

use crate::tracers::{REFERENCE, TRACERS};

/// What was measured of one workload.
#[derive(Default)]
pub(crate) struct Figures {
    untraced: Vec<f64>,
    rounds: Vec<Round>,
}

/// Wall time over that of the untraced run, and what was added to it, for each
/// tracer that ran in the round.
#[derive(Clone, Copy, Default)]
struct Round {
    ratios: [Option<f64>; TRACERS.len()],
    added: [Option<f64>; TRACERS.len()],
}

/// A median and the interval that holds the true one with 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Median {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Figures {
    /// A round begins, with the time of the untraced run.
    pub(crate) fn begin(&mut self, untraced: f64) {
        self.untraced.push(untraced);
        self.rounds.push(Round::default());
    }

    /// A tracer's time in this round, and the untraced time that it is to be
    /// compared with.
    pub(crate) fn add(&mut self, tracer: usize, time: f64, base: f64) {
        let Some(round) = self.rounds.last_mut() else {
            return;
        };
        if let (Some(ratio), Some(added)) =
            (round.ratios.get_mut(tracer), round.added.get_mut(tracer))
        {
            *ratio = Some(time / base);
            *added = Some(time - base);
        }
    }

    /// The untraced time, in seconds.
    pub(crate) fn untraced(&self) -> Option<Median> {
        median(self.untraced.clone())
    }

    /// Wall time over the untraced run's.
    pub(crate) fn ratio(&self, tracer: usize) -> Option<Median> {
        let rounds = self.rounds.iter();
        median(
            rounds
                .filter_map(|round| *round.ratios.get(tracer)?)
                .collect(),
        )
    }

    /// The time that a tracer adds over that which strace with its filter
    /// adds, in the same rounds.
    pub(crate) fn relative(&self, tracer: usize) -> Option<Median> {
        let relative = |round: &Round| {
            let own = (*round.added.get(tracer)?)?;
            Some(own / (*round.added.get(REFERENCE)?)?)
        };
        median(self.rounds.iter().filter_map(relative).collect())
    }
}

/// The interval is by ranks (the sign test's), which suppose nothing about how
/// the values are spread.
fn median(mut values: Vec<f64>) -> Option<Median> {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among a few values"
    )]
    let lowest = (count as f64 / 2.0 - 0.98 * (count as f64).sqrt()).max(0.0) as usize;
    Some(Median {
        value: *values.get(count / 2)?,
        low: *values.get(lowest)?,
        high: *values.get(count.checked_sub(lowest + 1)?)?,
    })
}
