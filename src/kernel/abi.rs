//! System call ABIs: the numbers of wait calls, and the width of words.
//!
//! An ABI is data, chosen at each stop, and not the machine's architecture:
//! 64-bit code may call through `int $0x80`.

/// A system call ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of the architectures")]
pub enum Abi {
    X86_64,
    I386,
    X32,
    Aarch64,
    Arm,
    Riscv64,
}

/// A call of the wait family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitCall {
    /// `wait4(pid, wstatus, options, rusage)`
    Wait4,
    /// `waitid(idtype, id, infop, options, rusage)`: the kernel's has five arguments.
    Waitid,
    /// `waitpid(pid, wstatus, options)`: a system call of its own on i386.
    Waitpid,
    /// `wait6(idtype, id, wstatus, options, wrusage, infop)`, on the BSDs.
    Wait6,
}

impl WaitCall {
    /// The call's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            WaitCall::Wait4 => "wait4",
            WaitCall::Waitid => "waitid",
            WaitCall::Waitpid => "waitpid",
            WaitCall::Wait6 => "wait6",
        }
    }

    /// All of them.
    pub const ALL: [WaitCall; 4] = [
        WaitCall::Wait4,
        WaitCall::Waitid,
        WaitCall::Waitpid,
        WaitCall::Wait6,
    ];

    /// Whether what it waits for is given by a type and an id.
    #[must_use]
    pub const fn names_by_id(self) -> bool {
        matches!(self, WaitCall::Waitid | WaitCall::Wait6)
    }

    /// Index of the argument that holds the options.
    #[must_use]
    pub const fn options_index(self) -> usize {
        match self {
            WaitCall::Wait4 | WaitCall::Waitpid => 2,
            WaitCall::Waitid | WaitCall::Wait6 => 3,
        }
    }

    /// Whether a call with these arguments is a poll (`WNOHANG`).
    #[must_use]
    pub fn polls(self, args: [u64; 6]) -> bool {
        let options = args.get(self.options_index());
        options.is_some_and(|options| options & u64::from(libc::WNOHANG.cast_unsigned()) != 0)
    }
}

/// A set of wait calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the calls' names")]
pub struct WaitCalls {
    pub wait4: bool,
    pub waitid: bool,
    pub waitpid: bool,
    pub wait6: bool,
}

impl WaitCalls {
    /// All of them.
    pub const ALL: WaitCalls = WaitCalls {
        wait4: true,
        waitid: true,
        waitpid: true,
        wait6: true,
    };

    /// Whether `call` is in the set.
    #[must_use]
    pub const fn has(self, call: WaitCall) -> bool {
        match call {
            WaitCall::Wait4 => self.wait4,
            WaitCall::Waitid => self.waitid,
            WaitCall::Waitpid => self.waitpid,
            WaitCall::Wait6 => self.wait6,
        }
    }
}

/// A call that creates a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloneCall {
    /// No arguments.
    Fork,
    /// No arguments.
    Vfork,
    /// The flags are the first argument.
    Clone,
    /// The flags are the first word of the structure that the first argument points to.
    Clone3,
}

/// The memory layout of a `struct rusage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RusageLayout {
    /// 18 words of 8 bytes.
    Bits64,
    /// 18 words of 4 bytes.
    Bits32,
}

impl SiginfoLayout {
    /// Size in bytes (`SI_MAX_SIZE`).
    #[must_use]
    pub const fn size(self) -> usize {
        128
    }
}

impl RusageLayout {
    /// Size in bytes.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            RusageLayout::Bits64 => 144,
            RusageLayout::Bits32 => 72,
        }
    }
}

/// The memory layout of a `siginfo_t`; always 128 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SiginfoLayout {
    /// The union starts at 16, pointers have 8 bytes.
    Bits64,
    /// The union starts at 12, pointers have 4 bytes.
    Bits32,
    /// As `Bits32`, but SIGCHLD's clocks have 8 bytes, at 24 and 32
    /// (`_sigchld_x32` in `include/linux/compat.h`).
    X32,
}

