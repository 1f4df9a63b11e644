//! A line of a log, taken apart, and what each format must know to do so.

use super::clock::Time;
use crate::event::{Fetched, How, Moment, SigchldAction, WaitEntry, WaitExit};
use crate::kernel::{Errno, NsPid, Rusage, SigInfo, Signal, WaitCall, WaitStatus};
use crate::records::gaps::Coverage;

/// A line, taken apart.
#[derive(Debug)]
pub(in crate::records) struct LogLine<'a> {
    /// The process, if the line names it.
    pub(in crate::records) pid: Option<i32>,
    /// The thread, if the line names it.
    pub(in crate::records) tid: Option<i32>,
    /// The thread's name, if the line has it.
    pub(in crate::records) comm: Option<&'a [u8]>,
    pub(in crate::records) time: Option<Time>,
    /// How long the call took, in nanoseconds.
    pub(in crate::records) took: Option<u64>,
    pub(in crate::records) what: What<'a>,
    /// The line without what stands before a call.
    pub(in crate::records) text: &'a [u8],
}

impl LogLine<'_> {
    /// Whether it is a call of its task, in full or in part.
    pub(super) fn is_call(&self) -> bool {
        let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let length = self.text.iter().take(32).take_while(is_word).count();
        length > 0 && self.text.get(length) == Some(&b'(')
    }
}

/// What a line reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::records) enum What<'a> {
    /// The first half of a call, with the arguments that it shows.
    Begins(Kind, &'a [u8]),
    /// The first half of a call that the task is in when the tracer leaves it.
    LeftIn(Kind, &'a [u8]),
    /// The second half, with the rest of the arguments.
    Ends(Kind, &'a [u8], Returned),
    /// A call in one piece.
    Whole(Kind, &'a [u8], Returned),
    /// A call that lacks its end.
    Cut(Kind),
    /// A call that no rule is about, or another line of its task.
    OtherCall(&'a [u8]),
    /// A signal came.
    Signalled {
        signal: Option<Signal>,
        info: Option<SigInfo>,
        effect: Effect,
    },
    /// The task is in a group-stop.
    Stopped(Option<Signal>),
    /// The process exited with a number.
    Exited(i32),
    /// The process has ended.
    Ended(WaitStatus),
    /// The thread has ended.
    ThreadEnded(WaitStatus),
    /// The thread of this number goes on as the leader, after its execve.
    SupersededBy(i32),
    /// A process is traced from now on, or a new child.
    Attached(i32),
    /// It is traced no more.
    Detached(i32),
    /// A file's name was looked up.
    Path(&'a [u8]),
    /// An argument of a program that is executed.
    Argument(&'a [u8]),
    /// Nothing that matters.
    Nothing,
}

/// The calls that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::records) enum Kind {
    Wait(WaitCall),
    Create,
    Vfork,
    Exec,
    Exit,
    Sigaction,
    Prctl,
    Kill,
    Sigreturn,
    /// It may enter a pid namespace.
    Namespace,
}

impl Kind {
    /// Note that there are calls of this kind.
    pub(super) fn note(self, coverage: &mut Coverage) {
        match self {
            Kind::Create | Kind::Vfork => coverage.forks = true,
            Kind::Exec => coverage.execs = true,
            Kind::Exit => coverage.exits = true,
            Kind::Sigaction => coverage.sigactions = true,
            Kind::Prctl => coverage.prctls = true,
            Kind::Kill => coverage.kills = true,
            Kind::Sigreturn => coverage.sigreturns = true,
            Kind::Wait(_) | Kind::Namespace => {}
        }
    }
}

/// What a call returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::records) enum Returned {
    /// A number, and what a pid is in the tracer's own namespace if that
    /// differs (strace's `--pidns-translation`).
    Number(i64, Option<i32>),
    /// An error, kernel-internal ones included.
    Error(Errno),
    /// It succeeded, and its result is not its own (a BSD's execve).
    Replaced,
    /// It did not return.
    Never,
}

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::records) enum Effect {
    /// A handler runs.
    Caught,
    /// What it does by default.
    Default,
    /// The log does not say.
    Unknown,
    /// The log has a stop or an end in a line of its own.
    OnOtherLines,
}

/// The arguments of a wait, and what a log shows behind its pointers.
#[derive(Clone, Debug)]
pub(in crate::records) struct Wait {
    pub(in crate::records) entry: WaitEntry,
    pub(in crate::records) status: Fetched<WaitStatus>,
    pub(in crate::records) info: Fetched<SigInfo>,
    pub(in crate::records) rusage: Fetched<Rusage>,
}

impl Wait {
    /// How it ended. For a call that reported no child truss shows what lay
    /// there before.
    pub(super) fn ended(self, entered: Moment, result: Result<NsPid, Errno>) -> WaitExit {
        fn if_reported<T>(fetched: Fetched<T>, reported: bool) -> Fetched<T> {
            match fetched {
                Fetched::Value { addr, .. } if !reported => Fetched::Unread { addr },
                fetched => fetched,
            }
        }
        let reported = self.entry.call == WaitCall::Waitid || result.is_ok_and(|pid| pid.raw() > 0);
        WaitExit {
            entered,
            result,
            status: if_reported(self.status, reported),
            info: self.info,
            rusage: if_reported(self.rusage, reported),
            child: None,
            remaining: None,
            lives_on: false,
            in_handler: None,
            entry: self.entry,
        }
    }
}

/// How a call creates a task.
#[derive(Clone, Copy, Debug)]
pub(in crate::records) struct Birth {
    pub(in crate::records) how: How,
    pub(in crate::records) exit_signal: Option<Signal>,
    /// The creator's parent is its parent too (`CLONE_PARENT`).
    pub(in crate::records) is_sibling: bool,
    /// It begins a pid namespace.
    pub(in crate::records) in_new_namespace: bool,
}

impl Birth {
    pub(super) fn is_thread(&self) -> bool {
        self.how == How::Thread
    }
}

/// What a sigaction sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::records) enum Action {
    /// Nothing, or what happens at another signal than SIGCHLD.
    Other,
    /// Something that the log does not show.
    Unknown,
    /// This.
    Set(SigchldAction),
}

/// What is executed, as far as a log shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::records) struct Program {
    pub(in crate::records) path: Option<Vec<u8>>,
    pub(in crate::records) argv: Vec<Vec<u8>>,
}

/// How a log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::records) enum Beginning {
    /// With a program that the tracer launched.
    Launch,
    /// With a process that it attached to.
    Attach,
    /// In the midst of a program.
    Midst,
}

