//! The summary as a table, and as a line of JSON.

use std::fmt::{self, Write};

use super::super::span::{Memory, Span};
use super::{Ending, Row, Summary};
use crate::kernel::Signal;
use crate::kernel::phrases::plural;
use crate::wire;

/// How many rows are shown.
const MOST_SHOWN: usize = 40;
/// How wide the longest bar of the histogram is.
const WIDTH: u64 = 40;

/// The heads of the columns before the process.
const HEADS: [&str; 9] = [
    "forked", "reaped", "left", "late", "polls", "blocked", "longest", "cpu", "peak",
];

impl Summary {
    /// The table.
    #[must_use]
    pub fn text(&self) -> String {
        let mut to = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut to);
        to
    }

    fn write(&self, to: &mut String) -> fmt::Result {
        let rows = self.sorted();
        let mut lines: Vec<([String; 9], String)> = rows
            .iter()
            .take(MOST_SHOWN)
            .map(|row| (cells(row), name(row)))
            .collect();
        // Short, so that the table fits a terminal of 80 columns.
        let mut total = format!("{} in all", rows.len());
        if rows.len() > MOST_SHOWN {
            total = format!("{total}, the first {MOST_SHOWN} are shown");
        }
        lines.push((cells(&self.total()), total));
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|(cells, _)| cells.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.max(HEADS.get(column).map_or(0, |head| head.len()))
        };
        let widths: [usize; 9] = std::array::from_fn(width);
        let line = |to: &mut String, cells: &[String; 9], name: &str| {
            for (cell, width) in cells.iter().zip(widths) {
                write!(to, "{cell:>width$}  ")?;
            }
            writeln!(to, "{}", name.trim_end())
        };
        line(to, &HEADS.map(str::to_owned), "process")?;
        let last = lines.len() - 1;
        for (index, (cells, name)) in lines.iter().enumerate() {
            if index == last {
                line(to, &widths.map(|width| "-".repeat(width)), "-------")?;
            }
            line(to, cells, name)?;
        }
        self.latencies(to)?;
        self.endings(to)
    }

    /// The times from exit to reap.
    fn latencies(&self, to: &mut String) -> fmt::Result {
        if self.latency.is_empty() {
            return Ok(());
        }
        let at = |part: f64| Span(self.latency.value_at_quantile(part));
        let children = plural(self.latency.len(), "child", "children");
        writeln!(
            to,
            "\nfrom exit to reap: p50 {}, p90 {}, p99 {}, max {} ({children})",
            at(0.5),
            at(0.9),
            at(0.99),
            Span(self.latency.max())
        )?;
        // A bar for each power of ten that occurs, and those between.
        let mut bars = Vec::new();
        let (mut low, mut high) = (0, 10_000);
        while low <= self.latency.max() {
            let count = self.latency.count_between(low, high - 1);
            bars.push((high, count));
            low = high;
            high = high.saturating_mul(10);
        }
        let first = bars.iter().position(|(_, count)| *count > 0).unwrap_or(0);
        let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(1);
        for (high, count) in bars.iter().skip(first) {
            let bar = (count * WIDTH).div_ceil(most.max(1));
            let bar = "#".repeat(usize::try_from(bar).unwrap_or(0));
            let below = format!("< {}", Decade(*high));
            writeln!(to, "  {below:<9}{count:>9}  {bar}")?;
        }
        Ok(())
    }

    /// How processes ended.
    fn endings(&self, to: &mut String) -> fmt::Result {
        if self.ends.is_empty() {
            return Ok(());
        }
        let mut ends: Vec<(&Ending, &u64)> = self.ends.iter().collect();
        ends.sort_by(|one, other| other.1.cmp(one.1));
        let words = ends.iter().map(|(ending, count)| match ending {
            Ending::Exited(code) => format!("exited {code} ({count})"),
            Ending::Signaled(signal) => format!("{} ({count})", Signal::from_raw(*signal)),
        });
        let words: Vec<String> = words.collect();
        writeln!(to, "\nends: {}", words.join(", "))
    }

    /// The same for programs.
    #[must_use]
    pub fn wire(&self) -> wire::Summary {
        let at = |part: f64| self.latency.value_at_quantile(part);
        let is_empty = self.latency.is_empty();
        let ends = self.ends.iter().map(|(ending, count)| match ending {
            Ending::Exited(code) => wire::Ending {
                code: Some(*code),
                signal: None,
                count: *count,
            },
            Ending::Signaled(signal) => wire::Ending {
                code: None,
                signal: Some(Signal::from_raw(*signal).into()),
                count: *count,
            },
        });
        wire::Summary {
            processes: self.sorted().iter().map(wire_row).collect(),
            total: wire_row(&self.total()),
            reap_latency: (!is_empty).then(|| wire::Latency {
                count: self.latency.len(),
                p50_ns: at(0.5),
                p90_ns: at(0.9),
                p99_ns: at(0.99),
                max_ns: self.latency.max(),
            }),
            ends: ends.collect(),
        }
    }
}

fn wire_row(row: &Row) -> wire::SummaryRow {
    wire::SummaryRow {
        pid: row.pid.map(crate::kernel::Tgid::raw),
        comm: row.comm.into(),
        forked: row.forked,
        reaped: row.reaped,
        late: row.late,
        left: row.left,
        waits: row.waits,
        polls: row.polls,
        blocked_ns: row.blocked,
        longest_zombie_ns: row.longest,
        cpu_ns: row.cpu,
        peak_kib: row.peak,
    }
}

fn cells(row: &Row) -> [String; 9] {
    let time = |nanos: u64| {
        if nanos == 0 {
            "-".to_owned()
        } else {
            Span(nanos).to_string()
        }
    };
    [
        row.forked.to_string(),
        row.reaped.to_string(),
        row.left.to_string(),
        row.late.to_string(),
        row.polls.to_string(),
        time(row.blocked),
        time(row.longest),
        time(row.cpu),
        if row.peak == 0 {
            "-".to_owned()
        } else {
            Memory(row.peak).to_string()
        },
    ]
}

fn name(row: &Row) -> String {
    match row.pid {
        Some(pid) => format!("{pid} {}", row.comm),
        None => "all others".to_owned(),
    }
}

/// A power of ten, in nanoseconds: `10 µs`, `1 s`.
struct Decade(u64);

impl fmt::Display for Decade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 / 1000 {
            micros @ 0..1000 => write!(f, "{micros} µs"),
            micros @ 1000..1_000_000 => write!(f, "{} ms", micros / 1000),
            micros => write!(f, "{} s", micros / 1_000_000),
        }
    }
}
