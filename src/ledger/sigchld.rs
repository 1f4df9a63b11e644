//! The disposition of SIGCHLD of a process, and which program set it.

use super::process::Stamp;
use crate::event::{Comm, SigchldAction};
use crate::kernel::Tid;

/// The disposition of SIGCHLD, with its history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sigchld {
    /// The disposition; `None` if not known.
    pub action: Option<SigchldAction>,
    /// The program was started with SIGCHLD ignored.
    pub is_inherited: bool,
    /// The name of the program that set it to ignore; `None` if that was before the
    /// trace.
    pub chosen_by: Option<Comm>,
    /// When the current program set it.
    pub set: Option<Stamp>,
    /// The address of the program's first handler.
    pub first_handler: Option<u64>,
    /// Another replaced it: its address, and when.
    pub replaced: Option<(u64, Stamp)>,
    /// The last SIGCHLD that was delivered at the default disposition, and so
    /// discarded: when, and to which thread.
    pub discarded: Option<(Stamp, Tid)>,
    /// The last one that a handler got.
    pub handled: Option<(Stamp, Tid)>,
}

impl Sigchld {
    /// The disposition when the trace began.
    pub(super) fn found(action: Option<SigchldAction>) -> Sigchld {
        Sigchld {
            action,
            is_inherited: action == Some(SigchldAction::Ignore),
            ..Sigchld::default()
        }
    }

    /// The program sets it.
    pub(super) fn set(&mut self, action: SigchldAction, by: Comm, when: Stamp) {
        // Of one that was found in `/proc` the address is not known.
        if let SigchldAction::Handler { address, .. } = action
            && address != 0
        {
            let first = *self.first_handler.get_or_insert(address);
            self.replaced = (address != first).then_some((address, when));
        }
        self.action = Some(action);
        self.is_inherited = false;
        self.chosen_by = Some(by);
        self.set = Some(when);
    }

    /// A SIGCHLD is delivered to a thread.
    pub(super) fn delivered(&mut self, to: Tid, when: Stamp) {
        match self.action {
            Some(SigchldAction::Default | SigchldAction::DefaultNoWait) => {
                self.discarded = Some((when, to));
            }
            Some(SigchldAction::Handler { .. }) => self.handled = Some((when, to)),
            Some(SigchldAction::Ignore) | None => {}
        }
    }

    /// An exec keeps `SIG_IGN`, and resets handlers and `SA_NOCLDWAIT`.
    pub(super) fn execute(&mut self) {
        *self = match self.action {
            Some(SigchldAction::Ignore) => Sigchld {
                action: self.action,
                is_inherited: true,
                chosen_by: self.chosen_by,
                ..Sigchld::default()
            },
            Some(_) => Sigchld {
                action: Some(SigchldAction::Default),
                ..Sigchld::default()
            },
            None => Sigchld::default(),
        };
    }

    /// Whether the kernel reaps the children; `None` if not known.
    #[must_use]
    pub fn reaps_for_us(&self) -> Option<bool> {
        Some(self.action?.reaps_for_us())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignoring_is_kept_across_an_exec_and_nothing_else() {
        let handler = SigchldAction::Handler {
            address: 7,
            no_wait: true,
            restarts: false,
        };
        let when = Stamp::default();
        let after = |action| {
            let mut sigchld = Sigchld::default();
            sigchld.set(action, Comm::new(b"launcher"), when);
            sigchld.execute();
            sigchld
        };
        let kept = after(SigchldAction::Ignore);
        assert_eq!(kept.reaps_for_us(), Some(true));
        assert!(kept.is_inherited);
        assert_eq!(kept.chosen_by, Some(Comm::new(b"launcher")));
        assert_eq!(after(handler).reaps_for_us(), Some(false));
        assert_eq!(
            after(SigchldAction::DefaultNoWait).reaps_for_us(),
            Some(false)
        );
    }
}
