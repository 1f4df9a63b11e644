//! `--report junit`: a test suite with a case for each finding, which most CIs show.
//!
//! Errors and warnings are failures; infos are cases that pass, with their text. A run
//! without findings is one case that passes, as an empty suite is an error to some.

use std::fmt::Write;

use super::{Report, sentence};
use crate::rules::{Finding, Severity};

/// A case of a suite.
pub(crate) struct JunitCase {
    /// The rule, or the kind of the problem.
    pub(crate) class: &'static str,
    /// Equal in every run, as CIs compare by it.
    pub(crate) name: String,
    /// The file and line that are at fault, if known.
    pub(crate) place: Option<(String, u32)>,
    pub(crate) severity: Severity,
    /// What is wrong, in a sentence.
    pub(crate) message: String,
    /// All that is known.
    pub(crate) text: String,
}

/// A suite of these cases; `output` is its last lines.
pub(crate) fn junit_suite(cases: &[JunitCase], output: &str) -> String {
    let failures = cases.iter().filter(|case| case.is_failure()).count();
    let mut to = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        to,
        "<testsuite name=\"wait4-strace\" tests=\"{}\" failures=\"{failures}\" errors=\"0\">",
        cases.len().max(1)
    );
    if cases.is_empty() {
        to.push_str("<testcase classname=\"wait4-strace\" name=\"no findings\"/>\n");
    }
    for case in cases {
        case.write(&mut to);
    }
    let _ = writeln!(to, "<system-out>{}</system-out>", escaped(output));
    to.push_str("</testsuite>\n</testsuites>\n");
    to
}

impl JunitCase {
    fn is_failure(&self) -> bool {
        self.severity >= Severity::Warning
    }

    fn write(&self, to: &mut String) {
        let place = self.place.as_ref().map(|(file, line)| {
            let file = escaped(file);
            format!(" file=\"{file}\" line=\"{line}\"")
        });
        let _ = writeln!(
            to,
            "<testcase classname=\"wait4-strace.{}\" name=\"{}\"{}>",
            self.class,
            escaped(&self.name),
            place.unwrap_or_default()
        );
        let text = escaped(&self.text);
        if self.is_failure() {
            let kind = self.severity.name();
            let message = escaped(&self.message);
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

impl Report<'_> {
    /// The report as XML.
    #[must_use]
    pub fn junit(&self) -> String {
        let cases = self.sorted().into_iter().map(|finding| self.case(finding));
        let mut output = String::new();
        self.end(&mut output);
        junit_suite(&cases.collect::<Vec<_>>(), output.trim_end())
    }

    fn case(&self, finding: &Finding) -> JunitCase {
        JunitCase {
            class: finding.rule.name(),
            name: finding.parent.comm().to_string(),
            place: self.source(finding),
            severity: finding.severity,
            message: sentence(finding),
            text: format!("{}\n{}", sentence(finding), self.rest(finding)),
        }
    }
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
