//! The flags of `--zombies`.

use std::io;
use std::time::Duration;

use clap::Args;

use super::lines::{ColourFlag, FormatFlag};
use super::rules::{ThresholdFlag, seconds};
use super::targets::AttachFlag;
use crate::command::mode::Format;
use crate::kernel::Tgid;
use crate::zombies::Options;

/// The heading of these flags in `--help`.
const HEADING: &str = "What is wrong";

/// How often is often enough.
const DEFAULT_EVERY: &str = "2";

/// Flags of `--zombies`.
#[derive(Debug, Default, Args)]
pub(super) struct ZombieFlags {
    /// The zombies that there are now, and why
    ///
    /// Those that are dead for a second or more (--threshold zombie=SECONDS): of each parent its
    /// arguments, user, systemd unit or container, what it does instead of reaping them, and
    /// what would free them. Nothing is traced.
    #[arg(long, alias = "defunct", help_heading = HEADING)]
    zombies: bool,
    /// Look for zombies again, each 2 seconds or as said
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = DEFAULT_EVERY,
          requires = "zombies", hide_short_help = true, help_heading = HEADING)]
    watch: Option<String>,
    /// Only the zombies in the pid namespace of this process: a container's
    #[arg(long = "pidns-of", value_name = "PID", requires = "zombies", hide_short_help = true,
          value_parser = clap::value_parser!(i32).range(1..), help_heading = HEADING)]
    namespace_of: Option<i32>,
}

impl ZombieFlags {
    /// The options that they give, with the flags that they share with a trace.
    pub(super) fn resolve(
        &self,
        attach: &AttachFlag,
        format: &FormatFlag,
        colour: &ColourFlag,
        threshold: &ThresholdFlag,
    ) -> Result<Options, String> {
        let roots = attach.resolve()?;
        let every = self.watch.as_deref().map(seconds).transpose();
        let every = every.map_err(|why| format!("--watch: {why}"))?;
        if every == Some(Duration::ZERO) {
            return Err("--watch 0 would never rest: give a time, 0.5 for example".into());
        }
        Ok(Options {
            roots: roots.into_iter().map(Tgid::new).collect(),
            namespace_of: self.namespace_of.map(Tgid::new),
            least: threshold.zombie_alone()?,
            every,
            json: format.resolve() == Format::Json,
            coloured: colour.resolve().wanted_on(&io::stdout()),
        })
    }
}
