//! The report of an exploration, as text. Pure.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::baseline::NoBaseline;
use super::found::{Exploration, Problem};
use super::hang::{Hang, STOPPED, Sleeper};
use super::oracle::Symptom;
use super::schedule::{Point, Schedule};
use super::written::OutputDifference;
use crate::event::one_line;
use crate::kernel::phrases::{how_it_ended, plural};
use crate::ledger::Counts;
use crate::output::{Report, Styles, shell_word, warning};
use crate::program::{CommandLine, EnvChange};
use crate::rules::{Finding, Severity};

/// How many sleepers of a hang are listed.
const MOST_SLEEPERS: usize = 8;

/// Why a stall is one.
const STALLED: &str = "  = note: nothing went on any more for several times as long as the \
                       command usually takes, and it waits for its own processes alone\n";

/// What the report is made of.
pub(crate) struct ExplorationReport<'a> {
    pub(crate) exploration: &'a Exploration,
    /// The command, for the lines that replay a problem.
    pub(crate) command: &'a CommandLine,
    pub(crate) took: Duration,
    pub(crate) styles: Styles,
}

impl ExplorationReport<'_> {
    /// The whole text.
    pub(crate) fn text(&self) -> String {
        let mut to = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(to, "explore: {}", self.summary());
        for problem in &self.exploration.problems {
            to.push('\n');
            self.problem(&mut to, problem);
        }
        if let Some(why) = &self.exploration.no_baseline {
            no_baseline(&mut to, why);
        }
        if let Some(why) = &self.exploration.ended_by {
            let _ = writeln!(to, "explore: the search ended early: {why}");
        }
        self.scope(&mut to);
        to
    }

    /// `3 baseline runs, 134 schedules in 12.0 s; 2 problems`
    pub(crate) fn summary(&self) -> String {
        let Exploration {
            baselines,
            schedules,
            problems,
            no_baseline,
            ..
        } = self.exploration;
        let problems = match problems.len() {
            _ if no_baseline.is_some() => "nothing searched".to_owned(),
            0 if self.had_nothing_to_try() => "nothing to try".to_owned(),
            0 => "no problems".to_owned(),
            count => plural(count as u64, "problem", "problems"),
        };
        format!(
            "{}, {} in {:.1} s; {problems}",
            plural(u64::from(*baselines), "baseline run", "baseline runs"),
            plural(u64::from(*schedules), "schedule", "schedules"),
            self.took.as_secs_f64()
        )
    }

    /// Whether no run reached a point.
    fn had_nothing_to_try(&self) -> bool {
        let exploration = self.exploration;
        exploration.schedules == 0 && !exploration.is_cut && exploration.ended_by.is_none()
    }

    pub(super) fn problem(&self, to: &mut String, problem: &Problem) {
        let Some((first, more)) = problem.symptoms.split_first() else {
            return;
        };
        let Problem {
            schedule,
            shown,
            runs,
            without: (by_itself, baselines),
            ..
        } = problem;
        let style = match first.severity() {
            Severity::Error => self.styles.wrong,
            Severity::Warning => self.styles.warned,
            Severity::Info => self.styles.dim,
        };
        let head = style.style(headline(first));
        let _ = writeln!(
            to,
            "{head} under {schedule}, in {shown} of {runs} runs (without: {by_itself} of {baselines})"
        );
        self.symptom(to, first);
        for symptom in more {
            let _ = writeln!(to, "  also    {}", in_short(symptom));
        }
        for step in schedule.steps() {
            let _ = writeln!(to, "  = note: {}: {}", step, step.point.meaning());
        }
        if !matches!(first, Symptom::Finding(_)) {
            let points = schedule.steps().iter().map(|step| step.point);
            for point in points.filter(|point| *point != Point::Random) {
                let at_play = problem.at_play.of(point);
                let _ = writeln!(to, "  = help: {}", point.advice(at_play));
            }
        }
        let time = match first {
            // The trace of a stall does not end by itself.
            Symptom::Stall { after, .. } => Some(after.as_secs() + 1),
            _ => None,
        };
        let _ = writeln!(to, "  = replay: {}", self.replay_for(schedule, time));
    }

    /// The line that runs the command under a schedule.
    pub(crate) fn replay(&self, schedule: &Schedule) -> String {
        self.replay_for(schedule, None)
    }

    /// The same, for so many seconds at most.
    fn replay_for(&self, schedule: &Schedule, seconds: Option<u64>) -> String {
        let CommandLine { argv, env, user } = self.command;
        let mut line = format!("wait4-strace --schedule {schedule}");
        if let Some(seconds) = seconds {
            let _ = write!(line, " --duration {seconds}");
        }
        let mut push = |word: &OsStr| {
            line.push(' ');
            line.push_str(&shell_word(word.as_bytes()));
        };
        for change in env {
            push("-E".as_ref());
            match change {
                EnvChange::Set(name, value) => {
                    push(&[&**name, value].join("=".as_ref()));
                }
                EnvChange::Unset(name) => push(name),
            }
        }
        if let Some(user) = user {
            push("-u".as_ref());
            push(user.as_ref());
        }
        push("--".as_ref());
        for word in argv {
            push(word);
        }
        line
    }

    fn symptom(&self, to: &mut String, symptom: &Symptom) {
        match symptom {
            Symptom::Finding(finding) => self.finding(to, finding),
            Symptom::Hang(hang) => sleepers(to, hang),
            Symptom::Stall { sleepers: all, .. } => {
                sleepers(to, all);
                to.push_str(STALLED);
            }
            other => {
                let _ = writeln!(to, "  {}", in_short(other));
            }
        }
    }

    fn finding(&self, to: &mut String, finding: &Finding) {
        let report = Report {
            findings: std::slice::from_ref(finding),
            counts: Counts::default(),
            left: 0,
            unused: &[],
            unseen: &[],
            notes: &[],
            styles: self.styles.clone(),
            summary: false,
            root: String::new(),
        };
        let text = warning(finding);
        let sentence = text.split_once(": ").map_or(&*text, |(_, rest)| rest);
        let _ = write!(to, "  {sentence}\n{}", report.rest(finding));
    }

    /// The points that no run reached.
    pub(super) fn never_reached(&self) -> Vec<&'static str> {
        let points = Point::ALL.into_iter();
        let points = points.filter(|(point, _)| !point.is_fault() && *point != Point::Random);
        let never = points.filter(|(point, _)| !self.exploration.reached(*point));
        never.map(|(_, name)| name).collect()
    }

    /// What was tried, and what not.
    fn scope(&self, to: &mut String) {
        let exploration = self.exploration;
        if exploration.no_baseline.is_some() {
            return;
        }
        // What fails at once hardly reaches what was to be explored.
        if let Some(usual) = exploration.usual.filter(|usual| usual.raw() != 0) {
            let _ = writeln!(
                to,
                "explore: without a schedule the command {}",
                how_it_ended(usual)
            );
        }
        let never = self.never_reached();
        if !never.is_empty() {
            let _ = writeln!(to, "explore: never reached: {}", never.join(", "));
        }
        if !exploration.always.is_empty() {
            let _ = writeln!(
                to,
                "explore: wrong without a schedule too, so no race: {}; a trace of the command \
                 tells",
                exploration.always.join(", ")
            );
        }
        if !exploration.varying.is_empty() {
            let _ = writeln!(
                to,
                "explore: not always the same without a schedule: {}",
                exploration.varying.join(", ")
            );
        }
        for (schedule, symptom) in &exploration.unconfirmed {
            let _ = writeln!(
                to,
                "explore: seen under {schedule}, and not often enough again: {}",
                in_short(symptom)
            );
        }
        if let Some((first, more)) = exploration.late.split_first() {
            let and_more = match more.len() {
                0 => String::new(),
                count => format!(" (and {count} more)"),
            };
            let _ = writeln!(
                to,
                "explore: under {first}{and_more} it did not end in its time, which proves \
                 nothing; to look at it: {}",
                self.replay(first)
            );
        }
        if exploration.is_cut && exploration.ended_by.is_none() {
            let _ = writeln!(
                to,
                "explore: not all occurrences were tried (--budget, --explore=RUNS)"
            );
        }
        if exploration.problems.is_empty() && !self.had_nothing_to_try() {
            let _ = writeln!(
                to,
                "explore: this proves nothing about other schedules than the {} tried",
                exploration.schedules
            );
        }
    }
}

