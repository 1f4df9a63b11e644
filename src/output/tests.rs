//! Each output on made-up events: the shape of what it writes.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::SystemTime;

use super::*;
use crate::event::script::{NOHANG, Script, as_waitid, exited};
use crate::event::{EventKind, Fetched, Origin};
use crate::kernel::{Errno, IdType, Signal, WaitCalls};
use crate::rules::{Expected, Thresholds, replay};

/// Memory that a sink writes to.
#[derive(Clone, Default)]
pub(super) struct Memory(Rc<RefCell<Vec<u8>>>);

impl Memory {
    pub(super) fn sink(&self) -> Sink {
        Sink::new(Box::new(self.clone()), Destination::File)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Show the events of a script, and what the rules find in them.
pub(super) fn show(output: &mut dyn Output, script: &Script) {
    let mut ledger = Ledger::new();
    for event in &script.events {
        ledger.apply(event);
        output.event(event, &ledger);
    }
    let findings = findings(script);
    let end = Conclusion {
        findings: &findings,
        ..Conclusion::unjudged(&ledger)
    };
    output.finish(&end).unwrap();
}

/// What the rules find in a script.
pub(super) fn findings(script: &Script) -> Vec<Finding> {
    replay(&script.events, Thresholds::default(), Expected::default())
}

/// A shell that polls, reaps one child by pid, and loses the status of another
/// to its own wait for any child.
fn run() -> Script {
    let mut run = Script::launched(10);
    run.exec(10, "sh").fork(10, 11).after(1).exec(11, "make");
    run.fork(10, 12).wait(10, -1, NOHANG, Ok((0, 0)));
    run.wait(10, -1, NOHANG, Ok((0, 0))).after(1);
    run.enter(10, 11, 0).after(20).end(11, exited(3));
    run.sigchld_of(10, 11).after(5);
    run.leave(10, 11, 0, Ok((11, exited(3)))).fork(10, 13);
    run.end(12, 9).after(1).wait(10, -1, 0, Ok((12, 9)));
    run.wait(10, 12, 0, Err(Errno::CHILD)).end(13, 0);
    run.wait(10, -1, 0, Ok((13, 0))).end(10, 0).over();
    run
}

/// The lines of a text output.
fn lines(options: TextOptions, script: &Script) -> String {
    let memory = Memory::default();
    let clock = Clock::new(SystemTime::UNIX_EPOCH);
    let (target, messages) = (Target::File(memory.sink()), memory.sink());
    show(
        &mut Text::new(options, Styles::plain(), clock, target, messages),
        script,
    );
    memory.text()
}

fn options(style: Style) -> TextOptions {
    TextOptions {
        style,
        column: 40,
        stamps: Stamps::default(),
        durations: false,
        verbose: false,
        quiet: 0,
        signals: SignalSet::ALL,
        pids: Pids::Plain,
        follow: true,
        shown: Shown::ALL,
        calls: WaitCalls::ALL,
        restart_outcomes: true,
        only: Vec::new(),
        hidden: false,
        columns: || None,
        stacks: false,
        whole_stacks: false,
    }
}

fn json(script: &Script, wrap: impl FnOnce(Json) -> Box<dyn Output>) -> String {
    let memory = Memory::default();
    let origin = Origin {
        tracer: "wait4-strace".to_owned(),
        ..Origin::default()
    };
    let json = Json::new(memory.sink(), Messages::Elsewhere, &origin);
    show(&mut *wrap(json), script);
    memory.text()
}

/// Each line's name of its type.
fn types(lines: &str) -> Vec<String> {
    let lines = lines.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["type"].as_str().unwrap().to_owned()
    });
    lines.collect()
}

#[test]
fn annotated_lines_say_what_calls_did() {
    insta::assert_snapshot!(lines(options(Style::Annotated), &run()), @"
    10    sh              +++ executed sh +++
    10    sh              +++ forked 11 +++
    11    make            +++ executed make +++
    10    sh              +++ forked 12 +++
    10    sh              wait4(-1, 0x8, WNOHANG, NULL)           = 0
    10    sh              wait4(-1, 0x8, WNOHANG, NULL)           = 0  # polled again 0 µs later
    10    sh              wait4(11 <unfinished ...>
    11    make            +++ exited with 3 +++
    10    sh              --- SIGCHLD: 11 exited with 0 ---
    10    sh              <... wait4 resumed>, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 11  # reaped 11 make 5.0 ms after it exited
    10    sh              +++ forked 13 +++
    12    sh              +++ killed by SIGKILL +++  # sender not seen
    10    sh              wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], 0, NULL) = 12  # reaped 12 sh 1.0 ms after it was killed
    10    sh              wait4(12, 0x8, 0, NULL)                 = -1 ECHILD (No child processes)
    13    sh              +++ exited with 0 +++
    10    sh              wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 13  # reaped 13 sh
    10    sh              +++ exited with 0 +++
    ");
}

