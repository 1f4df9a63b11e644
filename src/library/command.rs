//! What is launched: the same for a trace and for an exploration.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::error::Error;
use crate::program::{CommandLine, EnvChange};

/// A command, its environment and its working directory.
#[derive(Clone, Debug)]
pub(crate) struct LaunchedCommand {
    pub(crate) line: CommandLine,
    clears_env: bool,
    directory: Option<PathBuf>,
}

impl LaunchedCommand {
    pub(crate) fn new(command: OsString) -> LaunchedCommand {
        LaunchedCommand {
            line: CommandLine {
                argv: vec![command],
                ..CommandLine::default()
            },
            clears_env: false,
            directory: None,
        }
    }

    pub(crate) fn arg(&mut self, word: OsString) {
        self.line.argv.push(word);
    }

    pub(crate) fn env(&mut self, name: OsString, value: OsString) {
        self.line.env.push(EnvChange::Set(name, value));
    }

    pub(crate) fn env_remove(&mut self, name: OsString) {
        self.line.env.push(EnvChange::Unset(name));
    }

    pub(crate) fn env_clear(&mut self) {
        self.line.env.clear();
        self.clears_env = true;
    }

    pub(crate) fn current_dir(&mut self, directory: PathBuf) {
        self.directory = Some(directory);
    }

    /// The environment before the command's changes, as std has it: another thread
    /// may change it, and std knows.
    pub(crate) fn base(&self) -> Vec<OsString> {
        if self.clears_env {
            return Vec::new();
        }
        let entries = std::env::vars_os().map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            name
        });
        entries.collect()
    }

    /// The working directory, if it is another than ours.
    ///
    /// # Errors
    /// A name with a null byte.
    pub(crate) fn directory(&self) -> Result<Option<CString>, Error> {
        let bytes = self
            .directory
            .clone()
            .map(|path| path.into_os_string().into_vec());
        let directory = bytes.map(CString::new).transpose();
        directory.map_err(|error| Error::Invalid(format!("a directory's name: {error}")))
    }
}

/// The methods that say what is launched, for a builder with a field `command`.
macro_rules! command_methods {
    () => {
        /// One more argument.
        pub fn arg(mut self, word: impl Into<std::ffi::OsString>) -> Self {
            self.command.arg(word.into());
            self
        }

        /// More arguments.
        pub fn args<S: Into<std::ffi::OsString>>(
            mut self,
            words: impl IntoIterator<Item = S>,
        ) -> Self {
            words
                .into_iter()
                .for_each(|word| self.command.arg(word.into()));
            self
        }

        /// Set a variable of the command's environment.
        pub fn env(
            mut self,
            name: impl Into<std::ffi::OsString>,
            value: impl Into<std::ffi::OsString>,
        ) -> Self {
            self.command.env(name.into(), value.into());
            self
        }

        /// Remove a variable from the command's environment.
        pub fn env_remove(mut self, name: impl Into<std::ffi::OsString>) -> Self {
            self.command.env_remove(name.into());
            self
        }

        /// Begin with an empty environment.
        pub fn env_clear(mut self) -> Self {
            self.command.env_clear();
            self
        }

        /// The command's working directory. A path of the command that is relative
        /// is looked for there.
        pub fn current_dir(mut self, directory: impl Into<std::path::PathBuf>) -> Self {
            self.command.current_dir(directory.into());
            self
        }
    };
}

pub(crate) use command_methods;
