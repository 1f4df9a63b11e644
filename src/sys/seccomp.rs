//! The seccomp filter for a launched command and its descendants, so that only the calls of
//! interest stop.
//!
//! Arch is tested first, then the number, and an argument is loaded only for
//! the calls that need it: for all other numbers the kernel's per-number
//! bitmap then answers without running the filter.
#![expect(unsafe_code, reason = "seccomp(2) and prctl(2)")]

use crate::kernel::{
    Abi, CLONE_NEWPID, CLONE_UNTRACED, Errno, LAST_PLAIN_SIGNAL, PR_SET_PDEATHSIG, RuleCall,
    Signal, WaitCalls,
};

/// `SECCOMP_RET_DATA` of our stops: with another number the tracee's own filter asked for
/// a tracer.
pub(crate) const OURS: u16 = 0x5734;

/// A flag of seccomp(2): the filter's `SECCOMP_RET_USER_NOTIF` takes precedence over our
/// stops, and a supervisor answers it.
pub(crate) const NEW_LISTENER: u32 = 1 << 3;

/// The last number that is not one of x32 (`__X32_SYSCALL_BIT`).
const BELOW_X32: u32 = 0x3fff_ffff;

/// Offsets in `struct seccomp_data`.
const NR: u32 = 0;
const ARCH: u32 = 4;
const FIRST_ARGUMENT_LOW: u32 = 16;
const SECOND_ARGUMENT_LOW: u32 = 24;
const THIRD_ARGUMENT_LOW: u32 = 32;
const FOURTH_ARGUMENT_LOW: u32 = 40;

/// An instruction's code.
#[expect(
    clippy::cast_possible_truncation,
    reason = "classic BPF codes are 16 bits wide"
)]
const fn code(bits: u32) -> u16 {
    bits as u16
}

const LOAD: u16 = code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS);
const JUMP_EQUAL: u16 = code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
const JUMP_ANY_BIT: u16 = code(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K);
const JUMP_ABOVE: u16 = code(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K);
const JUMP: u16 = code(libc::BPF_JMP | libc::BPF_JA);
const RETURN: u16 = code(libc::BPF_RET | libc::BPF_K);