#[test]
fn a_waitid_without_a_siginfo_reaped_the_only_one_that_it_could() {
    let mut run = Script::launched(10);
    run.fork(10, 11).after(1).end(11, exited(3));
    run.after(1).wait(10, 11, 4, Ok((11, exited(3))));
    run.but(|exit| {
        as_waitid(exit, IdType::ALL, 0);
        exit.entry.result_at = 0;
        exit.info = Fetched::Null;
    });
    let lines = lines(options(Style::Annotated), &run);
    let last = lines.lines().last().unwrap();
    assert!(
        last.ends_with("= 0  # reaped 11 1.0 ms after it exited"),
        "{last}"
    );
}

#[test]
fn lines_of_strace_say_no_more_than_strace() {
    insta::assert_snapshot!(lines(options(Style::Strace), &run()), @"
    wait4-strace: Process 11 attached
    wait4-strace: Process 12 attached
    10    wait4(-1, 0x8, WNOHANG, NULL)     = 0
    10    wait4(-1, 0x8, WNOHANG, NULL)     = 0
    10    wait4(11 <unfinished ...>
    11    +++ exited with 3 +++
    10    --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---
    10    <... wait4 resumed>, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 11
    wait4-strace: Process 13 attached
    12    +++ killed by SIGKILL +++
    10    wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], 0, NULL) = 12
    10    wait4(12, 0x8, 0, NULL)           = -1 ECHILD (No child processes)
    13    +++ exited with 0 +++
    10    wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 13
    10    +++ exited with 0 +++
    ");
}

#[test]
fn a_signal_that_the_kernel_drops_is_said_to_be() {
    let mut script = Script::launched(10);
    script.signalled(10, Signal::TERM, 5);
    let last = script.events.last_mut().map(|event| &mut event.kind);
    let Some(EventKind::Signalled { dropped, .. }) = last else {
        panic!("{last:?}");
    };
    *dropped = true;
    let annotated = lines(options(Style::Annotated), &script);
    let note = "---  # dropped: PID 1 of its pid namespace has no handler for it\n";
    assert!(annotated.contains(note), "{annotated}");
    let strace_s = lines(options(Style::Strace), &script);
    assert!(strace_s.contains("--- SIGTERM"), "{strace_s}");
    assert!(!strace_s.contains("dropped"), "{strace_s}");
}

#[test]
fn a_line_of_another_task_interrupts_an_open_one() {
    let mut run = Script::launched(10);
    run.fork(10, 11)
        .enter(10, -1, 0)
        .enter(11, -1, 0)
        .end(11, 9);
    run.leave(10, -1, 0, Ok((11, 9))).over();
    insta::assert_snapshot!(lines(options(Style::Strace), &run), @"
    wait4-strace: Process 11 attached
    10    wait4(-1 <unfinished ...>
    11    wait4(-1 <unfinished ...>)        = ?
    11    +++ killed by SIGKILL +++
    10    <... wait4 resumed>, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], 0, NULL) = 11
    ");
}

