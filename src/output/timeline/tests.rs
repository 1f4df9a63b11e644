//! Made-up models, drawn.

use serde_json::Value;

use super::model::{Lane, Model, ModelFinding, Reap, Wait};
use super::{html, perfetto, svg};

const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\u{2028}\"&'\u{1b}[2J";

/// A parent that reaps one child late and another never, with names that are
/// to do harm.
fn model_of(name: &str) -> Model {
    let life = |pid, parent: Option<usize>, from: u64, to: u64| Lane {
        pid,
        parent,
        depth: usize::from(parent.is_some()),
        born: from,
        ended: Some(to),
        status: Some("exited 0".to_owned()),
        names: vec![(from, "sh".to_owned()), (from + 1_000, name.to_owned())],
        ..Lane::default()
    };
    let mut parent = life(10, None, 0, 9_000_000);
    parent.waits.push(Wait {
        tid: 10,
        from: 3_000_000,
        to: 5_000_000,
        call: "wait4(-1)".to_owned(),
        result: "11".to_owned(),
        polls: 0,
        child: Some(1),
    });
    parent.threads.push((12, 1_000_000, 2_000_000));
    parent.signals.push((4_000_000, "SIGCHLD".to_owned()));
    let mut child = life(11, Some(0), 1_000_000, 4_000_000);
    child.reaped = Some(Reap {
        at: 5_000_000,
        by: Some(0),
        tid: 10,
    });
    child.moves.push((2_000_000, Some(0), 10));
    let leaked = life(11, Some(0), 6_000_000, 7_000_000);
    let mut model = Model {
        title: name.to_owned(),
        end: 10_000_000,
        lanes: vec![parent, child, leaked],
        findings: vec![ModelFinding {
            rule: "zombie-leak",
            severity: "warning",
            sentence: name.to_owned(),
            help: "reap it".to_owned(),
            parent: Some(0),
            children: vec![2],
            from: 6_000_000,
            to: 7_000_000,
            evidence: vec![name.to_owned()],
        }],
        looks: vec![(8_000_000, name.to_owned())],
        zombies: None,
        is_cut: false,
    };
    model.survey();
    model
}

fn events() -> Vec<Value> {
    let trace: Value = serde_json::from_str(&perfetto::trace(&model_of("make"))).unwrap();
    trace["traceEvents"].as_array().unwrap().clone()
}

#[test]
fn the_still_picture_is_what_it_was() {
    insta::assert_snapshot!(svg::picture(&model_of("make")));
}

#[test]
fn no_name_breaks_out_of_its_place() {
    let model = model_of(HOSTILE);
    let page = html::page(&model);
    assert_eq!(page.matches("</script>").count(), 2, "data and script");
    assert!(!page.contains("<img"));
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["lanes"][0]["names"][1][1], HOSTILE);
    let picture = svg::picture(&model);
    assert!(!picture.contains("<img") && !picture.contains("</script"));
    let trace = perfetto::trace(&model);
    assert!(!trace.contains('\u{1b}') && !trace.contains('\u{2028}'));
    // A name that is a place of the page stays a name.
    let page = html::page(&super::tests::model_of("{{script}}{{data}}"));
    assert_eq!(page.matches("\"use strict\"").count(), 1);
}

#[test]
fn a_zombie_is_a_slice_and_its_reap_a_flow() {
    let events = events();
    let named = |name: &str| {
        let all = events.iter().filter(move |event| event["name"] == name);
        all.cloned().collect::<Vec<Value>>()
    };
    let zombies = named("zombie");
    // The root's parent is out of the picture.
    assert_eq!(zombies.len(), 3);
    assert_eq!(zombies[1]["pid"], 11);
    assert_eq!(
        (&zombies[1]["ts"], &zombies[1]["dur"]),
        (&4000.0.into(), &1000.0.into())
    );
    assert_eq!(zombies[2]["dur"], 3000.0, "to the end of the trace");
    assert_ne!(
        zombies[2]["pid"], 11,
        "a pid that is used again is another process"
    );
    let flows = named("reap");
    assert_eq!(flows.len(), 2);
    assert_eq!(
        (&flows[0]["ph"], &flows[0]["pid"]),
        (&"s".into(), &11.into())
    );
    assert_eq!(
        (&flows[1]["ph"], &flows[1]["pid"]),
        (&"f".into(), &10.into())
    );
    assert_eq!(flows[0]["id"], flows[1]["id"]);
    assert_eq!(named("wait4(-1)")[0]["args"]["result"], "11");
}

