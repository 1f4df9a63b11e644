//! The command: flags → configuration → run → exit status.

use std::process::ExitCode;

use wait4_strace::{cli, run};

fn main() -> ExitCode {
    run::on_large_stack(command)
}

fn command() -> ExitCode {
    let config = run::refuse_borrowed_rights().and_then(|()| cli::parse());
    match config {
        Ok(config) => run::run(&config).conclude(),
        Err(exit) => exit.conclude(),
    }
}
