//! A live trace: what is traced, how it begins, and what it comes to.

use std::io;
use std::os::unix::ffi::OsStrExt;

use nix::sys::signal::{SigSet, Signal as Sig};

use super::answers::Answers;
use super::exit::Exit;
use super::mode::{Leftovers, OutputTo, TraceOptions};
use super::oom_hint;
use super::outputs;
use super::scheduled::Scheduled;
use super::stderr::{complain, print_all};
use crate::explore::{Explorer, NEEDS_PROC};
use crate::kernel::{Status, Tgid, Tid};
use crate::library::no_input;
use crate::proc::oom::OomKills;
use crate::program::NeverRan;
use crate::rules::Severity;
use crate::session::{EventSource, Session, Traced, drive, settings};
use crate::sys::startup::Inherited;
use crate::sys::streams;
use crate::sys::syscall_info::kernel_is_new_enough;
use crate::sys::wake_signal::WakeSignal;
use crate::sys::waker::{Waker, ending_signal};
use crate::tracer::{FdNames, RootEnd, Scheduler, Settings, Unscheduled};
use crate::urgency;

/// Signals to us that have handlers.
const ANSWERED: [Sig; 5] = [
    Sig::SIGUSR1,
    Sig::SIGINT,
    Sig::SIGQUIT,
    Sig::SIGTERM,
    Sig::SIGHUP,
];

/// Signals that stay blocked. SIGXFSZ, of a file that may not grow, must not
/// end us: the write fails, and that is answered. A terminal's must not stop
/// us, and whoever blocks SIGTTOU may write to it from the background.
const BLOCKED: [Sig; 4] = [Sig::SIGXFSZ, Sig::SIGTSTP, Sig::SIGTTIN, Sig::SIGTTOU];

/// Trace a command or running processes, to the end.
pub(super) fn trace(options: &TraceOptions) -> Exit {
    match &options.schedule {
        Some(schedule) => traced(options, Explorer::new(schedule.clone())),
        None => traced(options, Unscheduled),
    }
}

fn traced<S: Scheduled>(options: &TraceOptions, scheduler: S) -> Exit {
    match start(options, scheduler) {
        Ok(trace) => trace.run(),
        Err(failure) => {
            if let Some(signal) = ending_signal() {
                // It ended a wait for a pipe's reader, for example.
                return Exit::Signal(signal);
            }
            match failure {
                Failure::Sentence(sentence) => complain(&sentence),
                // The refusals are on their way.
                Failure::Refused => drop(print_all("")),
            }
            Exit::Failed
        }
    }
}

/// Why a run does not begin.
enum Failure {
    /// It is to be said.
    Sentence(String),
    /// Every target was refused, and each refusal was said.
    Refused,
}

impl<T: Into<String>> From<T> for Failure {
    fn from(sentence: T) -> Failure {
        Failure::Sentence(sentence.into())
    }
}

/// A trace that is about to run.
struct Trace<'a, S> {
    source: Traced<S>,
    session: Session<'static>,
    answers: Answers<'a>,
    /// A target was refused.
    refused: bool,
    /// What the out-of-memory killer had done before.
    oom_kills: OomKills,
}

