//! The flags of `--decode`.

use std::ffi::OsString;

use clap::{ArgMatches, Args, parser::ValueSource};

use super::zombies::refuse_others;
use crate::decode::Options;
use crate::kernel::System;

/// The heading of these flags in `--help`.
const HEADING: &str = "What to show";

/// Flags of `--decode`.
#[derive(Debug, Default, Args)]
pub(super) struct DecodeFlags {
    /// Say what values mean: 0x137f, errno=512
    #[arg(long, value_name = "VALUE", num_args = 0.., allow_negative_numbers = true,
          help_heading = HEADING)]
    decode: Option<Vec<String>>,
    /// Whose words --decode and --read are given: linux, netbsd or freebsd
    #[arg(long, value_name = "SYSTEM", hide_short_help = true, help_heading = HEADING)]
    pub(super) abi: Option<String>,
}

/// The flags that mean something with `--decode`.
const MEANINGFUL: [&str; 4] = ["decode", "abi", "command", "DecodeFlags"];

impl DecodeFlags {
    /// Whether values are to be decoded.
    pub(super) fn decodes(&self) -> bool {
        self.decode.is_some()
    }

    /// The system that was named.
    pub(super) fn system(&self) -> Result<Option<System>, String> {
        let named = self.abi.as_deref().map(str::parse::<System>).transpose();
        named.map_err(|error| format!("--abi: {error}"))
    }

    /// What they mean; `more` values stood behind another flag.
    pub(super) fn mean(&self, more: &[OsString]) -> Result<Option<Options>, String> {
        let system = self.system()?;
        let more = more
            .iter()
            .map(|value| value.to_string_lossy().into_owned());
        Ok(self.decode.as_ref().map(|values| Options {
            values: values.iter().cloned().chain(more).collect(),
            system,
        }))
    }
}

/// Refuse flags of a trace beside `--decode`, and a system beside neither it
/// nor a record.
pub(super) fn check(matches: &ArgMatches, command: &clap::Command) -> Result<(), clap::Error> {
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    if given("decode") {
        return refuse_others(matches, command, "--decode", &MEANINGFUL);
    }
    if given("abi") && !given("read") {
        let sentence =
            "--abi says whose words --decode or --read is given: give one of these too\n";
        return Err(clap::Error::raw(
            clap::error::ErrorKind::MissingRequiredArgument,
            sentence,
        ));
    }
    Ok(())
}
