//! The flags of `--decode`.

use std::ffi::OsString;

use clap::Args;

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
    /// The system of what --decode or --read is given: linux, netbsd or freebsd
    #[arg(long, value_name = "SYSTEM", hide_short_help = true, help_heading = HEADING)]
    abi: Option<String>,
}

impl DecodeFlags {
    /// `--abi` was given.
    pub(super) fn names_system(&self) -> bool {
        self.abi.is_some()
    }

    /// The system that was named.
    pub(super) fn system(&self) -> Result<Option<System>, String> {
        let named = self.abi.as_deref().map(str::parse::<System>).transpose();
        named.map_err(|error| format!("--abi: {error}"))
    }

    /// The options that they give; `more` values stood behind another flag.
    pub(super) fn resolve(self, more: &[OsString]) -> Result<Options, String> {
        let system = self.system()?;
        let more = more
            .iter()
            .map(|value| value.to_string_lossy().into_owned());
        Ok(Options {
            values: self.decode.into_iter().flatten().chain(more).collect(),
            system,
        })
    }
}