/// `AUDIT_ARCH_X86_64`; x32 has the same.
const AUDIT_X86_64: u32 = 0xc000_003e;
/// `AUDIT_ARCH_I386`
const AUDIT_I386: u32 = 0x4000_0003;
/// `AUDIT_ARCH_AARCH64`
const AUDIT_AARCH64: u32 = 0xc000_00b7;
/// `AUDIT_ARCH_ARM`
const AUDIT_ARM: u32 = 0x4000_0028;
/// `AUDIT_ARCH_RISCV64`
const AUDIT_RISCV64: u32 = 0xc000_00f3;

/// x32's bit in a call's number (`__X32_SYSCALL_BIT`).
const X32_BIT: u32 = 0x4000_0000;

/// The number of an x32 call.
pub(super) const fn x32(nr: u32) -> u32 {
    X32_BIT | nr
}

impl Abi {
    /// The 64-bit ABI of the machine that this is built for.
    pub const NATIVE: Abi = if cfg!(target_arch = "aarch64") {
        Abi::Aarch64
    } else if cfg!(target_arch = "riscv64") {
        Abi::Riscv64
    } else {
        Abi::X86_64
    };

    /// Every ABI.
    pub const ALL: [Abi; 6] = [
        Abi::X86_64,
        Abi::I386,
        Abi::X32,
        Abi::Aarch64,
        Abi::Arm,
        Abi::Riscv64,
    ];

    /// The ABI of a call by its `AUDIT_ARCH_*` (`include/uapi/linux/audit.h`)
    /// and number; `None` for an architecture that is not supported.
    #[must_use]
    pub const fn from_audit(arch: u32, nr: u64) -> Option<Abi> {
        Some(match arch {
            AUDIT_X86_64 if nr & X32_BIT as u64 != 0 && nr <= u32::MAX as u64 => Abi::X32,
            AUDIT_X86_64 => Abi::X86_64,
            AUDIT_I386 => Abi::I386,
            AUDIT_AARCH64 => Abi::Aarch64,
            AUDIT_ARM => Abi::Arm,
            AUDIT_RISCV64 => Abi::Riscv64,
            _ => return None,
        })
    }

    /// Its `AUDIT_ARCH_*`; x86-64 and x32 share one.
    #[must_use]
    pub const fn audit_arch(self) -> u32 {
        match self {
            Abi::X86_64 | Abi::X32 => AUDIT_X86_64,
            Abi::I386 => AUDIT_I386,
            Abi::Aarch64 => AUDIT_AARCH64,
            Abi::Arm => AUDIT_ARM,
            Abi::Riscv64 => AUDIT_RISCV64,
        }
    }

