//! Real programs. Their schedules vary: what they write and how they end must
//! be as without a tracer, and what they reap as under strace.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{Likeness, MODES, assert_alike, ours, same_under_both, strace, to_file, words};
use crate::support::{Outcome, as_nobody, have, passed_over, postgres, run};
use Likeness::{Reaps, ReapsOfAll, SigchldAnywhere};
use tempfile::TempDir;

/// How many pairs of runs are compared until one is alike.
const PAIRS: usize = 3;

/// Run untraced, under strace, and under us in both modes.
fn reaps_the_same(program: &[OsString], likeness: Likeness) {
    reaps_the_same_in(&MODES, program, likeness);
}

fn reaps_the_same_in(modes: &[&[&str]], program: &[OsString], likeness: Likeness) {
    let plain = run(Command::new(&program[0]).args(&program[1..]));
    let theirs = to_file(strace(&["--seccomp-bpf"]), program);
    // Shells write pids to standard error.
    let end = |outcome: &Outcome| (outcome.status, outcome.stdout.clone());
    assert_eq!(end(&theirs.outcome), end(&plain), "{program:?}: {plain:?}");
    assert!(theirs.log().reaps() > 0, "{program:?} reaps nothing");
    for mode in modes {
        let what = format!("{program:?} {mode:?}");
        let mut theirs = theirs.log();
        // On a busy machine a server may do one thing more or less: of a few pairs of
        // runs one must be alike.
        for left in (0..PAIRS).rev() {
            let ours = to_file(ours(mode), program);
            assert_eq!(end(&ours.outcome), end(&plain), "{what}");
            if left == 0 {
                assert_alike(&what, &ours.log(), &theirs, likeness);
            } else if ours.log().difference(&theirs, likeness).is_none() {
                break;
            } else {
                theirs = to_file(strace(&["--seccomp-bpf"]), program).log();
            }
        }
    }
}

/// A script of one of these programs, given with a flag.
fn script(interpreter: &[&str], text: &str, likeness: Likeness) {
    if have("strace") && have(interpreter[0]) {
        let program = [interpreter, &[text]].concat();
        reaps_the_same(&words(&program), likeness);
    }
}

