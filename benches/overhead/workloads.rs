//! What is traced.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a workload runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cpu {
    /// Everybody on one: no wake-up of another, no luck of the scheduler's.
    One,
    /// Wherever the scheduler puts them.
    Free,
}

/// A program that waits in a way of its own.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) cpu: Cpu,
    pub(crate) words: Vec<String>,
    /// A small part of it, for tracers that make it hundreds of times slower.
    pub(crate) part: Option<Vec<String>>,
    pub(crate) directory: PathBuf,
    /// The added time, over strace's, that is to be reached.
    pub(crate) target: Option<f64>,
    /// It runs in this part of the rounds.
    share: f64,
}

impl Workload {
    /// In how many of so many rounds it runs.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few rounds"
    )]
    pub(crate) fn rounds(&self, rounds: usize) -> usize {
        ((rounds as f64 * self.share) as usize).max(1)
    }
}

const SOURCES: usize = 60;

/// All of them; their files are made in `directory`.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn all(directory: &Path) -> Vec<Workload> {
    let build = make_project(&directory.join("c"));
    let cargo = make_crate(&directory.join("rust"));
    let shell = "i=0; while [ $i -lt 500 ]; do /bin/true; i=$((i+1)); done";
    let dd = |blocks: u32| {
        let count = format!("count={blocks}");
        let words = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", &count];
        words.map(str::to_owned).to_vec()
    };
    let words = |line: &[&str]| line.iter().map(|word| (*word).to_owned()).collect();
    let fixture = |line: &[&str]| -> Vec<String> {
        let binary = Path::new(crate::tracers::OURS);
        let fixture = binary.with_file_name("examples").join("fixture");
        let mut all = vec![fixture.display().to_string()];
        all.extend(line.iter().map(|word| (*word).to_owned()));
        all
    };
    let workload = |name, what, cpu, target, words| Workload {
        name,
        what,
        cpu,
        words,
        part: None,
        directory: directory.to_owned(),
        target,
        share: 1.0,
    };
    let (one, free) = (Cpu::One, Cpu::Free);
    vec![
        workload("start", "/bin/true", one, Some(0.65), words(&["/bin/true"])),
        workload(
            "W1",
            "fork, exit, wait, 3,000 times",
            one,
            Some(0.60),
            fixture(&["fork_exit_wait", "3000"]),
        ),
        workload(
            "W1 free",
            "the same",
            free,
            None,
            fixture(&["fork_exit_wait", "3000"]),
        ),
        Workload {
            part: Some(dd(5_000)),
            ..workload("W2", "dd, one-byte blocks", one, Some(1.03), dd(500_000))
        },
        workload(
            "W3 shell",
            "a shell, 500 times /bin/true",
            one,
            Some(0.65),
            words(&["dash", "-c", shell]),
        ),
        Workload {
            directory: build,
            ..workload(
                "W3 make",
                "make -j2 of 60 C files",
                free,
                Some(0.40),
                words(&["make", "-s", "-B", "-j2"]),
            )
        },
        Workload {
            part: Some(fixture(&["wnohang_poll", "2000"])),
            share: 0.16,
            ..workload(
                "W4",
                "100,000 polls of a living child",
                one,
                None,
                fixture(&["wnohang_poll", "100000"]),
            )
        },
        workload(
            "W5",
            "8 threads that fork and wait",
            one,
            Some(0.60),
            fixture(&["threads_fork_and_wait", "8", "250"]),
        ),
        workload(
            "W6 500",
            "500 children alive",
            one,
            None,
            fixture(&["many_live", "500"]),
        ),
        workload(
            "W6 2000",
            "2,000 children alive",
            one,
            Some(0.55),
            fixture(&["many_live", "2000"]),
        ),
        Workload {
            share: 0.16,
            ..workload(
                "W6 8000",
                "8,000 children alive",
                one,
                None,
                fixture(&["many_live", "8000"]),
            )
        },
        Workload {
            directory: cargo,
            share: 0.35,
            ..workload(
                "W7",
                "cargo build of a small crate",
                free,
                None,
                words(&["sh", "-c", "touch src/main.rs; cargo build -q --offline"]),
            )
        },
    ]
}

/// A directory with C files and a makefile.
fn make_project(directory: &Path) -> PathBuf {
    fs::create_dir_all(directory).unwrap();
    let mut makefile = "all:".to_owned();
    for source in 0..SOURCES {
        write!(makefile, " f{source}.o").unwrap();
        let text = format!("int f{source}(int x) {{ return x + {source}; }}\n");
        fs::write(directory.join(format!("f{source}.c")), text).unwrap();
    }
    makefile.push_str("\n%.o: %.c\n\tgcc -c -o $@ $<\n");
    fs::write(directory.join("Makefile"), makefile).unwrap();
    directory.to_owned()
}

/// A crate that needs no other.
fn make_crate(directory: &Path) -> PathBuf {
    fs::create_dir_all(directory.join("src")).unwrap();
    let manifest = "[package]\nname = \"small\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    let source = "fn main() {\n    println!(\"{}\", std::env::args().count());\n}\n";
    fs::write(directory.join("src/main.rs"), source).unwrap();
    directory.to_owned()
}
