//! Real programs, launched and attached to: what they write and how they end is
//! as without a tracer, and each finding above info is a true one.
//!
//! They are many and large, so these tests run when they are asked for:
//! `tests/real/install`, then `cargo test --test suite real_programs:: -- --ignored
//! --test-threads=1`. `docs/real-programs.md` says what came out. Flags in
//! `WAIT4_STRACE_REAL_FLAGS`, as `-k`, are given to the tracer too.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{
    Outcome, have, passed_over, postgres, run, traced, until, wait, wait4_strace,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The environment variable by which a run's processes are found again.
const MARK: &str = "WAIT4_STRACE_REAL_MARK";

fn more_flags() -> Vec<String> {
    let flags = std::env::var("WAIT4_STRACE_REAL_FLAGS").unwrap_or_default();
    flags.split_whitespace().map(str::to_owned).collect()
}

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/real")
        .join(name)
}

/// A run's own directory; what still runs of it at the end is killed.
struct Place {
    directory: TempDir,
}

impl Place {
    fn with(files: &[&str]) -> Place {
        let directory = TempDir::new().unwrap();
        // Some daemons serve as another user.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
        for file in files {
            let name = Path::new(file).file_name().unwrap();
            let copy = directory.path().join(name);
            fs::copy(kept(file), &copy).unwrap();
            fs::set_permissions(&copy, Permissions::from_mode(0o644)).unwrap();
        }
        Place { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn here<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.current_dir(self.path()).env(MARK, self.path())
    }

    /// Its processes. A daemon may have written over its environment or have
    /// left for another directory, but hardly both.
    fn processes(&self) -> Vec<Pid> {
        let mark = [MARK, "=", self.path().to_str().unwrap()].concat();
        let all = fs::read_dir("/proc").unwrap().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let ours = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let marked = environment
                .split(|byte| *byte == 0)
                .any(|word| word == mark.as_bytes());
            let lives_here = fs::read_link(format!("/proc/{pid}/cwd"))
                .is_ok_and(|directory| directory.starts_with(self.path()));
            marked || lives_here
        };
        pids.filter(ours).map(Pid::from_raw).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for pid in self.processes() {
            kill(pid, Signal::SIGKILL).ok();
        }
    }
}

/// The findings above info of a report as `RULE PROGRAM`.
fn findings(report: &str) -> Vec<String> {
    let found = report.lines().filter_map(|line| {
        let rest = ["warning[", "error["]
            .iter()
            .find_map(|level| line.strip_prefix(level))?;
        let (rule, rest) = rest.split_once("]: ")?;
        let program = rest.split('[').next().unwrap_or_default();
        Some(format!("{rule} {program}"))
    });
    let mut found: Vec<String> = found.collect();
    found.sort();
    found.dedup();
    found
}

/// Each finding above info must stand in `tests/real/known` with its reason.
fn assert_findings_known(what: &str, report: &str) {
    let known = fs::read_to_string(kept("known")).unwrap();
    let found = findings(report);
    eprintln!("{what}: findings {found:?}");
    for line in &found {
        let entry = format!("{what} {line} ");
        assert!(
            known.lines().any(|known| known.starts_with(&entry)),
            "{what}: a finding that is not known to be true: {line}\n{report}"
        );
    }
    let last = report.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("wait4-strace: ") && last.contains(" reaped, "),
        "{what}: no summary: {report}"
    );
}

/// Beside findings, which are judged, the tracer says who it traces and no more.
fn assert_nothing_else_said(what: &str, stderr: &str) {
    let expected = ["Process ", "warning[", "info["];
    let mut said = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("wait4-strace: "));
    let strange = said.find(|line| !expected.iter().any(|known| line.starts_with(known)));
    assert_eq!(strange, None, "{what}: {stderr}");
}

