//! `/proc/PID/status`: the fields that are used.

use crate::event::SigchldAction;
use crate::kernel::{NsPid, Signal, Tgid, Tid};

/// Fields of `/proc/PID/status` (`man 5 proc_pid_status`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// One letter: `R`, `S`, `T`, `Z`, …
    pub(crate) state: u8,
    pub(crate) tgid: Option<Tgid>,
    /// The parent; 0 if it is outside our namespace.
    pub(crate) parent: Option<Tgid>,
    /// The tracer; 0 for none.
    pub(crate) tracer: Option<Tid>,
    /// Real, effective, saved and file system uid.
    pub(crate) uids: Vec<u32>,
    /// Its pid in each namespace, from that of `/proc` inwards.
    pub(crate) ns_pids: Vec<NsPid>,
    /// Signals that have a handler, bit `n - 1` for signal `n`.
    pub(crate) caught: u64,
    /// Signals that are ignored; then those blocked in this thread.
    pub(crate) ignored: u64,
    pub(crate) blocked: u64,
    /// Signals pending for the process.
    pub(crate) pending: u64,
    /// Signals pending for this thread alone.
    pub(crate) own_pending: u64,
    /// Voluntary context switches.
    pub(crate) sleeps: u64,
    /// Involuntary ones.
    pub(crate) preemptions: u64,
    /// Effective capabilities, bit `n` for capability `n`.
    pub(crate) capabilities: u64,
    /// Whether it has an address space; kernel threads have none.
    pub(crate) has_memory: bool,
}

impl Status {
    /// `None` where there is no `Tgid:` line.
    pub(crate) fn parse(text: &[u8]) -> Option<Status> {
        let mut status = Status::default();
        for line in text.split(|byte| *byte == b'\n') {
            // The name comes first and may contain any byte but a newline, which the
            // kernel escapes; all other fields are ASCII.
            let Ok(line) = str::from_utf8(line) else {
                continue;
            };
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            let mut numbers = value.split_ascii_whitespace();
            match key {
                "State" => status.state = value.bytes().next().unwrap_or(b'?'),
                "Tgid" => status.tgid = value.parse().ok().map(Tgid::new),
                "PPid" => status.parent = value.parse().ok().map(Tgid::new),
                "TracerPid" => status.tracer = value.parse().ok().map(Tid::new),
                "Uid" => status.uids = numbers.filter_map(|n| n.parse().ok()).collect(),
                "NSpid" => {
                    let pids = numbers.by_ref().filter_map(|n| n.parse().ok());
                    status.ns_pids = pids.map(NsPid::new).collect();
                }
                "SigCgt" => status.caught = mask(value),
                "SigIgn" => status.ignored = mask(value),
                "SigBlk" => status.blocked = mask(value),
                "ShdPnd" => status.pending = mask(value),
                "CapEff" => status.capabilities = mask(value),
                "SigPnd" => status.own_pending = mask(value),
                "nonvoluntary_ctxt_switches" => status.preemptions = value.parse().unwrap_or(0),
                "voluntary_ctxt_switches" => status.sleeps = value.parse().unwrap_or(0),
                "VmSize" => status.has_memory = true,
                _ => {}
            }
        }
        status.tgid.is_some().then_some(status)
    }

    /// Whether it may choose the pids of its children (capabilities(7)), in our user
    /// namespace.
    pub(crate) fn may_choose_pids(&self) -> bool {
        const CAP_SYS_ADMIN: u32 = 21;
        const CAP_CHECKPOINT_RESTORE: u32 = 40;
        let mut enough = [CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE].into_iter();
        enough.any(|capability| self.capabilities & (1 << capability) != 0)
    }

    /// Whether it is the first process of its pid namespace.
    pub(crate) fn is_init(&self) -> bool {
        self.ns_pids.last() == Some(&NsPid::new(1))
    }

    /// Whether `signal` has a handler.
    pub(crate) fn catches(&self, signal: Signal) -> bool {
        has(self.caught, signal)
    }

    /// Whether `signal` is ignored, explicitly or by default.
    pub(crate) fn disregards(&self, signal: Signal) -> bool {
        let by_default = matches!(
            signal,
            Signal::CHLD | Signal::CONT | Signal::URG | Signal::WINCH
        );
        has(self.ignored, signal) || (by_default && !self.catches(signal))
    }

    /// The disposition of SIGCHLD. The flags of a handler, `SA_NOCLDWAIT` among them,
    /// are not shown: `None` then.
    pub(crate) fn sigchld(&self) -> Option<SigchldAction> {
        if self.catches(Signal::CHLD) {
            None
        } else if has(self.ignored, Signal::CHLD) {
            Some(SigchldAction::Ignore)
        } else {
            Some(SigchldAction::Default)
        }
    }
}

/// A set of signals as `/proc` prints it.
fn mask(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or(0)
}

/// Whether `signal` is in a mask as `/proc` prints it.
pub(crate) fn has(mask: u64, signal: Signal) -> bool {
    mask & signal.bit() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_that_we_use_are_found() {
        let text =
            b"Name:\ta\\nTgid:\t9\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t42\nNgid:\t0\n\
            Pid:\t43\nPPid:\t7\nTracerPid:\t5\nUid:\t1\t2\t3\t4\nNSpid:\t43\t2\nVmSize:\t 9 kB\n\
            SigCgt:\t0000000000010002\n";
        let status = Status::parse(text).unwrap();
        assert_eq!(status.state, b'S');
        assert_eq!(status.tgid, Some(Tgid::new(42)));
        assert_eq!(status.parent, Some(Tgid::new(7)));
        assert_eq!(status.tracer, Some(Tid::new(5)));
        assert_eq!(status.uids, [1, 2, 3, 4]);
        assert_eq!(status.ns_pids, [NsPid::new(43), NsPid::new(2)]);
        assert!(status.has_memory);
        assert!(status.catches(Signal::CHLD) && status.catches(Signal::INT));
        assert!(!status.catches(Signal::TERM));
    }

    #[test]
    fn a_vanished_process_is_nothing() {
        assert_eq!(Status::parse(b""), None);
        assert_eq!(Status::parse(b"\xff\xfe:\n::::\n"), None);
    }
}
