//! System calls other than waits that rules depend on, and their numbers
//! (`arch/*/entry/syscalls/*.tbl`, `include/uapi/asm-generic/unistd.h`).

use super::Abi;
use super::abi::x32;

/// A call that rules depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleCall {
    /// `rt_sigaction(signal, act, oldact, size)`
    Sigaction,
    /// `exit_group(code)`
    ExitGroup,
    /// `kill(pid, signal)`
    Kill,
    /// `tkill(tid, signal)`
    Tkill,
    /// `tgkill(tgid, tid, signal)`
    Tgkill,
    /// `prctl(option, …)`
    Prctl,
    /// `pidfd_send_signal(pidfd, signal, info, flags)`
    PidfdKill,
    /// `execve(path, argv, envp)`
    Execve,
    /// `execveat(dirfd, path, argv, envp, flags)`
    Execveat,
}

impl RuleCall {
    /// All of them.
    pub const ALL: [RuleCall; 9] = [
        RuleCall::Sigaction,
        RuleCall::ExitGroup,
        RuleCall::Kill,
        RuleCall::Tkill,
        RuleCall::Tgkill,
        RuleCall::Prctl,
        RuleCall::PidfdKill,
        RuleCall::Execve,
        RuleCall::Execveat,
    ];
}

/// SIGTTOU. Higher signals (URG, PWR, the real-time ones) are usually sent by a
/// runtime to its own threads.
pub const LAST_PLAIN_SIGNAL: i32 = 22;

/// The option of prctl that sets the parent-death signal.
pub const PR_SET_PDEATHSIG: u32 = 1;

/// Flag of `pidfd_send_signal`: to the process group that the process leads.
pub const PIDFD_SIGNAL_PROCESS_GROUP: u64 = 4;

/// Flag of sigaction: children do not become zombies.
const SA_NOCLDWAIT: u64 = 2;
/// Flag of sigaction: the handler runs on the stack set by sigaltstack.
const SA_ONSTACK: u64 = 0x0800_0000;
/// Flag of sigaction: interrupted calls are restarted.
const SA_RESTART: u64 = 0x1000_0000;
/// Flag of sigaction: the signal is not blocked while its handler runs.
const SA_NODEFER: u64 = 0x4000_0000;

/// The fields at the start of the kernel's `struct sigaction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigactionHead {
    /// `SIG_DFL` is 0, `SIG_IGN` 1, anything else an address.
    pub handler: u64,
    /// `SA_NOCLDWAIT` is set.
    pub no_wait: bool,
    /// `SA_RESTART` is set.
    pub restarts: bool,
    /// The handler runs on the interrupted stack, and SIGCHLD is blocked until it
    /// returns: neither `SA_ONSTACK` nor `SA_NODEFER` is set.
    pub is_plain: bool,
}

impl Abi {
    /// The number of `call`.
    #[must_use]
    pub const fn rule_number(self, call: RuleCall) -> u32 {
        // In the order of [`RuleCall`], without `PidfdKill`.
        let numbers = match self {
            Abi::X86_64 => [13, 231, 62, 200, 234, 157, 59, 322],
            Abi::X32 => [
                x32(512),
                x32(231),
                x32(62),
                x32(200),
                x32(234),
                x32(157),
                x32(520),
                x32(545),
            ],
            Abi::I386 => [174, 252, 37, 238, 270, 172, 11, 358],
            Abi::Arm => [174, 248, 37, 238, 268, 172, 11, 387],
            Abi::Aarch64 | Abi::Riscv64 => [134, 94, 129, 130, 131, 167, 221, 281],
        };
        let [
            sigaction,
            exit_group,
            kill,
            tkill,
            tgkill,
            prctl,
            execve,
            execveat,
        ] = numbers;
        match call {
            RuleCall::Sigaction => sigaction,
            RuleCall::ExitGroup => exit_group,
            RuleCall::Kill => kill,
            RuleCall::Tkill => tkill,
            RuleCall::Tgkill => tgkill,
            RuleCall::Prctl => prctl,
            RuleCall::Execve => execve,
            RuleCall::Execveat => execveat,
            // One number for all, as of every call since 5.1.
            RuleCall::PidfdKill => match self {
                Abi::X32 => x32(424),
                _ => 424,
            },
        }
    }

    /// The call with this number, if rules depend on it.
    #[must_use]
    pub fn rule_call(self, nr: u64) -> Option<RuleCall> {
        RuleCall::ALL
            .into_iter()
            .find(|call| u64::from(self.rule_number(*call)) == nr)
    }

    /// Reads the head of a `struct sigaction`: two words.
    #[must_use]
    pub fn sigaction_head(self, bytes: [u8; 16]) -> SigactionHead {
        let [a, b, c, d, e, f, g, h, tail @ ..] = bytes;
        let (handler, flags) = match self {
            Abi::I386 | Abi::Arm | Abi::X32 => (
                u32::from_ne_bytes([a, b, c, d]).into(),
                u32::from_ne_bytes([e, f, g, h]).into(),
            ),
            _ => (
                u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
                u64::from_ne_bytes(tail),
            ),
        };
        SigactionHead {
            handler,
            no_wait: flags & SA_NOCLDWAIT != 0,
            restarts: flags & SA_RESTART != 0,
            is_plain: flags & (SA_ONSTACK | SA_NODEFER) == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_numbers_are_those_of_the_headers() {
        let number = |call| i64::from(Abi::X86_64.rule_number(call));
        assert_eq!(number(RuleCall::Sigaction), libc::SYS_rt_sigaction);
        assert_eq!(number(RuleCall::ExitGroup), libc::SYS_exit_group);
        assert_eq!(number(RuleCall::Kill), libc::SYS_kill);
        assert_eq!(number(RuleCall::Tkill), libc::SYS_tkill);
        assert_eq!(number(RuleCall::Tgkill), libc::SYS_tgkill);
        assert_eq!(number(RuleCall::Prctl), libc::SYS_prctl);
        assert_eq!(number(RuleCall::PidfdKill), libc::SYS_pidfd_send_signal);
        assert_eq!(number(RuleCall::Execve), libc::SYS_execve);
        assert_eq!(number(RuleCall::Execveat), libc::SYS_execveat);
    }

    #[test]
    fn a_sigaction_is_two_words_of_its_abi() {
        let mut bytes = [0; 16];
        bytes[0] = 1;
        bytes[4] = 2;
        let narrow = Abi::I386.sigaction_head(bytes);
        assert_eq!((narrow.handler, narrow.no_wait), (1, true));
        bytes[4] = 0;
        bytes[8..16].copy_from_slice(&0x1000_0000u64.to_ne_bytes());
        let wide = Abi::X86_64.sigaction_head(bytes);
        assert_eq!(
            (wide.handler, wide.no_wait, wide.restarts),
            (1, false, true)
        );
    }
}
