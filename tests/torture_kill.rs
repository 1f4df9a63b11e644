//! The tracer dies at random moments, or loses its output: attached programs
//! go on to their right end, launched ones die with it, output that is lost
//! harms no one, and what was written are whole lines.
//!
//! `WAIT4_STRACE_KILL_ROUNDS` says how often each. Docs: `docs/torture.md`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::torture::{Mark, Random, rounds};
use support::{Outcome, fixture_path, have, passed_over, run, until, wait4_strace};
use tempfile::TempDir;

const ROUNDS: &str = "WAIT4_STRACE_KILL_ROUNDS";

/// Rounds in a short run.
const FEW: u64 = 30;

/// The status of a program that died of a signal, as a shell sees it.
const fn died_of(signal: Signal) -> i32 {
    128 + signal as i32
}

// Programs.

/// A program, and how it ends when nobody disturbs it. It leaves a file
/// `done` in its directory as the last thing.
struct Program {
    words: Vec<String>,
    undisturbed: Outcome,
}

const FAMILY: &str = "cd \"$0\"; n=0; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; \
     do (exit $i); n=$((n + $?)); m=$(echo $i | tr 0-9 a-j); echo $m; done; \
     sh -c 'exit 9' & wait $!; echo $? $n; echo yes > done; exit 7";

const MAKEFILE: &str = "all: $(addprefix part,1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)\n\
     \t@cat $^; echo yes > done\n\
     part%:\n\t@(exit 3) || echo $@ > $@; true\n";

impl Program {
    fn new(words: &[&str]) -> Program {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let directory = TempDir::new().unwrap();
        let undisturbed = run(&mut command(&words, directory.path()));
        Program { words, undisturbed }
    }

    /// Those that this machine has.
    fn all() -> Vec<Program> {
        let fixture = fixture_path();
        let threads = "cd \"$1\" && \"$0\" threads_fork_and_wait 4 20 && echo yes > done";
        let mut all = vec![Program::new(&[
            "sh",
            "-c",
            threads,
            fixture.to_str().unwrap(),
            "DIR",
        ])];
        if have("bash") {
            all.push(Program::new(&["bash", "-c", FAMILY, "DIR"]));
        }
        if have("make") {
            let script = "cd \"$0\" && printf '%s' \"$1\" > Makefile && exec make -s -j2";
            all.push(Program::new(&["sh", "-c", script, "DIR", MAKEFILE]));
        }
        let spaces = if nix::unistd::geteuid().is_root() {
            "-pf"
        } else {
            "-Urpf"
        };
        let family = ["unshare", spaces, "--mount-proc", "sh", "-c", FAMILY, "DIR"];
        let namespace = have("unshare").then(|| Program::new(&family));
        all.extend(namespace.filter(|program| program.undisturbed.status == 7));
        for program in &all {
            assert!(
                !program.undisturbed.stdout.is_empty(),
                "{:?}",
                program.undisturbed
            );
        }
        all
    }
}

/// The words as a command; `DIR` stands for the directory.
fn command(words: &[String], directory: &Path) -> Command {
    let directory = directory.to_str().unwrap();
    let words: Vec<&str> = words
        .iter()
        .map(|word| if word == "DIR" { directory } else { word })
        .collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

// One run.

/// Whether the program is launched by the tracer, or attached to later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReapKind {
    Launched,
    Attached,
}

/// A program under trace, in a directory of its own.
struct Run<'a> {
    program: &'a Program,
    mark: Mark,
    directory: TempDir,
    tracer: Child,
    /// Attached to.
    target: Option<Child>,
}

/// The forms of lines, and where they go.
const FORMS: [&[&str]; 5] = [
    &[],
    &["--strace"],
    &["--format", "json"],
    &["--seccomp-bpf=never", "--strace"],
    &["-ff"],
];

