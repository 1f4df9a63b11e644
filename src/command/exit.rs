//! Every exit status of `wait4-strace`.

use crate::sys;

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With the command's own status, or 0.
    Code(u8),
    /// By this signal: the command's, or the one that ended an attach.
    Signal(i32),
    /// We failed: a bad flag, an attach that was refused, lost output.
    Failed,
    /// The run is not as its snapshot has it (`--snapshot`).
    Differs,
    /// Something was found that fails the run (`--fail-on`, `--deny`).
    Findings,
    /// The command is there but cannot be executed.
    NotExecutable,
    /// There is no such command.
    NotFound,
}

impl Exit {
    /// What happens and which status it gives, for `--help` and docs/using.md.
    pub const TABLE: &[(&str, &str)] = &[
        ("the command ended", "the command's own status"),
        (
            "the command was killed by signal N",
            "dies of the same signal; a shell sees 128+N",
        ),
        ("-p: all targets ended", "0"),
        ("-p: ^C", "detaches, then dies of SIGINT; a shell sees 130"),
        (
            "wait4-strace itself failed: a bad flag, an attach refused, output not writable",
            "125",
        ),
        ("--zombies found some, or none", "1, or 0"),
        ("--decode of a value that means nothing", "1"),
        ("--snapshot differs", "121"),
        ("--fail-on or --deny is met", "120"),
        ("COMMAND cannot be executed", "126"),
        ("COMMAND is not found", "127"),
    ];

    /// The status as a number; for a signal what a shell would see.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Code(code) => code,
            Exit::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            Exit::Failed => 125,
            Exit::Differs => 121,
            Exit::Findings => 120,
            Exit::NotExecutable => 126,
            Exit::NotFound => 127,
        }
    }

    /// Die of the signal, if it is one. Returns the status for `main`
    /// otherwise, and where a signal cannot kill us: as PID 1.
    #[must_use]
    pub fn conclude(self) -> std::process::ExitCode {
        if let Exit::Signal(signal) = self {
            sys::die::die_of(signal);
        }
        self.code().into()
    }
}