/// Attach to the processes, and launch the command.
fn start<S: Scheduled>(options: &TraceOptions, scheduler: S) -> Result<Trace<'_, S>, Failure> {
    kernel_is_new_enough().map_err(|release| {
        format!("Linux 5.3 or later is needed (PTRACE_GET_SYSCALL_INFO), this is {release}")
    })?;
    let inherited = Inherited::get();
    let [_, _, stderr_is_closed] = inherited.closed;
    if stderr_is_closed && options.outputs.output == OutputTo::Stderr {
        return Err("standard error is closed; name a file with -o".into());
    }
    let waker = own_waker(inherited)?;
    let settings = trace_settings(options);
    // A child that is not followed would be under the filter without a tracer
    // to answer it.
    // Nor can a filtered process be let go.
    let filtered = options.seccomp && options.follow && options.leftovers != Leftovers::Report;
    let rules = settings.capture.rules;
    let filter = filtered.then(|| scheduler.filter(settings.wanted, options.polls, rules));
    let words = options.command.iter().flat_map(|command| &command.argv);
    let words = words.map(|word| word.as_bytes().to_vec()).collect();
    let attached = options.attach.clone();
    let mut source = Traced::with_scheduler(settings, waker, words, attached, scheduler);
    if options.schedule.is_some() && !source.tracer.sees_proc() {
        return Err(NEEDS_PROC.into());
    }
    // Words that are wrong are refused before anything is traced.
    let command = options.command.as_ref();
    let mut program = command.map(|command| command.program(filter)).transpose()?;
    if let Some(program) = program.as_mut().filter(|_| options.schedule.is_some()) {
        // As in the search that the schedule is from.
        let [input, ..] = &mut program.files;
        let none = no_input().map_err(|error| format!("cannot make a pipe: {error}"))?;
        *input = Some(none);
    }
    urgency::trace_begins();
    let (mut session, ending) = outputs::open(&options.outputs, source.origin())?;
    if let Some(until) = options.duration.and_then(|time| source.limit(time)) {
        urgency::begins_at(until);
    }
    let targets: Vec<Tgid> = options.attach.iter().copied().map(Tgid::new).collect();
    let oom_kills = OomKills::now(&targets);
    let refused = attach(options, &mut source, &mut session);
    if refused && session.ledger.tasks() == 0 {
        return Err(Failure::Refused);
    }
    if let Some(program) = program {
        let launched = source.tracer.launch(&program);
        launched.map_err(|(operation, reason)| format!("cannot {operation}: {reason}"))?;
    }
    // Before this, the child would start without what we let go of.
    let report = options.outputs.report.as_ref();
    let report = report.and_then(|report| report.file.as_deref());
    let stdout_is_ours = matches!(&options.outputs.output, OutputTo::File(path) if path == "-")
        || report.is_some_and(|path| path.as_os_str() == "-");
    streams::release(!stdout_is_ours);
    Ok(Trace {
        source,
        session,
        answers: Answers::new(options, ending),
        refused,
        oom_kills,
    })
}

/// What wakes the tracer: signals to us among others.
fn own_waker(inherited: Inherited) -> Result<Waker, String> {
    block_signals()?;
    waker(inherited).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::WouldBlock => "; the limit of pending signals (ulimit -i) is too low",
            _ => "",
        };
        format!("cannot make a timer: {error}{hint}")
    })
}

/// Block the signals that must not end or stop us.
pub(super) fn block_signals() -> Result<(), String> {
    let blocked: SigSet = BLOCKED.into_iter().collect();
    blocked
        .thread_block()
        .map_err(|error| format!("cannot start: {error}"))
}

/// What wakes a tracer on this thread: signals to us among others.
pub(super) fn waker(inherited: Inherited) -> io::Result<Waker> {
    // As nohup wants it. A script's background jobs ignore SIGINT and
    // SIGQUIT too, but there the user means us with a signal.
    let answered: Vec<Sig> = ANSWERED
        .into_iter()
        .filter(|signal| *signal != Sig::SIGHUP || !inherited.ignores(*signal as i32))
        .collect();
    WakeSignal::own().and_then(|signal| Waker::new(&answered, signal))
}

/// What the tracer must read for the outputs that are wanted.
fn trace_settings(options: &TraceOptions) -> Settings {
    let outputs = &options.outputs;
    let rules = outputs.report.is_some();
    let mut settings = settings(&outputs.text, rules, outputs.hold_everything());
    settings.capture.usage |= outputs.summary.is_some() || outputs.timeline.is_some();
    settings.capture.fds = match options.decode_fds {
        0 => FdNames::Number,
        1 => FdNames::Link,
        _ => FdNames::Detail,
    };
    Settings {
        follow: options.follow,
        polls: options.polls,
        kill_on_exit: options.kill_on_exit,
        // Where nothing says that calls were not seen, all are.
        full_speed: !options.every_call && rules,
        stops_as_job: true,
        lets_leftovers_go: options.leftovers == Leftovers::Report,
        ..settings
    }
}

