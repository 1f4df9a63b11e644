//! The kernel's interface as types: ids, signals, errnos, wait statuses, options,
//! targets, rusages, siginfos, and their layout in each ABI.
//!
//! Pure: no I/O, no unsafe, no use of the rest of the crate. Any number from the
//! kernel or a tracee is accepted, without a panic.

mod abi;
mod audit_arch;
mod bsd;
mod bytes;
mod calls;
mod clone;
mod clone_args;
mod eintr_calls;
mod errno;
mod generic_names;
mod ids;
mod option_names;
mod options;
pub(crate) mod phrases;
mod ptrace_event;
mod rusage;
mod si_code;
mod siginfo;
#[cfg(test)]
mod siginfo_lines;
mod signal;
mod spelling;
mod syscall_names;
mod system;
mod target;
mod wait_status;

pub use abi::{Abi, CloneCall, RusageLayout, SiginfoLayout, WaitCall, WaitCalls};
pub use calls::{
    LAST_PLAIN_SIGNAL, PIDFD_SIGNAL_PROCESS_GROUP, PR_SET_PDEATHSIG, RuleCall, SigactionHead,
};
pub(crate) use clone::CSIGNAL;
pub use clone::{CLONE_NEWPID, CLONE_PARENT, CLONE_THREAD, CLONE_UNTRACED};
pub(crate) use clone_args::CloneArgs;
pub use eintr_calls::TimeOut;
pub use errno::Errno;
pub use ids::{NsPid, Tgid, Tid};
pub use options::{ParseOptionsError, WaitOptions};
pub use ptrace_event::PtraceEvent;
pub use rusage::{Rusage, TimeVal, Usage};
pub use siginfo::{FaultDetail, Fields, SigInfo, Value};
pub use signal::Signal;
pub(crate) use syscall_names::{name as syscall_name, native_number, x86_64_number};
pub use system::{ParseSystemError, System};
pub use target::{IdType, ParseIdTypeError, WaitTarget};
pub use wait_status::{Status, WaitStatus};
