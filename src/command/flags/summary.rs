//! The flags of the summary.

use clap::Args;

use super::sets::nearest;
use crate::command::mode::SummaryOptions;
use crate::output::SortBy;

/// The heading of these flags in `--help`.
const HEADING: &str = "What to show";

/// Flags of `-c` and `-C`.
#[derive(Debug, Default, Args)]
pub(super) struct SummaryFlags {
    /// A table of who reaped how much how late, no lines
    #[arg(short = 'c', long = "summary-only", help_heading = HEADING)]
    only: bool,
    /// The same table, behind the lines
    #[arg(short = 'C', long = "summary", conflicts_with = "only", hide_short_help = true,
          help_heading = HEADING)]
    with_lines: bool,
    /// Sort the table: longest, forked, reaped, left, late, polls, blocked, pid or command
    #[arg(short = 'S', long = "summary-sort-by", value_name = "COLUMN", hide_short_help = true,
          help_heading = HEADING)]
    sort: Option<String>,
}

impl SummaryFlags {
    /// The flag that asks for a summary, if one was given.
    pub(super) fn flag(&self) -> Option<&'static str> {
        match (self.only, self.with_lines) {
            (true, _) => Some("-c"),
            (_, true) => Some("-C"),
            _ => None,
        }
    }

    /// The summary, if one is wanted; a reap is late after so many nanoseconds.
    pub(super) fn resolve(&self, late: u64) -> Result<Option<SummaryOptions>, String> {
        if self.flag().is_none() {
            return match self.sort {
                Some(_) => Err("-S sorts the table of -c or -C: give one of these too".into()),
                None => Ok(None),
            };
        }
        let sort = match self.sort.as_deref() {
            Some(name) => column(name)?,
            None => SortBy::default(),
        };
        Ok(Some(SummaryOptions {
            only: self.only,
            sort,
            late,
        }))
    }
}

fn column(name: &str) -> Result<SortBy, String> {
    let found = SortBy::ALL.iter().find(|(known, _)| *known == name);
    found.map(|(_, sort)| *sort).ok_or_else(|| {
        let names = SortBy::ALL.map(|(name, _)| name);
        format!(
            "{name:?} is no column of the table (-S){}; there are {}",
            nearest(name, &names),
            names.join(", ")
        )
    })
}
