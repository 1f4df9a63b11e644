//! The summary (`-c`, `-C`) as JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{Named, Text};

/// Counts of the processes of the trace.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// A row for each process that forked or waited.
    pub processes: Vec<SummaryRow>,
    /// The sum of all rows.
    pub total: SummaryRow,
    /// The times from the end of a child to its reap; null if there was none.
    pub reap_latency: Option<Latency>,
    /// How processes ended.
    pub ends: Vec<Ending>,
}

/// The counts of a process.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SummaryRow {
    /// Null if the row is of several processes.
    pub pid: Option<i32>,
    /// Its name.
    pub comm: Text,
    /// Processes that it became the parent of by creating them.
    pub forked: u64,
    /// Children that its waits reaped.
    pub reaped: u64,
    /// Of these, those that were reaped late (`--threshold late=`).
    pub late: u64,
    /// Its dead children that were not reaped.
    pub left: u64,
    /// Waits that ended.
    pub waits: u64,
    /// Of these, those with `WNOHANG`.
    pub polls: u64,
    /// Time in waits without `WNOHANG`, of all its threads.
    pub blocked_ns: u64,
    /// The longest time that a child of it was a zombie.
    pub longest_zombie_ns: u64,
    /// CPU time of it and of the children that it reaped; 0 if not known.
    #[serde(default)]
    pub cpu_ns: u64,
    /// The most memory that was resident, of one of these, in KiB; 0 if not known.
    #[serde(default)]
    pub peak_kib: u64,
}

/// Times from the end of a child to its reap, rounded to three digits.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_ns: u64,
    /// Nine of ten took no longer.
    pub p90_ns: u64,
    /// 99 of 100 took no longer.
    pub p99_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

/// A kind of end, and how many processes ended so.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ending {
    /// The exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// The signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Named>,
    /// How many.
    pub count: u64,
}