fn headline(symptom: &Symptom) -> String {
    format!("{}[{}]", symptom.severity().name(), symptom.name())
}

/// A symptom in a sentence.
pub(crate) fn in_short(symptom: &Symptom) -> String {
    match symptom {
        Symptom::Finding(finding) => warning(finding),
        Symptom::Hang(hang) => {
            let calls = hang
                .sleepers
                .iter()
                .map(|one| format!("{} in {}", one.comm, one.call));
            let calls: Vec<String> = calls.take(MOST_SLEEPERS).collect();
            format!("it hangs: {}", calls.join(", "))
        }
        Symptom::Stall { sleepers, .. } => {
            let calls: Vec<String> = sleepers
                .sleepers
                .iter()
                .map(|one| format!("{} in {}", one.comm, one.call))
                .take(MOST_SLEEPERS)
                .collect();
            format!("nothing goes on any more: {}", calls.join(", "))
        }
        Symptom::Crash(comm, signal) => format!("{comm} was killed by {signal}"),
        Symptom::Status { usual, now } => format!(
            "the command {}, and without the schedule {}",
            how_it_ended(*now),
            how_it_ended(*usual)
        ),
        Symptom::Output(difference) => output_differs(difference),
        Symptom::RunsOn(comm) => {
            format!("a child of {comm} went on as its parent where its exec failed")
        }
        Symptom::KillsAll(comm) => {
            format!("{comm} called kill(-1, …), which signals every process (it was not let)")
        }
    }
}