#[test]
fn json_lines_hold_events_then_findings_and_the_end() {
    let text = json(&run(), |json| Box::new(json));
    insta::assert_snapshot!(types(&text).join(" "), @"start found sigchld exec fork exec fork wait-entry wait wait-entry wait wait-entry exit signal wait fork exit wait-entry wait wait-entry wait exit wait-entry wait exit queue-drained over finding end");
    let lines: Vec<&str> = text.lines().collect();
    insta::assert_snapshot!(lines[lines.len() - 2..].join("\n"), @r#"
    {"type":"finding","rule":"stolen-child","severity":"warning","pid":10,"comm":"sh","children":[12],"count":1,"message":"sh[10] lost the exit status of 12 sh: its own wait4(-1) reaped it first","help":"reap by pid, or have one place that reaps and hands the status on","evidence":[16,18,20]}
    {"type":"end","processes":4,"reaped":3,"zombies":null,"errors":0,"warnings":1,"infos":0,"unseen":[]}
    "#);
}

#[test]
fn a_summary_stands_behind_the_lines_or_in_their_place() {
    let summarized = |only: bool| {
        json(&run(), |json| {
            let summary = Summary::new(1_000_000_000, SortBy::default());
            Box::new(Summarized::new(summary, Box::new(json), only))
        })
    };
    let behind = types(&summarized(false));
    let alone = types(&summarized(true));
    assert_eq!(alone, ["start", "finding", "summary", "end"]);
    assert_eq!(behind[behind.len() - 3..], alone[1..]);
    assert!(behind.len() > alone.len());
}

#[test]
fn a_report_has_the_parent_the_children_and_the_evidence() {
    let script = run();
    let findings = findings(&script);
    let report = |form| {
        let report = Report {
            findings: &findings,
            counts: crate::ledger::Counts {
                processes: 4,
                reaped: 3,
                ..crate::ledger::Counts::default()
            },
            left: 0,
            unseen: &["its threads were out of sight".to_owned()],
            unused: &[],
            notes: &[],
            styles: Styles::plain(),
            summary: true,
            root: String::new(),
        };
        report.formed(form)
    };
    insta::assert_snapshot!(report(ReportForm::Text), @r#"
    warning[stolen-child]: sh[10] lost the exit status of 12 sh: its own wait4(-1) reaped it first
      parent  10 sh
      child   12 sh, was killed by SIGKILL at +0.027 s
      |  +0.027 s  12  sh  was killed by SIGKILL
      |  +0.028 s  10  sh  wait4(-1, …) = 12      got the status
      |  +0.028 s  10  sh  wait4(12, …) = ECHILD  found nothing
      = help: reap by pid, or have one place that reaps and hands the status on
      = note: more: wait4-strace --explain stolen-child
      = note: to accept it: --suppress FILE with the line "stolen-child sh"

    wait4-strace: partial view: its threads were out of sight
    wait4-strace: 4 processes, 3 reaped, 0 zombies left; 1 warning
    "#);
    insta::assert_snapshot!(report(ReportForm::Github), @r#"
    ::warning title=stolen-child%3A sh::sh[10] lost the exit status of 12 sh: its own wait4(-1) reaped it first%0A  parent  10 sh%0A  child   12 sh, was killed by SIGKILL at +0.027 s%0A  |  +0.027 s  12  sh  was killed by SIGKILL%0A  |  +0.028 s  10  sh  wait4(-1, …) = 12      got the status%0A  |  +0.028 s  10  sh  wait4(12, …) = ECHILD  found nothing%0A  = help: reap by pid, or have one place that reaps and hands the status on%0A  = note: more: wait4-strace --explain stolen-child%0A  = note: to accept it: --suppress FILE with the line "stolen-child sh"
    wait4-strace: partial view: its threads were out of sight
    wait4-strace: 4 processes, 3 reaped, 0 zombies left; 1 warning
    "#);
    insta::assert_snapshot!(report(ReportForm::Gitlab), @r#"
    [
      {
        "description": "sh[10] lost the exit status of 12 sh: its own wait4(-1) reaped it first. Help: reap by pid, or have one place that reaps and hands the status on",
        "check_name": "stolen-child",
        "fingerprint": "c7086220da9ecf1b",
        "severity": "major",
        "location": {
          "path": "sh",
          "lines": {
            "begin": 1
          }
        }
      }
    ]
    "#);
}

#[test]
fn a_snapshot_holds_the_findings_too() {
    let text = SnapshotText::default();
    show(&mut Snapshot::new(&text), &run());
    insta::assert_snapshot!(text.get().unwrap(), @"
    wait4-strace snapshot v1
    root: sh
      forks root.1, root.2, root.3
      wait4(root.1) = root.1 [exited 3]
      wait4(root.3) = ECHILD
      reaps by wait4(-1): root.2 [exited 0], root.3 [killed SIGKILL]
      exited 0
    root.1: make
      exec make
      exited 3, reaped by root
    root.2: sh
      exited 0, reaped by root
    root.3: sh
      killed SIGKILL, reaped by root
    findings:
      warning[stolen-child] root: root.3
    ");
}

#[test]
fn a_timeline_has_a_lane_for_each_process() {
    let memory = Memory::default();
    let mut timeline = Timeline::new(Picture::Page, memory.sink(), "sh".to_owned());
    show(&mut timeline, &run());
    let page = memory.text();
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let lanes = data["lanes"].as_array().unwrap().iter().map(|lane| {
        let waits = lane["waits"].as_array().unwrap().iter();
        let waits = waits.map(|wait| format!("{} = {}", wait["call"], wait["result"]));
        format!(
            "{} below {}: [{}], {}, reaped at {}",
            lane["pid"],
            lane["parent"],
            waits.collect::<Vec<String>>().join(", "),
            lane["status"],
            lane["reaped"]["at"]
        )
    });
    let lanes: Vec<String> = lanes.collect();
    insta::assert_snapshot!(lanes.join("\n"), @r#"
    10 below null: ["wait4(-1)" = "0", "wait4(11)" = "11, which exited with 3", "wait4(-1)" = "12, which was killed by SIGKILL", "wait4(12)" = "ECHILD", "wait4(-1)" = "13, which exited with 0"], "exited 0", reaped at 28000000
    11 below 0: [], "exited 3", reaped at 27000000
    12 below 0: [], "SIGKILL", reaped at 28000000
    13 below 0: [], "exited 0", reaped at 28000000
    "#);
}