fn assert_same(what: &str, ours: &Outcome, plain: &Outcome) {
    let end = |outcome: &Outcome| (outcome.status, outcome.stdout.clone());
    assert_eq!(
        end(ours),
        end(plain),
        "{what}: traced is not as untraced; untraced: {plain:?}; traced: {ours:?}"
    );
}

/// Run these words untraced (or under `reference`) and traced.
fn compare<S: AsRef<OsStr>>(what: &str, reference: &[&str], words: &[S], files: &[&str]) {
    let words: Vec<&OsStr> = words.iter().map(AsRef::as_ref).collect();
    let before = reference.iter().map(OsStr::new);
    let plain: Vec<&OsStr> = before.chain(words.iter().copied()).collect();
    let place = Place::with(files);
    let plain = run(place.here(Command::new(plain[0]).args(&plain[1..])));
    drop(place);

    let (logs, place) = (TempDir::new().unwrap(), Place::with(files));
    let file = |name: &str| logs.path().join(name).to_str().unwrap().to_owned();
    let (log, report) = (file("log"), file("report"));
    let more = more_flags();
    let mut flags = vec!["-o", &log, "--report-file", &report];
    flags.extend(more.iter().map(String::as_str));
    let ours = run(place.here(&mut traced(&flags, &words)));
    assert_same(what, &ours, &plain);
    assert_nothing_else_said(what, &ours.stderr);
    assert_findings_known(what, &fs::read_to_string(report).unwrap());
}

/// A script of `tests/real/programs` with its interpreter.
fn launched(interpreter: &[&str], script: &str, needed: &[&str]) {
    if needed
        .iter()
        .chain(&interpreter[..1])
        .all(|name| have(name))
    {
        let what = script.split('.').next().unwrap();
        let words = [interpreter, &[script]].concat();
        compare(what, &[], &words, &[&format!("programs/{script}")]);
    }
}

fn shell(name: &str, needed: &[&str]) {
    launched(&["sh"], &format!("{name}.sh"), needed);
}

/// Debuggers: their output inside a trace is that inside of strace.
fn debugger(name: &str) {
    if have(name) && have("strace") && have("gcc") {
        let script = format!("{name}.sh");
        let files = [format!("programs/{script}")];
        let reference = ["strace", "-f", "-o", "/dev/null"];
        compare(name, &reference, &["sh", &script], &[&files[0]]);
    }
}

// Daemons.

fn have_daemon(needed: &[&str]) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        passed_over("the daemons are run as root");
    }
    root && needed
        .iter()
        .chain(&["curl", "pgrep"])
        .all(|name| have(name))
}

