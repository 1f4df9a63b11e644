//! The flags of rules and their report: which findings there are, how bad they
//! are, and where the report goes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::sets::{nearest, parse_signals};
use crate::command::mode::ReportOptions;
use crate::input::{open_file_or_device, read_text};
use crate::kernel::Signal;
use crate::output::ReportForm;
use crate::rules::{Expected, FailOn, Policy, RULES, RuleId, Severity, Suppressions, Thresholds};
use crate::session::RuleOptions;

/// The heading of these flags in `--help`.
const HEADING: &str = "What is wrong";

/// Flags of rules and their report.
#[derive(Debug, Default, Args)]
pub(super) struct RuleFlags {
    /// Exit with 120 on: info, warning, error, a rule
    #[arg(long = "fail-on", value_name = "WHAT", help_heading = HEADING)]
    fail_on: Vec<String>,
    /// Do not report these rules
    #[arg(long, value_name = "RULE,…", hide_short_help = true, help_heading = HEADING)]
    allow: Vec<String>,
    /// Report these rules as warnings
    #[arg(long, value_name = "RULE,…", hide_short_help = true, help_heading = HEADING)]
    warn: Vec<String>,
    /// Report these rules as errors, and exit with 120
    #[arg(long, value_name = "RULE,…", hide_short_help = true, help_heading = HEADING)]
    deny: Vec<String>,
    /// Known findings, a line each: RULE PROGRAM
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = HEADING)]
    suppress: Vec<PathBuf>,
    /// Write a line for each finding to a file, to give to --suppress
    #[arg(long = "write-suppressions", value_name = "FILE", hide_short_help = true,
          help_heading = HEADING)]
    write_suppressions: Option<PathBuf>,
    #[command(flatten)]
    threshold: ThresholdFlag,
    /// Report processes that exit with another code
    #[arg(long = "expect-exit", value_name = "CODE,…", hide_short_help = true,
          help_heading = HEADING)]
    expect_exit: Vec<String>,
    /// Report processes that are killed by another signal; none: by any
    #[arg(long = "expect-signal", value_name = "SIGNAL,…", hide_short_help = true,
          help_heading = HEADING)]
    expect_signal: Vec<String>,
    /// The report's form
    #[arg(long, value_name = "FORM", default_value = "text", hide_short_help = true,
          help_heading = HEADING)]
    report: Form,
    /// Write the report to a file
    #[arg(long = "report-file", value_name = "FILE", hide_short_help = true,
          help_heading = HEADING)]
    report_file: Option<PathBuf>,
    /// Explain a rule, or list them all
    #[arg(long, value_name = "RULE", num_args = 0..=1, default_missing_value = "",
          help_heading = HEADING)]
    explain: Option<String>,
}

/// The flag of thresholds, which `--zombies` takes too.
#[derive(Debug, Default, Args)]
pub(super) struct ThresholdFlag {
    /// How long is too long: zombie, live, blocked, again, late or spin
    #[arg(long, value_name = "NAME=SECONDS", hide_short_help = true, help_heading = HEADING)]
    threshold: Vec<String>,
}

impl ThresholdFlag {
    /// The age of a zombie that is judged, where there are no other thresholds.
    pub(super) fn zombie_alone(&self) -> Result<Duration, String> {
        let mut others = self.threshold.iter().filter_map(|word| {
            let (name, _) = word.split_once('=')?;
            (name != "zombie").then_some(name)
        });
        let all = thresholds(&self.threshold)?;
        match others.next() {
            Some(other) => Err(format!(
                "--threshold {other} means nothing with --zombies, which takes zombie=SECONDS"
            )),
            None => Ok(Duration::from_nanos(all.zombie)),
        }
    }
}

/// The report's forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    #[default]
    Text,
    /// Annotations of GitHub Actions
    Github,
    /// A Code Quality report of GitLab
    Gitlab,
    /// A test suite in XML, as Jenkins and others read it
    Junit,
    /// No report
    None,
}

impl RuleFlags {
    /// The answer to `--explain`, if it was given.
    pub(super) fn explain(&self) -> Result<Option<String>, String> {
        Ok(match self.explain.as_deref() {
            None => None,
            Some("") => Some(list()),
            Some(name) => Some(rule(name)?.rule().page.to_owned()),
        })
    }

