//! The run: joins what makes events, the ledger, the rules and the outputs.

mod config;
mod golden;
mod inquest;
pub(crate) mod inquiry;
mod kept;
mod live;
mod open;
mod places;
mod replay;
pub(crate) mod session;
pub(crate) mod verdicts;

use std::io;
use std::process::ExitCode;
use std::thread;

use nix::sys::resource::{Resource, getrlimit};

pub use crate::decode::Wish as DecodeWish;
pub use crate::zombies::Options as ZombieOptions;
pub use config::{Colour, Config, Format, Judging, OutputTo, SnapshotFile, SummaryWish};

use crate::event::one_line;
use crate::exit::Exit;
use crate::output::{Destination, Sink};
use crate::sys::startup::has_borrowed_rights;
use crate::sys::wake_signal::keep_signals_out;

/// Do as `config` says, to the end.
#[must_use]
pub fn run(config: &Config) -> Exit {
    if let Some(wish) = &config.decode {
        return crate::decode::run(wish);
    }
    if let Some(wish) = &config.zombies {
        return crate::zombies::run(wish);
    }
    if let Err(sentence) = places::check(config) {
        complain(&sentence);
        return Exit::Failed;
    }
    match &config.read {
        Some(record) => replay::read(config, record),
        None => live::trace(config),
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

/// Say what went wrong. If standard error is closed or broken, the exit status
/// is all there is.
pub(crate) fn complain(message: &str) {
    let _ = told(&format!("wait4-strace: {}\n", one_line(message)));
}

/// Write lines to standard error behind all that went there, sooner or later.
fn say(lines: &str) {
    let mut stderr = Sink::stderr(Destination::Terminal);
    stderr.push(lines.as_bytes());
    stderr.finish_later();
}

/// Write lines to standard error, and wait until they are there.
///
/// # Errors
/// The first error that any write to standard error met.
fn told(lines: &str) -> io::Result<()> {
    let mut stderr = Sink::stderr(Destination::Terminal);
    stderr.push(lines.as_bytes());
    stderr.finish()
}
