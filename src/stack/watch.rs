//! Measures for how long a thread has been waiting for a file.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The zero of the times below.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    /// The watch of this thread, if it has one.
    static OWN: RefCell<Option<Arc<Watch>>> = const { RefCell::new(None) };
}

/// Since when a thread has been waiting for a file: in milliseconds from 1, or 0 if it
/// is not.
#[derive(Debug, Default)]
pub(super) struct Watch(AtomicU64);

impl Watch {
    /// Whether it has been waiting for longer than this.
    pub(super) fn waits_longer_than(&self, limit: Duration) -> bool {
        let since = self.0.load(Relaxed);
        since != 0 && u128::from(now().saturating_sub(since)) > limit.as_millis()
    }
}

/// Sets the watch of this thread.
pub(super) fn begin(watch: Arc<Watch>) {
    OWN.set(Some(watch));
}

/// Runs a function that accesses a file.
pub(super) fn during<T>(ask: impl FnOnce() -> T) -> T {
    let set = |to| {
        OWN.with_borrow(|own| {
            if let Some(Watch(since)) = own.as_deref() {
                since.store(to, Relaxed);
            }
        });
    };
    set(now());
    let answer = ask();
    set(0);
    answer
}

fn now() -> u64 {
    u64::try_from(START.elapsed().as_millis()).map_or(u64::MAX, |since| since.saturating_add(1))
}
