//! The command: flags → configuration → run → exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    match wait4_strace::cli::parse() {
        Ok(config) => wait4_strace::run::run(&config).conclude(),
        Err(exit) => exit.conclude(),
    }
}
