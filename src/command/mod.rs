//! The command: its flags, where output goes, and every exit status.

mod answers;
mod exit;
mod explore;
mod flags;
mod mode;
mod oom_hint;
mod output_target;
mod outputs;
mod path_conflicts;
mod pipe;
mod replay;
mod report;
mod scheduled;
mod snapshot_check;
mod snapshot_file;
mod stderr;
mod trace;

use std::io;
use std::process::ExitCode;
use std::thread;

use nix::sys::resource::{Resource, getrlimit};

pub use exit::Exit;
pub use flags::parse;
pub use mode::{
    Colour, ExploreOptions, Format, Leftovers, Mode, OutputOptions, OutputTo, ReplayOptions,
    ReportOptions, SnapshotFile, SummaryOptions, TraceOptions,
};

use stderr::complain;

use crate::sys::startup::has_borrowed_rights;
use crate::sys::wake_signal::keep_signals_out;

/// Do what the flags ask for, to the end.
#[must_use]
pub fn run(mode: &Mode) -> Exit {
    let conflict = match mode {
        Mode::Trace(options) => path_conflicts::check(None, &options.outputs),
        Mode::Replay(options) => path_conflicts::check(Some(&options.record), &options.outputs),
        Mode::Explore(_) | Mode::Zombies(_) | Mode::Decode(_) => Ok(()),
    };
    if let Err(sentence) = conflict {
        complain(&sentence);
        return Exit::Failed;
    }
    match mode {
        Mode::Trace(options) => trace::trace(options),
        Mode::Replay(options) => replay::read(options),
        Mode::Explore(options) => explore::explore(options),
        Mode::Zombies(options) => zombies(options),
        Mode::Decode(options) => decode(options),
    }
}

/// Run a command on a stack that is large enough, however small the user's limit
/// is: tracees inherit that, and so it stays as it is.
#[must_use]
pub fn on_large_stack(command: fn() -> ExitCode) -> ExitCode {
    const ENOUGH: u64 = 2 << 20;
    const LARGE: usize = 8 << 20;
    if getrlimit(Resource::RLIMIT_STACK).is_ok_and(|(soft, _)| soft >= ENOUGH) {
        return command();
    }
    match thread::Builder::new().stack_size(LARGE).spawn(command) {
        Ok(thread) => {
            keep_signals_out();
            thread.join().unwrap_or(ExitCode::FAILURE)
        }
        Err(_) => command(),
    }
}

/// Do nothing with rights that the file has and our user has not: a tracer
/// starts any program and writes any file.
///
/// # Errors
/// If we have such rights, which is said.
pub fn refuse_borrowed_rights() -> Result<(), Exit> {
    if !has_borrowed_rights() {
        return Ok(());
    }
    complain(
        "this file is setuid or setgid, or has capabilities, which would give its rights to \
         everybody: take them away (chmod ug-s, setcap -r) and use sudo",
    );
    Err(Exit::Failed)
}

/// `--zombies`
fn zombies(options: &crate::zombies::Options) -> Exit {
    match crate::zombies::run(options) {
        Ok(any) => Exit::Code(u8::from(any)),
        Err(error) => fail(&error),
    }
}

/// `--decode`
fn decode(options: &crate::decode::Options) -> Exit {
    match crate::decode::run(options) {
        Ok(outcome) => {
            if outcome.was_empty {
                complain(
                    "standard input had no value to decode: give some there, or behind --decode",
                );
            }
            Exit::Code(u8::from(outcome.has_unknown))
        }
        Err(error) => fail(&error),
    }
}

/// Say what failed, unless the reader of standard output is gone: `| head` is
/// satisfied.
fn fail(error: &io::Error) -> Exit {
    if error.kind() != io::ErrorKind::BrokenPipe {
        complain(&error.to_string());
    }
    Exit::Failed
}
