//! The table of all rules: one row for each.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; not surely wrong.
    Info,
    /// A bug, or a practice that leads to one.
    Warning,
    /// A status, a process or a program is lost.
    Error,
}

impl Severity {
    /// The name in reports and flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }

    /// The severity with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Severity> {
        let all = [Severity::Info, Severity::Warning, Severity::Error];
        all.into_iter().find(|severity| severity.name() == name)
    }
}

/// A rule as `--explain` lists it.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The rule.
    pub id: RuleId,
    /// The name in reports and flags.
    pub name: &'static str,
    /// The usual severity of its findings.
    pub severity: Severity,
    /// It depends on time or on a count of calls: near the threshold it may find
    /// something in one run and not in the next.
    pub is_timed: bool,
    /// What a record must contain for the rule to apply.
    pub needs: Needs,
    /// What it finds, in one line.
    pub summary: &'static str,
    /// How to fix it.
    pub advice: &'static str,
    /// The page that `--explain` prints.
    pub page: &'static str,
}

/// What a record must contain for a rule to apply. A rule without evidence is
/// silent anyhow; these are facts that a rule would take to be false because no
/// line of the record has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs(u16);

/// Probes of `/proc`.
const PROC: u16 = 1;
const TIMES: u16 = 1 << 1;
/// The parent and the end of each process.
const LINEAGE: u16 = 1 << 2;
/// Every exec.
const EXECS: u16 = 1 << 3;
/// The result of each wait.
const WAITS: u16 = 1 << 4;
/// The child that each wait returned.
const WAITED: u16 = 1 << 5;
/// Whether the kernel reaps a process's children itself.
const AUTO_REAP: u16 = 1 << 6;
/// The disposition of SIGCHLD, and when it was set.
const DISPOSITIONS: u16 = 1 << 7;
/// Signals and stops.
const SIGNALS: u16 = 1 << 8;
/// Whether an interrupted wait was restarted.
const RESTARTS: u16 = 1 << 9;
/// Signals sent by system calls.
const KILLS: u16 = 1 << 10;
/// Calls of exit and `exit_group`.
const EXITS: u16 = 1 << 11;
/// Calls of prctl.
const PRCTLS: u16 = 1 << 12;
/// The trace begins with the program.
const BEGINNING: u16 = 1 << 13;
/// Calls of processes without children, which run at full speed under `-p`.
const CHILDLESS: u16 = 1 << 14;
/// Rules on leaks depend on the age of a zombie.
const LEAK: u16 = TIMES | LINEAGE | EXECS | WAITS | AUTO_REAP;
/// Rules on losses depend on what became of one child.
const LOSS: u16 = LINEAGE | WAITS | WAITED;

#[expect(missing_docs, reason = "the bits above, each with its own")]
impl Needs {
    pub const NOTHING: Needs = Needs(0);
    pub const PROC: Needs = Needs(PROC);
    pub const TIMES: Needs = Needs(TIMES);
    pub const LINEAGE: Needs = Needs(LINEAGE);
    pub const EXECS: Needs = Needs(EXECS);
    pub const WAITS: Needs = Needs(WAITS);
    pub const WAITED: Needs = Needs(WAITED);
    pub const AUTO_REAP: Needs = Needs(AUTO_REAP);
    pub const DISPOSITIONS: Needs = Needs(DISPOSITIONS);
    pub const SIGNALS: Needs = Needs(SIGNALS);
    pub const RESTARTS: Needs = Needs(RESTARTS);
    pub const KILLS: Needs = Needs(KILLS);
    pub const EXITS: Needs = Needs(EXITS);
    pub const PRCTLS: Needs = Needs(PRCTLS);
    pub const BEGINNING: Needs = Needs(BEGINNING);
    pub const CHILDLESS: Needs = Needs(CHILDLESS);

    /// The union of both.
    #[must_use]
    pub const fn and(self, other: Needs) -> Needs {
        Needs(self.0 | other.0)
    }

    /// Whether any of the others is among these.
    #[must_use]
    pub const fn any_of(self, others: Needs) -> bool {
        self.0 & others.0 != 0
    }
}

macro_rules! is_timed {
    (timed) => {
        true
    };
    () => {
        false
    };
}

/// Generates [`RULES`] and [`RuleId`] from the rows.
macro_rules! rules {
    ($(
        $id:ident: $name:literal, $severity:ident, needs $needs:expr $(, $timed:ident)?,
        $summary:literal,
        $advice:literal;
    )*) => {
        /// Identifies a rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RuleId {
            $(#[doc = $summary] $id,)*
        }

        /// Every rule. Of the causes of a leak, the first that fits is reported.
        pub const RULES: &[Rule] = &[
            $(Rule {
                id: RuleId::$id,
                name: $name,
                severity: Severity::$severity,
                is_timed: is_timed!($($timed)?),
                needs: Needs($needs),
                summary: $summary,
                advice: $advice,
                page: include_str!(concat!("pages/", $name, ".md")),
            },)*
        ];
    };
}