fn field(pid: Pid, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

/// A process and all below it that live.
fn tree(pid: Pid) -> Vec<Pid> {
    let below = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let children = below
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .map(|child| Pid::from_raw(child.parse().unwrap()));
    let all = [pid].into_iter().chain(children.flat_map(tree));
    all.filter(|pid| field(*pid, "State:").is_some_and(|state| state != "Z"))
        .collect()
}

/// The same once it is at rest: a process that has ended cannot be attached to.
fn settled_tree(pid: Pid) -> Vec<Pid> {
    let mut before = Vec::new();
    loop {
        let now = tree(pid);
        if now == before {
            return now;
        }
        before = now;
        thread::sleep(Duration::from_millis(500));
    }
}

/// A daemon of `tests/real/daemons` that runs on its own.
struct Daemon {
    name: String,
    place: Place,
    shell: Child,
    master: Pid,
}

impl Daemon {
    fn serve(name: &str) -> Daemon {
        let place = Place::with(&["daemon.sh", &format!("daemons/{name}.sh")]);
        let mut command = Command::new("sh");
        let (null, log) = (
            Stdio::null(),
            fs::File::create(place.path().join("serve")).unwrap(),
        );
        command.args(["daemon.sh", name, "serve"]).process_group(0);
        command
            .stdin(null)
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let shell = place.here(&mut command).spawn().unwrap();
        let mut read = String::new();
        until("the daemon serves", || {
            read = fs::read_to_string(place.path().join("pid")).unwrap_or_default();
            read.ends_with('\n')
        });
        let master = Pid::from_raw(read.trim().parse().unwrap());
        let name = name.to_owned();
        Daemon {
            name,
            place,
            shell,
            master,
        }
    }

    fn phase(&self, phase: &str) -> Outcome {
        let mut command = Command::new("sh");
        run(self
            .place
            .here(command.args(["daemon.sh", &self.name, phase])))
    }

    /// The answers of two rounds of work, what goes on around the first being
    /// `during`, and of the stop.
    fn rounds(mut self, during: impl FnOnce(&Daemon) -> Outcome) -> [Outcome; 3] {
        let first = during(&self);
        let rounds = [first, self.phase("work"), self.phase("stop")];
        for pid in self.place.processes() {
            kill(pid, Signal::SIGKILL).ok();
        }
        wait(&mut self.shell);
        rounds
    }

    /// Attach, work, and leave by SIGINT.
    fn attached(&self, what: &str, pids: &[Pid]) -> Outcome {
        let logs = TempDir::new().unwrap();
        let file = |name: &str| logs.path().join(name);
        let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
        let mut command = wait4_strace();
        command.args(["-p", &list.join(","), "-o"]).arg(file("log"));
        command
            .arg("--report-file")
            .arg(file("report"))
            .args(more_flags());
        command
            .stdin(Stdio::null())
            .stderr(fs::File::create(file("stderr")).unwrap());
        let mut tracer = command.process_group(0).spawn().unwrap();
        let by = tracer.id().to_string();
        until("all are attached", || {
            let attached = |pid: &Pid| field(*pid, "TracerPid:").is_none_or(|pid| pid == by);
            pids.iter().all(attached)
        });
        let work = self.phase("work");
        let begun = Instant::now();
        kill(
            Pid::from_raw(tracer.id().try_into().unwrap()),
            Signal::SIGINT,
        )
        .unwrap();
        let status = wait(&mut tracer);
        eprintln!("{what}: detached in {:?}", begun.elapsed());
        let said = fs::read_to_string(file("stderr")).unwrap();
        assert_eq!(status, Some(130), "{what}: {said}");
        assert_nothing_else_said(what, &said);
        let left: Vec<Pid> = self.place.processes();
        let traced = |pid: &Pid| field(*pid, "TracerPid:").is_some_and(|pid| pid == by);
        assert!(!left.iter().any(traced), "{what}: some are traced still");
        assert_findings_known(what, &fs::read_to_string(file("report")).unwrap());
        work
    }
}

/// A daemon under trace from its start to its end.
fn daemon_launched(name: &str, needed: &[&str]) {
    if have_daemon(needed) {
        let files = [String::from("daemon.sh"), format!("daemons/{name}.sh")];
        let files = [files[0].as_str(), files[1].as_str()];
        compare(name, &[], &["sh", "daemon.sh", name, "launched"], &files);
    }
}

/// A daemon that is attached to while it works and left again: its master
/// alone, and all of its processes.
fn daemon_attached(name: &str, needed: &[&str]) {
    if !have_daemon(needed) {
        return;
    }
    let plain = Daemon::serve(name).rounds(|daemon| daemon.phase("work"));
    for whole in [false, true] {
        let ours = Daemon::serve(name).rounds(|daemon| {
            let all = settled_tree(daemon.master);
            let pids = if whole { all.as_slice() } else { &all[..1] };
            daemon.attached(name, pids)
        });
        for (ours, plain) in ours.iter().zip(&plain) {
            assert_same(name, ours, plain);
        }
    }
}

fn attach_to_postgres() {
    match postgres() {
        Some(_) => daemon_attached("postgres", &["setpriv"]),
        None => passed_over("PostgreSQL is not installed"),
    }
}

macro_rules! real {
    ($($name:ident: $call:expr;)*) => {$(
        #[test]
        #[ignore = "needs the programs that tests/real/install installs"]
        fn $name() {
            $call;
        }
    )*};
}

real! {
    entr_restarts_its_command: shell("entr", &["entr"]);
    parallel_runs_jobs: shell("parallel", &["parallel"]);
    fish_runs_jobs: launched(&["fish"], "fish.fish", &[]);
    zsh_runs_jobs: launched(&["zsh"], "zsh.zsh", &[]);
    ksh_runs_jobs: launched(&["ksh93"], "ksh.ksh", &[]);
    r_runs_commands_and_forks: launched(&["Rscript", "--vanilla"], "R.R", &[]);
    ocaml_and_dune: shell("ocaml", &["ocaml", "dune"]);
    meson_and_ninja: shell("meson", &["meson", "ninja", "gcc"]);
    cmake_and_ctest: shell("ctest", &["cmake", "ctest", "make", "gcc"]);
    go_runs_tests_and_commands: shell("go", &["go"]);
    erlang_opens_ports: shell("erlang", &["erl", "erlc"]);
    elixir_opens_ports: launched(&["elixir"], "elixir.exs", &[]);
    chromium_is_headless: shell("chromium", &["chromium"]);
    bubblewrap_makes_sandboxes: shell("bwrap", &["bwrap"]);
    dbus_runs_a_session: shell("dbus-run-session", &["dbus-run-session", "dbus-send"]);
    ansible_plays: shell("ansible", &["ansible-playbook"]);
    mpirun_runs_ranks: shell("mpirun", &["mpirun"]);
    gdb_is_refused_as_inside_of_strace: debugger("gdb");
    strace_is_refused_as_inside_of_strace: debugger("strace");

    nginx_launched: daemon_launched("nginx", &["nginx"]);
    nginx_attached: daemon_attached("nginx", &["nginx"]);
    redis_launched: daemon_launched("redis", &["redis-server", "redis-cli"]);
    redis_attached: daemon_attached("redis", &["redis-server", "redis-cli"]);
    gunicorn_launched: daemon_launched("gunicorn", &["gunicorn"]);
    gunicorn_attached: daemon_attached("gunicorn", &["gunicorn"]);
    uwsgi_launched: daemon_launched("uwsgi", &["uwsgi"]);
    uwsgi_attached: daemon_attached("uwsgi", &["uwsgi"]);
    apache2_prefork_launched: daemon_launched("apache2", &["apache2"]);
    apache2_prefork_attached: daemon_attached("apache2", &["apache2"]);
    php_fpm_launched: daemon_launched("php-fpm", &["cgi-fcgi"]);
    php_fpm_attached: daemon_attached("php-fpm", &["cgi-fcgi"]);
    dbus_daemon_launched: daemon_launched("dbus-daemon", &["dbus-daemon", "dbus-send"]);
    dbus_daemon_attached: daemon_attached("dbus-daemon", &["dbus-daemon", "dbus-send"]);
    cron_launched: daemon_launched("cron", &["cron", "unshare"]);
    cron_attached: daemon_attached("cron", &["cron", "unshare"]);
    rsyslog_launched: daemon_launched("rsyslog", &["rsyslogd", "logger"]);
    chromium_debugged_launched: daemon_launched("chromium", &["chromium"]);
    chromium_debugged_attached: daemon_attached("chromium", &["chromium"]);
    erlang_serves_launched: daemon_launched("erlang", &["erl", "erlc"]);
    erlang_serves_attached: daemon_attached("erlang", &["erl", "erlc"]);
    node_cluster_launched: daemon_launched("node", &["node"]);
    node_cluster_attached: daemon_attached("node", &["node"]);
    postgres_attached: attach_to_postgres();
    supervisord_attached: daemon_attached("supervisord", &["supervisord", "supervisorctl"]);
    rsyslog_attached: daemon_attached("rsyslog", &["rsyslogd", "logger"]);
}
