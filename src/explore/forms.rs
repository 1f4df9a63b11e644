//! The report of an exploration for programs: of CIs, and as JSON lines. Pure.

use serde::Serialize;

use super::found::Problem;
use super::report::{ExplorationReport, in_short};
use super::schedule::Schedule;
use crate::event::harmless_json;
use crate::kernel::WaitStatus;
use crate::output::{
    GitlabEntry, JunitCase, ReportForm, github_command, gitlab_array, junit_suite,
};
use crate::rules::Severity;

impl ExplorationReport<'_> {
    /// The report in one of its forms.
    pub(crate) fn formed(&self, form: ReportForm) -> String {
        match form {
            ReportForm::Github => self.github(),
            ReportForm::Gitlab => self.gitlab(),
            ReportForm::Junit => self.junit(),
            ReportForm::Text => self.text(),
        }
    }

    /// Workflow commands of GitHub Actions; the last line is that of the text.
    fn github(&self) -> String {
        let problems = self.exploration.problems.iter();
        let commands: String = problems
            .map(|problem| {
                let mut message = String::new();
                self.problem(&mut message, problem);
                github_command(severity(problem), &problem.to_string(), &message)
            })
            .collect();
        format!("{commands}explore: {}\n", self.summary())
    }

    /// A Code Quality report of GitLab.
    fn gitlab(&self) -> String {
        let command = self.command.argv.first();
        let command = command.map(|word| word.to_string_lossy());
        let command = command.unwrap_or_default();
        let path = command.strip_prefix("./").unwrap_or(&command);
        let problems = self.exploration.problems.iter();
        let keyed: Vec<(String, &Problem)> = problems
            .map(|problem| (format!("{problem}\n{path}"), problem))
            .collect();
        gitlab_array(keyed.iter().map(|(key, problem)| GitlabEntry {
            severity: severity(problem),
            check_name: name(problem),
            description: format!("{problem}. Replay: {}", self.replay(&problem.schedule)),
            path: path.to_owned(),
            key,
        }))
    }

    /// A suite of `JUnit`'s, with a case for each problem.
    fn junit(&self) -> String {
        let problems = self.exploration.problems.iter();
        let cases: Vec<JunitCase> = problems
            .map(|problem| {
                let mut text = String::new();
                self.problem(&mut text, problem);
                JunitCase {
                    class: name(problem),
                    name: problem.to_string(),
                    place: None,
                    severity: severity(problem),
                    message: problem.to_string(),
                    text,
                }
            })
            .collect();
        junit_suite(&cases, &format!("explore: {}", self.summary()))
    }

    /// JSON lines: an object for each problem, and a last one with what was tried.
    pub(crate) fn json(&self) -> String {
        let mut to = String::new();
        for problem in &self.exploration.problems {
            let symptoms = problem.symptoms.iter().map(|symptom| SymptomLine {
                name: symptom.name(),
                severity: symptom.severity().name(),
                message: in_short(symptom),
            });
            push(
                &mut to,
                &Line::Problem {
                    schedule: problem.schedule.to_string(),
                    shown: problem.shown,
                    runs: problem.runs,
                    without: problem.without,
                    symptoms: symptoms.collect(),
                    replay: self.replay(&problem.schedule),
                },
            );
        }
        let exploration = self.exploration;
        push(
            &mut to,
            &Line::Explored {
                baselines: exploration.baselines,
                schedules: exploration.schedules,
                runs: exploration.runs,
                seconds: self.took.as_secs_f64(),
                problems: exploration.problems.len(),
                has_baseline: exploration.no_baseline.is_none(),
                is_cut: exploration.is_cut,
                ended_by: exploration.ended_by.clone(),
                usual_status: exploration.usual.map(WaitStatus::raw),
                always: exploration.always.clone(),
                varying: exploration.varying.clone(),
                never_reached: self.never_reached(),
                late: exploration.late.iter().map(Schedule::to_string).collect(),
            },
        );
        to
    }
}

/// A line of `--explore --format json`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Line {
    Problem {
        schedule: String,
        shown: u32,
        runs: u32,
        without: (u32, u32),
        symptoms: Vec<SymptomLine>,
        replay: String,
    },
    Explored {
        baselines: u32,
        schedules: u32,
        runs: u32,
        seconds: f64,
        problems: usize,
        has_baseline: bool,
        is_cut: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        ended_by: Option<String>,
        /// As a wait gives it.
        #[serde(skip_serializing_if = "Option::is_none")]
        usual_status: Option<i32>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        always: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        varying: Vec<&'static str>,
        never_reached: Vec<&'static str>,
        late: Vec<String>,
    },
}

#[derive(Serialize)]
struct SymptomLine {
    name: &'static str,
    severity: &'static str,
    message: String,
}

fn push(to: &mut String, line: &Line) {
    // Strings and numbers are all it holds: JSON has them all.
    let text = serde_json::to_string(line).unwrap_or_default();
    to.push_str(&harmless_json(&text));
    to.push('\n');
}

fn severity(problem: &Problem) -> Severity {
    let first = problem.symptoms.first();
    first.map_or(Severity::Error, super::oracle::Symptom::severity)
}

