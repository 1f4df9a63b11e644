//! Runs of equal polls: the first is shown at once, the others as a count.

use rustc_hash::FxHashMap;

use crate::event::{Moment, WaitExit};
use crate::kernel::{Errno, NsPid, Tgid, Tid};

/// A count is shown at least this often, in nanoseconds.
const AT_LEAST_EVERY: u64 = 1_000_000_000;

/// The polls of one thread that equal the first of their run.
#[derive(Clone, Debug)]
pub(super) struct PollRun {
    pub(super) tgid: Tgid,
    /// The newest of them.
    pub(super) last: WaitExit,
    result: Result<NsPid, Errno>,
    /// How many were not shown yet.
    pub(super) count: u64,
    /// When the one that was shown last ended.
    pub(super) shown: Moment,
    /// When the newest ended.
    pub(super) at: Moment,
}

impl PollRun {
    /// When a count of it is to be shown, if there is one.
    fn due(&self) -> Moment {
        self.shown.after(AT_LEAST_EVERY)
    }

    fn is_due(&self, now: Moment) -> bool {
        self.count > 0 && now >= self.due()
    }
}

/// The run that each thread is in.
#[derive(Debug, Default)]
pub(super) struct PollRuns {
    runs: FxHashMap<Tid, PollRun>,
    /// Nothing is due before.
    next: Moment,
}

impl PollRuns {
    /// Count a poll that goes on with its thread's run; `false` if it does not.
    pub(super) fn absorb(&mut self, tid: Tid, at: Moment, exit: &WaitExit) -> bool {
        let Some(run) = self.runs.get_mut(&tid) else {
            return false;
        };
        let same = run.last.entry == exit.entry && run.result == exit.result;
        if !same || !exit.found_nothing() {
            return false;
        }
        if run.count == 0 {
            self.next = self.next.min(run.due());
        }
        run.count += 1;
        run.at = at;
        run.last.entered = exit.entered;
        true
    }

    /// Begin a run with a poll that was shown.
    pub(super) fn begin(&mut self, tid: Tid, tgid: Tgid, at: Moment, exit: &WaitExit) {
        let run = PollRun {
            tgid,
            last: exit.clone(),
            result: exit.result,
            count: 0,
            shown: at,
            at,
        };
        self.runs.insert(tid, run);
    }

    /// End a thread's run; it is returned if some of it was not shown.
    pub(super) fn end(&mut self, tid: Tid) -> Option<PollRun> {
        self.runs.remove(&tid).filter(|run| run.count > 0)
    }

    /// The threads whose count is due, in the order of their ids.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Tid> {
        if now < self.next {
            return Vec::new();
        }
        let waiting = self.runs.values().filter(|run| run.count > 0);
        let later = waiting.map(PollRun::due).filter(|due| *due > now);
        self.next = later.min().unwrap_or(Moment(u64::MAX));
        let due = self.runs.iter().filter(|(_, run)| run.is_due(now));
        let mut due: Vec<Tid> = due.map(|(tid, _)| *tid).collect();
        due.sort_unstable();
        due
    }

    /// A run whose count is to be shown now; it goes on.
    pub(super) fn show(&mut self, tid: Tid) -> Option<PollRun> {
        let run = self.runs.get_mut(&tid)?;
        let shown = run.clone();
        run.count = 0;
        run.shown = run.at;
        Some(shown)
    }

    /// The threads that are in a run, in the order of their ids.
    pub(super) fn threads(&self) -> Vec<Tid> {
        let mut threads: Vec<Tid> = self.runs.keys().copied().collect();
        threads.sort_unstable();
        threads
    }

    /// Whether a count waits to be shown.
    pub(super) fn any(&self) -> bool {
        self.runs.values().any(|run| run.count > 0)
    }
}
