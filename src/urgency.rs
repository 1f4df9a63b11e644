//! Whether to wait for readers of output. A reader that does not read blocks the
//! tracer as it would block strace: no line is lost, and memory is bounded. A
//! signal that ends the trace, and the end of `--duration`, must work all the
//! same, so from then on waits are short.
//!
//! State of the whole process, since signals are sent to processes.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::sys::waker;

/// How long waits are short after a signal that may not end the trace: enough to
/// see the end of a command that it ends.
const BRIEFLY: Duration = Duration::from_secs(2);

/// How urgent it is that the tracer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Readers may take their time.
    None,
    /// Tracees wait for the tracer.
    Tracees,
    /// The tracees are served; only the user waits.
    User,
}

/// Times below are nanoseconds since this.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);
/// From then on it is urgent.
static FROM: AtomicU64 = AtomicU64::new(u64::MAX);
/// Until then it is urgent.
static UNTIL: AtomicU64 = AtomicU64::new(0);
/// Tracees are under trace.
static TRACES: AtomicBool = AtomicBool::new(false);
/// They were.
static TRACED: AtomicBool = AtomicBool::new(false);

/// A trace begins.
pub(crate) fn trace_begins() {
    LazyLock::force(&START);
    TRACED.store(true, SeqCst);
    TRACES.store(true, SeqCst);
}

/// No tracee is left to serve.
pub(crate) fn trace_is_over() {
    TRACES.store(false, SeqCst);
}

/// Whether this process traces, or did: it has handlers for signals, so none
/// of them ends a write.
pub(crate) fn has_traced() -> bool {
    TRACED.load(SeqCst)
}

/// It is urgent from this time on.
pub(crate) fn begins_at(at: Instant) {
    FROM.fetch_min(nanos(at), SeqCst);
}

/// It is urgent from now on.
pub(crate) fn begins() {
    begins_at(Instant::now());
}

/// It is urgent for a short time.
pub(crate) fn briefly() {
    UNTIL.fetch_max(nanos(Instant::now() + BRIEFLY), SeqCst);
}

/// How urgent it is now.
pub(crate) fn now() -> Urgency {
    let now = nanos(Instant::now());
    let is_urgent =
        now >= FROM.load(SeqCst) || now < UNTIL.load(SeqCst) || waker::an_ending_signal_waits();
    match (is_urgent, TRACES.load(SeqCst)) {
        (false, _) => Urgency::None,
        (true, true) => Urgency::Tracees,
        (true, false) => Urgency::User,
    }
}

fn nanos(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(*START).as_nanos()).unwrap_or(u64::MAX)
}