/// Attach to processes. Returns whether one was refused, which is shown.
fn attach<S: Scheduler>(
    options: &TraceOptions,
    source: &mut Traced<S>,
    session: &mut Session<'_>,
) -> bool {
    let mut refused = false;
    let mut events = Vec::new();
    for pid in options.attach.iter().copied().map(Tid::new) {
        let refusals = if options.tree {
            source.tracer.attach_tree(pid, &mut events)
        } else {
            let attached = source.tracer.attach(pid, &mut events);
            refused |= attached.is_err();
            let refusal = attached.unwrap_or_else(Some);
            refusal.into_iter().collect()
        };
        session.take(&mut events);
        // Of a tree some may be refused.
        refused |= options.tree && !refusals.is_empty() && session.ledger.tasks() == 0;
        for sentence in refusals {
            session.message(&sentence);
        }
    }
    refused
}

impl<S: Scheduled> Trace<'_, S> {
    fn run(mut self) -> Exit {
        let watched = self.session.is_watched();
        self.answers.begin(watched, &mut self.source);
        drive(&mut self.source, &mut self.session, &mut self.answers);
        let Answers {
            options,
            ending,
            ended_by,
            hangs,
            ..
        } = self.answers;
        let tracer = self.source.tracer;
        if options.stats {
            self.session.message(&tracer.stats().to_string());
        }
        let ledger = &self.session.ledger;
        let comm = |tgid: Tgid| ledger.comm(tgid.leader());
        let problems = tracer.scheduler.problems(&comm);
        for sentence in problems.iter().chain(&tracer.scheduler.last_words()) {
            self.session.message(sentence);
        }
        let end = tracer.root_end();
        drop(tracer);
        urgency::trace_is_over();
        for sentence in oom_hint::sentences(&self.session.ledger.killed_unseen(), &self.oom_kills) {
            if ending.says_unseen() {
                self.session.note(&sentence);
            }
        }
        let never_ran = matches!(end, Some(RootEnd::NeverRan(_)));
        let fails = match ending.finish(self.session.finish(!never_ran)) {
            Ok(fails) => fails,
            Err(sentence) => {
                complain(&sentence);
                return Exit::Failed;
            }
        };
        match (end, &options.command, fails) {
            (Some(RootEnd::NeverRan(report)), Some(command), _) => {
                let (sentence, exit) = match command.explain(report) {
                    NeverRan::Unknown(sentence) => (sentence, Exit::NotFound),
                    NeverRan::NotExecutable(sentence) => (sentence, Exit::NotExecutable),
                    NeverRan::Unreachable(sentence) => (sentence, Exit::Failed),
                };
                complain(&sentence);
                exit
            }
            _ if self.refused => Exit::Failed,
            (_, _, Some(exit)) => exit,
            _ if (hangs || !problems.is_empty()) && fails_on_errors(options) => {
                let why = problems.first().map_or("the command hangs", |first| first);
                complain(&format!("exit 120: {why} (--fail-on)"));
                Exit::Findings
            }
            (Some(RootEnd::Ended(status)), ..) => match status.decode() {
                Status::Signaled { signal, .. } => Exit::Signal(signal.raw()),
                Status::Exited(code) => Exit::Code(code),
                _ => Exit::Failed,
            },
            _ => ended_by.map_or(Exit::Code(0), |signal| Exit::Signal(signal as i32)),
        }
    }
}

/// Whether what is as bad as an error and no finding fails the run, as a hang.
fn fails_on_errors(options: &TraceOptions) -> bool {
    let report = options.outputs.report.as_ref();
    let policy = report.map(|report| &report.rules.policy);
    policy.is_some_and(|policy| policy.fail_on.fails_at(Severity::Error))
}
