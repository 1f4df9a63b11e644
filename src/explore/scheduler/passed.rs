//! Calls that were held: they stop once more when they are made again.

use rustc_hash::FxHashMap;

use crate::kernel::Tid;

/// A call as it is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) nr: u64,
    pub(super) stack_pointer: u64,
    pub(super) instruction_pointer: u64,
}

/// The call of each task that was held.
#[derive(Debug, Default)]
pub(super) struct Passed(FxHashMap<Tid, Made>);

impl Passed {
    /// A call is held.
    pub(super) fn note(&mut self, tid: Tid, made: Made) {
        self.0.insert(tid, made);
    }

    /// Whether a task makes the call again that was held. Before that, a handler may make
    /// others.
    pub(super) fn take(&mut self, tid: Tid, made: Made) -> bool {
        let is_it = self.0.get(&tid) == Some(&made);
        if is_it {
            self.0.remove(&tid);
        }
        is_it
    }

    /// It is not made again, or it does not stop again.
    pub(super) fn forget(&mut self, tid: Tid) {
        self.0.remove(&tid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_call_is_known_again_after_those_of_a_handler() {
        let made = |nr| Made {
            nr,
            stack_pointer: 64,
            instruction_pointer: 8,
        };
        let [one, two] = [1, 2].map(Tid::new);
        let mut passed = Passed::default();
        passed.note(one, made(34));
        // The handler waits.
        assert!(!passed.take(one, made(61)) && !passed.take(two, made(34)));
        assert!(passed.take(one, made(34)));
        // In a loop it is a new one.
        assert!(!passed.take(one, made(34)));
        passed.note(two, made(34));
        passed.forget(two);
        assert!(!passed.take(two, made(34)));
    }
}
