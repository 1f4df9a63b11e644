//! A tracer as a source of events.

use std::time::{Duration, Instant, SystemTime};

use nix::sys::utsname::{UtsName, uname};

use super::source::{Alarm, EventSource, SETTLING, Step};
use crate::event::{Event, LookCause, Moment, Origin, ProcView, Question};
use crate::kernel::WaitCalls;
use crate::kernel::phrases::plural;
use crate::ledger::Ledger;
use crate::output::{Pids, Style, TextOptions};
use crate::rules::{Needs, RULES};
use crate::sys::waker::Waker;
use crate::tracer::{self, Capture, FdNames, Scheduler, Settings, Tracer, Unscheduled};

/// Of this rule one form alone needs calls of processes without children.
const PARTLY_BLIND: &str = "autoreap-echild by SA_NOCLDWAIT";

/// How many events are taken in together.
const BATCH: usize = 64;

/// A tracer, and how long it traces.
pub(crate) struct Traced<S = Unscheduled> {
    pub(crate) tracer: Tracer<S>,
    origin: Origin,
    /// When it is woken because the time is up.
    until: Option<Instant>,
    /// When it is woken for its user besides.
    alarm: Option<Instant>,
    /// The command has ended, and that was reported.
    end_reported: bool,
}

impl Traced {
    /// A tracer that traces nothing yet: its thread is the one that calls this.
    /// The command and the pids are those that it will trace.
    pub(crate) fn new(
        settings: Settings,
        waker: Waker,
        command: Vec<Vec<u8>>,
        attached: Vec<i32>,
    ) -> Traced {
        Traced::with_scheduler(settings, waker, command, attached, Unscheduled)
    }
}

impl<S: Scheduler> Traced<S> {
    /// The same, with a tracer that asks `scheduler` when tasks go on.
    pub(crate) fn with_scheduler(
        settings: Settings,
        waker: Waker,
        command: Vec<Vec<u8>>,
        attached: Vec<i32>,
        scheduler: S,
    ) -> Traced<S> {
        let follows = settings.follow;
        let tracer = Tracer::with_scheduler(settings, waker, scheduler);
        let system = uname().ok();
        let of = |field: Option<&std::ffi::OsStr>| {
            field.map_or_else(String::new, |text| text.to_string_lossy().into_owned())
        };
        let origin = Origin {
            command,
            attached,
            kernel: of(system.as_ref().map(UtsName::release)),
            arch: of(system.as_ref().map(UtsName::machine)),
            began: SystemTime::now() - tracer.start().elapsed(),
            follows,
            restart_outcomes: tracer.knows_restart_outcomes(),
            proc: ProcView::of(tracer.sees_proc()),
            ..Origin::default()
        };
        Traced {
            tracer,
            origin,
            until: None,
            alarm: None,
            end_reported: false,
        }
    }

    /// Wake up when this time has passed. One that is beyond all time is no
    /// limit.
    pub(crate) fn limit(&mut self, time: Duration) -> Option<Instant> {
        self.until = Instant::now().checked_add(time);
        self.until
    }

    /// Whether the time is up; the limit is gone then.
    pub(crate) fn take_time_up(&mut self) -> bool {
        self.until
            .take_if(|until| Instant::now() >= *until)
            .is_some()
    }

    /// Wake up at this moment too; `None` for no more.
    pub(crate) fn set_alarm(&mut self, at: Option<Instant>) {
        self.alarm = at;
    }

    /// Whether the command has ended, once.
    pub(crate) fn take_end(&mut self) -> bool {
        let has_ended = self.tracer.root_end().is_some();
        has_ended && !std::mem::replace(&mut self.end_reported, true)
    }

    /// For how long no task has stopped or ended.
    pub(crate) fn silence(&self) -> Duration {
        Duration::from_nanos(self.tracer.now().since(self.tracer.last_stop()))
    }

    /// Begin to look at what the living processes are blocked in; the tracer is woken
    /// when [`Traced::take_look`] has the answer.
    pub(crate) fn begin_look(&mut self, ledger: &Ledger, cause: LookCause) {
        let living = ledger.processes();
        let living = living.filter(|process| process.ended.is_none() && process.reaped.is_none());
        let mut living: Vec<_> = living.map(|process| (process.id, process.tgid)).collect();
        living.sort_unstable();
        let roots = living.into_iter().map(|(_, tgid)| tgid).collect();
        self.tracer.begin_look(roots, cause);
    }

