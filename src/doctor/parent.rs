//! A parent of zombies: what its threads do, and what becomes of SIGCHLD.

use std::fs;
use std::io::Read;
use std::time::Duration;

use super::clock::Clock;
use super::survey::Row;
use crate::event::Comm;
use crate::kernel::{Signal, Tid, syscall_name};
use crate::proc;

/// How many threads are looked at.
const MOST_THREADS: usize = 64;

/// What is known of a parent.
#[derive(Clone, Debug, Default)]
pub(super) struct Parent {
    pub(super) row: Row,
    /// Its pid in its own namespace.
    pub(super) ns_pid: Option<i32>,
    /// What happens at SIGCHLD; `None` if it is gone.
    pub(super) sigchld: Option<Sigchld>,
    /// Who traces it.
    pub(super) tracer: Option<i32>,
    /// Its threads, the first few.
    pub(super) threads: Vec<Thread>,
    /// How many it has.
    pub(super) thread_count: usize,
}

/// What happens at SIGCHLD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sigchld {
    pub(super) is_ignored: bool,
    pub(super) is_caught: bool,
    /// In all threads that were looked at.
    pub(super) is_blocked: bool,
    pub(super) is_pending: bool,
}

/// A thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    pub(super) tid: i32,
    pub(super) comm: Comm,
    pub(super) state: u8,
    /// How long it has not run.
    pub(super) idle: Option<Duration>,
    /// The call that it is in, if we may know.
    pub(super) call: Option<Call>,
    /// The function of the kernel that it sleeps in.
    pub(super) wchan: Option<String>,
}

/// A system call that a thread is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    /// Its name in x86-64's table; else its number.
    pub(super) name: String,
    /// The first two arguments.
    pub(super) args: [u64; 2],
}

impl Parent {
    /// Look at the parent of zombies. `None` if it is gone.
    pub(super) fn read(row: Row, clock: &mut Clock) -> Option<Parent> {
        let status = proc::status(Tid::new(row.pid))?;
        let mut tids = proc::threads(Tid::new(row.pid));
        tids.sort_unstable_by_key(|tid| tid.raw());
        let is_native = is_native(row.pid);
        let looked_at = tids.iter().take(MOST_THREADS);
        let threads = looked_at.filter_map(|tid| Thread::read(row.pid, *tid, is_native, clock));
        let threads: Vec<Thread> = threads.collect();
        let mut blocking = tids.iter().take(MOST_THREADS);
        let is_blocked = blocking.all(|tid| {
            let status = proc::status(*tid);
            status.is_none_or(|status| proc::has(status.blocked, Signal::CHLD))
        });
        let tracer = status.tracer.map_or(0, Tid::raw);
        Some(Parent {
            row,
            ns_pid: status.ns_pids.last().map(|pid| pid.raw()),
            sigchld: Some(Sigchld {
                is_ignored: proc::has(status.ignored, Signal::CHLD),
                is_caught: status.catches(Signal::CHLD),
                is_blocked,
                is_pending: proc::has(status.pending, Signal::CHLD),
            }),
            tracer: (tracer != 0).then_some(tracer),
            threads,
            thread_count: tids.len(),
        })
    }

    /// Whether it is the first process of its pid namespace.
    pub(super) fn is_init(&self) -> bool {
        self.row.pid == 1 || self.ns_pid == Some(1)
    }
}

impl Thread {
    fn read(pid: i32, tid: Tid, is_native: bool, clock: &mut Clock) -> Option<Thread> {
        let place = format!("/proc/{pid}/task/{tid}");
        let row = Row::parse(&fs::read(format!("{place}/stat")).ok()?)?;
        let runs = row.state == b'R';
        let idle = (!runs).then(|| clock.since_run(pid, tid.raw(), row.cpu));
        let call = fs::read_to_string(format!("{place}/syscall")).ok();
        let wchan = fs::read_to_string(format!("{place}/wchan")).ok();
        Some(Thread {
            tid: tid.raw(),
            comm: row.comm,
            state: row.state,
            idle: idle.flatten(),
            call: call.and_then(|text| call_of(&text, is_native)),
            wchan: wchan.filter(|name| !name.is_empty() && name != "0"),
        })
    }

    /// Whether it is in this call.
    pub(super) fn is_in(&self, names: &[&str]) -> bool {
        let call = self.call.as_ref();
        call.is_some_and(|call| names.contains(&call.name.as_str()))
    }
}

/// `61 0xffffffff 0x7ffd0c 0x0 0x0 0x0 0x0 0x7ffcf8 0x7f06`; `running` and `-1`
/// are no calls.
fn call_of(text: &str, is_native: bool) -> Option<Call> {
    let mut words = text.split_ascii_whitespace();
    let number: i32 = words.next()?.parse().ok().filter(|number| *number >= 0)?;
    let mut argument = || {
        let word = words.next()?.strip_prefix("0x")?;
        u64::from_str_radix(word, 16).ok()
    };
    let args = [argument()?, argument()?];
    let name = syscall_name(number).filter(|_| is_native && cfg!(target_arch = "x86_64"));
    Some(Call {
        name: name.map_or_else(|| format!("call {number}"), str::to_owned),
        args,
    })
}

/// Whether a process runs 64-bit code: the numbers of its calls are ours.
fn is_native(pid: i32) -> bool {
    const ELF_64: [u8; 5] = [0x7f, b'E', b'L', b'F', 2];
    let mut head = [0; 5];
    let file = fs::File::open(format!("/proc/{pid}/exe"));
    file.and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == ELF_64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_with_its_arguments() {
        let call = call_of("61 0x4d2 0x7ffd0c 0x0 0x0 0x0 0x0 0x7ffcf8 0x7f06\n", true).unwrap();
        assert_eq!(call.args, [1234, 0x007f_fd0c]);
        if cfg!(target_arch = "x86_64") {
            assert_eq!(call.name, "wait4");
        }
        assert_eq!(call_of("61 0x1 0x2 0x0", false).unwrap().name, "call 61");
        assert_eq!(call_of("running\n", true), None);
        assert_eq!(call_of("-1 0x7ffc 0x7f06\n", true), None);
        assert_eq!(call_of("", true), None);
    }
}