    /// The ABI's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Abi::X86_64 => "x86_64",
            Abi::I386 => "i386",
            Abi::X32 => "x32",
            Abi::Aarch64 => "aarch64",
            Abi::Arm => "arm",
            Abi::Riscv64 => "riscv64",
        }
    }

    /// The numbers of the wait calls.
    #[must_use]
    pub const fn wait_numbers(self) -> &'static [(u32, WaitCall)] {
        use WaitCall::{Wait4, Waitid, Waitpid};
        match self {
            Abi::X86_64 => &[(61, Wait4), (247, Waitid)],
            Abi::I386 => &[(7, Waitpid), (114, Wait4), (284, Waitid)],
            Abi::X32 => const { &[(x32(61), Wait4), (x32(529), Waitid)] },
            Abi::Aarch64 | Abi::Riscv64 => &[(260, Wait4), (95, Waitid)],
            Abi::Arm => &[(114, Wait4), (280, Waitid)],
        }
    }

    /// The wait call with this number.
    #[must_use]
    pub fn wait_call(self, nr: u64) -> Option<WaitCall> {
        let found = self
            .wait_numbers()
            .iter()
            .find(|(number, _)| u64::from(*number) == nr);
        found.map(|(_, call)| *call)
    }

    /// The call with this number, if it creates a task.
    #[must_use]
    pub fn clone_call(self, nr: u64) -> Option<CloneCall> {
        use CloneCall::{Clone, Clone3, Fork, Vfork};
        let nr = u32::try_from(nr).ok()?;
        let clone3 = if matches!(self, Abi::X32) {
            x32(435)
        } else {
            435
        };
        let (fork, vfork) = match self {
            Abi::X86_64 => (Some(57), Some(58)),
            Abi::X32 => (Some(x32(57)), Some(x32(58))),
            Abi::I386 | Abi::Arm => (Some(2), Some(190)),
            // Newer architectures have only clone.
            Abi::Aarch64 | Abi::Riscv64 => (None, None),
        };
        Some(match nr {
            _ if nr == self.clone_nr() => Clone,
            _ if nr == clone3 => Clone3,
            _ if Some(nr) == fork => Fork,
            _ if Some(nr) == vfork => Vfork,
            _ => return None,
        })
    }

    /// The number of clone.
    #[must_use]
    pub const fn clone_nr(self) -> u32 {
        match self {
            Abi::X86_64 => 56,
            Abi::X32 => x32(56),
            Abi::I386 | Abi::Arm => 120,
            Abi::Aarch64 | Abi::Riscv64 => 220,
        }
    }

    /// The number of unshare.
    #[must_use]
    pub const fn unshare(self) -> u32 {
        match self {
            Abi::X86_64 => 272,
            Abi::X32 => x32(272),
            Abi::I386 => 310,
            Abi::Arm => 337,
            Abi::Aarch64 | Abi::Riscv64 => 97,
        }
    }

    /// The number of setns.
    #[must_use]
    pub const fn setns(self) -> u32 {
        match self {
            Abi::X86_64 => 308,
            Abi::X32 => x32(308),
            Abi::I386 => 346,
            Abi::Arm => 375,
            Abi::Aarch64 | Abi::Riscv64 => 268,
        }
    }

    /// The number of seccomp.
    #[must_use]
    pub const fn seccomp(self) -> u32 {
        match self {
            Abi::X86_64 => 317,
            Abi::X32 => x32(317),
            Abi::I386 => 354,
            Abi::Arm => 383,
            Abi::Aarch64 | Abi::Riscv64 => 277,
        }
    }

    /// The layout of its rusages.
    #[must_use]
    pub const fn rusage_layout(self) -> RusageLayout {
        match self {
            Abi::I386 | Abi::Arm => RusageLayout::Bits32,
            _ => RusageLayout::Bits64,
        }
    }

    /// The layout of its siginfos.
    #[must_use]
    pub const fn siginfo_layout(self) -> SiginfoLayout {
        match self {
            Abi::I386 | Abi::Arm => SiginfoLayout::Bits32,
            Abi::X32 => SiginfoLayout::X32,
            _ => SiginfoLayout::Bits64,
        }
    }

    /// An argument register as the call sees it: 32 bits in 32-bit ABIs.
    #[must_use]
    pub const fn argument(self, register: u64) -> u64 {
        match self {
            Abi::I386 | Abi::Arm | Abi::X32 => register & 0xffff_ffff,
            _ => register,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WaitCall::{Wait4, Waitid, Waitpid};
    use super::*;

    #[test]
    fn the_abi_follows_from_architecture_and_number() {
        assert_eq!(Abi::from_audit(0xc000_003e, 61), Some(Abi::X86_64));
        assert_eq!(Abi::from_audit(0xc000_003e, 0x4000_003d), Some(Abi::X32));
        // -1, the number of a skipped call, is not an x32 call.
        assert_eq!(Abi::from_audit(0xc000_003e, u64::MAX), Some(Abi::X86_64));
        assert_eq!(Abi::from_audit(0x4000_0003, 7), Some(Abi::I386));
        assert_eq!(Abi::from_audit(0xc000_00b7, 260), Some(Abi::Aarch64));
        assert_eq!(Abi::from_audit(0x4000_0028, 114), Some(Abi::Arm));
        assert_eq!(Abi::from_audit(0xc000_00f3, 95), Some(Abi::Riscv64));
        assert_eq!(Abi::from_audit(0x8000_0016, 61), None);
    }

    #[test]
    fn each_abi_has_its_own_wait_numbers() {
        let calls = |abi: Abi| -> Vec<(u64, WaitCall)> {
            let numbers = (0..2000).chain(0x4000_0000..0x4000_0800);
            numbers
                .filter_map(|nr| Some((nr, abi.wait_call(nr)?)))
                .collect()
        };
        assert_eq!(calls(Abi::X86_64), [(61, Wait4), (247, Waitid)]);
        assert_eq!(
            calls(Abi::I386),
            [(7, Waitpid), (114, Wait4), (284, Waitid)]
        );
        assert_eq!(
            calls(Abi::X32),
            [(0x4000_003d, Wait4), (0x4000_0211, Waitid)]
        );
        assert_eq!(calls(Abi::Aarch64), [(95, Waitid), (260, Wait4)]);
        assert_eq!(calls(Abi::Riscv64), [(95, Waitid), (260, Wait4)]);
        assert_eq!(calls(Abi::Arm), [(114, Wait4), (280, Waitid)]);
    }

    #[test]
    fn every_abi_is_found_by_what_it_reports() {
        for abi in Abi::ALL {
            for (nr, call) in abi.wait_numbers() {
                let nr = u64::from(*nr);
                assert_eq!(Abi::from_audit(abi.audit_arch(), nr), Some(abi));
                assert_eq!(abi.wait_call(nr), Some(*call));
                // The whole word counts, not its low half.
                assert_eq!(abi.wait_call(nr | 1 << 32), None);
            }
        }
    }

    #[test]
    fn every_abi_has_its_layouts() {
        use {RusageLayout as R, SiginfoLayout as S};
        let layouts = Abi::ALL.map(|abi| (abi.rusage_layout(), abi.siginfo_layout()));
        let wide = (R::Bits64, S::Bits64);
        let narrow = (R::Bits32, S::Bits32);
        let expected = [wide, narrow, (R::Bits64, S::X32), wide, narrow, wide];
        assert_eq!(layouts, expected);
        assert_eq!((R::Bits64.size(), R::Bits32.size()), (144, 72));
    }

    #[test]
    fn every_abi_has_its_own_clone_family() {
        use CloneCall::{Clone, Clone3, Fork, Vfork};
        let calls = |abi: Abi| -> Vec<(u64, CloneCall)> {
            let numbers = (0..2000).chain(0x4000_0000..0x4000_0800);
            numbers
                .chain([u64::from(u32::MAX), u64::MAX])
                .filter_map(|nr| Some((nr, abi.clone_call(nr)?)))
                .collect()
        };
        let x86_64 = [(56, Clone), (57, Fork), (58, Vfork), (435, Clone3)];
        assert_eq!(calls(Abi::X86_64), x86_64);
        assert_eq!(
            calls(Abi::X32),
            x86_64.map(|(nr, call)| (nr | 0x4000_0000, call))
        );
        for abi in [Abi::I386, Abi::Arm] {
            assert_eq!(
                calls(abi),
                [(2, Fork), (120, Clone), (190, Vfork), (435, Clone3)]
            );
        }
        for abi in [Abi::Aarch64, Abi::Riscv64] {
            assert_eq!(calls(abi), [(220, Clone), (435, Clone3)]);
        }
    }

    #[test]
    fn every_abi_has_its_own_unshare_and_setns() {
        let numbers = Abi::ALL.map(|abi| (abi.unshare(), abi.setns()));
        let x32 = (0x4000_0000 + 272, 0x4000_0000 + 308);
        let expected = [
            (272, 308),
            (310, 346),
            x32,
            (97, 268),
            (337, 375),
            (97, 268),
        ];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn the_calls_that_create_tasks_are_known() {
        assert_eq!(Abi::X86_64.clone_call(435), Some(CloneCall::Clone3));
        assert_eq!(Abi::X86_64.clone_call(58), Some(CloneCall::Vfork));
        assert_eq!(Abi::X32.clone_call(0x4000_0038), Some(CloneCall::Clone));
        assert_eq!(Abi::I386.clone_call(2), Some(CloneCall::Fork));
        assert_eq!(Abi::I386.clone_call(56), None);
        assert_eq!(Abi::Aarch64.clone_call(220), Some(CloneCall::Clone));
        assert_eq!(Abi::Riscv64.clone_call(57), None);
    }

    #[test]
    fn words_of_32_bit_abis_are_cut() {
        for abi in Abi::ALL {
            let wide = matches!(abi, Abi::X86_64 | Abi::Aarch64 | Abi::Riscv64);
            let expected = if wide { u64::MAX } else { 0xffff_ffff };
            assert_eq!(abi.argument(u64::MAX), expected, "{}", abi.name());
        }
    }
}
