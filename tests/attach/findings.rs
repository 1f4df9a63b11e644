//! What is found of programs that are attached to before they begin: the bugs of
//! all rules, but for those that the partial view names.

use std::process::Command;

use wait4_strace::rules::RuleId;

use super::harness::{Target, Tracer};
use crate::support::{
    REWINDS, bugs, fixture_path, heads, is_too_slow_for, many_at_once, named_after,
};

/// What is about a command that is launched, or about all that were traced.
const OF_LAUNCHES: [RuleId; 1] = [RuleId::OutlivesCommand];

/// What takes a thousand polls in half a second.
const SPINS: [RuleId; 2] = [RuleId::WnohangSpin, RuleId::EchildSpin];

const LEAK: &str = "warning[zombie-leak]";

/// The report about a fixture that is attached to before it begins.
pub(crate) fn report_on(flags: &[&str], bug: &str) -> String {
    let mut command = Command::new("sh");
    let script = "read go; exec \"$0\" \"$1\"";
    command.args(["-c", script]).arg(fixture_path()).arg(bug);
    let mut target = Target::start(&mut command);
    let mut tracer = Tracer::attached(flags, &[target.pid()]);
    tracer.settled(target.pid());
    target.say("go\n");
    target.finish();
    assert_eq!(tracer.status(), Some(0), "{bug}");
    tracer.errors()
}

/// Whether the partial view says that a rule is out of reach.
fn is_out_of_reach(rule: RuleId, report: &str) -> bool {
    let views = report.lines().filter(|line| line.contains("partial view"));
    let mut words = views.flat_map(|line| line.split([' ', ',', ';']));
    words.any(|word| word == rule.name())
}

fn judge(bug: &str) -> Result<(), String> {
    let report = report_on(&[], bug);
    let shown = heads(&report);
    let (rule, must) = named_after(bug);
    let is_of = |head: &str| head.contains(&format!("[{}]", rule.name()));
    let found = shown.iter().any(|head| is_of(head));
    let is_missing = must && !found;
    let is_excused = is_missing && is_out_of_reach(rule, &report);
    // A leak whose cause was not seen is still a leak.
    let is_wanted = |head: &str| (must && is_of(head)) || (is_excused && head == LEAK);
    let harm = shown.iter().filter(|head| !head.starts_with("info["));
    let strangers = harm.filter(|head| !is_wanted(head)).count();
    if (is_missing && !is_excused) || (found && !must) || strangers > 0 {
        return Err(format!("{bug}: found {shown:?}\n{report}"));
    }
    Ok(())
}

#[test]
fn the_bugs_of_attached_programs_are_found_but_for_what_the_partial_view_names() {
    if !REWINDS {
        return;
    }
    let mut names = bugs();
    names.retain(|bug| !OF_LAUNCHES.contains(&named_after(bug).0));
    if is_too_slow_for("a thousand polls in half a second") {
        names.retain(|bug| !SPINS.contains(&named_after(bug).0));
    }
    let judged = many_at_once(&names, |name| judge(name).is_err());
    let doubtful = names.iter().zip(judged).filter(|(_, is_wrong)| *is_wrong);
    // Many at once keep a machine busy, and looks come late: what is wrong is so alone.
    let wrong: Vec<String> = doubtful.filter_map(|(name, _)| judge(name).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
