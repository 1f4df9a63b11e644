//! Most of the tests as one program, which is linked once and keeps all CPUs
//! busy to its end. A program of their own have only those that need a process
//! for themselves or a command of their own; Cargo.toml names them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that is passed over says so"
)]

mod aarch64;
mod annotated;
mod architecture;
mod attach;
mod cli;
mod cost;
mod decode;
mod explore;
mod files;
mod findings;
mod forged;
mod fuzz;
mod generated;
mod healthy;
mod hostile;
mod json;
mod killed;
mod launch;
mod odd_proc;
mod protected;
mod read_others;
mod read_pasted;
mod read_published;
mod read_split;
mod read_strace;
mod read_wrapped;
mod readme;
mod real_programs;
mod recipes;
mod rights;
mod rules;
mod script_stacks;
mod snapshot_file;
mod snapshots;
mod stack_limits;
mod stacks;
mod stalled_readers;
mod strace_format;
mod summary;
mod support;
mod terminal;
mod timeline;
mod unsafe_code;
mod waiting;
mod words;
mod yama;
mod zombies;

/// A file that nobody names would not be run, and nobody would miss it.
#[test]
fn each_file_of_tests_is_run() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let suite = include_str!("suite.rs");
    for entry in std::fs::read_dir(root.join("tests")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".rs") else {
            continue;
        };
        let is_module = suite.contains(&format!("\nmod {name};\n"));
        let is_program = cargo.contains(&format!("\nname = \"{name}\"\n"));
        assert!(is_module || is_program, "tests/{name}.rs is not run");
    }
}
