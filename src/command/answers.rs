//! What signals to us, the end of `--duration`, silence, and the end of the command
//! come to.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal as Sig;

use super::mode::{Leftovers, TraceOptions};
use super::outputs::Ending;
use super::scheduled::Scheduled;
use crate::event::LookCause;
use crate::explore::HangWatch;
use crate::kernel::Signal;
use crate::kernel::phrases::plural;
use crate::session::{Control, EventSource, Session, Traced};
use crate::sys::streams;
use crate::sys::waker::Arrived;
use crate::urgency;

/// How long processes may take to end themselves when they are asked to.
const GRACE: Duration = Duration::from_secs(1);
/// How long nothing happens before it is shown who waits for whom.
const SILENCE: Duration = Duration::from_secs(10);
/// How long what a key interrupts may take to end.
const AFTER_KEY: Duration = Duration::from_millis(500);
/// How long what the command leaves behind may take to end before it is shown.
const AFTER_END: Duration = Duration::from_millis(300);

/// What signals to us and the end of `--duration` come to.
pub(super) struct Answers<'a> {
    pub(super) options: &'a TraceOptions,
    pub(super) ending: Ending,
    /// The signal that made us detach.
    pub(super) ended_by: Option<Sig>,
    /// What the command left behind is being killed.
    killing: bool,
    /// `--duration` is over, or what is left was asked to end.
    asked_to_end: bool,
    /// A key has interrupted the command.
    interrupted: bool,
    timers: Vec<(Instant, Timer)>,
    watch: HangWatch,
    /// The command hangs under its schedule, and is ended.
    pub(super) hangs: bool,
    /// What follows the look that goes on.
    next: Option<Next>,
    /// The report so far is to follow it: a look may show a fault.
    report_is_asked: bool,
}

/// What is to be done at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// See whether nothing has happened for a while.
    Silence,
    /// See what a key has not ended.
    AfterKey,
    /// See what the command has left behind.
    Leftovers,
    /// See whether the command hangs under its schedule.
    Hang,
}

/// What follows a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Nothing,
    /// End what the command left behind.
    EndLeftovers,
    /// Let it go.
    LeaveLeftovers,
    /// End the trace of attached processes.
    LetGo,
    /// `--duration` is over.
    EndOnTime,
    /// End what hangs.
    EndHang,
}

impl<S: Scheduled> Control<Traced<S>> for Answers<'_> {
    fn woken(&mut self, source: &mut Traced<S>, session: &mut Session<'_>) {
        let signals = source.tracer.waker.take_signals();
        self.answer(signals, source, session);
        if source.take_time_up() {
            self.time_is_up(source, session);
        }
        if source.take_end() && source.tracer.launched_processes() > 0 {
            self.set(AFTER_END, Timer::Leftovers);
        }
        let now = Instant::now();
        let due = self.timers.extract_if(.., |(at, _)| *at <= now);
        let due: Vec<Timer> = due.map(|(_, timer)| timer).collect();
        for timer in due {
            self.fire(timer, source, session);
        }
        if let Some(look) = source.take_look() {
            session.take(&mut vec![look]);
            self.go_on(source, session);
        }
        source.set_alarm(self.timers.iter().map(|(at, _)| *at).min());
    }

    fn job_stopped(&mut self, source: &mut Traced<S>) {
        streams::stop_myself();
        source.tracer.continue_root();
    }
}

