//! The table and the plot.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use plotters::prelude::*;

use crate::figures::{Figures, Median};
use crate::tracers::{PRODUCT, REFERENCE, TRACERS};
use crate::workloads::{Cpu, Workload};

/// The table's head.
pub(crate) const HEAD: &str = "\
| workload | CPUs | untraced | strace -f | strace -f --seccomp-bpf | wait4-strace | --strace | \
json | --no-polls | empty filter | added, over strace's | to reach | stops + ends a child |
|---|---|---|---|---|---|---|---|---|---|---|---|---|";

/// A workload's row.
pub(crate) fn row(workload: &Workload, figures: &Figures, stops: &str) -> String {
    let ratio = |name: &str| {
        let tracer = TRACERS.iter().position(|tracer| tracer.name == name);
        let median = tracer.and_then(|tracer| figures.ratio(tracer));
        median.map_or("–".to_owned(), |median| match median.value {
            large if large >= 20.0 => format!("{large:.0}"),
            value => format!("{value:.2}"),
        })
    };
    let added = figures.relative(PRODUCT);
    let added = added.map_or("–".to_owned(), |Median { value, low, high }| {
        format!("**{value:.2}** ({low:.2} to {high:.2})")
    });
    let target = workload.target;
    let cells = [
        format!("{}: {}", workload.name, workload.what),
        match workload.cpu {
            Cpu::One => "one".to_owned(),
            Cpu::Free => "free".to_owned(),
        },
        figures.untraced().map_or("–".to_owned(), |median| {
            format!("{:.1} ms", median.value * 1000.0)
        }),
        ratio("strace -f"),
        ratio("strace -f --seccomp-bpf"),
        ratio("wait4-strace"),
        ratio("--strace"),
        ratio("--format json"),
        ratio("--no-polls"),
        ratio("an empty filter"),
        added,
        target.map_or("–".to_owned(), |target| format!("≤ {target:.2}")),
        stops.to_owned(),
    ];
    format!("| {} |", cells.join(" | "))
}

/// Write `docs/benchmarks.svg`, and the table into `docs/benchmarks.md`.
pub(crate) fn write(rows: &[(&Workload, Figures, String)]) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = docs.join("benchmarks.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- table -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of the table -->").unwrap();
    let mut new = format!("{before}<!-- table -->\n{HEAD}\n");
    for (_, _, row) in rows {
        writeln!(new, "{row}").unwrap();
    }
    write!(new, "<!-- end of the table -->{after}").unwrap();
    fs::write(page, new).unwrap();
    plot(rows, &docs.join("benchmarks.svg"));
}

/// The added time of each workload over strace's, with its interval.
fn plot(rows: &[(&Workload, Figures, String)], path: &Path) {
    let known: Vec<(&Workload, Median)> = rows
        .iter()
        .filter_map(|(workload, figures, _)| Some((*workload, figures.relative(PRODUCT)?)))
        .collect();
    let height = 90 + 32 * u32::try_from(known.len()).unwrap();
    let area = SVGBackend::new(path, (760, height)).into_drawing_area();
    area.fill(&WHITE).unwrap();
    let count = known.len();
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .caption(
            format!("Added time, {} = 1", TRACERS[REFERENCE].name),
            ("sans-serif", 18),
        )
        .x_label_area_size(30)
        .y_label_area_size(110)
        .build_cartesian_2d(0.0..1.3, (0..count).into_segmented())
        .unwrap();
    let name = |place: &SegmentValue<usize>| match place {
        SegmentValue::CenterOf(index) => {
            // From the top down.
            let known = count
                .checked_sub(index + 1)
                .and_then(|index| known.get(index));
            known.map_or(String::new(), |(workload, _)| workload.name.to_owned())
        }
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(count)
        .y_label_formatter(&name)
        .draw()
        .unwrap();
    for (index, (workload, median)) in known.iter().enumerate() {
        let place = || SegmentValue::CenterOf(count - 1 - index);
        let bar = ErrorBar::new_horizontal(
            place(),
            median.low,
            median.value,
            median.high,
            BLUE.filled(),
            8,
        );
        chart.draw_series([bar]).unwrap();
        if let Some(target) = workload.target {
            let mark = Cross::new((target, place()), 5, RED.stroke_width(2));
            chart.draw_series([mark]).unwrap();
        }
    }
    area.present().unwrap();
}
