//! What each way to hang is said to wait for, of a program that hangs in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{have, passed_over, run, traced};

/// How long a hang is looked at, the next time if it was not reached in that.
const SECONDS: [&str; 3] = ["1", "5", "30"];

/// The program, and where its files are.
struct Hangs {
    directory: TempDir,
    program: PathBuf,
}

impl Hangs {
    fn compiled() -> Option<Hangs> {
        if !have("gcc") {
            passed_over("gcc is not installed");
            return None;
        }
        let directory = TempDir::new().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/waiting/hangs.c");
        let program = directory.path().join("hangs");
        let mut compiler = Command::new("gcc");
        compiler.args(["-w", "-pthread", "-o"]).arg(&program);
        assert!(compiler.arg(source).status().unwrap().success());
        Some(Hangs { directory, program })
    }

    /// Whether a line of the tree has all of these words, where the program hangs so.
    #[track_caller]
    fn says(&self, way: &str, words: &[&str]) {
        let file = self.directory.path().join("file");
        let mut text = String::new();
        for seconds in SECONDS {
            fs::remove_file(&file).ok();
            let flags = ["-o", "/dev/null", "--duration", seconds];
            let program = [self.program.to_str().unwrap(), way, file.to_str().unwrap()];
            text = run(&mut traced(&flags, program)).stderr;
            let mut lines = text.lines();
            if lines.any(|line| words.iter().all(|word| line.contains(word))) {
                return;
            }
        }
        panic!("{way} is not said to wait for {words:?}: {text}");
    }
}

#[test]
fn the_holder_of_a_mutex_is_named_wherever_it_is() {
    let Some(hangs) = Hangs::compiled() else {
        return;
    };
    hangs.says("shared", &["└ ", " on a mutex that ", "/hangs shared"]);
    hangs.says(
        "shared-dead",
        &[" on a mutex that thread ", " holds, which is dead"],
    );
    hangs.says(
        "dead",
        &[" on a mutex that thread ", " holds, which is dead"],
    );
    hangs.says(
        "forked",
        &[
            "└ ",
            " on a mutex that was locked by thread ",
            " of its parent ",
            " when it was forked",
        ],
    );
}

#[test]
fn a_wait_in_its_own_memory_says_that_there_is_no_other_thread() {
    let Some(hangs) = Hangs::compiled() else {
        return;
    };
    hangs.says(
        "alone",
        &[
            "futex for ",
            ", and it has no other thread that could wake it",
        ],
    );
}

#[test]
fn what_is_no_file_has_its_name() {
    let Some(hangs) = Hangs::compiled() else {
        return;
    };
    hangs.says("eventfd", &[" on eventfd 5"]);
    hangs.says("signalfd", &[" on signalfd 5 (SIGUSR1)"]);
    hangs.says("timerfd", &[" on timerfd 5, which is not set"]);
}

#[test]
fn a_connection_that_is_not_accepted_has_its_listener() {
    let Some(hangs) = Hangs::compiled() else {
        return;
    };
    hangs.says(
        "backlog",
        &[
            "└ ",
            "connect(",
            "/file, which is full: ",
            " holds it and does not accept",
        ],
    );
}

#[test]
fn a_named_pipe_has_its_other_end() {
    let Some(hangs) = Hangs::compiled() else {
        return;
    };
    hangs.says(
        "fifo-held",
        &["└ ", " on the named pipe ", "/file that ", " holds"],
    );
    hangs.says(
        "fifo-opened",
        &["/file, until its other end is opened to read"],
    );
    // A process that may not be examined may have it too.
    hangs.says(
        "fifo-alone",
        &[" on the named pipe ", "/file whose other end it "],
    );
}

/// Its descriptors are those of its other threads.
#[test]
fn a_process_whose_main_thread_has_ended_holds_what_it_held() {
    let Some(hangs) = Hangs::compiled() else {
        return;
    };
    hangs.says(
        "fifo-of-a-thread",
        &["└ ", " on the named pipe ", "/file that ", " holds"],
    );
    hangs.says(
        "lock-of-a-thread",
        &["└ ", " on the lock of ", "/file that ", " holds"],
    );
}

#[test]
fn many_pipes_are_named_together() {
    let Some(hangs) = Hangs::compiled() else {
        return;
    };
    hangs.says("pipes", &["poll for ", " on 30 pipes whose other ends it "]);
}

#[test]
fn a_wait_for_clone_children_says_so() {
    let Some(hangs) = Hangs::compiled() else {
        return;
    };
    hangs.says(
        "clone",
        &["wait4(-1) for ", ", for clone children alone (__WCLONE)"],
    );
}