/// A BPF program, built before the fork: a child must not allocate between fork and exec.
#[derive(Clone, Debug)]
pub(crate) struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// A filter that stops at the waits of `wanted`, with `rules` at the calls that rules need,
    /// and at the calls that the tracer itself needs: those that put children in another
    /// pid namespace, and a clone with `CLONE_UNTRACED`. Without `polls` it does not stop
    /// at waits with `WNOHANG`.
    pub(crate) fn new(wanted: WaitCalls, polls: bool, rules: bool) -> Filter {
        Filter::with_calls(wanted, polls, rules, &[])
    }

    /// The same, which stops at `more` calls of our own architecture too, by number.
    pub(crate) fn with_calls(wanted: WaitCalls, polls: bool, rules: bool, more: &[u32]) -> Filter {
        let mut program = vec![statement(LOAD, ARCH)];
        for (arch, abis) in native_architectures() {
            let mut body = vec![statement(LOAD, NR)];
            for abi in *abis {
                let mut calls = Vec::new();
                if *abi == Abi::NATIVE {
                    push_calls(&mut calls, more);
                }
                push_waits(&mut calls, *abi, wanted, polls);
                push_own_calls(&mut calls, *abi);
                if rules {
                    push_rule_calls(&mut calls, *abi);
                }
                calls.push(statement(RETURN, ALLOW));
                if abis.len() > 1 && *abi == Abi::X86_64 {
                    // x32's numbers are all above. When the filter is installed, the kernel evaluates it
                    // for each number; with this test that is half the work.
                    push_jump(&mut body, JUMP_ABOVE, BELOW_X32, true, calls.len());
                }
                body.append(&mut calls);
            }
            push_jump(&mut program, JUMP_EQUAL, *arch, false, body.len());
            program.append(&mut body);
        }
        program.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
        Filter(program)
    }

    /// Whether this filter stops a call. Another filter, of the tracee's own, may have asked
    /// for a tracer with the same data.
    pub(crate) fn stops(&self, arch: u32, nr: u64, args: [u64; 6]) -> bool {
        let low = |word: u64| (word & 0xffff_ffff) as u32;
        let [first, second, third, fourth, ..] = args.map(low);
        let load = |offset: u32| match offset {
            NR => low(nr),
            ARCH => arch,
            FIRST_ARGUMENT_LOW => first,
            SECOND_ARGUMENT_LOW => second,
            THIRD_ARGUMENT_LOW => third,
            _ => fourth,
        };
        self.answer(load) == STOP
    }

    /// Interprets the program; `load` returns the words of `seccomp_data`.
    fn answer(&self, load: impl Fn(u32) -> u32) -> u32 {
        let mut value = 0;
        let mut rest = self.0.as_slice();
        while let Some((step, following)) = rest.split_first() {
            let holds = match step.code {
                RETURN => return step.k,
                LOAD => {
                    value = load(step.k);
                    rest = following;
                    continue;
                }
                JUMP => {
                    let over = usize::try_from(step.k).unwrap_or(usize::MAX);
                    rest = following.get(over..).unwrap_or(&[]);
                    continue;
                }
                JUMP_EQUAL => value == step.k,
                JUMP_ANY_BIT => value & step.k != 0,
                _ => value > step.k,
            };
            let over = usize::from(if holds { step.jt } else { step.jf });
            rest = following.get(over..).unwrap_or(&[]);
        }
        ALLOW
    }

    /// Installs the filter on the calling thread, for all that it will create.
    /// Async-signal-safe. An unprivileged caller gets `NO_NEW_PRIVS` first.
    pub(crate) fn install(&self) -> Result<(), Errno> {
        match self.try_install() {
            Err(Errno::ACCES) => {
                // SAFETY: this prctl takes numbers only.
                if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } < 0 {
                    return Err(super::last_errno());
                }
                self.try_install()
            }
            other => other,
        }
    }

    fn try_install(&self) -> Result<(), Errno> {
        let program = libc::sock_fprog {
            len: u16::try_from(self.0.len()).map_err(|_| Errno::INVAL)?,
            filter: self.0.as_ptr().cast_mut(),
        };
        // SAFETY: the kernel copies `len` instructions, which outlive the call.
        let done = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                // Speculation mitigations stay as without a tracer.
                libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                &raw const program,
            )
        };
        if done < 0 {
            return Err(super::last_errno());
        }
        Ok(())
    }
}

/// The audit architectures whose calls a process on this machine can make.
fn native_architectures() -> &'static [(u32, &'static [Abi])] {
    if cfg!(target_arch = "x86_64") {
        const {
            &[
                (0xc000_003e, &[Abi::X86_64, Abi::X32] as &[Abi]),
                (0x4000_0003, &[Abi::I386]),
            ]
        }
    } else if cfg!(target_arch = "aarch64") {
        const {
            &[
                (0xc000_00b7, &[Abi::Aarch64] as &[Abi]),
                (0x4000_0028, &[Abi::Arm]),
            ]
        }
    } else {
        const { &[(0xc000_00f3, &[Abi::Riscv64] as &[Abi])] }
    }
}

/// The return value that stops a call.
const STOP: u32 = libc::SECCOMP_RET_TRACE | OURS as u32;
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

/// Stop at these numbers.
fn push_calls(body: &mut Vec<libc::sock_filter>, numbers: &[u32]) {
    // One return for all of a chunk, as far as a jump reaches.
    for chunk in numbers.chunks(usize::from(u8::MAX)) {
        let mut left = chunk.len();
        for nr in chunk {
            left -= 1;
            let to_return = u8::try_from(left).unwrap_or(u8::MAX);
            body.push(jump(JUMP_EQUAL, *nr, to_return, u8::from(left == 0)));
        }
        if !chunk.is_empty() {
            body.push(statement(RETURN, STOP));
        }
    }
}

