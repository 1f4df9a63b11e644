//! Waits whose arguments the kernel refused, and which argument was invalid.

use super::RuleContext;
use super::diagnosis::Loss;
use super::finding::{Evidence, Finding, ProcessRef};
use super::lost::brief_of;
use crate::event::{Named, WaitExit};
use crate::kernel::{Errno, IdType, System, WaitCall, WaitOptions};
use crate::ledger::CompletedWait;

/// A wait that failed with EINVAL, EBADF or ESRCH.
pub(super) fn bad_arguments(exit: &WaitExit, errno: Errno, context: &mut RuleContext) {
    let Some(caller) = context.ledger.process(context.event.tgid) else {
        return;
    };
    if is_probe(exit) {
        return;
    }
    let completed = brief_of(exit, context);
    let evidence = Evidence::waited(&completed, context.ledger, caller.tgid, "refused");
    let when = completed.when;
    let diagnosis = Loss::BadWaitArgs {
        wait: completed,
        errno,
    };
    let finding = Finding::new(diagnosis, ProcessRef::new(caller), when).evidence([evidence]);
    context.findings.add(finding);
}

/// Libraries probe for `P_PIDFD` with an invalid descriptor.
fn is_probe(exit: &WaitExit) -> bool {
    matches!(exit.entry.named, Named::Id(IdType::PIDFD, fd) if fd >= i32::MAX.cast_unsigned())
}

/// The option bits or the argument that the kernel refused.
#[must_use]
pub fn refused_part(completed: &CompletedWait, errno: Errno) -> Refusal {
    let bits = completed.options.raw();
    let legal = match (completed.options.system(), completed.call) {
        // kernel/exit.c: kernel_wait4 and kernel_waitid_prepare.
        (System::Linux, WaitCall::Wait4 | WaitCall::Waitpid) => 0xe000_0000 | 1 | 2 | 8,
        (System::Linux, _) => 0xe100_0000 | 1 | 2 | 4 | 8,
        // sys/kern/kern_exit.c: any option that it does not define.
        (System::NetBsd | System::FreeBsd, _) => !completed.options.nameless(),
    };
    let kinds = [
        WaitOptions::EXITED,
        WaitOptions::STOPPED,
        WaitOptions::CONTINUED,
    ];
    let asks = kinds.iter().any(|kind| completed.options.contains(*kind))
        || completed.options.names().any(|name| name == "WTRAPPED");
    match errno {
        Errno::BADF => Refusal::NoPidfd,
        Errno::SRCH => Refusal::NoSuchGroup,
        _ if bits & !legal != 0 => Refusal::Options(bits & !legal),
        _ if completed.call.names_by_id() && !asks => Refusal::NothingAsked,
        _ => Refusal::Id,
    }
}

/// What is wrong with the arguments of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// These bits are not options of the call.
    Options(u32),
    /// waitid or wait6 without WEXITED, WSTOPPED or WCONTINUED.
    NothingAsked,
    /// The type or id is not valid.
    Id,
    /// The descriptor is not a pidfd.
    NoPidfd,
    /// The pid is `INT_MIN`.
    NoSuchGroup,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Tid;
    use crate::ledger::Outcome;
    use crate::ledger::Stamp;

    #[test]
    fn the_part_that_was_refused_is_named() {
        let completed = |call, named, bits| CompletedWait {
            when: Stamp::default(),
            entered: crate::event::Moment(0),
            tid: Tid::new(1),
            call,
            named,
            options: WaitOptions::from_raw(bits),
            takes_status: true,
            outcome: Outcome::Error(Errno::INVAL),
            in_handler: None,
            stack: None,
        };
        let wait4 = |bits| completed(WaitCall::Wait4, Named::Pid(-1), bits);
        let waitid = |bits| completed(WaitCall::Waitid, Named::Id(IdType::PID, 0), bits);
        assert_eq!(refused_part(&wait4(4), Errno::INVAL), Refusal::Options(4));
        assert_eq!(
            refused_part(&waitid(1), Errno::INVAL),
            Refusal::NothingAsked
        );
        assert_eq!(refused_part(&waitid(5), Errno::INVAL), Refusal::Id);
        assert_eq!(refused_part(&waitid(5), Errno::BADF), Refusal::NoPidfd);
        assert_eq!(refused_part(&wait4(0), Errno::SRCH), Refusal::NoSuchGroup);
    }
}