fn name(problem: &Problem) -> &'static str {
    problem
        .symptoms
        .first()
        .map_or("", super::oracle::Symptom::name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::baseline::NoBaseline;
    use super::super::found::Exploration;
    use super::super::oracle::Symptom;
    use super::super::schedule::Point;
    use super::*;
    use crate::event::Comm;
    use crate::kernel::Signal;
    use crate::output::Styles;
    use crate::program::{CommandLine, EnvChange};

    fn exploration() -> Exploration {
        Exploration {
            problems: vec![Problem {
                schedule: Schedule::of(Point::Before, Some(2)),
                symptoms: vec![Symptom::Crash(Comm::new(b"a,b"), Signal::SEGV)],
                at_play: super::super::scheduler::Circumstances::default(),
                shown: 2,
                runs: 3,
                without: (0, 3),
            }],
            baselines: 3,
            schedules: 9,
            ..Exploration::default()
        }
    }

    fn command() -> CommandLine {
        CommandLine {
            argv: vec!["./a".into(), "it's".into()],
            ..CommandLine::default()
        }
    }

    fn report<'a>(exploration: &'a Exploration, command: &'a CommandLine) -> ExplorationReport<'a> {
        ExplorationReport {
            exploration,
            command,
            took: Duration::from_millis(1500),
            styles: Styles::plain(),
        }
    }

    #[test]
    fn the_text_says_what_is_wrong_under_which_schedule_and_how_to_see_it() {
        let text = report(&exploration(), &command()).text();
        let expected = "\
explore: 3 baseline runs, 9 schedules in 1.5 s; 1 problem

error[crash] under before@2, in 2 of 3 runs (without: 0 of 3)
  a,b was killed by SIGSEGV
  = note: before@2: a signal comes after the last check and before the call that sleeps
";
        assert!(text.starts_with(expected), "{text}");
        let replay = r"  = replay: wait4-strace --schedule before@2 -- ./a 'it'\''s'";
        assert!(text.contains(replay), "{text}");
        let none = Exploration {
            baselines: 3,
            schedules: 9,
            ..Exploration::default()
        };
        let text = report(&none, &command()).text();
        assert!(text.contains("; no problems"), "{text}");
        assert!(text.contains("proves nothing"), "{text}");
    }

    #[test]
    fn a_command_that_fails_at_once_gives_nothing_to_try() {
        let none = Exploration {
            baselines: 3,
            usual: Some(WaitStatus::from_raw(2 << 8)),
            ..Exploration::default()
        };
        let command = command();
        let report = report(&none, &command);
        let text = report.text();
        let summary = "explore: 3 baseline runs, 0 schedules in 1.5 s; nothing to try\n";
        assert!(text.starts_with(summary), "{text}");
        assert!(
            text.contains("\nexplore: without a schedule the command exited with 2\n"),
            "{text}"
        );
        assert!(!text.contains("proves nothing"), "{text}");
        assert!(report.json().contains("\"usual_status\":512"));
    }

    #[test]
    fn a_replay_runs_in_the_same_environment_and_as_the_same_user() {
        let command = CommandLine {
            env: vec![
                EnvChange::Set("A".into(), "b c".into()),
                EnvChange::Unset("HOME".into()),
            ],
            user: Some("nobody".to_owned()),
            ..command()
        };
        let text = report(&exploration(), &command).text();
        let replay = r"--schedule before@2 -E 'A=b c' -E HOME -u nobody -- ./a 'it'\''s'";
        assert!(text.contains(replay), "{text}");
    }

    #[test]
    fn a_schedule_under_which_the_command_did_not_end_is_named() {
        let late = Exploration {
            late: vec![
                "child-first@9".parse().unwrap(),
                "before@1".parse().unwrap(),
            ],
            ..Exploration::default()
        };
        let command = command();
        let report = report(&late, &command);
        let expected = "explore: under child-first@9 (and 1 more) it did not end in its time, \
                        which proves nothing; to look at it: \
                        wait4-strace --schedule child-first@9 -- ./a 'it'\\''s'\n";
        assert!(report.text().contains(expected), "{}", report.text());
        assert!(
            report
                .json()
                .contains(r#""late":["child-first@9","before@1"]"#)
        );
    }

    #[test]
    fn a_search_that_tried_nothing_found_nothing() {
        let none = Exploration {
            no_baseline: Some(NoBaseline::TooFew),
            ..Exploration::default()
        };
        let command = command();
        let report = report(&none, &command);
        let text = report.text();
        assert!(text.contains("; nothing searched"), "{text}");
        assert!(!text.contains("proves nothing"), "{text}");
        assert!(report.json().contains("\"has_baseline\":false"));
    }

    #[test]
    fn the_forms_for_programs_hold_each_problem() {
        let exploration = exploration();
        let command = command();
        let report = report(&exploration, &command);
        let github = report.formed(ReportForm::Github);
        let command = "::error title=crash of a%2Cb by SIGSEGV under before@2::error[crash] under";
        assert!(github.starts_with(command), "{github}");
        assert_eq!(github.lines().count(), 2, "{github}");
        let gitlab: serde_json::Value =
            serde_json::from_str(&report.formed(ReportForm::Gitlab)).unwrap();
        assert_eq!(gitlab[0]["check_name"], "crash");
        assert_eq!(gitlab[0]["severity"], "critical");
        assert_eq!(gitlab[0]["location"]["path"], "a");
        let junit = report.formed(ReportForm::Junit);
        assert!(junit.contains("tests=\"1\" failures=\"1\""), "{junit}");
        assert!(
            junit.contains("classname=\"wait4-strace.crash\""),
            "{junit}"
        );
        let json = report.json();
        let lines = json.lines().map(|line| serde_json::from_str(line).unwrap());
        let lines: Vec<serde_json::Value> = lines.collect();
        assert_eq!(lines[0]["type"], "problem");
        assert_eq!(lines[0]["schedule"], "before@2");
        assert_eq!(lines[0]["symptoms"][0]["name"], "crash");
        assert_eq!(
            (&lines[1]["type"], &lines[1]["schedules"]),
            (&"explored".into(), &9.into())
        );
    }
}
