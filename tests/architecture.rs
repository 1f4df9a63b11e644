//! Which folder of the source may use which: data flows one way, and nothing
//! points up. And that a rule is at home in one folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of src (or a file that stands for itself there), and what it may
/// use: what is below it. The order is from the ground up.
const MAY_USE: &[(&str, &[&str])] = &[
    ("kernel", &[]),
    ("input", &[]),
    ("event", &["kernel"]),
    ("sys", &["kernel"]),
    ("urgency", &["sys"]),
    ("proc", &["event", "kernel"]),
    ("program", &["kernel", "sys"]),
    ("stack", &["event", "kernel", "proc", "sys", "urgency"]),
    ("tracer", &["event", "kernel", "proc", "stack", "sys"]),
    ("ledger", &["event", "kernel"]),
    ("rules", &["event", "kernel", "ledger"]),
    ("wire", &["event", "kernel"]),
    ("records", &["event", "input", "kernel", "wire"]),
    (
        "output",
        &["event", "kernel", "ledger", "rules", "urgency", "wire"],
    ),
    (
        "session",
        &[
            "event", "kernel", "ledger", "output", "records", "rules", "sys", "tracer",
        ],
    ),
    (
        "library",
        &[
            "event", "kernel", "ledger", "output", "program", "rules", "session", "sys", "tracer",
        ],
    ),
    (
        "explore",
        &[
            "event", "kernel", "ledger", "library", "output", "proc", "program", "rules",
            "session", "sys", "tracer",
        ],
    ),
    ("zombies", &["event", "kernel", "output", "proc", "wire"]),
    ("decode", &["event", "kernel"]),
    (
        "command",
        &[
            "decode", "event", "explore", "input", "kernel", "library", "output", "proc",
            "program", "records", "rules", "session", "sys", "tracer", "urgency", "zombies",
        ],
    ),
];

/// Arrows that should not be there, to be removed one by one. None may be added.
const EXCEPTIONS: &[(&str, &str)] = &[
    // Which rules a record puts out of reach.
    ("records", "rules"),
    // The thread that writes keeps signals out.
    ("output", "sys"),
    // How a reap is told of.
    ("wire", "ledger"),
];

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    let entries = entries.map(|entry| entry.unwrap().path());
    entries.flat_map(|path| files(&path)).collect()
}

/// The folders that a line of code uses.
fn used(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let uses = code.match_indices("crate::").map(|(at, found)| {
        let before = code[..at].chars().next_back();
        let rest = &code[at + found.len()..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
        let name = &rest[..end.unwrap_or(rest.len())];
        let is_other = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
        assert!(
            !rest.starts_with('{'),
            "a `use` names one folder, so that it is seen here: {line}"
        );
        if is_other { "" } else { name }
    });
    uses.filter(|name| !name.is_empty()).collect()
}

/// What each folder uses, with a file that does.
fn uses() -> BTreeMap<String, BTreeMap<String, PathBuf>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut uses: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
    for path in files(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let first = Path::new(inside.iter().next().unwrap());
        let folder = first.with_extension("").display().to_string();
        // The crate's root joins them; `main` uses the library's public API.
        if path.extension().is_none_or(|end| end != "rs") || ["lib", "main"].contains(&&*folder) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let of_folder = uses.entry(folder.clone()).or_default();
        for name in text.lines().flat_map(used) {
            if name != folder {
                of_folder
                    .entry(name.to_owned())
                    .or_insert(inside.to_owned());
            }
        }
    }
    uses
}

