//! A parent of zombies: what its threads do, and the state of SIGCHLD.

use std::time::Duration;

use super::clock::Clock;
use crate::event::Comm;
use crate::kernel::{Abi, NsPid, Signal, Tgid, Tid, syscall_name};
use crate::proc::{self, ArgumentReader, Cgroup, Stat, Syscall};

/// How many threads are examined.
const MOST_THREADS: usize = 64;

/// A parent of zombies.
#[derive(Clone, Debug)]
pub(super) struct Parent {
    pub(super) stat: Stat,
    /// Its pid in its own namespace.
    pub(super) ns_pid: Option<NsPid>,
    /// The state of SIGCHLD; `None` if the parent is gone.
    pub(super) sigchld: Option<Sigchld>,
    /// Its tracer, if it has one.
    pub(super) tracer: Option<Tid>,
    /// Its threads, the first few.
    pub(super) threads: Vec<Thread>,
    /// How many threads it has.
    pub(super) thread_count: usize,
    /// Its arguments, if it has memory and they can be read.
    pub(super) argv: Option<Vec<Vec<u8>>>,
    /// Its real uid.
    pub(super) uid: Option<u32>,
    pub(super) cgroup: Option<Cgroup>,
}

/// The disposition and mask of SIGCHLD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sigchld {
    pub(super) is_ignored: bool,
    pub(super) is_caught: bool,
    /// In all threads that were examined.
    pub(super) is_blocked: bool,
    pub(super) is_pending: bool,
}

/// A thread.
#[derive(Clone, Debug)]
pub(super) struct Thread {
    pub(super) tid: Tid,
    pub(super) comm: Comm,
    pub(super) state: u8,
    /// Time since it last ran.
    pub(super) idle: Option<Duration>,
    /// The call that it is in, if it may be read.
    pub(super) call: Option<Call>,
    /// The kernel function that it sleeps in.
    pub(super) wchan: Option<String>,
}

/// A system call that a thread is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    /// Its name in x86-64's table; if it has none, its number.
    pub(super) name: String,
    /// The first two arguments.
    pub(super) args: [u64; 2],
}

impl Parent {
    /// Examines the parent of zombies. `None` if it is gone.
    pub(super) fn read(
        stat: Stat,
        clock: &mut Clock,
        arguments: &mut ArgumentReader,
    ) -> Option<Parent> {
        let pid = stat.pid;
        let status = proc::status(pid.leader())?;
        let mut tids = proc::threads(pid.leader());
        tids.sort_unstable();
        let is_native = proc::is_64_bit(pid);
        let looked_at = tids.iter().take(MOST_THREADS);
        let threads = looked_at.filter_map(|tid| Thread::read(pid, *tid, is_native, clock));
        let threads: Vec<Thread> = threads.collect();
        let mut blocking = tids.iter().take(MOST_THREADS);
        let is_blocked = blocking.all(|tid| {
            let status = proc::status(*tid);
            status.is_none_or(|status| proc::has(status.blocked, Signal::CHLD))
        });
        Some(Parent {
            stat,
            ns_pid: status.ns_pids.last().copied(),
            sigchld: Some(Sigchld {
                is_ignored: proc::has(status.ignored, Signal::CHLD),
                is_caught: status.catches(Signal::CHLD),
                is_blocked,
                is_pending: proc::has(status.pending, Signal::CHLD),
            }),
            tracer: status.tracer.filter(|tracer| tracer.raw() != 0),
            threads,
            thread_count: tids.len(),
            argv: arguments.read(pid),
            uid: status.uids.first().copied(),
            cgroup: Cgroup::read(pid),
        })
    }

    /// Whether it is PID 1 of its pid namespace.
    pub(super) fn is_init(&self) -> bool {
        self.stat.pid.raw() == 1 || self.ns_pid == Some(NsPid::new(1))
    }
}

impl Thread {
    fn read(pid: Tgid, tid: Tid, is_native: bool, clock: &mut Clock) -> Option<Thread> {
        let stat = Stat::of_thread(pid, tid)?;
        let runs = stat.state == b'R';
        let idle = (!runs).then(|| clock.since_run(pid, tid, stat.cpu));
        let call = Syscall::read(pid, tid).map(|call| {
            let [first, second, ..] = call.args;
            Call {
                name: name(call.number, is_native),
                args: [first, second],
            }
        });
        Some(Thread {
            tid,
            comm: stat.comm,
            state: stat.state,
            idle: idle.flatten(),
            call,
            wchan: proc::wchan(pid, tid),
        })
    }

    /// Whether it is in one of these calls.
    pub(super) fn is_in(&self, names: &[&str]) -> bool {
        let call = self.call.as_ref();
        call.is_some_and(|call| names.contains(&call.name.as_str()))
    }
}

/// The name of a call, if its number is in our table.
fn name(number: u64, is_native: bool) -> String {
    let name = syscall_name(Abi::NATIVE, number).filter(|_| is_native);
    name.map_or_else(|| format!("call {number}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_a_name_where_its_number_is_ours() {
        for (number, call) in Abi::NATIVE.wait_numbers() {
            let number = u64::from(*number);
            assert_eq!(name(number, true), call.name());
            assert_eq!(name(number, false), format!("call {number}"));
        }
    }
}