    /// What a look found, once it is over.
    pub(crate) fn take_look(&mut self) -> Option<Event> {
        self.tracer.waker.take_call();
        self.tracer.take_look()
    }

    /// No limit any more.
    pub(crate) fn lift_limit(&mut self) {
        self.until = None;
    }
}

impl<S: Scheduler> EventSource for Traced<S> {
    fn poll(&mut self, alarm: &Alarm, events: &mut Vec<Event>) -> Step {
        let settled = alarm.settles.then(|| self.tracer.latest().after(SETTLING));
        let moments = [alarm.due, alarm.flush, settled];
        if let Some(moment) = moments.into_iter().flatten().min() {
            self.tracer.wake_at(moment);
        }
        let own = [self.until, self.alarm, self.tracer.look_is_due()];
        if let Some(at) = own.into_iter().flatten().min() {
            self.tracer.waker.wake_at(at);
        }
        if !self.end_reported && self.tracer.root_end().is_some() {
            self.tracer.waker.wake_at(Instant::now());
        }
        match self.tracer.step(events) {
            tracer::Step::Went => Step::Went,
            tracer::Step::Woken => Step::Woken,
            tracer::Step::JobStopped => Step::JobStopped,
            tracer::Step::Over => Step::Over,
        }
    }

    fn answer(&mut self, question: Question, events: &mut Vec<Event>) {
        self.tracer.look(vec![question], events);
    }

    fn settle(&mut self, events: &mut Vec<Event>) {
        self.tracer.drain(events);
    }

    fn conclude(&mut self) -> Event {
        self.tracer.conclude()
    }

    fn unseen(&self) -> Vec<String> {
        let ran_free = self.tracer.has_run_free().then(ran_free);
        let refused = self.tracer.refused_threads;
        let refused = (refused > 0).then(|| {
            let many = plural(refused, "thread", "threads");
            format!("{many} could not be attached to, and what waits there reap is not seen")
        });
        refused.into_iter().chain(ran_free).collect()
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn now(&self) -> Moment {
        self.tracer.now()
    }

    fn latest(&self) -> Moment {
        self.tracer.latest()
    }

    fn batch(&self) -> usize {
        BATCH
    }
}

/// What is not known of attached processes that ran at full speed.
fn ran_free() -> String {
    let blind = RULES
        .iter()
        .filter(|rule| rule.needs.any_of(Needs::CHILDLESS));
    let mut names: Vec<&str> = blind.map(|rule| rule.name).chain([PARTLY_BLIND]).collect();
    names.sort_unstable();
    let last = names.pop().unwrap_or_default();
    format!(
        "calls of processes without children were not seen; {} and {last} of those are out of \
         reach (--every-call shows them)",
        names.join(", ")
    )
}

/// What the tracer must read for the lines that are wanted; for everything if
/// there are rules or if whole events are kept.
pub(crate) fn settings(text: &TextOptions, rules: bool, whole: bool) -> Settings {
    let annotated = whole || text.style == Style::Annotated;
    let everything = rules || whole;
    Settings {
        capture: Capture {
            siginfo: everything || text.signals.0 != 0,
            images: annotated || text.pids == Pids::Names || !text.only.is_empty(),
            peers: text.pids == Pids::Names,
            fds: FdNames::Number,
            namespaces: annotated || text.pids != Pids::Plain,
            restart_outcomes: annotated,
            kinship: annotated,
            usage: whole || text.verbose && annotated,
            stacks: text.stacks,
            rules: everything,
        },
        follow: text.follow,
        // Rules and whole events need them all, whichever are shown.
        wanted: if everything {
            WaitCalls::ALL
        } else {
            text.calls
        },
        polls: true,
        kill_on_exit: false,
        lets_leftovers_go: false,
        full_speed: true,
        stops_as_job: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_free_is_told_with_the_rules_that_need_it() {
        assert_eq!(
            ran_free(),
            "calls of processes without children were not seen; autoreap-echild by SA_NOCLDWAIT, \
             bad-wait-args, double-wait, echild-spin, handler-replaced, kill-after-reap, \
             not-my-child, pdeathsig-thread and raw-status-exit of those are out of reach \
             (--every-call shows them)"
        );
    }
}