impl<'a> Run<'a> {
    /// Start both at random, the lines going to `log`, or as `start` wants it.
    fn start(
        program: &'a Program,
        way: ReapKind,
        random: &mut Random,
        form: &[&str],
        log: Option<&Path>,
        stderr: Stdio,
    ) -> Run<'a> {
        let (mark, directory) = (Mark::new(), TempDir::new().unwrap());
        let stdout = File::create(directory.path().join("stdout")).unwrap();
        let mut tracer = wait4_strace();
        tracer.args(form);
        if let Some(log) = log {
            tracer.arg("-o").arg(log);
        }
        let mut program_alone = command(&program.words, directory.path());
        let target = match way {
            ReapKind::Launched => {
                mark.put_on(&mut tracer);
                tracer.arg("--").arg(program_alone.get_program());
                tracer.args(program_alone.get_args()).stdout(stdout);
                None
            }
            ReapKind::Attached => {
                mark.put_on(&mut program_alone);
                let target = program_alone.stdin(Stdio::null()).stdout(stdout).spawn();
                thread::sleep(random.moment(8..16));
                let pids = mark.living().into_iter();
                let pids: Vec<String> = pids.map(|pid| pid.to_string()).collect();
                // The program may have ended: then this is refused.
                tracer.args(["-p", &pids.join(",")]).stdout(Stdio::null());
                target.ok()
            }
        };
        let tracer = tracer.stdin(Stdio::null()).stderr(stderr).spawn().unwrap();
        Run {
            program,
            mark,
            directory,
            tracer,
            target,
        }
    }

    fn tracer_pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.tracer.id()).unwrap())
    }

    /// Until the program has its own limits, or the tracer is done.
    fn until_it_runs(&mut self) {
        until("the program runs", || {
            let is_done = self.tracer.try_wait().unwrap().is_some();
            let name = format!("/proc/{}/exe", self.tracer.id());
            let tracer = fs::read_link(name).unwrap_or_default();
            let is_other =
                |pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe != tracer);
            is_done || self.mark.living().into_iter().any(is_other)
        });
    }

    /// The end of the tracer.
    fn end_of_tracer(&mut self) -> i32 {
        self.mark.end_of(&mut self.tracer)
    }

    /// That the program did and ended as it does untraced.
    fn program_is_undisturbed(&mut self) {
        let undisturbed = &self.program.undisturbed;
        if let Some(mut target) = self.target.take() {
            assert_eq!(self.mark.end_of(&mut target), undisturbed.status);
        }
        self.mark.nobody_is_left();
        let file = |name| fs::read_to_string(self.directory.path().join(name));
        assert_eq!(file("stdout").unwrap(), undisturbed.stdout);
        assert_eq!(file("done").unwrap(), "yes\n");
    }
}

/// That the files whose names begin so hold whole lines.
fn lines_are_whole(log: &Path, form: &[&str]) {
    let name = log.file_name().unwrap().to_str().unwrap();
    for entry in fs::read_dir(log.parent().unwrap()).unwrap().flatten() {
        let is_log = entry.file_name().to_str().unwrap().starts_with(name);
        // A program's own output to a device is none of ours.
        if !is_log || !entry.file_type().unwrap().is_file() {
            continue;
        }
        let text = fs::read(entry.path()).unwrap();
        let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(200)..]).into_owned();
        assert!(
            text.is_empty() || text.ends_with(b"\n"),
            "half a line: …{tail}"
        );
        if form.contains(&"json") {
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                let parsed = serde_json::from_slice::<serde_json::Value>(line);
                assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(line));
            }
        }
    }
}

// The tracer dies.

/// What the tracer dies of. Its memory is limited to less than it has: the
/// next that it asks for is refused, and it aborts (or ends before).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Signal(Signal),
    Memory,
}

impl Blow {
    fn random(random: &mut Random) -> Blow {
        *random.pick(&[
            Blow::Signal(Signal::SIGKILL),
            Blow::Signal(Signal::SIGSEGV),
            Blow::Memory,
        ])
    }

    fn strike(self, run: &mut Run) {
        match self {
            Blow::Signal(signal) => kill(run.tracer_pid(), signal).unwrap(),
            Blow::Memory => {
                // Before, the program would inherit the limit.
                run.until_it_runs();
                limit(run.tracer_pid(), "--as=4096:");
            }
        }
    }

