//! What a schedule did: a task that was held back, and until when.

use crate::kernel::{Errno, Tgid};

/// A task was held in a stop by a schedule (`--schedule`), and goes on now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Where it was held.
    pub point: HoldPoint,
    /// What ended the hold.
    pub until: HoldEnd,
    /// How long it was, in nanoseconds.
    pub lasted: u64,
}

/// Where a task was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldPoint {
    /// A creator, before its fork returns.
    Fork,
    /// A child, before its first instruction.
    Start,
    /// Before a call.
    Call,
    /// In a call that it sleeps in.
    Sleep,
    /// Before its end; its descriptors are still open.
    Exit,
    /// It is dead, and its parent has no notice of it.
    Death,
    /// A signal, before its delivery.
    Delivery,
}

impl HoldPoint {
    const NAMES: [(HoldPoint, &'static str); 7] = [
        (HoldPoint::Fork, "fork"),
        (HoldPoint::Start, "start"),
        (HoldPoint::Call, "call"),
        (HoldPoint::Sleep, "sleep"),
        (HoldPoint::Exit, "exit"),
        (HoldPoint::Death, "death"),
        (HoldPoint::Delivery, "delivery"),
    ];

    /// Its name in lines and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        let all = HoldPoint::NAMES.into_iter();
        let mut names = all.filter(|(point, _)| *point == self);
        names.next().map_or("", |(_, name)| name)
    }

    /// The point with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<HoldPoint> {
        let mut all = HoldPoint::NAMES.into_iter();
        all.find(|(_, own)| *own == name).map(|(point, _)| point)
    }
}

/// What ended a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// This process has ended.
    Ended(Tgid),
    /// A signal is pending for the task, and comes before what it does next.
    Signalled,
    /// This process sleeps.
    Asleep(Tgid),
    /// Nothing else could go on.
    Quiet,
    /// So many deaths happen together.
    Together(u32),
    /// So many instructions were executed.
    Steps(u32),
    /// The call was made to fail with this error.
    Failed(Errno),
    /// The call gave its child this pid, which a dead process had.
    Reused(Tgid),
    /// The limit of a hold.
    TooLong,
}

impl std::fmt::Display for HoldEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HoldEnd::Ended(tgid) => write!(f, "until {tgid} ended"),
            HoldEnd::Signalled => f.write_str("until a signal was pending"),
            HoldEnd::Asleep(tgid) => write!(f, "until {tgid} slept"),
            HoldEnd::Quiet => f.write_str("until nothing else went on"),
            HoldEnd::Together(1) => f.write_str("until 1 child could end"),
            HoldEnd::Together(count) => write!(f, "until {count} children could end together"),
            HoldEnd::Steps(count) => write!(f, "for {count} instructions"),
            HoldEnd::Failed(errno) => write!(f, "and made to fail with {errno}"),
            HoldEnd::Reused(tgid) => write!(f, "and made to use the pid {tgid} again"),
            HoldEnd::TooLong => f.write_str("for as long as a hold may last"),
        }
    }
}
