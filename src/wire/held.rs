//! Tasks that a schedule held back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::Named;
use crate::event::{self, HoldEnd, HoldPoint};
use crate::kernel::{Errno, Tgid};

/// A task that a schedule held back, and that goes on now.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// Where it was held: `fork`, `start`, `call`, `sleep`, `exit`, `death` or
    /// `delivery`.
    pub point: String,
    /// What ended the hold.
    pub until: Until,
    /// How long it was, in nanoseconds.
    pub lasted_ns: u64,
}

/// What ended a hold.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Until {
    /// A process has ended.
    Ended {
        /// Which.
        pid: i32,
    },
    /// A signal was pending for the task.
    Signalled,
    /// A process slept.
    Asleep {
        /// Which.
        pid: i32,
    },
    /// Nothing else could go on.
    Quiet,
    /// So many deaths happened together.
    Together {
        /// How many.
        count: u32,
    },
    /// So many instructions were executed.
    Steps {
        /// How many.
        count: u32,
    },
    /// The call was made to fail.
    Failed {
        /// With this error.
        errno: Named,
    },
    /// The call gave its child a pid that a dead process had.
    Reused {
        /// Which.
        pid: i32,
    },
    /// The limit of a hold was reached.
    #[serde(other)]
    TooLong,
}

impl From<&event::Held> for Held {
    fn from(held: &event::Held) -> Held {
        Held {
            point: held.point.name().to_owned(),
            until: match held.until {
                HoldEnd::Ended(tgid) => Until::Ended { pid: tgid.raw() },
                HoldEnd::Signalled => Until::Signalled,
                HoldEnd::Asleep(tgid) => Until::Asleep { pid: tgid.raw() },
                HoldEnd::Quiet => Until::Quiet,
                HoldEnd::Together(count) => Until::Together { count },
                HoldEnd::Steps(count) => Until::Steps { count },
                HoldEnd::Failed(errno) => Until::Failed {
                    errno: errno.into(),
                },
                HoldEnd::Reused(tgid) => Until::Reused { pid: tgid.raw() },
                HoldEnd::TooLong => Until::TooLong,
            },
            lasted_ns: held.lasted,
        }
    }
}

impl From<Held> for event::Held {
    fn from(held: Held) -> event::Held {
        event::Held {
            // A point of a later version: a call is the most general one.
            point: HoldPoint::from_name(&held.point).unwrap_or(HoldPoint::Call),
            until: match held.until {
                Until::Ended { pid } => HoldEnd::Ended(Tgid::new(pid)),
                Until::Signalled => HoldEnd::Signalled,
                Until::Asleep { pid } => HoldEnd::Asleep(Tgid::new(pid)),
                Until::Quiet => HoldEnd::Quiet,
                Until::Together { count } => HoldEnd::Together(count),
                Until::Steps { count } => HoldEnd::Steps(count),
                Until::Failed { errno } => HoldEnd::Failed(Errno::from(&errno)),
                Until::Reused { pid } => HoldEnd::Reused(Tgid::new(pid)),
                Until::TooLong => HoldEnd::TooLong,
            },
            lasted: held.lasted_ns,
        }
    }
}