/// Jump over so many instructions if a test's outcome is `on`. A conditional jump reaches
/// no farther than 255.
fn push_jump(body: &mut Vec<libc::sock_filter>, test: u16, k: u32, on: bool, over: usize) {
    if let Ok(over) = u8::try_from(over) {
        let (jt, jf) = if on { (over, 0) } else { (0, over) };
        body.push(jump(test, k, jt, jf));
    } else {
        body.push(jump(test, k, u8::from(!on), u8::from(on)));
        body.push(statement(JUMP, u32::try_from(over).unwrap_or(u32::MAX)));
    }
}

fn push_waits(body: &mut Vec<libc::sock_filter>, abi: Abi, wanted: WaitCalls, polls: bool) {
    for (nr, call) in abi.wait_numbers() {
        if !wanted.has(*call) {
            continue;
        }
        if polls {
            body.push(jump(JUMP_EQUAL, *nr, 0, 1));
            body.push(statement(RETURN, STOP));
            continue;
        }
        let options = match call.options_index() {
            2 => THIRD_ARGUMENT_LOW,
            _ => FOURTH_ARGUMENT_LOW,
        };
        body.push(jump(JUMP_EQUAL, *nr, 0, 4));
        body.push(statement(LOAD, options));
        body.push(jump(JUMP_ANY_BIT, libc::WNOHANG.cast_unsigned(), 1, 0));
        body.push(statement(RETURN, STOP));
        body.push(statement(RETURN, ALLOW));
    }
}

/// The calls that the tracer itself needs.
fn push_own_calls(body: &mut Vec<libc::sock_filter>, abi: Abi) {
    body.push(jump(JUMP_EQUAL, abi.setns(), 0, 1));
    body.push(statement(RETURN, STOP));
    for (nr, bit) in [
        (abi.unshare(), CLONE_NEWPID),
        (abi.clone_nr(), CLONE_UNTRACED),
    ] {
        body.push(jump(JUMP_EQUAL, nr, 0, 4));
        body.push(statement(LOAD, FIRST_ARGUMENT_LOW));
        body.push(jump(JUMP_ANY_BIT, bit, 0, 1));
        body.push(statement(RETURN, STOP));
        body.push(statement(RETURN, ALLOW));
    }
    body.push(jump(JUMP_EQUAL, abi.seccomp(), 0, 4));
    body.push(statement(LOAD, SECOND_ARGUMENT_LOW));
    body.push(jump(JUMP_ANY_BIT, NEW_LISTENER, 0, 1));
    body.push(statement(RETURN, STOP));
    body.push(statement(RETURN, ALLOW));
}