rules! {
    // Leaks: a child died, its parent lived on and did not reap it.
    ParentStopped: "parent-stopped", Info, needs LEAK | SIGNALS, timed,
        "the parent of a zombie is stopped",
        "continue the parent (SIGCONT); its waits are not the bug";
    VforkStall: "vfork-stall", Warning, needs LEAK, timed,
        "the parent of a zombie is suspended in vfork",
        "a vfork child must exec or _exit at once; use posix_spawn";
    ReaperIdle: "reaper-idle", Warning, needs PROC, timed,
        "a PID 1 or subreaper does not reap the orphans it adopts",
        "a subreaper gets orphans: reap any child (wait(-1)), not only its own";
    ExecInheritedChild: "exec-inherited-child", Warning, needs LEAK, timed,
        "a program has a zombie from before its exec",
        "do not exec while background jobs or process substitutions run, or wait for them first";
    CloneChildInvisible: "clone-child-invisible", Error, needs LEAK, timed,
        "a clone child that waits without __WALL do not match",
        "wait with __WALL, or clone with SIGCHLD as the exit signal";
    WnowaitOnly: "wnowait-only", Warning, needs LEAK, timed,
        "a child's end was looked at with WNOWAIT and never reaped",
        "call the wait again without WNOWAIT";
    StopMistakenForExit: "stop-mistaken-for-exit", Warning, needs LEAK, timed,
        "a stop was taken for an exit, and the exit not waited for",
        "a wait with WUNTRACED also reports stops: test WIFEXITED and WIFSIGNALED";
    EintrAbandoned: "eintr-abandoned", Warning, needs RESTARTS, timed,
        "an interrupted wait was not retried",
        "retry the wait while it fails with EINTR, or set SA_RESTART";
    SpawnFailedZombie: "spawn-failed-zombie", Warning, needs LEAK, timed,
        "a child that could not exec was not reaped",
        "the error path of a failed exec must wait for the child too";
    PgrpMiss: "pgrp-miss", Warning, needs PROC, timed,
        "a wait for a process group missed a child in another",
        "wait by pid; a child may change its process group";
    SigchldBlocked: "sigchld-blocked", Warning, needs PROC, timed,
        "SIGCHLD is blocked, so its handler never reaps",
        "unblock SIGCHLD (the mask is kept across exec), or take it with signalfd or sigwait";
    HandlerReplaced: "handler-replaced", Warning, needs LEAK | DISPOSITIONS | CHILDLESS, timed,
        "a second SIGCHLD handler took the place of the one that reaps",
        "chain the first handler, or wait by pidfd";
    CoalescedSigchld: "coalesced-sigchld", Warning, needs LEAK | SIGNALS, timed,
        "one child is reaped for each SIGCHLD, but signals coalesce",
        "signals coalesce: in the handler wait in a loop until 0 or ECHILD";
    SigchldDiscarded: "sigchld-discarded", Warning, needs LEAK | DISPOSITIONS | SIGNALS, timed,
        "the SIGCHLD of a child was discarded, or got by a thread that does not reap",
        "install the handler or block SIGCHLD before fork, or wait once with WNOHANG after it";
    ZombieLeak: "zombie-leak", Warning, needs LEAK, timed,
        "a child was never waited for",
        "wait for every child; where the count grows, fork will fail (EAGAIN)";
    LateReap: "late-reap", Info, needs LEAK | SIGNALS, timed,
        "a child stayed a zombie for long",
        "reap when SIGCHLD arrives or a pidfd becomes readable";
    // Lost statuses.
    StolenChild: "stolen-child", Error, needs LOSS,
        "a wait for any child took the one that is waited for by pid",
        "reap by pid, or have one place that reaps and hands the status on";
    DoubleWait: "double-wait", Info, needs LOSS | DISPOSITIONS | BEGINNING | CHILDLESS,
        "a child was waited for again after its reap",
        "forget a pid once it is reaped";
    NotMyChild: "not-my-child", Warning, needs LOSS | BEGINNING | CHILDLESS,
        "a process that is not a child of the caller was waited for",
        "only the parent can wait for a process; poll a pidfd instead";
    AutoreapEchild: "autoreap-echild", Error, needs LOSS | DISPOSITIONS,
        "SIGCHLD is ignored, so the status that is waited for is gone",
        "do not ignore SIGCHLD where exit statuses matter";
    InheritedSigchldIgnore: "inherited-sigchld-ignore", Error, needs LOSS | DISPOSITIONS | BEGINNING,
        "the program was started with SIGCHLD ignored",
        "set SIGCHLD to SIG_DFL at the start, or in the launcher before its exec";
    EfaultLostStatus: "efault-lost-status", Error, needs PROC,
        "a bad pointer lost the status of a reaped child",
        "pass a valid pointer: with EFAULT the child is reaped all the same";
    StatusDiscarded: "status-discarded", Info, needs LOSS | KILLS,
        "a child crashed, and its status was not asked for",
        "ask for the status, and look at WIFSIGNALED";
    SignalDeathHidden: "signal-death-hidden", Info, needs LOSS | KILLS, timed,
        "the only child crashed, and the parent exited with 0",
        "WEXITSTATUS of a killed child is 0: test WIFSIGNALED before it (in a shell: $? over 128)";
    RawStatusExit: "raw-status-exit", Error, needs LOSS | EXITS | CHILDLESS,
        "a raw wait status was used as an exit code",
        "exit with WEXITSTATUS(status), or 128 + WTERMSIG(status)";
    WrongThreadWait: "wrong-thread-wait", Warning, needs LOSS,
        "__WNOTHREAD hides the children of other threads",
        "drop __WNOTHREAD, or wait in the thread that forked";
    BadWaitArgs: "bad-wait-args", Warning, needs CHILDLESS,
        "the kernel refused the arguments of a wait",
        "see wait(2) for what each call accepts";
    // Hangs, spins, kills.
    WnohangSpin: "wnohang-spin", Warning, needs TIMES | WAITS, timed,
        "a busy loop of polls",
        "block in the wait, or poll a pidfd; a loop of polls burns a CPU";
    EchildSpin: "echild-spin", Warning, needs TIMES | WAITS | CHILDLESS, timed,
        "a busy loop of waits without a child",
        "ECHILD means that there are no children: end the loop";
    PipeFullDeadlock: "pipe-full-deadlock", Error, needs PROC,
        "a child fills a pipe that only its waiting parent could drain",
        "read all of the child's output until its end (two pipes with poll), then wait";
    PipeEofDeadlock: "pipe-eof-deadlock", Error, needs PROC,
        "a child waits for the end of a pipe that its waiting parent or a sibling holds open",
        "close the write end in every process that does not write (O_CLOEXEC), then wait";
    PipeHeldByDescendant: "pipe-held-by-descendant", Warning, needs PROC, timed,
        "a dead child's pipe is held open by its descendants",
        "redirect the output of background processes, or stop reading when the child ends";
    StoppedChildHang: "stopped-child-hang", Warning, needs PROC, timed,
        "a wait for a child that is stopped",
        "continue the child (SIGCONT), or wait with WUNTRACED";
    LeaderZombie: "leader-zombie", Info, needs PROC, timed,
        "the main thread has exited, the process lives on",
        "ps shows Z for it, but only its main thread has exited";
    PdeathsigThread: "pdeathsig-thread", Error, needs LOSS | SIGNALS | PRCTLS | CHILDLESS, timed,
        "a death signal was sent at the end of a thread",
        "PR_SET_PDEATHSIG follows the thread that forked, not the process: fork in a thread that stays";
    PidnsInitExit: "pidns-init-exit", Warning, needs PROC,
        "PID 1 of a namespace exited, and the kernel killed the rest",
        "PID 1 must outlive its namespace: wait for all, or use an init";
    KillAfterReap: "kill-after-reap", Warning, needs LOSS | KILLS | CHILDLESS,
        "a signal was sent to a pid that was reaped",
        "the pid may be another process's by now; use a pidfd";
    OutlivesCommand: "outlives-command", Info, needs PROC, timed,
        "processes live on when the command has ended",
        "a reader of the command's output waits for them too: end them, or redirect their output";
    // Asked for by flags.
    UnexpectedExit: "unexpected-exit", Error, needs 0,
        "a process ended otherwise than --expect-exit and --expect-signal allow",
        "see its last lines, and which process reaped it";
}

impl RuleId {
    /// Its row of the table.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        // The table is generated from the same list as the enum.
        RULES
            .get(self as usize)
            .unwrap_or(const { RULES.first().unwrap() })
    }

    /// The name in reports and flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.rule().name
    }

    /// The rule with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<RuleId> {
        let rule = RULES.iter().find(|rule| rule.name == name)?;
        Some(rule.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_at_its_place() {
        for rule in RULES {
            assert_eq!(rule.id.name(), rule.name);
            assert_eq!(RuleId::from_name(rule.name), Some(rule.id));
        }
        assert_eq!(RuleId::from_name("nope"), None);
    }

    #[test]
    fn each_rule_has_a_page_of_its_own() {
        for rule in RULES {
            let title = format!("# {}", rule.name);
            let name = rule.name;
            assert!(
                rule.page.starts_with(&title),
                "pages/{name}.md does not begin with `{title}`"
            );
            let width = rule.page.lines().map(|line| line.chars().count()).max();
            assert!(
                width <= Some(100),
                "pages/{name}.md has a line of {width:?} characters, more than 100"
            );
        }
    }
}
