//! Wait statuses of each system, against its macros in C (`words.c`).

use std::path::Path;
use std::process::Command;

use wait4_strace::kernel::{Status, System, WaitStatus};

/// What we say of a word, in the words of the C program.
fn described(system: System, word: i32) -> String {
    let status = WaitStatus::of(system, word);
    let (kind, number, core) = match status.decode() {
        Status::Exited(code) => ("exited", i32::from(code), false),
        Status::Signaled { signal, core } => ("signaled", signal.number_in(system).unwrap(), core),
        Status::Stopped {
            signal, syscall, ..
        } => {
            let bit = if syscall { 0x80 } else { 0 };
            let number = signal.number_in(system).unwrap();
            ("stopped", number | bit, false)
        }
        Status::Continued => ("continued", 0, false),
        Status::Unknown => ("unknown", 0, false),
    };
    format!(
        "{} {word} {kind} {number} {}",
        system.name(),
        u8::from(core)
    )
}

#[test]
fn every_low_word_of_each_system_is_read_as_its_macros_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("words");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/words.c");
    let built = Command::new("cc")
        .args(["-Wall", "-Werror", "-o"])
        .args([&program, &source])
        .status();
    assert!(built.unwrap().success());
    let output = Command::new(&program).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let mut lines = table.lines();
    for system in [System::Linux, System::NetBsd, System::FreeBsd] {
        for word in 0..=0xffff {
            assert_eq!(Some(described(system, word).as_str()), lines.next());
        }
    }
    assert_eq!(lines.next(), None);
}
