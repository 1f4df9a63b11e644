//! The model as a still picture.

use std::fmt::{self, Write};

use super::crowd::Area;
use super::html::text;
use super::model::{Lane, Model};
use super::selection::{Row, select};
use crate::output::lanes::LaneId;
use crate::output::span::Span;

/// How many rows there are, and as many again for findings.
const MOST_ROWS: usize = 100;
/// Sizes, in the picture's units.
const WIDTH: f64 = 1200.0;
const NAMES: f64 = 240.0;
const RIGHT: f64 = 30.0;
const ROW: f64 = 22.0;
const HEAD: f64 = 84.0;
const LINE: f64 = 20.0;
/// What a row has more where lanes are folded under it.
const CROWD: f64 = 14.0;
/// A way between rows that are further apart is shown by its ends.
const FAR: f64 = 6.0 * ROW;
/// Characters on a line of text.
const MOST_CHARS: usize = 170;

const STYLE: &str = "\
svg{font:12px system-ui,sans-serif;background:#fff;color:#1c2733}
.n{fill:#1c2733}.d{fill:#5f6c78}.g{stroke:#e3e8ec}
.life{fill:#b9d3e6}.stop{fill:#d8c9f0}.dead{fill:#c4bcb3}.zombie{fill:#d8402f}.wait{fill:#3d7aa8}
.poll{fill:#d99a1c}.reap{stroke:#2f8a57;fill:none}.sig{fill:#7a55b0}.exec{fill:#1c2733}
.move{stroke:#b3762a;fill:none;stroke-dasharray:3 2}.error{fill:#d8402f}.warning{fill:#a3661c}
.info{fill:#5f6c78}.crowd{fill:#8fb4d0}
@media(prefers-color-scheme:dark){svg{background:#14191f}.n,.exec{fill:#e3e9ee}
.d,.info{fill:#93a1ad}.g{stroke:#2a333c}.life{fill:#33536b}.wait{fill:#7fb6dd}.stop{fill:#574180}
.dead{fill:#5c554e}.crowd{fill:#4d7897}.reap{stroke:#58bd85}.warning{fill:#d9a05a}}";

/// The legend: a class, and what it means.
const LEGEND: [(&str, &str); 11] = [
    ("life", "alive"),
    ("dead", "dead, reaped soon"),
    ("zombie", "zombie: long, or in a finding"),
    ("wait", "in a wait"),
    ("poll", "polling"),
    ("stop", "stopped"),
    ("exec", "exec"),
    ("sig", "signal"),
    ("reap", "reaped by"),
    ("move", "adopted by"),
    ("crowd", "alive, folded"),
];

/// The picture.
pub(super) fn picture(model: &Model) -> String {
    let mut to = String::new();
    // Writing to a String cannot fail.
    let _ = Drawing::new(model).draw(&mut to);
    to
}

struct Drawing<'a> {
    model: &'a Model,
    rows: Vec<Row>,
    /// The top of each lane's row, if it has one.
    tops: Vec<Option<f64>>,
    /// Where the rows end.
    bottom: f64,
    /// How many lanes are in no row.
    rest: usize,
    /// Nanoseconds that the picture shows.
    span: f64,
}

impl<'a> Drawing<'a> {
    fn new(model: &'a Model) -> Drawing<'a> {
        let (rows, rest) = select(model, MOST_ROWS);
        let mut tops = vec![None; model.lanes.len()];
        let mut bottom = HEAD;
        for row in &rows {
            if let Some(top) = tops.get_mut(row.lane) {
                *top = Some(bottom);
            }
            bottom += ROW + if row.folded.is_empty() { 0.0 } else { CROWD };
        }
        Drawing {
            model,
            rows,
            tops,
            bottom,
            rest,
            span: number(model.end.max(1)),
        }
    }

    fn draw(&self, to: &mut String) -> fmt::Result {
        let foot = self.foot();
        let height = self.bottom + LINE * number(foot.len() as u64 + 1);
        let title = text(&self.model.title);
        // The size that it has unless another is given: a row is to be read.
        writeln!(
            to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>",
        )?;
        writeln!(
            to,
            "<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"none\"/>\
             <text class=\"n\" x=\"12\" y=\"24\" font-size=\"15\">{}</text>",
            text(&shortened(&self.model.title, 130))
        )?;
        self.legend(to)?;
        self.axis(to)?;
        for row in &self.rows {
            if let Some(lane) = self.model.lanes.get(row.lane) {
                self.lane(to, row, lane)?;
            }
        }
        for row in &self.rows {
            if let Some(lane) = self.model.lanes.get(row.lane) {
                self.ways(to, row.lane, lane)?;
            }
        }
        let mut at = self.bottom + LINE;
        for (class, line) in &foot {
            writeln!(
                to,
                "<text class=\"{class}\" x=\"12\" y=\"{at}\">{}</text>",
                text(line)
            )?;
            at += LINE;
        }
        to.write_str("</svg>\n")
    }

    /// The lines below the rows, each with its class: what is left out, and findings.
    fn foot(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        if self.rest > 0 {
            lines.push(("d", format!("… {} more processes", self.rest)));
        }
        for finding in &self.model.findings {
            let head = format!("{}[{}]: ", finding.severity, finding.rule);
            let sentence = broken(&(head + &finding.sentence));
            lines.extend(sentence.into_iter().map(|line| (finding.severity, line)));
        }
        lines
    }

    fn legend(&self, to: &mut String) -> fmt::Result {
        let has_folded = self.rows.iter().any(|row| !row.folded.is_empty());
        let mut at = 12.0;
        for (class, meaning) in LEGEND {
            if class == "crowd" && !has_folded {
                continue;
            }
            let sign = match class {
                "wait" | "poll" => format!(
                    "<rect class=\"{class}\" x=\"{at:.0}\" y=\"40\" width=\"14\" height=\"4\"/>"
                ),
                "exec" => format!("<path class=\"exec\" d=\"M{:.0} 46l3 -5h-6z\"/>", at + 7.0),
                "sig" => format!(
                    "<circle class=\"sig\" cx=\"{:.0}\" cy=\"42\" r=\"2\"/>",
                    at + 7.0
                ),
                "reap" | "move" => format!("<path class=\"{class}\" d=\"M{at:.0} 42h14\"/>"),
                _ => format!(
                    "<rect class=\"{class}\" x=\"{at:.0}\" y=\"37\" width=\"14\" height=\"10\"/>"
                ),
            };
            writeln!(
                to,
                "{sign}<text class=\"d\" x=\"{:.0}\" y=\"46\">{meaning}</text>",
                at + 19.0
            )?;
            // What most letters need at this size.
            at += 36.0 + 6.6 * number(meaning.len() as u64);
        }
        Ok(())
    }

    fn axis(&self, to: &mut String) -> fmt::Result {
        for step in 0..=8_u32 {
            let part = f64::from(step) / 8.0;
            let at = NAMES + part * (WIDTH - NAMES - RIGHT);
            let time = Span(nanos(part * self.span));
            writeln!(
                to,
                "<line class=\"g\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{HEAD}\" y2=\"{}\"/>\
                 <text class=\"d\" x=\"{at:.1}\" y=\"72\" text-anchor=\"middle\">{time}</text>",
                self.bottom
            )?;
        }
        Ok(())
    }

    fn lane(&self, to: &mut String, row: &Row, lane: &Lane) -> fmt::Result {
        let Some(top) = self.top(row.lane) else {
            return Ok(());
        };
        let indent = 12.0 + 12.0 * number(lane.depth.min(10) as u64);
        writeln!(
            to,
            "<text class=\"n\" x=\"{indent}\" y=\"{:.1}\">{} <tspan class=\"d\">{}</tspan></text>",
            top + 15.0,
            text(&shortened(lane.name(), 22)),
            lane.pid
        )?;
        let ended = lane.ended.unwrap_or(self.model.end);
        self.bar(to, "life", lane.born, ended, top + 4.0, 14.0, &lives(lane))?;
        for (from, until) in &lane.stops {
            self.bar(to, "stop", *from, *until, top + 4.0, 14.0, "stopped")?;
        }
        let until = lane.reaped.as_ref().map_or(self.model.end, |reap| reap.at);
        if lane.ended.is_some() && until > ended {
            let status = lane.status.as_deref().unwrap_or_default();
            let note = format!("a zombie for {}: {status}", Span(until - ended));
            let class = if lane.late { "zombie" } else { "dead" };
            self.bar(to, class, ended, until, top + 4.0, 14.0, &note)?;
        }
        let mut drawn = 0.0;
        for wait in &lane.waits {
            // Many marks at one place are one.
            if self.x(wait.to) < drawn {
                continue;
            }
            drawn = self.x(wait.to) + 0.5;
            let class = if wait.polls > 0 { "poll" } else { "wait" };
            let note = format!("{} = {}", wait.call, wait.result);
            self.bar(to, class, wait.from, wait.to, top + 9.0, 4.0, &note)?;
        }
        for (at, name) in lane.names.iter().skip(1) {
            let x = self.x(*at);
            let note = text(&format!("executes {name}"));
            writeln!(
                to,
                "<path class=\"exec\" d=\"M{x:.1} {:.1}l3 -4h-6z\"><title>{note}</title></path>",
                top + 6.0
            )?;
        }
        let mut drawn = 0.0;
        for (at, signal) in &lane.signals {
            if self.x(*at) < drawn {
                continue;
            }
            drawn = self.x(*at) + 2.0;
            writeln!(
                to,
                "<circle class=\"sig\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2\"><title>{signal}</title>\
                 </circle>",
                self.x(*at),
                top + 20.0
            )?;
        }
        if row.folded.is_empty() {
            return Ok(());
        }
        writeln!(
            to,
            "<text class=\"d\" x=\"{indent}\" y=\"{:.1}\" font-size=\"11\">{} below</text>",
            top + ROW + 8.0,
            row.folded.len()
        )?;
        self.crowd(to, &row.folded, top + ROW)
    }

    /// How many of the lanes that are folded are alive, over time; those that stand out
    /// as zombies in their colour.
    fn crowd(&self, to: &mut String, folded: &[LaneId], top: f64) -> fmt::Result {
        let end = self.model.end;
        let lanes = || folded.iter().filter_map(|id| self.model.lanes.get(*id));
        let alive = lanes().map(|lane| (lane.born, lane.ended.unwrap_or(end)));
        let late = lanes().filter(|lane| lane.late);
        let late = late.filter_map(|lane| {
            let reaped = lane.reaped.as_ref().map_or(end, |reap| reap.at);
            Some((lane.ended?, reaped))
        });
        let place = Area {
            left: NAMES,
            right: WIDTH - RIGHT,
            base: top + CROWD - 3.0,
            high: CROWD - 4.0,
            span: self.span,
        };
        place.draw(to, "crowd", alive)?;
        place.draw(to, "zombie", late)
    }

    /// From its end to its reaper, and from parent to parent.
    fn ways(&self, to: &mut String, id: LaneId, lane: &Lane) -> fmt::Result {
        if let Some(reap) = &lane.reaped
            && let Some(by) = reap.by
        {
            self.way(to, "reap", reap.at, id, by)?;
        }
        for (at, parent, _) in &lane.moves {
            if let Some(parent) = parent {
                self.way(to, "move", *at, id, *parent)?;
            }
        }
        Ok(())
    }

    /// From one row to another; where that is far, an arrow in its direction, and the
    /// end of it.
    fn way(
        &self,
        to: &mut String,
        class: &str,
        at: u64,
        one: LaneId,
        other: LaneId,
    ) -> fmt::Result {
        let (Some(own), Some(there)) = (self.top(one), self.top(other)) else {
            return Ok(());
        };
        let (x, own, there) = (self.x(at), own + 11.0, there + 11.0);
        if (there - own).abs() <= FAR {
            write!(
                to,
                "<path class=\"{class}\" d=\"M{x:.1} {own:.1}V{there:.1}\"/>"
            )?;
        } else {
            let sign = (there - own).signum();
            let (tip, barb) = (own + 15.0 * sign, 4.0 * sign);
            write!(
                to,
                "<path class=\"{class}\" d=\"M{x:.1} {own:.1}V{tip:.1}m-2.5 {:.1}l2.5 {barb:.1}l2.5 \
                 {:.1}\"/>",
                -barb, -barb
            )?;
        }
        writeln!(
            to,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{there:.1}\" r=\"2.5\"/>"
        )
    }

    fn top(&self, lane: LaneId) -> Option<f64> {
        self.tops.get(lane).copied().flatten()
    }

    #[expect(clippy::too_many_arguments, reason = "a rectangle has as many sides")]
    fn bar(
        &self,
        to: &mut String,
        class: &str,
        from: u64,
        until: u64,
        top: f64,
        height: f64,
        note: &str,
    ) -> fmt::Result {
        let x = self.x(from);
        let width = (self.x(until) - x).max(0.8);
        writeln!(
            to,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
             height=\"{height}\" rx=\"1.5\"><title>{}</title></rect>",
            text(note)
        )
    }

    fn x(&self, at: u64) -> f64 {
        NAMES + number(at) / self.span * (WIDTH - NAMES - 30.0)
    }
}

fn lives(lane: &Lane) -> String {
    let status = lane.status.as_deref().unwrap_or("lives on");
    format!("{} {}: {status}", lane.pid, lane.name())
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Lines that have room, broken between words.
fn broken(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let length = |line: &str| line.chars().count();
        match lines.last_mut() {
            Some(line) if line.is_empty() || length(line) + length(word) <= MOST_CHARS => {
                line.push_str(word);
            }
            _ => lines.push(format!("    {word}")),
        }
    }
    lines
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a picture has no such precision"
)]
fn number(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a time that was whole"
)]
fn nanos(time: f64) -> u64 {
    time as u64
}