impl Answers<'_> {
    /// Nothing has happened yet.
    pub(super) fn new(options: &TraceOptions, ending: Ending) -> Answers<'_> {
        Answers {
            options,
            ending,
            ended_by: None,
            killing: false,
            asked_to_end: false,
            interrupted: false,
            timers: Vec::new(),
            watch: HangWatch::default(),
            hangs: false,
            next: None,
            report_is_asked: false,
        }
    }

    /// The trace begins; `watched` on a terminal.
    pub(super) fn begin<S: Scheduled>(&mut self, watched: bool, source: &mut Traced<S>) {
        if watched && self.looks() {
            self.set(SILENCE, Timer::Silence);
        }
        if S::CAN_HANG {
            self.set(HangWatch::INTERVAL, Timer::Hang);
        }
        source.set_alarm(self.timers.iter().map(|(at, _)| *at).min());
    }

    /// Whether it is shown who waits for whom without being asked.
    fn looks(&self) -> bool {
        let report = self.options.outputs.report.as_ref();
        report.is_some_and(|report| !report.quiet)
    }

    fn set(&mut self, after: Duration, timer: Timer) {
        self.timers.push((Instant::now() + after, timer));
    }

    /// A moment has come.
    fn fire<S: Scheduled>(
        &mut self,
        timer: Timer,
        source: &mut Traced<S>,
        session: &mut Session<'_>,
    ) {
        match timer {
            Timer::Silence => match SILENCE.checked_sub(source.silence()) {
                Some(rest) if !rest.is_zero() => self.set(rest, Timer::Silence),
                _ => {
                    let nanos = u64::try_from(source.silence().as_nanos()).unwrap_or(u64::MAX);
                    self.look(LookCause::Silence(nanos), Next::Nothing, source, session);
                }
            },
            Timer::AfterKey if source.tracer.root_lives() => {
                self.look(LookCause::Asked, Next::Nothing, source, session);
            }
            Timer::Leftovers if source.tracer.launched_processes() > 0 => {
                let next = match self.options.leftovers {
                    Leftovers::Wait => Next::Nothing,
                    Leftovers::Kill => Next::EndLeftovers,
                    Leftovers::Report => Next::LeaveLeftovers,
                };
                let waits = next == Next::Nothing;
                if !self.killing && !self.asked_to_end {
                    self.look(LookCause::CommandEnded { waits }, next, source, session);
                }
            }
            Timer::Hang if S::hangs(&source.tracer, &mut self.watch) => {
                self.hangs = true;
                self.look(LookCause::Hang, Next::EndHang, source, session);
            }
            Timer::Hang => self.set(HangWatch::INTERVAL, Timer::Hang),
            Timer::AfterKey | Timer::Leftovers => {}
        }
    }

    /// Tell who waits for whom, and go on when that is known.
    fn look<S: Scheduled>(
        &mut self,
        cause: LookCause,
        next: Next,
        source: &mut Traced<S>,
        session: &mut Session<'_>,
    ) {
        let pending = self.next.replace(next.max(self.next.unwrap_or(next)));
        let is_asked = cause == LookCause::Asked && next == Next::Nothing;
        if !self.looks() && !is_asked {
            self.go_on(source, session);
        } else if pending.is_none() {
            source.begin_look(&session.ledger, cause);
        }
    }

    /// What follows a look.
    fn go_on<S: Scheduled>(&mut self, source: &mut Traced<S>, session: &mut Session<'_>) {
        if std::mem::take(&mut self.report_is_asked) {
            self.ending.report_so_far(source.now(), session);
        }
        match self.next.take() {
            None | Some(Next::Nothing) => {}
            Some(Next::EndLeftovers) => self.end_leftovers(source, session),
            Some(Next::LeaveLeftovers) => {
                session.look_for_survivors(source);
                session.conclude(source);
                let count = source.tracer.let_launched_go();
                let many = plural(count as u64, "process", "processes");
                session.message(&format!("detached from {many} (--leftovers report)"));
            }
            Some(Next::LetGo) => self.let_go(source),
            Some(Next::EndOnTime) => self.end_on_time(source, session),
            Some(Next::EndHang) => {
                session.conclude(source);
                session.message("the command hangs under its schedule; killing it");
                source.tracer.kill_all(false);
            }
        }
    }

    /// `--duration` is over: attached processes go on, a command is ended, by
    /// force if it does not end itself.
    fn time_is_up<S: Scheduled>(&mut self, source: &mut Traced<S>, session: &mut Session<'_>) {
        session.conclude(source);
        if self.asked_to_end {
            if !source.tracer.root_lives() {
                session.look_for_survivors(source);
            }
            source.tracer.kill_all(false);
            return;
        }
        self.look(LookCause::TimeIsUp, Next::EndOnTime, source, session);
    }

    fn end_on_time<S: Scheduled>(&mut self, source: &mut Traced<S>, session: &mut Session<'_>) {
        self.asked_to_end = true;
        self.let_go(source);
        if self.options.command.is_some() {
            session.message("the time is up (--duration); ending the command");
            // To all, as timeout(1) does it: a shell runs its trap once its child has ended.
            source.tracer.signal_launched(Signal::TERM);
            source.limit(GRACE);
        }
    }

    /// `--leftovers kill`: ask what is left to end, and see to it.
    fn end_leftovers<S: Scheduled>(&mut self, source: &mut Traced<S>, session: &mut Session<'_>) {
        session.look_for_survivors(source);
        self.asked_to_end = true;
        let many = left(source.tracer.launched_processes());
        session.message(&format!("ending {many} left (--leftovers kill)"));
        source.tracer.signal_launched(Signal::TERM);
        source.limit(GRACE);
    }

    /// Signals to us.
    fn answer<S: Scheduled>(
        &mut self,
        signals: Arrived,
        source: &mut Traced<S>,
        session: &mut Session<'_>,
    ) {
        let ending = [Sig::SIGINT, Sig::SIGQUIT, Sig::SIGTERM, Sig::SIGHUP];
        let ending = ending.into_iter().find(|signal| signals.has(*signal));
        let by_key = matches!(ending, Some(Sig::SIGINT | Sig::SIGQUIT));
        // Before anything is written. The command may go on after a key.
        match ending {
            Some(_) if by_key && source.tracer.root_lives() => urgency::briefly(),
            Some(_) => urgency::begins(),
            None => {}
        }
        if signals.has(Sig::SIGUSR1) && self.options.outputs.report.is_some() {
            self.report_is_asked = true;
            self.look(LookCause::Asked, Next::Nothing, source, session);
        }
        let Some(signal) = ending else {
            return;
        };
        match (&self.options.command, source.tracer.root_lives()) {
            (None, _) => {
                session.conclude(source);
                if self.ended_by.replace(signal).is_some() {
                    // The user does not want to wait.
                    self.let_go(source);
                } else {
                    self.look(LookCause::Asked, Next::LetGo, source, session);
                }
            }
            // The root got it from the terminal too, and decides.
            (Some(_), true) if by_key => {
                if self.looks() && !std::mem::replace(&mut self.interrupted, true) {
                    self.set(AFTER_KEY, Timer::AfterKey);
                }
            }
            (Some(_), true) => {
                self.let_go(source);
                source.tracer.forward(Signal::from_raw(signal as i32));
            }
            (Some(_), false) => {
                self.let_go(source);
                self.kill_the_rest(source, session);
            }
        }
    }

    /// End the trace of the processes that were attached to.
    fn let_go<S: Scheduled>(&self, source: &mut Traced<S>) {
        if self.options.kill_on_exit {
            source.tracer.kill_all(true);
        } else {
            source.tracer.detach_all();
        }
    }

    /// Kill what the command left behind, and say so.
    fn kill_the_rest<S: Scheduled>(&mut self, source: &mut Traced<S>, session: &mut Session<'_>) {
        let count = source.tracer.kill_all(false);
        if count == 0 || std::mem::replace(&mut self.killing, true) {
            return;
        }
        let many = left(count);
        session.message(&format!("the command has ended; killing {many} left of it"));
    }
}

/// `the process that is`, `the 2 processes that are`
fn left(count: usize) -> String {
    if count == 1 {
        "the process that is".to_owned()
    } else {
        format!("the {count} processes that are")
    }
}
