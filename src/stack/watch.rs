//! Since when a thread waits for a file.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The moment that the others count from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    /// That of this thread, if somebody looks at it.
    static OWN: RefCell<Option<Arc<Watch>>> = const { RefCell::new(None) };
}

/// Since when a thread waits for a file: in milliseconds from 1, or 0 while it
/// does not.
#[derive(Debug, Default)]
pub(super) struct Watch(AtomicU64);

impl Watch {
    /// Whether it has waited for one answer longer than that.
    pub(super) fn waits_longer_than(&self, limit: Duration) -> bool {
        let since = self.0.load(Relaxed);
        since != 0 && u128::from(now().saturating_sub(since)) > limit.as_millis()
    }
}

/// This thread is looked at from now on.
pub(super) fn begin(watch: Arc<Watch>) {
    OWN.set(Some(watch));
}

/// Do what a file must answer.
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
