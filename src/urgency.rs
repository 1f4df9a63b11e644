//! Whether output may block. A slow reader normally holds up the tracer, as with
//! strace: no line is lost, and memory does not grow. But a signal that ends the
//! trace, and the end of `--duration`, must not be held up.
//!
//! The state is global to the process, as signals are.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::sys::waker;

/// How long a trace that goes on after a signal does not wait for readers: enough
/// to see the end of a command that the signal ends.
const BRIEFLY: Duration = Duration::from_secs(2);

/// Which waits for a reader are acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A write may block.
    None,
    /// Tracees wait for the tracer: a write must not block.
    Tracees,
    /// No tracee waits; only the user does.
    User,
}

/// The zero of the times below.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);
/// Urgent from this time on, in nanoseconds.
static FROM: AtomicU64 = AtomicU64::new(u64::MAX);
/// Urgent until this time, in nanoseconds.
static UNTIL: AtomicU64 = AtomicU64::new(0);
/// Tracees are under trace now.
static TRACES: AtomicBool = AtomicBool::new(false);
/// Tracees were under trace.
static TRACED: AtomicBool = AtomicBool::new(false);

pub(crate) fn trace_begins() {
    LazyLock::force(&START);
    TRACED.store(true, SeqCst);
    TRACES.store(true, SeqCst);
}

/// No tracee is left.
pub(crate) fn trace_is_over() {
    TRACES.store(false, SeqCst);
}

/// Whether this process traces or has traced: it has handlers for signals then, so
/// that a signal does not end a write.
pub(crate) fn has_traced() -> bool {
    TRACED.load(SeqCst)
}

/// Urgent from this time on.
pub(crate) fn begins_at(at: Instant) {
    FROM.fetch_min(nanos(at), SeqCst);
}

/// Urgent from now on.
pub(crate) fn begins() {
    begins_at(Instant::now());
}

/// Urgent for a short time.
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
