//! The files that flags name: which may be the same, and what is no file.

use std::fs;
use std::path::Path;

use crate::support::{run, traced, wait4_strace};
use tempfile::TempDir;

#[test]
fn one_file_for_two_flags_is_refused_before_it_is_touched() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let [record, log, split] = ["r.json", "log", "p.12"].map(path);
    let (prefix, link, new, dangling) = (path("p"), path("link"), path("new"), path("dangling"));
    run(&mut traced(&["-o", &log, "--record", &record], ["true"]));
    fs::write(&split, "execve(\"x\", [\"x\"], 0x1 /* 2 vars */) = 0\n").unwrap();
    fs::write(path("known"), "zombie-leak x\n").unwrap();
    std::os::unix::fs::symlink(&record, &link).unwrap();
    std::os::unix::fs::symlink("new", &dangling).unwrap();
    let kept = [&record, &split].map(|path| fs::read(path).unwrap());
    let known = path("known");
    let refused: [&[&str]; 11] = [
        &["--read", &record, "-o", &record],
        &["--read", &record, "-o", &link],
        &["--read", &record, "--record", &record],
        &["--read", &record, "--report-file", &record],
        &["--read", &record, "--snapshot", &record, "--update"],
        &["--read", &prefix, "-ff", "-o", &prefix],
        &["--read", &prefix, "-o", &split],
        &["--read", &record, "-o", &new, "--record", &new],
        &["--read", &record, "-o", &new, "--record", &dangling],
        &["--read", &record, "-o", &new, "--report-file", &new],
        &["--read", &record, "-o", &known, "--suppress", &known],
    ];
    for flags in refused {
        let outcome = run(wait4_strace().args(flags));
        assert_eq!(outcome.status, 125, "{flags:?}: {outcome:?}");
        assert!(outcome.stderr.contains("name "), "{flags:?}: {outcome:?}");
    }
    assert_eq!([&record, &split].map(|path| fs::read(path).unwrap()), kept);
    assert!(!Path::new(&new).exists());
    assert_eq!(fs::read_to_string(&known).unwrap(), "zombie-leak x\n");
    let same = run(&mut traced(&["-o", &new, "--record", &new], ["true"]));
    assert_eq!(same.status, 125, "{same:?}");
    let shared: [&[&str]; 3] = [
        &[
            "-o",
            "/dev/null",
            "--record",
            "/dev/null",
            "--report-file",
            "/dev/null",
        ],
        &["-o", "/dev/stderr", "--report-file", "/dev/stderr"],
        &["-o", "-", "--report-file", "-"],
    ];
    for flags in shared {
        let outcome = run(wait4_strace().args(["--read", &record]).args(flags));
        assert_eq!(outcome.status, 0, "{flags:?}: {outcome:?}");
    }
}

#[test]
fn a_recording_is_a_file_and_its_errors_name_it() {
    let directory = TempDir::new().unwrap();
    for (name, instead) in [("|cat", "-o '|command'"), ("-", "/dev/stdout")] {
        let mut command = traced(&["-o", "/dev/null", "--record", name], ["true"]);
        let outcome = run(command.current_dir(&directory));
        assert_eq!(outcome.status, 125, "{outcome:?}");
        assert!(outcome.stderr.contains(instead), "{outcome:?}");
    }
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    let full = ["-o", "/dev/null", "--record", "/dev/full"];
    let outcome = run(&mut traced(&full, ["true"]));
    assert_eq!(outcome.status, 125, "{outcome:?}");
    let sentence = "cannot write to /dev/full (--record): No space left";
    assert!(outcome.stderr.contains(sentence), "{outcome:?}");
}