/// Calls that only rules need, with the arguments that matter: all others run at full
/// speed.
fn push_rule_calls(body: &mut Vec<libc::sock_filter>, abi: Abi) {
    let sigchld = Signal::CHLD.raw().cast_unsigned();
    for call in RuleCall::ALL {
        let test = match call {
            // A call with act NULL only queries.
            RuleCall::Sigaction => vec![
                statement(LOAD, FIRST_ARGUMENT_LOW),
                jump(JUMP_EQUAL, sigchld, 0, 3),
                statement(LOAD, SECOND_ARGUMENT_LOW),
                jump(JUMP_EQUAL, 0, 1, 0),
                statement(RETURN, STOP),
                statement(RETURN, ALLOW),
            ],
            RuleCall::ExitGroup => vec![
                statement(LOAD, FIRST_ARGUMENT_LOW),
                jump(JUMP_ABOVE, 0xffff, 2, 0),
                jump(JUMP_ABOVE, 0xff, 0, 1),
                statement(RETURN, STOP),
                statement(RETURN, ALLOW),
            ],
            // Signal 0 only tests whether the target exists.
            RuleCall::Kill | RuleCall::PidfdKill => vec![
                statement(LOAD, SECOND_ARGUMENT_LOW),
                jump(JUMP_EQUAL, 0, 1, 0),
                statement(RETURN, STOP),
                statement(RETURN, ALLOW),
            ],
            RuleCall::Tkill | RuleCall::Tgkill => vec![
                statement(
                    LOAD,
                    if call == RuleCall::Tkill {
                        SECOND_ARGUMENT_LOW
                    } else {
                        THIRD_ARGUMENT_LOW
                    },
                ),
                jump(JUMP_EQUAL, 0, 2, 0),
                jump(JUMP_ABOVE, LAST_PLAIN_SIGNAL.cast_unsigned(), 1, 0),
                statement(RETURN, STOP),
                statement(RETURN, ALLOW),
            ],
            RuleCall::Prctl => vec![
                statement(LOAD, FIRST_ARGUMENT_LOW),
                jump(JUMP_EQUAL, PR_SET_PDEATHSIG, 0, 1),
                statement(RETURN, STOP),
                statement(RETURN, ALLOW),
            ],
            RuleCall::Execve | RuleCall::Execveat => vec![statement(RETURN, STOP)],
        };
        let over = u8::try_from(test.len()).unwrap_or(u8::MAX);
        body.push(jump(JUMP_EQUAL, abi.rule_number(call), 0, over));
        body.extend(test);
    }
}

