//! The flags of `--zombies`.

use std::time::Duration;

use clap::{ArgMatches, Args, parser::ValueSource};

use super::judging::seconds;
use crate::command::ZombieOptions;
use crate::kernel::Tgid;

/// The heading of these flags in `--help`.
const HEADING: &str = "What is wrong";

/// How often is often enough.
const DEFAULT_EVERY: &str = "2";

/// Flags of `--zombies`.
#[derive(Debug, Default, Args)]
pub(super) struct ZombieFlags {
    /// The zombies that there are now, and why
    #[arg(long, help_heading = HEADING)]
    pub(super) zombies: bool,
    /// Look for zombies again, each 2 seconds or as said
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = DEFAULT_EVERY,
          requires = "zombies", hide_short_help = true, help_heading = HEADING)]
    watch: Option<String>,
    /// Only the zombies in the pid namespace of this process: a container's
    #[arg(long = "pidns-of", value_name = "PID", requires = "zombies", hide_short_help = true,
          value_parser = clap::value_parser!(i32).range(1..), help_heading = HEADING)]
    namespace_of: Option<i32>,
}

/// The flags that mean something with `--zombies`.
const MEANINGFUL: [&str; 7] = [
    "zombies",
    "watch",
    "namespace_of",
    "attach",
    "format",
    "colour",
    "ZombieFlags",
];

impl ZombieFlags {
    /// The options that they give.
    pub(super) fn resolve(
        &self,
        roots: &[i32],
        json: bool,
        coloured: bool,
    ) -> Result<ZombieOptions, String> {
        let every = self.watch.as_deref().map(seconds).transpose();
        let every = every.map_err(|why| format!("--watch: {why}"))?;
        if every == Some(Duration::ZERO) {
            return Err("--watch 0 would never rest: give a time, 0.5 for example".into());
        }
        Ok(ZombieOptions {
            roots: roots.iter().copied().map(Tgid::new).collect(),
            namespace_of: self.namespace_of.map(Tgid::new),
            every,
            json,
            coloured,
        })
    }
}

/// Refuse flags of a trace beside `--zombies`.
pub(super) fn check(matches: &ArgMatches, command: &clap::Command) -> Result<(), clap::Error> {
    if !matches.get_flag("zombies") {
        return Ok(());
    }
    refuse_others(matches, command, "--zombies", &MEANINGFUL)
}

/// Refuse flags that mean nothing beside one that traces nobody.
pub(super) fn refuse_others(
    matches: &ArgMatches,
    command: &clap::Command,
    flag: &str,
    meaningful: &[&str],
) -> Result<(), clap::Error> {
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let ids = matches.ids().map(clap::Id::as_str);
    let mut others = ids.filter(|id| !meaningful.contains(id) && given(id));
    let Some(id) = others.find(|id| command.get_arguments().any(|arg| arg.get_id() == id)) else {
        return Ok(());
    };
    let argument = command.get_arguments().find(|arg| arg.get_id() == id);
    let long = argument.and_then(clap::Arg::get_long);
    let name = long.map_or_else(|| "a COMMAND".to_owned(), |long| format!("--{long}"));
    let sentence = format!("{name} means nothing with {flag}, which traces nobody\n");
    Err(clap::Error::raw(
        clap::error::ErrorKind::ArgumentConflict,
        sentence,
    ))
}
