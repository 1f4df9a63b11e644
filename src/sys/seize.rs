//! Seizes a thread of a process that may be in an exec.
//!
//! SEIZE takes a lock that an exec holds while it waits for the end of all other threads
//! of its process. Those that we seized before are gone only once we reap them, and we
//! sleep in SEIZE: a deadlock. So while a SEIZE takes long, another thread of ours
//! reaps those that are dead, which the kernel allows to any thread of the tracer's
//! process.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::ptrace;
use super::wait::reap_dead;
use crate::kernel::{Errno, Tid, WaitStatus};

/// How long a SEIZE may take before the other thread checks for dead threads.
const PATIENCE: Duration = Duration::from_millis(5);

/// Threads that ended while another one was seized.
pub(crate) type Reaped = Vec<(Tid, WaitStatus)>;

/// Seizes `tid` of a process of which other threads are seized already, and meanwhile reaps
/// those that die: `others` lists the threads of the process.
pub(crate) fn seize_beside_others(
    tid: Tid,
    options: libc::c_int,
    others: impl Fn() -> Vec<Tid> + Send,
) -> (Result<(), Errno>, Reaped) {
    thread::scope(|scope| {
        let (done, is_done) = channel::<()>();
        let reaper = thread::Builder::new();
        let reaper = reaper.spawn_scoped(scope, move || reap_until(&is_done, others));
        let answer = ptrace::seize(tid, options);
        drop(done);
        // If no thread could be started, for example for lack of memory, SEIZE ended anyhow.
        let reaped = reaper.ok().and_then(|reaper| reaper.join().ok());
        (answer, reaped.unwrap_or_default())
    })
}

fn reap_until(is_done: &Receiver<()>, others: impl Fn() -> Vec<Tid>) -> Reaped {
    let mut reaped = Vec::new();
    while is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
        let threads = others().into_iter();
        reaped.extend(threads.filter_map(|tid| Some((tid, reap_dead(tid)?))));
    }
    reaped
}