/// A program's way to write a log: the one parser that a format needs.
///
/// The arguments that its methods take are the bytes that its [`Format::line`] put into
/// [`What`]; nothing else reads them, but for the code with which those of a
/// [`Kind::Exit`] begin. They may hold what stands behind the call too, as a status.
pub(in crate::records) trait Format {
    /// Calls are logged when they return, and a child's lines may come before
    /// the line of its creation.
    const AT_RETURN: bool;

    /// Take a line apart; `None` if it is not one of the log's.
    fn line<'a>(&self, line: &'a [u8]) -> Option<LogLine<'a>>;

    /// Whether a line that `line` does not know belongs to the log all the
    /// same.
    fn is_data(&self, line: &[u8]) -> bool {
        let _ = line;
        false
    }

    /// How a log begins whose first line is this.
    fn beginning(&self, line: &LogLine<'_>) -> Beginning;

    /// `None` if the arguments are not all there. A status that the log does not show is
    /// [`Fetched::Unread`]: it is joined with the child's end. `result_at` of the entry
    /// is 0 where the program passed no pointer, and any other number where the log
    /// does not show it.
    fn wait(&self, call: WaitCall, args: &[u8]) -> Option<Wait>;

    /// A wait whose halves are on two lines.
    fn wait_of_halves(&self, call: WaitCall, first: &[u8], rest: &[u8]) -> Option<Wait> {
        self.wait(call, &[first, rest].concat())
    }

    /// Whether a call brings the caller's next children into a new pid
    /// namespace.
    fn enters_pid_namespace(&self, args: &[u8]) -> bool {
        let _ = args;
        false
    }

    /// A wait of which the log has the first half alone.
    fn half_of_wait(&self, call: WaitCall, args: &[u8]) -> Option<WaitEntry> {
        Some(self.wait(call, args)?.entry)
    }

    /// A wait of which the log has the second half alone.
    fn rest_of_wait(&self, call: WaitCall, rest: &[u8]) -> Option<Wait> {
        let _ = (call, rest);
        None
    }

    /// How this call creates a task.
    fn birth(&self, kind: Kind, args: &[u8]) -> Birth;

    /// What an exec executes.
    fn program(&self, args: &[u8]) -> Program;

    /// What a sigaction sets.
    fn action(&self, args: &[u8]) -> Action;

    /// To which pid a kill sends which signal; 0 is none.
    fn kill(&self, args: &[u8]) -> Option<(i32, Signal)>;

    /// What `PR_SET_PDEATHSIG` asks for, if a prctl is one; 0 is none.
    fn death_signal(&self, args: &[u8]) -> Option<Signal> {
        let _ = args;
        None
    }
}
