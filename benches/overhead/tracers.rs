//! Who traces.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// wait4-strace.
pub(crate) const OURS: &str = env!("CARGO_BIN_EXE_wait4-strace");

/// The words of a tracer, before those of the program.
pub(crate) struct Tracer {
    /// As the table calls it.
    pub(crate) name: &'static str,
    words: &'static [&'static str],
    /// It stops at every system call.
    pub(crate) is_slow: bool,
    /// It traces nobody: the filter alone.
    is_floor: bool,
}

const fn tracer(name: &'static str, words: &'static [&'static str]) -> Tracer {
    Tracer {
        name,
        words,
        is_slow: false,
        is_floor: false,
    }
}

/// No tracer.
pub(crate) const NOBODY: Tracer = tracer("untraced", &[]);

/// The lines go to a file in memory, if there is such a place: a disk's time
/// is not a tracer's.
const LOG: &str = "/dev/shm/wait4-strace-bench.log";
const CALLS: &str = "trace=wait4,waitid";

/// Where strace with its filter stands below: what others are compared with.
pub(crate) const REFERENCE: usize = 0;
/// Where wait4-strace stands as a user gets it: ledger, rules, annotated text.
pub(crate) const PRODUCT: usize = 1;

/// All of them.
pub(crate) const TRACERS: [Tracer; 7] = [
    tracer(
        "strace -f --seccomp-bpf",
        &["strace", "-f", "--seccomp-bpf", "-e", CALLS, "-o", LOG],
    ),
    tracer("wait4-strace", &[OURS, "-o", LOG, "--"]),
    tracer("--strace", &[OURS, "--strace", "-o", LOG, "--"]),
    tracer(
        "--format json",
        &[OURS, "--format", "json", "-o", LOG, "--"],
    ),
    tracer("--no-polls", &[OURS, "--no-polls", "-o", LOG, "--"]),
    Tracer {
        is_floor: true,
        ..tracer("an empty filter", &[])
    },
    Tracer {
        is_slow: true,
        ..tracer("strace -f", &["strace", "-f", "-e", CALLS, "-o", LOG])
    },
];

impl Tracer {
    /// The command that runs these words under this tracer.
    pub(crate) fn command(&self, words: &[String]) -> Command {
        let own = self.words.iter().copied();
        let mut line = own.chain(words.iter().map(String::as_str));
        let mut command = Command::new(line.next().expect("there is a program"));
        command.args(line);
        if self.is_floor {
            // SAFETY: two system calls, which are async-signal-safe.
            unsafe { command.pre_exec(install_empty_filter) };
        }
        command
    }
}

/// Put the calling process under a filter that allows every call: what the
/// kernel takes for looking at a filter at all, no tracer that uses one can go
/// below.
fn install_empty_filter() -> std::io::Result<()> {
    let allow = libc::sock_filter {
        code: 0x06, // BPF_RET | BPF_K
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_ALLOW,
    };
    let program = libc::sock_fprog {
        len: 1,
        filter: (&raw const allow).cast_mut(),
    };
    // SAFETY: the kernel copies the one instruction; the rest are numbers.
    let failed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
            || libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                &raw const program,
            ) < 0
    };
    if failed {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}
