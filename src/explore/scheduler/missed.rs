//! Which points of a schedule were not reached in a run.

use super::Explorer;
use crate::kernel::phrases::plural;

impl Explorer {
    /// Which points of the schedule were never reached, in a sentence.
    pub(crate) fn what_did_not_apply(&self) -> Option<String> {
        let missed = self.schedule.steps().iter().filter(|step| {
            let reached = self.counts.of(step.point.counted_as());
            step.at.filter(|_| !step.point.needs_number()).unwrap_or(1) > reached
        });
        let missed: Vec<String> = missed
            .map(|step| {
                let reached = self.counts.of(step.point.counted_as());
                format!("{step} (reached {reached} times)")
            })
            .collect();
        let held = plural(u64::from(self.applied), "hold", "holds");
        match (missed.is_empty(), self.applied) {
            (true, 1..) => None,
            (true, 0) => Some(format!("the schedule {} held nothing", self.schedule)),
            (false, _) => Some(format!(
                "the schedule {} left at {}; {held} before",
                self.schedule,
                missed.join(", ")
            )),
        }
    }
}
