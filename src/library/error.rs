//! Why there is no trace.

use thiserror::Error as ThisError;

/// Why there is no trace. The texts are whole sentences that name a remedy.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// There is no such command.
    #[error("{0}")]
    NotFound(String),
    /// The command is there but cannot be executed, or not as it should be.
    #[error("{0}")]
    NotExecutable(String),
    /// A process cannot be attached to: it is gone, has another tracer,
    /// or may not be traced by us.
    #[error("{0}")]
    Refused(String),
    /// Something that was asked for means nothing: a threshold that does not
    /// exist, a NUL byte in an argument.
    #[error("{0}")]
    Invalid(String),
    /// A system call failed.
    #[error("cannot {operation}: {reason}")]
    System {
        /// What failed.
        operation: &'static str,
        /// Why.
        reason: String,
    },
    /// The kernel is too old.
    #[error("Linux 5.3 or later is needed (PTRACE_GET_SYSCALL_INFO), this is {0}")]
    OldKernel(String),
    /// The command ended, and another thread of this process got its status. It
    /// waits for any child, as in `waitpid(-1)`, where it should name its own.
    #[error(
        "the end of the command went to another thread of this process, which waits for any \
         child: let it wait for its own by pid"
    )]
    Stolen,
}

impl Error {
    /// A system call failed.
    pub(crate) fn system(operation: &'static str, reason: &dyn std::fmt::Display) -> Error {
        Error::System {
            operation,
            reason: reason.to_string(),
        }
    }
}
