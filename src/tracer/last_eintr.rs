//! What becomes of a call that failed with EINTR, where the kernel's registers do not tell
//! (aarch64).
//!
//! A tracee that is sent back to the instruction of its call is not in that call yet: a
//! handler that runs first ends it with EINTR after all. And in a stop on the way out of the
//! kernel the registers are the same right after the call and right after the handler that
//! it failed for: what comes from there has left the call, and is not sent back. Until its
//! next call is seen, the tracee stops at calls ([`LastEintr::is_followed`]).

/// Where a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallSite {
    /// The end of the instruction, which is where a tracee in a call is.
    pub(super) end: u64,
    pub(super) stack_pointer: u64,
}

/// The last call of a task that failed with EINTR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LastEintr {
    /// None of which more has to be known.
    #[default]
    None,
    /// It is to be made again: the task was sent back to this instruction.
    SentBack { site: CallSite, instruction: u64 },
    /// A handler runs that it failed for.
    Handled(CallSite),
    /// That handler has returned, and the task has made no call since.
    Returned(CallSite),
}

impl LastEintr {
    /// Whether the task's next calls have to be seen.
    pub(super) fn is_followed(self) -> bool {
        self != LastEintr::None
    }

    /// The task enters a call.
    pub(super) fn enters(&mut self, site: CallSite) {
        let is_over = match *self {
            // By longjmp.
            LastEintr::Handled(before) => before == site,
            _ => true,
        };
        if is_over {
            *self = LastEintr::None;
        }
    }

    /// The task leaves a call, and goes on there: by `rt_sigreturn` where it was before.
    pub(super) fn leaves(&mut self, site: CallSite) {
        if *self == LastEintr::Handled(site) {
            *self = LastEintr::Returned(site);
        }
    }

    /// Whether a task that seems to be on its way out of a call there may be so.
    pub(super) fn may_leave(self, site: CallSite) -> bool {
        self != LastEintr::Handled(site) && self != LastEintr::Returned(site)
    }

    /// Where the task was sent back to, if it is still there, at `at`.
    pub(super) fn sent_back_from(self, at: u64) -> Option<CallSite> {
        match self {
            LastEintr::SentBack { site, instruction } if instruction == at => Some(site),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: CallSite = CallSite {
        end: 0x40_1004,
        stack_pointer: 0x7ff0,
    };
    const ELSEWHERE: CallSite = CallSite {
        end: 0x40_2004,
        stack_pointer: 0x7f00,
    };

    #[test]
    fn a_call_that_is_made_again_is_followed_to_its_entry() {
        let mut last = LastEintr::SentBack {
            site: SITE,
            instruction: 0x40_1000,
        };
        assert!(last.is_followed());
        assert_eq!(last.sent_back_from(0x40_1000), Some(SITE));
        assert_eq!(last.sent_back_from(SITE.end), None);
        last.enters(SITE);
        assert!(!last.is_followed() && last.may_leave(SITE));
    }

    #[test]
    fn what_a_handler_returns_to_is_no_call() {
        let mut last = LastEintr::Handled(SITE);
        last.enters(ELSEWHERE);
        last.leaves(ELSEWHERE);
        assert!(!last.may_leave(SITE) && last.may_leave(ELSEWHERE));
        last.leaves(SITE);
        assert!(!last.may_leave(SITE));
        last.enters(ELSEWHERE);
        assert!(last.may_leave(SITE) && !last.is_followed());
    }

    #[test]
    fn a_handler_that_jumps_back_to_the_call_is_over() {
        let mut last = LastEintr::Handled(SITE);
        last.enters(SITE);
        assert!(last.may_leave(SITE) && !last.is_followed());
    }
}