fn output_differs(difference: &OutputDifference) -> String {
    let OutputDifference {
        line,
        is_missing,
        usual,
        now,
    } = difference;
    match line {
        Some(line) => {
            let text = String::from_utf8_lossy(line);
            let does = if *is_missing {
                "does not write"
            } else {
                "writes"
            };
            format!("the command {does} {:?}", one_line(&text))
        }
        None if usual == now => {
            format!("the command writes other bytes to standard output, {now} of them as usual")
        }
        None => format!(
            "the command writes {now} bytes to standard output, and without the schedule {usual}"
        ),
    }
}

fn sleepers(to: &mut String, hang: &Hang) {
    let listed = hang.sleepers.iter().take(MOST_SLEEPERS);
    for Sleeper {
        tid,
        comm,
        call,
        first,
        may_be_woken,
        ..
    } in listed
    {
        let how_long = match may_be_woken {
            true => "until something outside wakes it",
            false => "for ever",
        };
        if *call == STOPPED {
            let _ = writeln!(to, "  {tid} {comm}  stopped, {how_long}");
            continue;
        }
        let argument = match (first, *call) {
            (Some(first), "wait4") => format!("{first}, …"),
            (Some(fd), _) => format!("{fd}, …"),
            (None, "pause") => String::new(),
            (None, _) => "…".to_owned(),
        };
        let _ = writeln!(to, "  {tid} {comm}  {call}({argument}), {how_long}");
    }
    if hang.sleepers.len() > MOST_SLEEPERS {
        let more = hang.sleepers.len() - MOST_SLEEPERS;
        let _ = writeln!(to, "  … and {more} more");
    }
}

fn no_baseline(to: &mut String, why: &NoBaseline) {
    let sentence = match why {
        NoBaseline::Hangs(_) => "without a schedule the command hangs, so nothing was compared:",
        NoBaseline::TimedOut => {
            "the command did not end in the time that there is (--budget): it must be able to end \
             by itself, many times"
        }
        NoBaseline::TooFew => {
            "the search ended before there was anything to compare (--budget, --explore=RUNS)"
        }
    };
    let _ = writeln!(to, "explore: {sentence}");
    if let NoBaseline::Hangs(hang) = why {
        sleepers(to, hang);
    }
}
