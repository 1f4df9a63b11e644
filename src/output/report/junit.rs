//! `--report junit`: a test suite with a case for each finding, which most CIs show.
//!
//! Errors and warnings are failures; infos are cases that pass, with their text. A run
//! without findings is one case that passes, as an empty suite is an error to some.

use std::fmt::Write;

use super::{Report, sentence};
use crate::rules::{Finding, Severity};

impl Report<'_> {
    /// The report as XML.
    #[must_use]
    pub fn junit(&self) -> String {
        let findings = self.sorted();
        let failures = findings
            .iter()
            .filter(|finding| is_failure(finding))
            .count();
        let mut to = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
        // Writing to a String cannot fail.
        let _ = writeln!(
            to,
            "<testsuite name=\"wait4-strace\" tests=\"{}\" failures=\"{failures}\" errors=\"0\">",
            findings.len().max(1)
        );
        if findings.is_empty() {
            to.push_str("<testcase classname=\"wait4-strace\" name=\"no findings\"/>\n");
        }
        for finding in findings {
            self.case(&mut to, finding);
        }
        let _ = writeln!(to, "<system-out>{}</system-out>", escaped(&self.summary()));
        to.push_str("</testsuite>\n</testsuites>\n");
        to
    }

    fn case(&self, to: &mut String, finding: &Finding) {
        // Equal in every run, as CIs compare by it.
        let (rule, program) = (finding.rule.name(), finding.parent.comm().to_string());
        let place = self.source(finding).map(|(file, line)| {
            let file = escaped(&file);
            format!(" file=\"{file}\" line=\"{line}\"")
        });
        let _ = writeln!(
            to,
            "<testcase classname=\"wait4-strace.{rule}\" name=\"{}\"{}>",
            escaped(&program),
            place.unwrap_or_default()
        );
        let text = escaped(&format!("{}\n{}", sentence(finding), self.rest(finding)));
        if is_failure(finding) {
            let kind = finding.severity.name();
            let message = escaped(&sentence(finding));
            let _ = writeln!(
                to,
                "<failure type=\"{kind}\" message=\"{message}\">{text}</failure>"
            );
        } else {
            let _ = writeln!(to, "<system-out>{text}</system-out>");
        }
        to.push_str("</testcase>\n");
    }
}

fn is_failure(finding: &Finding) -> bool {
    finding.severity >= Severity::Warning
}

/// Text as XML 1.0 has it, which has no control characters but these.
fn escaped(text: &str) -> String {
    let mut to = String::new();
    for c in text.chars() {
        match c {
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '&' => to.push_str("&amp;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&apos;"),
            '\n' | '\t' => to.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => to.push('\u{fffd}'),
            c => to.push(c),
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finding, report};
    use super::*;
    use crate::rules::RuleId;

    #[test]
    fn a_warning_is_a_failure_and_an_info_is_none() {
        let findings = [
            finding(RuleId::ZombieLeak, "a<b"),
            finding(RuleId::LateReap, "slow"),
        ];
        let text = report(&findings).junit();
        assert!(text.contains("tests=\"2\" failures=\"1\""), "{text}");
        assert!(
            text.contains("classname=\"wait4-strace.zombie-leak\" name=\"a&lt;b\""),
            "{text}"
        );
        assert_eq!(
            text.matches("<failure type=\"warning\"").count(),
            1,
            "{text}"
        );
        assert!(text.contains("<system-out>slow"), "{text}");
    }

    #[test]
    fn a_clean_run_is_a_case_that_passes() {
        let text = report(&[]).junit();
        assert!(text.contains("tests=\"1\" failures=\"0\""), "{text}");
        assert!(text.contains("name=\"no findings\"/>"), "{text}");
    }

    #[test]
    fn no_text_breaks_the_document() {
        assert_eq!(
            escaped("<&>\"'\u{1b}\n"),
            "&lt;&amp;&gt;&quot;&apos;\u{fffd}\n"
        );
    }
}
