//! The JSON lines: what they are, that they are as the schema says, and that
//! they are read back.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{fixture, read_again, run, traced_fixture, wait4_strace};
use tempfile::TempDir;

/// Where the schema of the lines is kept.
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json-schema.json");

/// The schema that the wire types give.
fn generated() -> String {
    let schema = schemars::schema_for!(wait4_strace::wire::Line);
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

/// All fixtures that show a fact, with the arguments that they need.
fn facts() -> Vec<String> {
    let list = run(&mut fixture("list")).stdout;
    let names = list.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// The JSON lines of a fixture.
fn lines(flags: &[&str], name: &str) -> Vec<Value> {
    let flags: Vec<&str> = [&["--format", "json", "-o", "-"], flags].concat();
    let outcome = run(&mut traced_fixture(&flags, name));
    parsed(&outcome.stdout)
}

fn parsed(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// The lines of a type.
fn of<'a>(kind: &str, lines: &'a [Value]) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

#[test]
fn the_schema_in_docs_is_that_of_the_wire_types() {
    if std::env::var_os("WAIT4_STRACE_UPDATE").is_some() {
        fs::write(SCHEMA, generated()).unwrap();
    }
    let kept = fs::read_to_string(SCHEMA).unwrap_or_default();
    assert!(
        kept == generated(),
        "run `WAIT4_STRACE_UPDATE=1 cargo test --test json schema` and look at the difference"
    );
}
