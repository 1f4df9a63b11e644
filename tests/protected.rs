//! What root writes is not led astray by what others put where everybody may
//! write. The kernel refuses this too where `fs.protected_*` is on; these tests
//! hold with it off.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Outcome, passed_over, run, wait4_strace};
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use tempfile::TempDir;

/// Somebody else.
const OTHER: u32 = 12345;

/// A directory with `shared`, where everybody may write, and `victim`, a file of
/// root's.
struct Place(TempDir);

impl Place {
    /// None if we are not root.
    fn new() -> Option<Place> {
        if !geteuid().is_root() {
            passed_over("only root writes to what others may not");
            return None;
        }
        let place = Place(TempDir::new().unwrap());
        fs::create_dir(place.path("shared")).unwrap();
        fs::set_permissions(place.path("shared"), Permissions::from_mode(0o1777)).unwrap();
        fs::write(place.path("victim"), "precious\n").unwrap();
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A link of somebody's to the victim, in the shared directory.
    fn link(&self, name: &str, owner: u32) {
        symlink("../victim", self.path(name)).unwrap();
        lchown(self.path(name), Some(owner), Some(owner)).unwrap();
    }

    /// `wait4-strace WORDS… true`, in the directory.
    fn run(&self, words: &str) -> Outcome {
        let mut command = wait4_strace();
        command.args(words.split(' ')).arg("true");
        run(command.current_dir(self.0.path()).env_remove("CI"))
    }

    fn refuses(&self, words: &str, what: &str) {
        let outcome = self.run(words);
        assert_eq!(outcome.status, 125, "{words}: {outcome:?}");
        let sentence = format!("a {what} of uid {OTHER} lies there, in a directory that everybody");
        assert!(outcome.stderr.contains(&sentence), "{words}: {outcome:?}");
        assert_eq!(self.read("victim"), "precious\n", "{words}");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

/// The flags that write a file, up to its name.
const WRITING: [&str; 3] = ["-o ", "--record=", "--report-file="];

#[test]
fn root_follows_no_link_that_somebody_else_put_where_all_may_write() {
    let Some(place) = Place::new() else { return };
    place.link("shared/trap", OTHER);
    symlink("shared/trap", place.path("detour")).unwrap();
    for flag in WRITING {
        place.refuses(&format!("{flag}shared/trap"), "symlink");
        place.refuses(&format!("{flag}detour"), "symlink");
    }
    // It is empty, so --update would fill it.
    fs::write(place.path("victim"), "").unwrap();
    let outcome = place.run("--snapshot=shared/trap --update");
    assert_eq!(
        (outcome.status, place.read("victim").as_str()),
        (125, ""),
        "{outcome:?}"
    );
    fs::write(place.path("victim"), "precious\n").unwrap();
    // Without the bit that keeps others from moving it, too.
    fs::set_permissions(place.path("shared"), Permissions::from_mode(0o777)).unwrap();
    place.refuses("-o shared/trap", "symlink");
}

#[test]
fn root_follows_no_such_link_to_the_file_of_a_task() {
    let Some(place) = Place::new() else { return };
    let mut target = Command::new("sleep").arg("2").spawn().unwrap();
    place.link(&format!("shared/log.{}", target.id()), OTHER);
    let id = target.id().to_string();
    let mut command = wait4_strace();
    command.args(["-ff", "-o", "shared/log", "-p", &id]);
    let outcome = run(command.current_dir(place.0.path()));
    target.wait().unwrap();
    assert_eq!(outcome.status, 125, "{outcome:?}");
    let sentence = "cannot write the output: a symlink of uid 12345";
    assert!(outcome.stderr.contains(sentence), "{outcome:?}");
    assert_eq!(place.read("victim"), "precious\n");
}

#[test]
fn root_writes_to_no_file_or_pipe_of_somebody_else_where_all_may_write() {
    let Some(place) = Place::new() else { return };
    fs::write(place.path("shared/file"), "").unwrap();
    mkfifo(&place.path("shared/pipe"), Mode::from_bits_truncate(0o666)).unwrap();
    for what in ["file", "pipe"] {
        let path = place.path("shared").join(what);
        chown(path, Some(OTHER), Some(OTHER)).unwrap();
        for flag in WRITING {
            place.refuses(&format!("{flag}shared/{what}"), what);
        }
    }
}

#[test]
fn root_writes_where_nobody_could_lay_a_trap() {
    let Some(place) = Place::new() else { return };
    place.link("shared/own", 0);
    for name in ["own", "new"] {
        place.run(&format!("-o shared/{name}"));
        assert!(
            place
                .read(&format!("shared/{name}"))
                .contains("exited with 0")
        );
    }
    assert_eq!(place.read("victim"), place.read("shared/own"));
    // In a directory of one's own, others' links and files are as they were put.
    symlink("victim", place.path("link")).unwrap();
    lchown(place.path("link"), Some(OTHER), Some(OTHER)).unwrap();
    fs::write(
        place.path("victim"),
        "longer than what is written\n".repeat(99),
    )
    .unwrap();
    place.run("-o link");
    assert!(place.read("victim").ends_with("exited with 0 +++\n"));
    assert!(!place.read("victim").contains("longer"));
    assert_eq!(place.run("-o /dev/null").status, 0);
    let to_stdout = place.run("--report-file=/dev/stderr -o /dev/stdout");
    assert!(to_stdout.stdout.contains("exited with 0"), "{to_stdout:?}");
}

#[test]
fn what_is_no_file_is_refused_as_ever() {
    let Some(place) = Place::new() else { return };
    for path in [
        "shared", "shared/", "shared/.", "..", "/", "new/", "victim/x",
    ] {
        let outcome = place.run(&format!("-o {path}"));
        assert_eq!(outcome.status, 125, "{path}: {outcome:?}");
        assert!(outcome.stderr.contains("cannot write to"), "{outcome:?}");
    }
    symlink("round", place.path("round")).unwrap();
    let outcome = place.run("-o round");
    assert!(outcome.stderr.contains("Too many levels"), "{outcome:?}");
}
