//! Call stacks (`-k`) wait for nothing that a tracee controls, and take no more
//! memory than they may: files and memory that tracees serve, hostile files,
//! small stacks.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::call_stacks::{below, compiled, room, stacks, waits};
use crate::support::{passed_over, run, traced};

/// The status of a program that may not do what it is for.
const NOT_ALLOWED: i32 = 77;

/// Served by the traced program, which makes threads for it: whoever reads it
/// in the tracer's stead must let the tracer go on.
#[test]
fn a_file_that_a_tracee_serves_holds_up_nobody() {
    let (server, file, mountpoint) = (room(), room(), room());
    let flags = ["-g", "-O1", "-pthread"];
    let Some(server) = compiled(server.path(), "served.c", "gcc", &flags) else {
        return;
    };
    let Some(file) = compiled(file.path(), "once.c", "gcc", &["-g", "-static"]) else {
        return;
    };
    for deaf in [&[][..], &["deaf"]] {
        let words = [&server, mountpoint.path(), &file].map(|path: &Path| path.to_str().unwrap());
        let (lines, outcome) = stacks(&[], &[&words[..], deaf].concat());
        if outcome.status == NOT_ALLOWED {
            passed_over("no FUSE here");
            return;
        }
        assert_eq!(outcome.status, 0, "{lines:#?}\n{}", outcome.stderr);
        let served = format!("{}/program", mountpoint.path().display());
        let below = [waits(&lines), below(&lines, " forked ")].concat();
        let is_served = |stack: &&Vec<String>| stack.iter().any(|place| place.contains(&served));
        if !deaf.is_empty() {
            let of_served = below.iter().find(is_served);
            let stack = of_served.unwrap_or_else(|| panic!("{lines:#?}"));
            assert!(stack[0].starts_with("0x"), "{stack:#?}");
        }
        // The server's own stacks are whole.
        let own = waits(&lines);
        let own = own.iter().filter(|stack| !is_served(stack));
        let own: Vec<_> = own
            .filter(|stack| stack.concat().contains("main at "))
            .collect();
        assert!(own.len() >= 4, "{lines:#?}");
    }
}

#[test]
fn a_page_that_a_tracee_must_fill_is_not_asked_for() {
    let room = room();
    let flags = ["-g", "-O1", "-pthread"];
    let Some(program) = compiled(room.path(), "pages.c", "gcc", &flags) else {
        return;
    };
    for place in ["above", "within"] {
        let (lines, outcome) = stacks(&[], &[program.to_str().unwrap(), place]);
        if outcome.status == NOT_ALLOWED {
            passed_over("no userfaultfd here");
            return;
        }
        assert_eq!(outcome.status, 0, "{place}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{place}: the page was asked for");
        let of_work = |stack: &Vec<String>| {
            let has = |name: &str| stack.iter().any(|place| place.starts_with(name));
            has("fork_and_wait at ") && has("work at ") && has("start_thread")
        };
        let found = [waits(&lines), below(&lines, " forked ")].concat();
        let whole = found.iter().filter(|stack| of_work(stack)).count();
        assert_eq!(whole, 2, "{place}: {lines:#?}");
    }
}

/// Make a section of an ELF file a hole of so many bytes.
fn enlarged(program: &Path, name: &str, size: u64) {
    let mut bytes = fs::read(program).unwrap();
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let half = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let at = |offset: u64| usize::try_from(offset).unwrap();
    let header = |index: usize| at(word(0x28)) + 64 * index;
    let names = at(word(header(half(0x3e)) + 24));
    let named = |index: &usize| {
        let name_at = u32::from_le_bytes(bytes[header(*index)..][..4].try_into().unwrap());
        let own = &bytes[names + name_at as usize..];
        own.starts_with(name.as_bytes()) && own[name.len()] == 0
    };
    let header = header((0..half(0x3c)).find(named).unwrap());
    let end = bytes.len().next_multiple_of(4096) as u64;
    bytes[header + 24..][..8].copy_from_slice(&end.to_le_bytes());
    bytes[header + 32..][..8].copy_from_slice(&size.to_le_bytes());
    fs::write(program, bytes).unwrap();
    let file = fs::OpenOptions::new().write(true).open(program).unwrap();
    file.set_len(end + size).unwrap();
}

/// Run a program under trace, and say how many KiB the tracer took at most. It
/// looks when the tracer is idle.
fn peak(program: &str) -> u64 {
    let script = format!("{program}; sleep 1; grep VmHWM /proc/$PPID/status");
    let outcome = run(&mut traced(
        &["-k", "-o", "/dev/null"],
        ["sh", "-c", &script],
    ));
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let words = outcome.stdout.split_ascii_whitespace();
    words.rev().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_section_of_gigabytes_takes_no_memory() {
    let room = room();
    let Some(program) = compiled(room.path(), "once.c", "gcc", &["-g", "-static"]) else {
        return;
    };
    let small = peak(program.to_str().unwrap());
    for section in [
        ".eh_frame",
        ".symtab",
        ".strtab",
        ".debug_info",
        ".note.gnu.build-id",
    ] {
        let (draft, large) = (room.path().join("draft"), room.path().join("large"));
        fs::copy(&program, &draft).unwrap();
        enlarged(&draft, section, 3 << 30);
        // Another process, as in `support::install`; it keeps the hole.
        let copied = run(Command::new("cp").args([&draft, &large]));
        assert_eq!(copied.status, 0, "{copied:?}");
        let large = peak(large.to_str().unwrap());
        assert!(large < small + (64 << 10), "{section}: {small} {large} KiB");
    }
}

#[test]
fn a_small_limit_of_the_stack_costs_no_depth() {
    let room = room();
    let Some(program) = compiled(room.path(), "job.c", "gcc", &["-g", "-O1"]) else {
        return;
    };
    let program = program.to_str().unwrap();
    let log = room.path().join("log");
    let under = |kilobytes: &str| {
        let tracer = env!("CARGO_BIN_EXE_wait4-strace");
        let script = format!("ulimit -s {kilobytes} && exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", tracer, "-k", "-o"]);
        let outcome = run(command
            .arg(&log)
            .args(["sh", "-c", "ulimit -s; exec \"$0\"", program]));
        let inherited = outcome.stdout.lines().next();
        assert_eq!(inherited, Some(kilobytes), "{}", outcome.stderr);
        let text = fs::read_to_string(&log).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        waits(&lines)
    };
    let stacks = under("64");
    assert_eq!(stacks.len(), 3, "{stacks:#?}");
    assert_eq!(stacks, under("4096"));
}
