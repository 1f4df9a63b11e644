//! What a live trace wants of its scheduler beside what the tracer wants: the
//! filter, whether the run hangs under it, and what is to be said in the end.

use crate::event::Comm;
use crate::explore::{Explorer, HangWatch, Symptom, in_short};
use crate::kernel::{Tgid, WaitCalls};
use crate::sys::seccomp::Filter;
use crate::tracer::{Scheduler, Tracer, Unscheduled};

/// A scheduler of a trace.
pub(super) trait Scheduled: Scheduler {
    /// The filter that it needs.
    fn filter(&self, wanted: WaitCalls, polls: bool, rules: bool) -> Filter {
        Filter::new(wanted, polls, rules)
    }

    /// Whether it may make a run hang, so that hangs are looked for.
    const CAN_HANG: bool = false;

    /// Whether the command can never end.
    fn hangs(_: &Tracer<Self>, _: &mut HangWatch) -> bool
    where
        Self: Sized,
    {
        false
    }

    /// What went wrong that no rule knows, beside hangs; with the names of processes.
    fn problems(&self, _: &dyn Fn(Tgid) -> Comm) -> Vec<String> {
        Vec::new()
    }

    /// What is to be said of it at the end of the trace.
    fn last_words(&self) -> Option<String> {
        None
    }
}

impl Scheduled for Unscheduled {}

impl Scheduled for Explorer {
    const CAN_HANG: bool = true;

    fn filter(&self, wanted: WaitCalls, polls: bool, rules: bool) -> Filter {
        Filter::with_calls(wanted, polls, rules, &self.calls())
    }

    fn hangs(tracer: &Tracer<Explorer>, watch: &mut HangWatch) -> bool {
        let root = Tgid::new(tracer.root_pid());
        let hang = watch.look(&tracer.world(), &tracer.scheduler, root);
        // What outlives the command is waited for, as in any trace.
        hang.is_some() && tracer.root_lives()
    }

    fn problems(&self, comm: &dyn Fn(Tgid) -> Comm) -> Vec<String> {
        let kills_all = self.kills_all().map(comm).map(Symptom::KillsAll);
        let ran_on = self.ran_on().map(comm).map(Symptom::RunsOn);
        let all = kills_all.into_iter().chain(ran_on);
        all.map(|symptom| in_short(&symptom)).collect()
    }

    fn last_words(&self) -> Option<String> {
        self.what_did_not_apply()
    }
}
