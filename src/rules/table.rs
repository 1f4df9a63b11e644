//! All rules in one table.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong for sure.
    Info,
    /// A bug, or a habit that will be one.
    Warning,
    /// A status, a process or a program is lost.
    Error,
}

impl Severity {
    /// Its name in reports and flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }

    /// The severity of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Severity> {
        let all = [Severity::Info, Severity::Warning, Severity::Error];
        all.into_iter().find(|severity| severity.name() == name)
    }
}

/// A rule as `--explain` lists it.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Which.
    pub id: RuleId,
    /// Its name in reports and flags.
    pub name: &'static str,
    /// How bad its findings are as a rule.
    pub severity: Severity,
    /// What it finds, in a line.
    pub summary: &'static str,
    /// Its page for `--explain`.
    pub page: &'static str,
}

macro_rules! rules {
    ($($(#[doc = $group:literal])* $id:ident, $name:literal, $severity:ident, $summary:literal;)*) => {
        /// The rules.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RuleId {
            $(#[doc = $summary] $id,)*
        }

        /// Every rule; of the causes of a leak the first that fits is told.
        pub const RULES: &[Rule] = &[
            $(Rule {
                id: RuleId::$id,
                name: $name,
                severity: Severity::$severity,
                summary: $summary,
                page: include_str!(concat!("pages/", $name, ".md")),
            },)*
        ];
    };
}

rules! {
    // Leaks: a child died, its parent lived on and did not reap it.
    ParentStopped, "parent-stopped", Info, "the parent of a zombie is stopped";
    VforkStall, "vfork-stall", Warning, "the parent of a zombie is suspended in vfork";
    ReaperIdle, "reaper-idle", Warning, "a PID 1 or subreaper does not reap the orphans it adopts";
    ExecInheritedChild, "exec-inherited-child", Warning, "a program has a zombie from before its exec";
    CloneChildInvisible, "clone-child-invisible", Error, "a clone child that waits without __WALL do not see";
    WnowaitOnly, "wnowait-only", Warning, "a child's end was looked at with WNOWAIT and never reaped";
    StopMistakenForExit, "stop-mistaken-for-exit", Warning, "a stop was taken for an exit, and the exit not waited for";
    EintrAbandoned, "eintr-abandoned", Warning, "an interrupted wait was not retried";
    SpawnFailedZombie, "spawn-failed-zombie", Warning, "a child that could not exec was not reaped";
    PgrpMiss, "pgrp-miss", Warning, "a wait for a process group missed a child in another";
    SigchldBlocked, "sigchld-blocked", Warning, "SIGCHLD is blocked, so its handler never reaps";
    HandlerReplaced, "handler-replaced", Warning, "a second SIGCHLD handler took the place of the one that reaps";
    CoalescedSigchld, "coalesced-sigchld", Warning, "one child is reaped for each SIGCHLD, but signals coalesce";
    SigchldDiscarded, "sigchld-discarded", Warning, "the SIGCHLD of a child went where nothing handles it";
    ZombieLeak, "zombie-leak", Warning, "a child was never waited for";
    LateReap, "late-reap", Info, "a child stayed a zombie for long";
    // Lost statuses.
    StolenChild, "stolen-child", Error, "a wait for any child took the one that is waited for by pid";
    DoubleWait, "double-wait", Info, "a child was waited for again after its reap";
    NotMyChild, "not-my-child", Warning, "a process that is no child of the caller was waited for";
    AutoreapEchild, "autoreap-echild", Error, "SIGCHLD is ignored, so the status that is waited for is gone";
    InheritedSigchldIgnore, "inherited-sigchld-ignore", Error, "the program was started with SIGCHLD ignored";
    EfaultLostStatus, "efault-lost-status", Error, "a bad pointer lost the status of a reaped child";
    StatusDiscarded, "status-discarded", Info, "a child crashed, and its status was not asked for";
    SignalDeathHidden, "signal-death-hidden", Info, "the only child crashed, and the parent exited with 0";
    RawStatusExit, "raw-status-exit", Error, "a raw wait status was used as an exit code";
    WrongThreadWait, "wrong-thread-wait", Warning, "__WNOTHREAD hides the children of other threads";
    BadWaitArgs, "bad-wait-args", Warning, "the kernel refused the arguments of a wait";
    // Hangs, spins, kills.
    WnohangSpin, "wnohang-spin", Warning, "a busy loop of polls";
    EchildSpin, "echild-spin", Warning, "a busy loop of waits without a child";
    PipeFullDeadlock, "pipe-full-deadlock", Error, "a child fills a pipe that only its waiting parent could drain";
    PipeEofDeadlock, "pipe-eof-deadlock", Error, "a child waits for the end of a pipe that its waiting family holds open";
    PipeHeldByDescendant, "pipe-held-by-descendant", Warning, "a dead child's pipe is held open by its descendants";
    StoppedChildHang, "stopped-child-hang", Warning, "a wait for a child that is stopped";
    LeaderZombie, "leader-zombie", Info, "the main thread has left, the process lives on";
    PdeathsigThread, "pdeathsig-thread", Error, "a death signal was sent at the end of a thread";
    PidnsInitExit, "pidns-init-exit", Warning, "PID 1 of a namespace exited, and the kernel killed the rest";
    KillAfterReap, "kill-after-reap", Warning, "a signal was sent to a pid that was reaped";
    OutlivesCommand, "outlives-command", Info, "processes live on when the command has ended";
    // Asked for by flags.
    UnexpectedExit, "unexpected-exit", Error, "a process ended otherwise than --expect-exit and --expect-signal allow";
}

impl RuleId {
    /// Its row of the table.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        // The table is made from the same list as the enum.
        RULES
            .get(self as usize)
            .unwrap_or(const { RULES.first().unwrap() })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.rule().name
    }

    /// The rule of this name.
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
            assert!(rule.page.starts_with(&title), "{}", rule.name);
            let width = rule.page.lines().map(|line| line.chars().count()).max();
            assert!(width <= Some(100), "{}: {width:?}", rule.name);
        }
    }
}