#[test]
fn nothing_points_up() {
    let uses = uses();
    let mut wrong = Vec::new();
    let mut found = BTreeSet::new();
    for (folder, others) in &uses {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| name == folder) else {
            wrong.push(format!("{folder} has no row in MAY_USE"));
            continue;
        };
        for (other, file) in others {
            let exception = EXCEPTIONS.iter().find(|pair| **pair == (folder, other));
            if let Some(pair) = exception {
                found.insert(*pair);
            } else if !allowed.contains(&other.as_str()) {
                wrong.push(format!("{folder} uses {other}, in {}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let gone: Vec<_> = EXCEPTIONS
        .iter()
        .filter(|pair| !found.contains(*pair))
        .collect();
    assert!(
        gone.is_empty(),
        "no exceptions any more, remove them: {gone:?}"
    );
}

#[test]
fn no_folder_uses_one_that_uses_it() {
    let mut uses = uses();
    // Fold away what uses nothing that is left; a circle stays.
    loop {
        let known: BTreeSet<String> = uses.keys().cloned().collect();
        let done = |others: &BTreeMap<String, PathBuf>| !others.keys().any(|o| known.contains(o));
        let before = uses.len();
        uses.retain(|_, others| !done(others));
        if uses.len() == before {
            break;
        }
    }
    let circle: Vec<&String> = uses.keys().collect();
    assert!(circle.is_empty(), "they use each other: {circle:?}");
}

#[test]
fn a_use_is_found_in_code_and_not_in_comments() {
    assert_eq!(used("use crate::event::Event; // crate::rules"), ["event"]);
    assert_eq!(
        used("    crate::decode::run(crate::kernel::X)"),
        ["decode", "kernel"]
    );
    assert!(used("//! [`crate::sys`], mycrate::sys, $crate::sys").is_empty());
    assert!(used("/// [`Launch`](crate::Launch)").is_empty());
    assert!(used("let a = mycrate::sys;").is_empty());
}

/// The variants of an enum that a line of code names.
fn variants<'a>(line: &'a str, name: &str) -> Vec<&'a str> {
    let code = line.split("//").next().unwrap_or_default();
    let path = format!("{name}::");
    let uses = code.match_indices(&path).filter_map(|(at, found)| {
        let is_other = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &code[at + found.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric());
        let variant = &rest[..end.unwrap_or(rest.len())];
        let is_variant = variant.starts_with(|c: char| c.is_ascii_uppercase());
        (is_variant && !is_other).then_some(variant)
    });
    uses.collect()
}

/// What a file holds beside its tests; `None` where it is a test itself.
fn without_tests(inside: &Path) -> Option<String> {
    let is_test = inside
        .iter()
        .any(|part| part == "tests" || part == "tests.rs");
    if is_test || inside.extension().is_none_or(|end| end != "rs") {
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text = fs::read_to_string(source.join(inside)).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next();
    code.map(str::to_owned)
}

/// The files outside `src/rules`, each with its name and what it holds beside its tests.
fn code_outside_rules() -> impl Iterator<Item = (String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    files(&source).into_iter().filter_map(move |path| {
        let inside = path.strip_prefix(&source).unwrap();
        let name = inside.display().to_string();
        let code = without_tests(inside).filter(|_| !name.starts_with("rules/"))?;
        Some((name, code))
    })
}

/// Code outside `src/rules` that may name a rule, and which; or the diagnoses.
const NAMES_RULES: &[(&str, &[&str])] = &[
    // Whether the zombies of a record are real.
    ("records/gaps.rs", &["ZombieLeak"]),
];
const NAMES_DIAGNOSES: &str = "output/report/wording.rs";

/// Code outside `src/rules` that may have the names of rules in its texts.
const HAS_NAMES_OF_RULES: &[&str] = &[
    // An example in the help.
    "command/flags/mod.rs",
    // What a trace did not show, with the rules that it puts out of reach.
    "session/findings_policy.rs",
    "session/traced.rs",
    // `--zombies` shares names with the rules.
    "zombies/wording.rs",
];

/// The enums of diagnoses that code imports from `rules`; others have such names
/// too.
fn families(code: &str) -> Vec<&'static str> {
    let uses: Vec<&str> = code
        .match_indices("use crate::rules::")
        .filter_map(|(at, _)| code[at..].split(';').next())
        .collect();
    let is_used = |family: &&str| {
        let is_word = |part: &str| {
            part.split(|c: char| !c.is_alphanumeric())
                .any(|w| w == *family)
        };
        code.contains(&format!("rules::{family}::")) || uses.iter().any(|part| is_word(part))
    };
    let all = ["Leak", "Loss", "Hang", "End"];
    all.into_iter().filter(is_used).collect()
}

#[test]
fn a_new_rule_touches_its_folder_and_its_sentence_alone() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, code) in code_outside_rules() {
        let families = families(&code);
        let allowed = NAMES_RULES.iter().find(|(file, _)| *file == name);
        for line in code.lines() {
            for rule in variants(line, "RuleId") {
                if allowed.is_some_and(|(_, rules)| rules.contains(&rule)) {
                    seen.insert(rule.to_owned());
                } else {
                    wrong.push(format!("{name}: {line}"));
                }
            }
            let mut diagnoses = families.iter().flat_map(|family| variants(line, family));
            if name == NAMES_DIAGNOSES {
                seen.extend(diagnoses.map(|_| name.clone()));
            } else if diagnoses.next().is_some() {
                wrong.push(format!("{name}: {line}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "only {NAMES_DIAGNOSES} and NAMES_RULES name rules or diagnoses outside src/rules: \
         {wrong:#?}"
    );
    let expected = ["ZombieLeak", NAMES_DIAGNOSES].map(str::to_owned);
    assert_eq!(seen, BTreeSet::from(expected), "remove what is not there");
}

#[test]
fn each_rule_has_a_unit_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules/tests");
    let mut tested = BTreeSet::new();
    for path in files(&tests)
        .iter()
        .filter(|path| !path.ends_with("mod.rs"))
    {
        let text = fs::read_to_string(path).unwrap();
        let rules = text.lines().flat_map(|line| variants(line, "RuleId"));
        tested.extend(rules.map(str::to_owned));
    }
    let rules = wait4_strace::rules::RULES.iter();
    let untested = rules.filter(|rule| !tested.contains(&format!("{:?}", rule.id)));
    let untested: Vec<&str> = untested.map(|rule| rule.name).collect();
    assert!(
        untested.is_empty(),
        "no file in src/rules/tests has the RuleId of {untested:?}"
    );
}

#[test]
fn the_names_of_rules_are_in_their_table() {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let rules = wait4_strace::rules::RULES;
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, code) in code_outside_rules() {
        for line in code.lines() {
            let code = line.split("//").next().unwrap_or_default();
            let named = code
                .split(|c| !is_part(c))
                .any(|word| rules.iter().any(|rule| rule.name == word));
            if named && HAS_NAMES_OF_RULES.contains(&&*name) {
                seen.insert(name.clone());
            } else if named {
                wrong.push(format!("{name}: {line}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "a text gets the name of a rule from RULES, by what the rule needs: {wrong:#?}"
    );
    let expected = HAS_NAMES_OF_RULES.iter().map(|name| (*name).to_owned());
    assert_eq!(seen, expected.collect(), "remove what is not there");
}

#[test]
fn diagnoses_are_those_of_the_rules() {
    assert_eq!(
        families("use crate::rules::{\n    End, Finding,\n};"),
        ["End"]
    );
    assert_eq!(families("let leak = rules::Leak::WnowaitOnly;"), ["Leak"]);
    assert!(families("use super::End;\nuse crate::rules::Finding;\nEnd::Pipe").is_empty());
}

#[test]
fn a_variant_is_found_in_code_and_not_in_comments() {
    let found = variants(
        "(RuleId::ZombieLeak, RuleId::LateReap) // RuleId::X",
        "RuleId",
    );
    assert_eq!(found, ["ZombieLeak", "LateReap"]);
    assert!(variants("RuleId::from_name(name), MyRuleId::A", "RuleId").is_empty());
}

/// Code outside of `src/proc` that opens files of `/proc`: maps and files of tracees,
/// by threads that may be held up.
const READS_PROC: &[&str] = &["stack/file.rs", "stack/space.rs"];

#[test]
fn files_of_proc_are_read_in_one_folder() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    for path in files(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let code = without_tests(inside).unwrap_or_default();
        let mut code = code.lines().map(|line| line.split("//").next().unwrap());
        if !inside.starts_with("proc") && code.any(|code| code.contains("\"/proc/")) {
            found.insert(inside.display().to_string());
        }
    }
    let expected: BTreeSet<String> = READS_PROC.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}
