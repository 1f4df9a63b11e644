//! The arguments of `clone3` (clone(2), `struct clone_args`), also of calls that are older.

use super::abi::{Abi, CloneCall};
use super::clone::{CLONE_UNTRACED, CSIGNAL};
use super::signal::Signal;

const CLONE_VM: u64 = 0x100;
const CLONE_PIDFD: u64 = 0x1000;
const CLONE_VFORK: u64 = 0x4000;

/// `struct clone_args`, its fields in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

impl CloneArgs {
    /// Bytes of the structure (`CLONE_ARGS_SIZE_VER2`).
    pub(crate) const LENGTH: u64 = 88;

    /// What an older call asks for, by its arguments; `None` for `clone3` itself and an ABI
    /// whose order of arguments is not known.
    pub(crate) fn of(abi: Abi, call: CloneCall, args: [u64; 6]) -> Option<CloneArgs> {
        let exit_signal = u64::from(Signal::CHLD.raw().unsigned_abs());
        let forked = CloneArgs {
            exit_signal,
            ..CloneArgs::default()
        };
        let [flags, stack, parent_tid, fourth, fifth, _] = args;
        let (child_tid, tls) = match abi {
            Abi::X86_64 => (fourth, fifth),
            Abi::Aarch64 => (fifth, fourth),
            _ => return None,
        };
        match call {
            CloneCall::Fork => Some(forked),
            CloneCall::Vfork => Some(CloneArgs {
                flags: CLONE_VM | CLONE_VFORK,
                ..forked
            }),
            CloneCall::Clone => {
                // clone3 adds the size.
                const SIZE: u64 = 16;
                // In clone the pidfd goes where the parent's tid does.
                let (pidfd, parent_tid) = match flags & CLONE_PIDFD {
                    0 => (0, parent_tid),
                    _ => (parent_tid, 0),
                };
                Some(CloneArgs {
                    flags: flags & !CSIGNAL,
                    pidfd,
                    child_tid,
                    parent_tid,
                    exit_signal: flags & CSIGNAL,
                    stack: if stack == 0 {
                        0
                    } else {
                        stack.checked_sub(SIZE)?
                    },
                    stack_size: if stack == 0 { 0 } else { SIZE },
                    tls,
                    ..CloneArgs::default()
                })
            }
            CloneCall::Clone3 => None,
        }
    }

    /// From a tracee's memory.
    pub(crate) fn read(bytes: &[u8; 88]) -> CloneArgs {
        let (words, _) = bytes.as_chunks();
        let mut words = words.iter().map(|word| u64::from_ne_bytes(*word));
        let mut next = || words.next().unwrap_or(0);
        CloneArgs {
            flags: next(),
            pidfd: next(),
            child_tid: next(),
            parent_tid: next(),
            exit_signal: next(),
            stack: next(),
            stack_size: next(),
            tls: next(),
            set_tid: next(),
            set_tid_size: next(),
            cgroup: next(),
        }
    }

    /// With one pid, which is at this address, for a child that is traced as its creator
    /// is; `None` if pids are chosen already.
    pub(crate) fn with_pid_at(self, address: u64) -> Option<CloneArgs> {
        (self.set_tid_size == 0).then_some(CloneArgs {
            flags: self.flags & !u64::from(CLONE_UNTRACED),
            set_tid: address,
            set_tid_size: 1,
            ..self
        })
    }

    /// The words of the structure.
    pub(crate) fn words(self) -> impl Iterator<Item = u64> {
        [
            self.flags,
            self.pidfd,
            self.child_tid,
            self.parent_tid,
            self.exit_signal,
            self.stack,
            self.stack_size,
            self.tls,
            self.set_tid,
            self.set_tid_size,
            self.cgroup,
        ]
        .into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLONE_SETTID: u64 = 0x0130_0000;
    const CHLD: u64 = 0x11;

    #[test]
    fn older_calls_are_asked_for_by_their_arguments() {
        let fork = CloneArgs::of(Abi::X86_64, CloneCall::Fork, [9; 6]).unwrap();
        assert_eq!(
            fork.words().collect::<Vec<_>>(),
            [0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0]
        );
        let vfork = CloneArgs::of(Abi::X86_64, CloneCall::Vfork, [9; 6]).unwrap();
        assert_eq!((vfork.flags, vfork.exit_signal), (0x4100, 17));
        // As a fork of glibc's.
        let args = [CLONE_SETTID | CHLD, 0, 0, 0x7000, 0, 0];
        let clone = CloneArgs::of(Abi::X86_64, CloneCall::Clone, args).unwrap();
        assert_eq!((clone.flags, clone.exit_signal), (CLONE_SETTID, 17));
        assert_eq!(
            (clone.child_tid, clone.tls, clone.stack_size),
            (0x7000, 0, 0)
        );
        // The order of arguments of aarch64.
        let clone = CloneArgs::of(Abi::Aarch64, CloneCall::Clone, args).unwrap();
        assert_eq!((clone.child_tid, clone.tls), (0, 0x7000));
        assert_eq!(CloneArgs::of(Abi::I386, CloneCall::Fork, args), None);
    }

    #[test]
    fn a_stack_and_a_pidfd_go_elsewhere() {
        let flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | u64::from(CLONE_UNTRACED) | CHLD;
        let args = [flags, 0x9000, 0x8000, 0, 0, 0];
        let clone = CloneArgs::of(Abi::X86_64, CloneCall::Clone, args).unwrap();
        assert_eq!(clone.stack + clone.stack_size, 0x9000);
        assert_eq!((clone.pidfd, clone.parent_tid), (0x8000, 0));
        let chosen = clone.with_pid_at(0x7000).unwrap();
        assert_eq!(chosen.flags, CLONE_VM | CLONE_VFORK | CLONE_PIDFD);
    }

    #[test]
    fn a_pid_is_added_unless_there_is_one() {
        let mut bytes = [0; 88];
        bytes[32] = 17;
        let chosen = CloneArgs::read(&bytes).with_pid_at(0x100).unwrap();
        let words: Vec<u64> = chosen.words().collect();
        assert_eq!((words[4], words[8], words[9]), (17, 0x100, 1));
        assert_eq!(chosen.with_pid_at(0x200), None);
    }
}
