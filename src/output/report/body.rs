//! The lines of a finding below its first: who, the chain of evidence, and what to do.

use std::fmt::{self, Write};

use super::wording::labels;
use super::words::{ChildLine, Command, Did, When, is_timed};
use super::{Report, advice};
use crate::output::frames::own_places;
use crate::rules::{AffectedChild, Evidence, Finding, suppression};

/// How many processes with the same finding are named.
const MOST_SAME: usize = 16;

impl Report<'_> {
    /// The lines of a finding below its first.
    pub(crate) fn rest(&self, finding: &Finding) -> String {
        self.with_more(finding, &[])
    }

    /// The same, with other findings that are the same.
    pub(super) fn with_more(&self, finding: &Finding, more: &[&Finding]) -> String {
        let mut to = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_rest(&mut to, finding, more);
        to
    }

    fn write_rest(&self, to: &mut String, finding: &Finding, more: &[&Finding]) -> fmt::Result {
        let dim = self.styles.dim;
        let (above, below) = labels(finding);
        writeln!(to, "  {above:<8}{}", Command(&finding.parent))?;
        for child in &finding.children {
            writeln!(to, "  {below:<8}{}", ChildLine(child))?;
            creation(to, child)?;
        }
        let listed = finding.children.len() as u64;
        if finding.count > listed {
            writeln!(to, "  {below:<8}… and {} more", finding.count - listed)?;
        }
        self.evidence(to, &finding.evidence)?;
        if !more.is_empty() {
            let pids: Vec<String> = more
                .iter()
                .take(MOST_SAME)
                .map(|finding| finding.parent.tgid.to_string())
                .collect();
            let cut = if more.len() > MOST_SAME { " …" } else { "" };
            writeln!(
                to,
                "  = the same in {} more: {}{cut}",
                more.len(),
                pids.join(" ")
            )?;
        }
        writeln!(to, "  = help: {}", advice(finding))?;
        let explain = format!(
            "= note: more: wait4-strace --explain {}",
            finding.rule.name()
        );
        writeln!(to, "  {}", dim.style(explain))?;
        let line = suppression(finding);
        let accept = format!("= note: to accept it: --suppress FILE with the line \"{line}\"");
        writeln!(to, "  {}", dim.style(accept))
    }

    /// The chain of evidence, in columns.
    fn evidence(&self, to: &mut String, lines: &[Evidence]) -> fmt::Result {
        let has_times = lines.iter().any(|line| is_timed(line.when));
        let rows = lines.iter().map(|line| {
            let at = has_times.then(|| format!("{}  ", When(line.when)));
            let at = at.unwrap_or_default();
            let who = if line.tid == line.tgid.leader() {
                line.tgid.to_string()
            } else {
                format!("{}/{}", line.tgid, line.tid)
            };
            let did = Did(&line.action).to_string();
            [at, who, line.comm.to_string(), did]
        });
        let rows: Vec<[String; 4]> = rows.collect();
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let (when, who, comm, did) = (width(0), width(1), width(2), width(3));
        for ([at, id, name, action], line) in rows.iter().zip(lines) {
            let remark = line.remark;
            let did = if remark.is_empty() { 0 } else { did };
            let gap = if remark.is_empty() { "" } else { "  " };
            write!(
                to,
                "  |  {at:>when$}{id:<who$}  {name:<comm$}  {action:<did$}{gap}"
            )?;
            writeln!(to, "{}", self.styles.dim.style(remark))?;
            let indent = when + 5;
            for place in line.stack().iter().flat_map(|stack| own_places(stack)) {
                writeln!(to, "  |{:indent$}> {place}", "")?;
            }
        }
        Ok(())
    }
}

/// Where a child was created.
fn creation(to: &mut String, child: &AffectedChild) -> fmt::Result {
    let places = child.created_at.as_deref().map(own_places);
    let mut label = "created";
    for place in places.unwrap_or_default() {
        writeln!(to, "  {label:<8}> {place}")?;
        label = "";
    }
    Ok(())
}

/// The chain of evidence, a line each, with the places in the code.
pub(in crate::output) fn evidence_lines(finding: &Finding) -> Vec<String> {
    let mut lines = Vec::new();
    let has_times = finding.evidence.iter().any(|line| is_timed(line.when));
    for line in &finding.evidence {
        let at = has_times.then(|| format!("{}  ", When(line.when)));
        let at = at.unwrap_or_default();
        let (who, did) = (line.tid, Did(&line.action));
        lines.push(format!("{at}{who} {}  {did}  {}", line.comm, line.remark));
        let places = line.stack().map(own_places).unwrap_or_default();
        lines.extend(places.iter().map(|place| format!("  > {place}")));
    }
    lines
}