fn write_file(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn dash_runs_pipelines_and_background_jobs() {
    script(
        &["dash", "-c"],
        "true; false; sh -c 'exit 7'; echo $?; echo a b c | tr a-z A-Z | cat
         (exit 3) & a=$!; (exit 4) & b=$!; wait $b; echo $?; wait $a; echo $?
         sh -c 'kill -TERM $$'; echo $?; sleep 0.05 & wait; echo $(echo $(echo deep)); exit 9",
        Reaps,
    );
}

#[test]
fn bash_waits_for_background_jobs() {
    script(
        &["bash", "-c"],
        "for code in 1 2 3; do (exit $code) & pids+=($!); done
         for pid in ${pids[@]}; do wait $pid; echo $?; done
         sleep 0.05 & sleep 0.01 & wait; echo $?; wait $$; echo $?",
        Reaps,
    );
}

#[test]
fn bash_waits_for_the_next_job() {
    script(
        &["bash", "-c"],
        "(sleep 0.9; exit 5) & (sleep 0.3; exit 6) & wait -n; echo $?; wait -n; echo $?; wait -n; echo $?",
        Reaps,
    );
}

#[test]
fn bash_runs_a_coprocess() {
    script(
        &["bash", "-c"],
        "coproc cat; echo hello >&${COPROC[1]}; read word <&${COPROC[0]}; echo $word
         pid=$COPROC_PID; eval \"exec ${COPROC[1]}>&-\"; wait $pid; echo $?",
        Reaps,
    );
}

#[test]
fn bash_traps_sigchld() {
    script(
        &["bash", "-c"],
        "trap 'echo one ended' CHLD; sh -c 'exit 3'; echo $?; sh -c 'kill -9 $$'; echo $?
         trap - CHLD; exit 4",
        Reaps,
    );
}

#[test]
fn make_builds_with_four_jobs() {
    if !have("strace") || !have("make") {
        return;
    }
    let directory = TempDir::new().unwrap();
    let targets = ["a", "b", "c", "d", "e", "f"];
    let rule = "\t@sleep 0.02; echo $@ | cat > $@.new\n\t@mv $@.new $@; sh -c 'exit 0'\n";
    let targets = targets.join(" ");
    let makefile = format!(
        "all: {targets}\n\t@cat $^\n{targets}:\n{rule}\
         clean:\n\t@rm -f {targets}\nfail:\n\t@sh -c 'exit 3'\n"
    );
    write_file(&directory.path().join("Makefile"), &makefile);
    let make = |goals: &str| {
        let make = format!(
            "make -s --no-print-directory -j4 -C {}",
            directory.path().display()
        );
        words(&["sh", "-c", &format!("{make} clean && {make} {goals}")])
    };
    reaps_the_same(&make("all"), Reaps);
    reaps_the_same(&make("fail"), Reaps);
}

/// The interpreter itself: `python3` may be a script that looks for it.
fn python() -> Option<OsString> {
    if !have("strace") || !have("python3") {
        return None;
    }
    let code = "import sys; print(sys.executable)";
    let found = run(Command::new("python3").args(["-c", code])).stdout;
    Some(found.trim().into())
}

fn python_script(text: &str, likeness: Likeness) {
    if let Some(python) = python() {
        reaps_the_same(&[python, "-c".into(), text.into()], likeness);
    }
}

#[test]
fn python_runs_subprocesses() {
    python_script(
        "
import subprocess as s
print(s.run(['sh', '-c', 'exit 3']).returncode)
print(s.check_output('echo out; exit 0', shell=True))
many = [s.Popen(['sh', '-c', f'sleep 0.0{n}; exit {n}']) for n in range(5)]
print([one.wait() for one in many])
one = s.Popen(['sleep', '10']); one.terminate(); print(one.wait())
while True:
    one = s.Popen(['true'])
    while one.poll() is None: pass
    break
print(one.returncode)
",
        Reaps,
    );
}

#[test]
fn python_runs_multiprocessing() {
    python_script(
        "
import multiprocessing as m, os, sys
context = m.get_context('fork')
def work(n):
    sys.exit(n)
many = [context.Process(target=work, args=(n,)) for n in range(4)]
for one in many: one.start()
for one in many: one.join()
print([one.exitcode for one in many])
",
        Reaps,
    );
}

/// Which thread waits for which child depends on the version of Python.
#[test]
fn python_runs_asyncio_subprocesses() {
    python_script(
        "
import asyncio
async def one(n):
    p = await asyncio.create_subprocess_exec('sh', '-c', f'echo {n}; exit {n}', stdout=asyncio.subprocess.PIPE)
    out, _ = await p.communicate()
    return out, p.returncode
async def main():
    print(await asyncio.gather(*(one(n) for n in range(4))))
asyncio.run(main())
",
        ReapsOfAll,
    );
}

#[test]
fn node_runs_child_processes() {
    script(
        &["node", "-e"],
        "
const c = require('child_process');
const one = n => new Promise(done => {
  c.spawn('sh', ['-c', `exit ${n}`]).on('close', (code, signal) => done([code, signal]));
});
(async () => {
  console.log(await Promise.all([0, 1, 2, 3].map(one)));
  const killed = c.spawn('sleep', ['10']);
  killed.on('close', (code, signal) => console.log(code, signal));
  killed.kill('SIGKILL');
  console.log(c.spawnSync('sh', ['-c', 'echo sync; exit 7']).status);
})();
",
        ReapsOfAll,
    );
}

#[test]
fn java_runs_processes() {
    if !have("strace") || !have("java") || !have("javac") {
        return;
    }
    let directory = TempDir::new().unwrap();
    let source = directory.path().join("Spawner.java");
    write_file(
        &source,
        "
import java.util.*;
public class Spawner {
    public static void main(String[] args) throws Exception {
        List<Process> many = new ArrayList<>();
        for (int n = 0; n < 3; n++)
            many.add(new ProcessBuilder(\"sh\", \"-c\", \"exit \" + n).start());
        for (Process one : many) System.out.println(one.waitFor());
        Process one = new ProcessBuilder(\"sleep\", \"10\").start();
        one.destroy();
        System.out.println(one.waitFor());
    }
}
",
    );
    let compiled = run(Command::new("javac").arg(&source));
    assert_eq!(compiled.status, 0, "{compiled:?}");
    let mut program = words(&["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp"]);
    program.extend([directory.path().as_os_str().to_owned(), "Spawner".into()]);
    reaps_the_same(&program, ReapsOfAll);
}

#[test]
fn perl_forks_and_waits() {
    script(
        &["perl", "-e"],
        "
$| = 1;
for my $code (1, 2, 3) { my $pid = fork; exit $code unless $pid; waitpid $pid, 0; print $? >> 8, qq(\\n); }
my %left; for my $code (4, 5, 6) { my $pid = fork; exit $code unless $pid; $left{$pid} = $code; }
while ((my $pid = wait) > 0) { die unless $left{$pid} == $? >> 8; delete $left{$pid}; }
print scalar(keys %left), qq(\\n); system 'kill -9 $$'; print $? & 127, qq(\\n); print `echo ticks`;
",
        Reaps,
    );
}

/// One child at a time: every line is certain.
#[test]
fn perl_waits_for_one_child_after_the_other() {
    if have("strace") && have("perl") {
        let text = "for my $code (1, 2) { my $pid = fork; if (!$pid) { select undef, undef, undef, 0.2; exit $code } waitpid $pid, 0 }";
        same_under_both(&[], &words(&["perl", "-e", text]), SigchldAnywhere);
    }
}

#[test]
fn xargs_runs_four_at_once() {
    if have("xargs") {
        let line = "printf '1\\n2\\n3\\n4\\n5\\n6\\n' | xargs -P 4 -n 1 sh -c 'exit $0'; echo $?";
        script(&["sh", "-c"], line, Reaps);
    }
}

#[test]
fn timeout_ends_what_runs_too_long() {
    if have("timeout") {
        script(&["timeout", "10", "sh", "-c"], "exit 3", Reaps);
        script(&["timeout", "0.2", "sleep"], "10", Reaps);
        script(
            &["sh", "-c"],
            "timeout -s KILL 0.1 sleep 10; echo $?",
            Reaps,
        );
        script(
            &["sh", "-c"],
            "timeout --preserve-status 0.1 sleep 10; echo $?",
            Reaps,
        );
    }
}

#[test]
fn script_runs_a_shell_on_a_terminal() {
    if have("script") {
        script(
            &[
                "script",
                "-qec",
                "tty >/dev/null && echo on a terminal; exit 5",
            ],
            "/dev/null",
            Reaps,
        );
    }
}

#[test]
fn tini_reaps_orphans() {
    if have("tini") {
        script(
            &["tini", "-s", "--", "sh", "-c"],
            "(sh -c 'sleep 0.1; exit 3' &) ; sleep 0.3; exit 4",
            Reaps,
        );
    }
}

#[test]
fn dumb_init_passes_its_child_s_end_on() {
    if have("dumb-init") {
        script(&["dumb-init", "sh", "-c"], "sh -c 'exit 3'; exit 4", Reaps);
        script(&["dumb-init", "--", "sh", "-c"], "kill -TERM $$", Reaps);
    }
}

#[test]
fn a_genuine_32_bit_program_is_shown_by_its_own_calls() {
    if !have("strace") || !have("gcc") {
        return;
    }
    let directory = TempDir::new().unwrap();
    let program = directory.path().join("i386");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/i386.c");
    let compiled = run(Command::new("gcc")
        .arg("-m32")
        .arg(&source)
        .arg("-o")
        .arg(&program));
    if compiled.status != 0 {
        passed_over(&format!("gcc -m32 does not work: {}", compiled.stderr));
        return;
    }
    let program = [program.into_os_string()];
    for flags in [&[][..], &["-v"]] {
        same_under_both(flags, &program, Likeness::WithoutRestarts);
    }
}

#[test]
fn postgres_starts_answers_and_stops() {
    let Some(programs) = postgres() else {
        passed_over("PostgreSQL is not installed");
        return;
    };
    let [initdb, pg_ctl, psql] = ["initdb", "pg_ctl", "psql"].map(|name| programs.join(name));
    if !have("strace") || !have("setpriv") {
        return;
    }
    let directory = TempDir::new().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    let text = format!(
        "set -e; cd {here}; data=$(mktemp -d {here}/XXXXXX); {initdb} -D $data/db -A trust -U me --no-sync >/dev/null
         printf 'autovacuum = off\\njit = off\\nmax_parallel_workers = 0\\nmax_logical_replication_workers = 0\\n' >> $data/db/postgresql.conf
         {pg_ctl} -D $data/db -s -w -o \"-k $data -h ''\" -l $data/log start </dev/null >/dev/null 2>&1
         {psql} -X -At -h $data -U me -d postgres -c 'select 6 * 7'
         {pg_ctl} -D $data/db -s -w -m fast stop; test ! -e $data/db/postmaster.pid; echo $?; rm -r $data",
        here = directory.path().display(),
        initdb = initdb.display(),
        pg_ctl = pg_ctl.display(),
        psql = psql.display(),
    );
    let file = directory.path().join("session");
    write_file(&file, &text);
    // The server refuses to be root.
    let mut program = as_nobody();
    program.extend(["sh".into(), file.into_os_string()]);
    // Without the filter each call of initdb is a stop: the other programs have that mode.
    reaps_the_same_in(&MODES[..1], &program, ReapsOfAll);
}