/// Slices of one track lie in each other or apart, as Perfetto wants it.
#[test]
fn slices_of_a_track_do_not_cross() {
    let events = events();
    let slices = events.iter().filter(|event| event["ph"] == "X");
    let spans: Vec<(String, f64, f64)> = slices
        .map(|slice| {
            let from = slice["ts"].as_f64().unwrap();
            let track = format!("{} {}", slice["pid"], slice["tid"]);
            (track, from, from + slice["dur"].as_f64().unwrap())
        })
        .collect();
    for (track, from, to) in &spans {
        for (other, begin, end) in spans.iter().filter(|(other, ..)| other == track) {
            let apart = to <= begin || end <= from;
            let nested = (from <= begin && end <= to) || (begin <= from && to <= end);
            assert!(
                apart || nested,
                "{track} {from} {to}, {other} {begin} {end}"
            );
        }
    }
}

#[test]
fn the_tracks_of_a_process_are_in_order() {
    let events = events();
    let of = |name: &str| {
        let all = events.iter().filter(move |event| event["name"] == name);
        let of_first = all.filter(|event| event["pid"] == 10);
        of_first.cloned().collect::<Vec<Value>>()
    };
    let order: Vec<(i64, i64)> = of("thread_sort_index")
        .iter()
        .map(|event| {
            let index = &event["args"]["sort_index"];
            (event["tid"].as_i64().unwrap(), index.as_i64().unwrap())
        })
        .collect();
    assert_eq!(order, [(10, 0), (12, 1)]);
    assert_eq!(of("thread_name").len(), 2);
    assert_eq!(of("process_sort_index")[0]["args"]["sort_index"], 0);
}

#[test]
fn only_a_zombie_that_stands_out_is_in_the_colour_of_alarm() {
    let model = model_of("make");
    let late: Vec<bool> = model.lanes.iter().map(|lane| lane.late).collect();
    // Reaped after a millisecond; never reaped, and in a finding.
    assert_eq!(late, [false, false, true]);
    let picture = svg::picture(&model);
    assert!(picture.contains("<title>a zombie for 1.0 ms"), "{picture}");
    assert_eq!(
        picture.matches("<rect class=\"zombie\"").count(),
        2,
        "one in the legend"
    );
    // Without the finding it is no alarm: it was dead for three milliseconds.
    let mut clean = model_of("make");
    clean.findings.clear();
    clean.survey();
    assert!(clean.lanes.iter().all(|lane| !lane.late));
    clean.end = 2_000_000_000;
    clean.survey();
    assert!(clean.lanes[2].late, "for two seconds it is");
}

#[test]
fn a_picture_of_thousands_is_no_hairline() {
    let mut model = model_of("make");
    for pid in 1000..4000 {
        model.lanes.push(Lane {
            pid,
            parent: Some(1),
            depth: 2,
            born: 2_000_000,
            ended: Some(3_000_000),
            ..Lane::default()
        });
    }
    // Behind their parent, as the tree has them.
    let leaked = model.lanes.remove(2);
    model.lanes.push(leaked);
    model.findings[0].children = vec![model.lanes.len() - 1];
    model.survey();
    let picture = svg::picture(&model);
    assert!(picture.contains(">3000 below</text>"), "{picture}");
    let height = picture.split("height=\"").nth(1).unwrap();
    let height: f64 = height.split('"').next().unwrap().parse().unwrap();
    assert!(height < 400.0, "{height}");
    assert!(picture.len() < 50_000, "{}", picture.len());
}