    /// Whether the tracer, which ended so, died of it.
    fn was_deadly(self, status: i32) -> bool {
        match self {
            Blow::Signal(signal) => status == died_of(signal),
            // The stack may not grow either.
            Blow::Memory => [Signal::SIGABRT, Signal::SIGSEGV]
                .map(died_of)
                .contains(&status),
        }
    }
}

fn limit(pid: Pid, what: &str) {
    let pid = pid.to_string();
    // The process may have ended.
    let _ = run(Command::new("prlimit").args(["--pid", &pid, what]));
}

/// No core dumps of those that are struck.
fn no_cores() {
    let (_, most) = getrlimit(Resource::RLIMIT_CORE).unwrap();
    setrlimit(Resource::RLIMIT_CORE, 0, most).unwrap();
}

fn a_tracer_dies(way: ReapKind, random: &mut Random, programs: &[Program]) -> bool {
    let (program, form) = (random.pick(programs), *random.pick(&FORMS));
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    let errors = File::create(directory.path().join("errors")).unwrap();
    let mut run = Run::start(program, way, random, form, Some(&log), errors.into());
    thread::sleep(random.moment(8..19));
    let blow = Blow::random(random);
    blow.strike(&mut run);
    let status = run.end_of_tracer();
    let died = blow.was_deadly(status);
    if way == ReapKind::Attached {
        run.mark.nobody_is_traced();
        run.mark.nobody_is_stopped();
        run.program_is_undisturbed();
    } else if died {
        run.mark.nobody_is_left();
    } else {
        run.program_is_undisturbed();
    }
    lines_are_whole(&log, form);
    let errors = fs::read_to_string(directory.path().join("errors")).unwrap();
    // Without memory std's own start may fail, before any of our code runs.
    let before_main = errors.contains("failed to allocate an alternative stack");
    assert!(before_main || !errors.contains("panicked"), "{errors}");
    died
}

fn tracers_die(way: ReapKind) {
    no_cores();
    let programs = Program::all();
    let (mut all, mut died) = (0, 0);
    rounds(ROUNDS, FEW, |random| {
        all += 1;
        died += u32::from(a_tracer_dies(way, random, &programs));
    });
    eprintln!("{died} of {all} tracers died before their programs ended");
    assert!(
        died > 0 || all < FEW,
        "no tracer died before its program ended"
    );
}

#[test]
fn programs_that_a_dying_tracer_was_attached_to_end_as_ever() {
    tracers_die(ReapKind::Attached);
}

#[test]
fn programs_that_a_dying_tracer_launched_die_with_it() {
    tracers_die(ReapKind::Launched);
}

// The tracer loses its output.

/// How the output is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// A file system is filled.
    Full,
    /// The file may not grow beyond some size.
    Limit,
    /// Nobody reads a pipe any more.
    Pipe,
    /// A terminal is closed.
    Terminal,
    /// A device that takes nothing, from the beginning.
    Device,
}

/// A small file system of its own, for as long as the test runs.
struct SmallDisk(TempDir);

impl SmallDisk {
    const SIZE: usize = 96 * 1024;

    fn mount() -> Option<SmallDisk> {
        let directory = TempDir::new().unwrap();
        let size = format!("size={}", SmallDisk::SIZE);
        let words = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        let outcome = run(Command::new("mount").args(words).arg(directory.path()));
        if outcome.status != 0 {
            passed_over("no file system may be mounted");
            return None;
        }
        Some(SmallDisk(directory))
    }

    /// Take all room that is left.
    fn fill(&self) {
        let mut file = File::create(self.0.path().join("filler")).unwrap();
        while file.write_all(&[0; 1024]).is_ok() {}
    }

    fn clear(&self) {
        for entry in fs::read_dir(self.0.path()).unwrap().flatten() {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("-l").arg(self.0.path()));
    }
}

