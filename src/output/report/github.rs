//! `--report github`: a workflow command for findings that are alike, which GitHub Actions turns
//! into annotations. It reads them from standard output and standard error.
//!
//! The whole of a finding goes into its message, as an annotation is all that
//! many people open. The other lines are no commands, and stay in the log.

use super::{Report, sentence};
use crate::rules::{Finding, Severity};

impl Report<'_> {
    /// The report as workflow commands; the last line is that of the text.
    #[must_use]
    pub fn github(&self) -> String {
        // Those at other places of the source are annotations of their own.
        let groups = self.groups_by(|finding| self.source(finding));
        let commands = groups.iter().filter_map(|same| {
            let (finding, more) = same.split_first()?;
            let command = command(finding.severity);
            let message = format!("{}\n{}", sentence(finding), self.with_more(finding, more));
            let place = self.source(finding).map(|(file, line)| {
                // Annotations with a place stand in the changes of a pull request.
                format!("file={},line={line},", property(&file))
            });
            Some(format!(
                "::{command} {}title={}::{}\n",
                place.unwrap_or_default(),
                property(&title(finding)),
                data(message.trim_end())
            ))
        });
        let mut to: String = commands.collect();
        self.end(&mut to);
        to
    }
}

/// One workflow command that is no finding's.
pub(crate) fn github_command(severity: Severity, title: &str, message: &str) -> String {
    let command = command(severity);
    let (title, message) = (property(title), data(message.trim_end()));
    format!("::{command} title={title}::{message}\n")
}

fn command(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    }
}

/// `stolen-child: python3`: equal in every run, as annotations are grouped by it.
fn title(finding: &Finding) -> String {
    format!("{}: {}", finding.rule.name(), finding.parent.comm())
}

/// A message, escaped as the runner unescapes it.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property, in which two more characters have a meaning.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finding, report};
    use super::*;
    use crate::rules::RuleId;

    #[test]
    fn a_finding_is_one_command_on_one_line() {
        let found = [finding(RuleId::StolenChild, "sh:1,2%")];
        let text = report(&found).github();
        let (command, rest) = text.split_once('\n').unwrap();
        assert!(
            command.starts_with("::error title=stolen-child%3A sh%3A1%2C2%25::sh:1,2%25[1] lost"),
            "{text}"
        );
        assert!(command.contains("%0A  parent  1 sh:1,2%25%0A"), "{text}");
        assert!(command.contains("%0A  = help: reap by pid"), "{text}");
        assert!(
            rest.starts_with("wait4-strace: 0 processes") && rest.ends_with("1 error\n"),
            "{text}"
        );
    }

    #[test]
    fn findings_that_are_alike_are_one_annotation() {
        let found = [
            finding(RuleId::ZombieLeak, "a"),
            finding(RuleId::ZombieLeak, "b"),
            finding(RuleId::ZombieLeak, "a"),
        ];
        let text = report(&found).github();
        let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
        assert_eq!(commands.len(), 2, "{text}");
        assert!(commands[0].contains("the same in 1 more: 1%0A"), "{text}");
    }

    #[test]
    fn severities_have_their_commands() {
        let found = [
            finding(RuleId::StolenChild, "a"),
            finding(RuleId::ZombieLeak, "b"),
            finding(RuleId::LateReap, "c"),
        ];
        let text = report(&found).github();
        let commands = text.lines().filter_map(|line| line.split_once(' '));
        let commands: Vec<&str> = commands.map(|(command, _)| command).collect();
        assert_eq!(
            commands,
            ["::error", "::warning", "::notice", "wait4-strace:"]
        );
    }

    #[test]
    fn a_clean_run_annotates_nothing() {
        assert_eq!(report(&[]).github(), report(&[]).text());
    }

    #[test]
    fn what_the_runner_would_take_for_syntax_is_escaped() {
        assert_eq!(data("100%\r\na:b,c"), "100%25%0D%0Aa:b,c");
        assert_eq!(property("100%\na:b,c"), "100%25%0Aa%3Ab%2Cc");
    }
}
