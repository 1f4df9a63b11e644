//! Whether output may be waited for. A reader that stands still holds up the
//! tracer as it would hold up strace: no line is lost, and no memory fills up.
//! A signal that ends the trace, and the end of `--duration`, must get through
//! nevertheless.
//!
//! Kept for the process, as signals are.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::sys::waker;

/// How long a trace that goes on after a signal waits for no reader: enough to
/// see the end of a command that the signal ends.
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

/// The moment that the others count from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);
/// From then on it is urgent, in nanoseconds.
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