/// A terminal: its master, which no child inherits, and the name of what
/// programs write to.
#[expect(unsafe_code, reason = "nix has terminals behind a feature only")]
fn terminal() -> (File, PathBuf) {
    let master = OpenOptions::new().read(true).write(true).open("/dev/ptmx");
    let master = master.unwrap();
    let (mut number, unlocked): (libc::c_int, libc::c_int) = (0, 0);
    // SAFETY: both requests take a pointer to an int.
    let results = unsafe {
        let fd = master.as_raw_fd();
        [
            libc::ioctl(fd, libc::TIOCGPTN, &raw mut number),
            libc::ioctl(fd, libc::TIOCSPTLCK, &raw const unlocked),
        ]
    };
    assert_eq!(results, [0, 0]);
    (master, PathBuf::from(format!("/dev/pts/{number}")))
}

impl Loss {
    /// Start a run that will lose its output so; what is returned beside it
    /// is to be dropped when the time has come.
    fn begin<'a>(
        self,
        start: impl FnOnce(Option<&Path>, Stdio) -> Run<'a>,
        log: &Path,
    ) -> (Run<'a>, Option<File>) {
        match self {
            Loss::Full | Loss::Limit => (start(Some(log), Stdio::null()), None),
            Loss::Device => (start(Some(Path::new("/dev/full")), Stdio::null()), None),
            Loss::Pipe => {
                let mut run = start(None, Stdio::piped());
                let reader = run.tracer.stderr.take().unwrap();
                (run, Some(File::from(OwnedFd::from(reader))))
            }
            Loss::Terminal => {
                let (master, name) = terminal();
                (start(Some(&name), Stdio::null()), Some(master))
            }
        }
    }
}

/// One run that loses its output; whether the tracer noticed.
fn output_is_lost(random: &mut Random, programs: &[Program], disk: Option<&SmallDisk>) -> bool {
    let losses = [
        Loss::Limit,
        Loss::Pipe,
        Loss::Terminal,
        Loss::Device,
        Loss::Full,
    ];
    let losses = if disk.is_some() {
        &losses[..]
    } else {
        &losses[..4]
    };
    let (program, loss) = (random.pick(programs), *random.pick(losses));
    let way = *random.pick(&[ReapKind::Launched, ReapKind::Attached]);
    // One file, so that its loss is the only one.
    let form = *random.pick(&FORMS[..4]);
    let directory = TempDir::new().unwrap();
    let place = disk.filter(|_| loss == Loss::Full);
    let place = place.map_or(directory.path(), |disk| disk.0.path());
    let log = place.join("log");
    let seed = random.next();
    let start = |log: Option<&Path>, stderr| {
        let mut random = Random::new(seed);
        Run::start(program, way, &mut random, form, log, stderr)
    };
    let (mut run, reader) = loss.begin(start, &log);
    // Output that cannot be opened is refused, and nothing runs.
    run.until_it_runs();
    thread::sleep(random.moment(8..18));
    match loss {
        Loss::Full => disk.unwrap().fill(),
        Loss::Limit => {
            // The program's own files are smaller.
            let size = 1024 + random.below(30 * 1024);
            limit(run.tracer_pid(), &format!("--fsize={size}:"));
        }
        Loss::Pipe | Loss::Terminal | Loss::Device => drop(reader),
    }
    let status = run.end_of_tracer();
    run.program_is_undisturbed();
    let own = match way {
        ReapKind::Launched => program.undisturbed.status,
        ReapKind::Attached => 0,
    };
    // Attached too late it is refused, with 125 as well.
    let expected = [125, own];
    assert!(
        expected.contains(&status),
        "{status} {loss:?} {way:?} {form:?}"
    );
    if loss == Loss::Device {
        assert_eq!(status, 125, "{way:?} {form:?}");
    }
    if place.join("log").exists() {
        lines_are_whole(&log, form);
    }
    if let Some(disk) = disk {
        disk.clear();
    }
    status == 125
}

#[test]
fn output_that_is_lost_at_any_moment_harms_no_one() {
    let (programs, disk) = (Program::all(), SmallDisk::mount());
    let (mut all, mut lost) = (0, 0);
    rounds(ROUNDS, FEW, |random| {
        all += 1;
        lost += u32::from(output_is_lost(random, &programs, disk.as_ref()));
    });
    eprintln!("{lost} of {all} runs lost their output");
}