fn statement(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The return value of the filter.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn answer(filter: &Filter, arch: u32, nr: u32, arguments: [u32; 4]) -> u32 {
        filter.answer(|offset| match offset {
            NR => nr,
            ARCH => arch,
            FIRST_ARGUMENT_LOW => arguments[0],
            SECOND_ARGUMENT_LOW => arguments[1],
            THIRD_ARGUMENT_LOW => arguments[2],
            FOURTH_ARGUMENT_LOW => arguments[3],
            other => panic!("loads offset {other}"),
        })
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn each_abi_stops_at_its_own_wait_numbers_only() {
        for rules in [false, true] {
            let filter = Filter::new(WaitCalls::ALL, true, rules);
            let (amd64, i386) = (0xc000_003e, 0x4000_0003);
            let stops = |arch, nr| answer(&filter, arch, nr, [0; 4]) == STOP;
            for nr in 0..1024u32 {
                let expected = matches!(nr, 61 | 247 | 308) || rules && matches!(nr, 59 | 322);
                assert_eq!(stops(amd64, nr), expected, "{nr}");
                let expected = matches!(nr, 61 | 529 | 308) || rules && matches!(nr, 520 | 545);
                assert_eq!(stops(amd64, nr | 0x4000_0000), expected, "{nr}");
                let expected = matches!(nr, 7 | 114 | 284 | 346) || rules && matches!(nr, 11 | 358);
                assert_eq!(stops(i386, nr), expected, "{nr}");
            }
            assert!(!stops(0xc000_00b7, 260));
        }
    }

    #[cfg(target_arch = "aarch64")]
    #[test]
    fn each_abi_of_aarch64_stops_at_its_own_wait_numbers_only() {
        for rules in [false, true] {
            let filter = Filter::new(WaitCalls::ALL, true, rules);
            let (aarch64, arm) = (0xc000_00b7, 0x4000_0028);
            let stops = |arch, nr| answer(&filter, arch, nr, [0; 4]) == STOP;
            // wait4, waitid, setns; with rules execve and execveat.
            for nr in 0..1024u32 {
                let expected = matches!(nr, 260 | 95 | 268) || rules && matches!(nr, 221 | 281);
                assert_eq!(stops(aarch64, nr), expected, "{nr}");
                let expected = matches!(nr, 114 | 280 | 375) || rules && matches!(nr, 11 | 387);
                assert_eq!(stops(arm, nr), expected, "{nr}");
            }
            assert!(!stops(0xc000_003e, 61));
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn more_calls_than_a_jump_reaches_stop() {
        for count in [1, 100, 254, 255, 256, 300] {
            let more: Vec<u32> = (0..count).map(|n| 1000 + 2 * n).collect();
            let filter = Filter::with_calls(WaitCalls::ALL, true, true, &more);
            let stops = |arch, nr| answer(&filter, arch, nr, [0; 4]) == STOP;
            let (amd64, i386) = (0xc000_003e, 0x4000_0003);
            for nr in 0..2000u32 {
                let expected = matches!(nr, 59 | 61 | 247 | 308 | 322) || more.contains(&nr);
                assert_eq!(stops(amd64, nr), expected, "{nr} of {count}");
                let expected = matches!(nr, 61 | 308 | 520 | 529 | 545);
                assert_eq!(stops(amd64, nr | 0x4000_0000), expected, "{nr} of {count}");
                let expected = matches!(nr, 7 | 11 | 114 | 284 | 346 | 358);
                assert_eq!(stops(i386, nr), expected, "{nr} of {count}");
            }
            assert!(!stops(0xc000_00b7, 1000));
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_new_pid_namespace_and_an_untraced_clone_stop() {
        let filter = Filter::new(WaitCalls::default(), true, false);
        let stops = |nr, first| answer(&filter, 0xc000_003e, nr, [first, 0, 0, 0]) == STOP;
        assert!(stops(272, CLONE_NEWPID));
        assert!(!stops(272, 0x1000_0000));
        assert!(stops(56, CLONE_UNTRACED | 0x11));
        assert!(!stops(56, 17));
        assert!(!stops(61, 0));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_filter_with_a_listener_stops() {
        let filter = Filter::new(WaitCalls::default(), true, false);
        let stops = |nr, flags| filter.stops(0xc000_003e, nr, [1, flags, 0, 0, 0, 0]);
        assert!(stops(317, 8) && stops(317, 9));
        assert!(!stops(317, 0) && !stops(317, 4) && !stops(110, 8));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn without_polls_only_waits_that_may_block_stop() {
        let filter = Filter::new(WaitCalls::ALL, false, false);
        let (wait4, waitid, waitpid) = ((0xc000_003e, 61), (0xc000_003e, 247), (0x4000_0003, 7));
        for ((arch, nr), at) in [(wait4, 2), (waitid, 3), (waitpid, 2)] {
            let mut arguments = [1; 4];
            let mut stops = |options| {
                arguments[at] = options;
                answer(&filter, arch, nr, arguments) == STOP
            };
            assert!(stops(0) && stops(4) && stops(0x4000_0000), "{nr}");
            assert!(!stops(1) && !stops(1 | 4), "{nr}");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn only_the_arguments_that_a_rule_needs_stop() {
        let with = Filter::new(WaitCalls::default(), true, true);
        let without = Filter::new(WaitCalls::default(), true, false);
        let cases = [
            ((13, [17, 0x1000]), true),
            ((13, [17, 0]), false),
            ((13, [2, 0x1000]), false),
            ((231, [256, 0]), true),
            ((231, [255, 0]), false),
            ((231, [u32::MAX, 0]), false),
            ((62, [99, 15]), true),
            ((62, [99, 0]), false),
            ((157, [1, 15]), true),
            ((157, [15, 1]), false),
            ((200, [99, 15]), true),
            ((200, [99, 23]), false),
        ];
        let tgkill = |signal| answer(&with, 0xc000_003e, 234, [99, 99, signal, 0]) == STOP;
        assert!(tgkill(9) && !tgkill(0) && !tgkill(33));
        for ((nr, [first, second]), stops) in cases {
            let arguments = [first, second, 0, 0];
            let answer = |filter| answer(filter, 0xc000_003e, nr, arguments) == STOP;
            assert_eq!(answer(&with), stops, "{nr} {arguments:?}");
            assert!(!answer(&without), "{nr} {arguments:?}");
        }
    }
}