    /// The first flag that was given and means nothing without rules.
    pub(super) fn needs_rules(&self) -> Option<&'static str> {
        let given = [
            (!self.fail_on.is_empty(), "--fail-on"),
            (!self.deny.is_empty(), "--deny"),
            (!self.expect_exit.is_empty(), "--expect-exit"),
            (!self.expect_signal.is_empty(), "--expect-signal"),
            (self.report_file.is_some(), "--report-file"),
            (self.write_suppressions.is_some(), "--write-suppressions"),
        ];
        let first = given.into_iter().find(|(is_given, _)| *is_given)?;
        Some(first.1)
    }

    /// Whether there is to be no report.
    pub(super) fn is_silent(&self) -> bool {
        self.report == Form::None
    }

    /// The rules, and where their report goes.
    pub(super) fn resolve(&self, quiet: u8) -> Result<ReportOptions, String> {
        let policy = Policy {
            allow: rules(&self.allow, "--allow")?,
            warn: rules(&self.warn, "--warn")?,
            deny: rules(&self.deny, "--deny")?,
            suppress: self.suppressions()?,
            fail_on: self.fail_on()?,
        };
        let expected = Expected {
            codes: (!self.expect_exit.is_empty())
                .then(|| codes(&self.expect_exit))
                .transpose()?,
            signals: (!self.expect_signal.is_empty())
                .then(|| signals(&self.expect_signal))
                .transpose()?,
        };
        Ok(ReportOptions {
            rules: RuleOptions {
                thresholds: thresholds(&self.threshold.threshold)?,
                expected,
                policy,
            },
            suppressions: self.suppress.clone(),
            write_suppressions: self.write_suppressions.clone(),
            silent: self.is_silent(),
            form: match self.report {
                Form::Text | Form::None => ReportForm::Text,
                Form::Github => ReportForm::Github,
                Form::Gitlab => ReportForm::Gitlab,
                Form::Junit => ReportForm::Junit,
            },
            quiet: quiet > 0,
            file: self.report_file.clone(),
        })
    }

    fn fail_on(&self) -> Result<FailOn, String> {
        let mut fail_on = FailOn::default();
        for word in words(&self.fail_on) {
            match Severity::from_name(word) {
                Some(level) => {
                    let least = fail_on.level.map_or(level, |known| known.min(level));
                    fail_on.level = Some(least);
                }
                None => fail_on.rules.push(rule_or_level(word)?),
            }
        }
        Ok(fail_on)
    }

    fn suppressions(&self) -> Result<Suppressions, String> {
        let mut text = String::new();
        for path in &self.suppress {
            let file = open_file_or_device(path);
            let read = file
                .and_then(|file| read_text(file, MOST_SUPPRESSIONS, "list of known findings"))
                .map_err(|error| format!("cannot read {} (--suppress): {error}", path.display()))?;
            Suppressions::parse(&read).map_err(|wrong| {
                let likely = nearest_rule(&wrong.name);
                format!(
                    "{} (--suppress): {wrong}{likely}; a line is RULE PROGRAM",
                    path.display()
                )
            })?;
            text.push_str(&read);
            text.push('\n');
        }
        Suppressions::parse(&text).map_err(|wrong| wrong.to_string())
    }
}

/// The words of lists with commas.
fn words(lists: &[String]) -> impl Iterator<Item = &str> {
    let words = lists.iter().flat_map(|list| list.split(','));
    words.map(str::trim).filter(|word| !word.is_empty())
}

/// The names of all rules, in the table's order.
pub(super) fn rule_names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.name)
}

/// ` (do you mean RULE?)`
fn nearest_rule(name: &str) -> String {
    nearest(name, &rule_names().collect::<Vec<_>>())
}

fn rule(name: &str) -> Result<RuleId, String> {
    RuleId::from_name(name).ok_or_else(|| {
        let likely = nearest_rule(name);
        format!("there is no rule {name:?}{likely}; --explain lists all")
    })
}

/// A rule for `--fail-on`, which takes levels too.
fn rule_or_level(word: &str) -> Result<RuleId, String> {
    RuleId::from_name(word).ok_or_else(|| {
        let levels = LEVELS.iter().copied();
        let names: Vec<&str> = levels.chain(rule_names()).collect();
        let likely = nearest(word, &names);
        format!(
            "there is no level or rule {word:?} (--fail-on){likely}; levels are {}, and --explain \
             lists the rules",
            LEVELS.join(", ")
        )
    })
}

fn rules(lists: &[String], flag: &str) -> Result<Vec<RuleId>, String> {
    let rule = |word| rule(word).map_err(|sentence| format!("{flag}: {sentence}"));
    words(lists).map(rule).collect()
}

fn codes(lists: &[String]) -> Result<Vec<u8>, String> {
    let code = |word: &str| {
        word.parse()
            .map_err(|_| format!("{word:?} is no exit code (--expect-exit): codes are 0 to 255"))
    };
    let codes: Vec<u8> = words(lists).map(code).collect::<Result<_, String>>()?;
    if codes.is_empty() {
        return Err("--expect-exit wants codes, 0,1 for example".into());
    }
    Ok(codes)
}

fn signals(lists: &[String]) -> Result<Vec<Signal>, String> {
    let mut all = Vec::new();
    for word in words(lists) {
        let set = parse_signals(word)
            .map_err(|sentence| sentence.replace("-e signal=", "--expect-signal"))?;
        let members = (1..=64).map(Signal::from_raw);
        all.extend(members.filter(|signal| set.has(*signal)));
    }
    Ok(all)
}

fn thresholds(words: &[String]) -> Result<Thresholds, String> {
    let names = Thresholds::NAMES.map(|(name, _)| name);
    let mut thresholds = Thresholds::default();
    for word in words {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| format!("--threshold wants NAME=SECONDS, and this is {word:?}"))?;
        let time = seconds(value).map_err(|why| format!("--threshold {name}: {why}"))?;
        thresholds.set(name, time).ok_or_else(|| {
            format!(
                "there is no threshold {name:?}{}; there are {}",
                nearest(name, &names),
                names.join(", ")
            )
        })?;
    }
    Ok(thresholds)
}

/// Names of severities, the least first.
pub(super) const LEVELS: [&str; 3] = ["info", "warning", "error"];

/// MiB, more than any list of known findings has.
const MOST_SUPPRESSIONS: u64 = 16;

/// A year; a time that is longer is a slip.
const MOST: Duration = Duration::from_secs(366 * 86_400);

/// A time in seconds, with a fraction perhaps.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: give seconds, 0.5 for example");
    let number: f64 = text.parse().map_err(|_| wrong())?;
    let time = Duration::try_from_secs_f64(number).map_err(|_| wrong())?;
    if time > MOST { Err(wrong()) } else { Ok(time) }
}

/// Every rule in a line, for `--explain` alone.
fn list() -> String {
    let width = RULES.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
    let lines = RULES.iter().map(|rule| {
        format!(
            "{:<width$}  {:<7}  {}\n",
            rule.name,
            rule.severity.name(),
            rule.summary
        )
    });
    lines.collect()
}
