//! A stop costs no heap allocation once a run is under way: the whole program,
//! from its stops to the lines in the file, with an allocator that counts.
//!
//! Called with `COUNTED` in the environment, this very test is the program.
#![expect(unsafe_code, reason = "a global allocator that counts")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test without a harness: it talks, and if it cannot go on it has failed"
)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;
use support::fixture_path;

/// Names the file that the count goes to.
const COUNTED: &str = "WAIT4_STRACE_COUNTED";

static COUNT: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    if let Some(file) = std::env::var_os(COUNTED) {
        let exit = match wait4_strace::command::parse() {
            Ok(config) => wait4_strace::command::run(&config),
            Err(exit) => exit,
        };
        fs::write(file, COUNT.load(Relaxed).to_string()).unwrap();
        return exit.conclude();
    }
    a_stop_in_the_steady_state_allocates_nothing();
    ExitCode::SUCCESS
}

/// All allocations of a run with so many children.
fn allocations(children: u32, flags: &[&str]) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let (count, log) = (directory.path().join("count"), directory.path().join("log"));
    let status = Command::new(std::env::current_exe().unwrap())
        .env(COUNTED, &count)
        .args(flags)
        .arg("-o")
        .arg(&log)
        .arg("--")
        .arg(fixture_path())
        .args(["fork_exit_wait", &children.to_string()])
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let lines = fs::read_to_string(&log).unwrap();
    assert!(lines.lines().count() > 3 * usize::try_from(children).unwrap());
    fs::read_to_string(count).unwrap().parse().unwrap()
}

fn a_stop_in_the_steady_state_allocates_nothing() {
    // More than the ledger remembers of the reaped, so that its tables have
    // grown; then some more.
    const WARM: u32 = 4_500;
    const MORE: u32 = 1_500;
    let all = [&[] as &[&str], &["--strace"], &["-tt", "-T", "-v"]];
    all.into_par_iter().for_each(|flags| {
        let counts = rayon::join(
            || allocations(WARM, flags),
            || allocations(WARM + MORE, flags),
        );
        let (once, twice) = counts;
        let more = twice.saturating_sub(once);
        println!("{flags:?}: {once} allocations, {more} more for {MORE} children more");
        assert!(more < u64::from(MORE) / 100, "{flags:?}");
    });
}
