//! The model as a still picture.

use std::fmt::{self, Write};

use super::html::text;
use super::model::{Lane, Model};
use crate::output::lanes::LaneId;
use crate::output::span::Span;

/// How many lanes are drawn.
const MOST_LANES: usize = 300;
/// Sizes, in the picture's units.
const WIDTH: f64 = 1200.0;
const NAMES: f64 = 240.0;
const ROW: f64 = 22.0;
const HEAD: f64 = 64.0;

const STYLE: &str = "\
svg{font:12px system-ui,sans-serif;background:#fff;color:#1c2733}
.n{fill:#1c2733}.d{fill:#66737f}.g{stroke:#e3e8ec}
.life{fill:#b9d3e6}.stop{fill:#d8c9f0}.zombie{fill:#d8402f}.wait{fill:#3d7aa8}
.poll{fill:#d99a1c}.reap{stroke:#2f8a57;fill:none}.sig{fill:#7a55b0}.exec{fill:#1c2733}
.move{stroke:#b3762a;fill:none;stroke-dasharray:3 2}.error{fill:#d8402f}.warning{fill:#b3762a}
@media(prefers-color-scheme:dark){svg{background:#14191f}.n,.exec{fill:#e3e9ee}
.d{fill:#93a1ad}.g{stroke:#2a333c}.life{fill:#33536b}.wait{fill:#7fb6dd}.stop{fill:#574180}}";

/// The picture.
pub(super) fn picture(model: &Model) -> String {
    let mut to = String::new();
    // Writing to a String cannot fail.
    let _ = Drawing::new(model).draw(&mut to);
    to
}

struct Drawing<'a> {
    model: &'a Model,
    lanes: &'a [Lane],
    /// Nanoseconds that the picture shows.
    span: f64,
}

impl<'a> Drawing<'a> {
    fn new(model: &'a Model) -> Drawing<'a> {
        let shown = model.lanes.len().min(MOST_LANES);
        Drawing {
            model,
            lanes: model.lanes.get(..shown).unwrap_or_default(),
            span: number(model.end.max(1)),
        }
    }

    fn draw(&self, to: &mut String) -> fmt::Result {
        let findings = self.model.findings.len();
        let more = self.model.lanes.len() - self.lanes.len();
        let foot = 20.0 * number(findings as u64 + 2);
        let height = HEAD + ROW * number(self.lanes.len() as u64) + foot;
        writeln!(
            to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>",
            text(&self.model.title)
        )?;
        writeln!(
            to,
            "<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"none\"/>\
             <text class=\"n\" x=\"12\" y=\"24\" font-size=\"15\">{}</text>",
            text(&self.model.title)
        )?;
        self.axis(to)?;
        for (id, lane) in self.lanes.iter().enumerate() {
            self.lane(to, id, lane)?;
        }
        for (id, lane) in self.lanes.iter().enumerate() {
            self.ways(to, id, lane)?;
        }
        let mut at = HEAD + ROW * number(self.lanes.len() as u64) + 24.0;
        if more > 0 {
            writeln!(
                to,
                "<text class=\"d\" x=\"12\" y=\"{at}\">… {more} more processes</text>"
            )?;
            at += 20.0;
        }
        for finding in &self.model.findings {
            writeln!(
                to,
                "<text class=\"{}\" x=\"12\" y=\"{at}\">{}[{}]: {}</text>",
                finding.severity,
                finding.severity,
                finding.rule,
                text(&finding.sentence)
            )?;
            at += 20.0;
        }
        to.write_str("</svg>\n")
    }

    fn axis(&self, to: &mut String) -> fmt::Result {
        for step in 0..=8_u32 {
            let part = f64::from(step) / 8.0;
            let at = NAMES + part * (WIDTH - NAMES - 30.0);
            let bottom = HEAD + ROW * number(self.lanes.len() as u64);
            let time = Span(nanos(part * self.span));
            writeln!(
                to,
                "<line class=\"g\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{HEAD}\" y2=\"{bottom}\"/>\
                 <text class=\"d\" x=\"{at:.1}\" y=\"52\" text-anchor=\"middle\">{time}</text>"
            )?;
        }
        Ok(())
    }

    fn lane(&self, to: &mut String, id: LaneId, lane: &Lane) -> fmt::Result {
        let top = row(id);
        let indent = 12.0 + 12.0 * number(lane.depth.min(10) as u64);
        writeln!(
            to,
            "<text class=\"n\" x=\"{indent}\" y=\"{:.1}\">{} <tspan class=\"d\">{}</tspan></text>",
            top + 15.0,
            text(&shortened(lane.name())),
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
            let note = format!("a zombie: {status}");
            self.bar(to, "zombie", ended, until, top + 4.0, 14.0, &note)?;
        }
        for wait in &lane.waits {
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
        for (at, signal) in &lane.signals {
            writeln!(
                to,
                "<circle class=\"sig\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2\"><title>{signal}</title>\
                 </circle>",
                self.x(*at),
                top + 20.0
            )?;
        }
        Ok(())
    }

    /// From its end to its reaper, and from parent to parent.
    fn ways(&self, to: &mut String, id: LaneId, lane: &Lane) -> fmt::Result {
        let own = row(id) + 11.0;
        if let Some(reap) = &lane.reaped
            && let Some(by) = reap.by.filter(|by| *by < self.lanes.len())
        {
            let (x, there) = (self.x(reap.at), row(by) + 11.0);
            writeln!(
                to,
                "<path class=\"reap\" d=\"M{x:.1} {own:.1}V{there:.1}\"/>\
                 <circle class=\"reap\" cx=\"{x:.1}\" cy=\"{there:.1}\" r=\"2.5\"/>"
            )?;
        }
        for (at, parent, _) in &lane.moves {
            if let Some(parent) = parent.filter(|parent| *parent < self.lanes.len()) {
                let (x, there) = (self.x(*at), row(parent) + 11.0);
                writeln!(
                    to,
                    "<path class=\"move\" d=\"M{x:.1} {own:.1}V{there:.1}\"/>"
                )?;
            }
        }
        Ok(())
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

fn row(id: LaneId) -> f64 {
    HEAD + ROW * number(id as u64)
}

fn lives(lane: &Lane) -> String {
    let status = lane.status.as_deref().unwrap_or("lives on");
    format!("{} {}: {status}", lane.pid, lane.name())
}

fn shortened(name: &str) -> String {
    const MOST: usize = 22;
    match name.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
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
