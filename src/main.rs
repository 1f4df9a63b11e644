//! The command `wait4-strace`: flags → configuration → run → exit status.

use std::process::ExitCode;

use wait4_strace::command;

fn main() -> ExitCode {
    command::on_large_stack(run)
}

fn run() -> ExitCode {
    let config = command::refuse_borrowed_rights().and_then(|()| command::parse());
    match config {
        Ok(config) => command::run(&config).conclude(),
        Err(exit) => exit.conclude(),
    }
}
