//! Findings and their evidence, as data. The sentences are made in `output`.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::diagnosis::Diagnosis;
use super::table::{RuleId, Severity};
use crate::event::{Comm, FailedExec, Image, Stack};
use crate::kernel::{Signal, Tgid, Tid, WaitStatus};
use crate::ledger::{CompletedWait, Ledger, ParentId, Process, ProcessId, Stamp, Waiting};

/// How many children a finding lists; the others are only counted.
const MOST_LISTED: usize = 8;

/// One fault of one process, found by one rule.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that found it.
    pub rule: RuleId,
    /// How bad it is.
    pub severity: Severity,
    /// The process at fault.
    pub parent: ProcessRef,
    /// The affected children; the first few.
    pub children: Vec<AffectedChild>,
    /// How many children are affected.
    pub count: u64,
    /// The fault, with its data.
    pub diagnosis: Diagnosis,
    /// What was observed about the first child, in the order of the trace.
    pub evidence: Vec<Evidence>,
    /// When the rule was certain.
    pub when: Stamp,
}

/// A process in a finding; it may be gone when the finding is reported.
#[derive(Clone, Debug)]
pub struct ProcessRef {
    /// Its unique id, if it was traced; unlike a pid, never reused.
    pub id: Option<ProcessId>,
    /// Its pid.
    pub tgid: Tgid,
    /// The program that it runs.
    pub image: Arc<Image>,
}

impl ProcessRef {
    /// A process of the ledger.
    #[must_use]
    pub fn new(process: &Process) -> ProcessRef {
        ProcessRef {
            id: Some(process.id),
            tgid: process.tgid,
            image: Arc::clone(&process.image),
        }
    }

    /// A parent, which may have been dropped from the ledger or be unknown.
    #[must_use]
    pub fn of_parent(parent: ParentId, ledger: &Ledger) -> ProcessRef {
        ledger.parent(parent).map_or_else(
            || ProcessRef {
                id: parent.id,
                tgid: parent.tgid,
                image: Arc::default(),
            },
            ProcessRef::new,
        )
    }

    /// The process with this pid, which may be unknown.
    #[must_use]
    pub fn find(tgid: Tgid, ledger: &Ledger) -> ProcessRef {
        ledger.process(tgid).map_or_else(
            || ProcessRef {
                id: None,
                tgid,
                image: Arc::default(),
            },
            ProcessRef::new,
        )
    }

    /// Its command name.
    #[must_use]
    pub fn comm(&self) -> Comm {
        self.image.comm
    }
}

/// A child in a finding.
#[derive(Clone, Debug)]
pub struct AffectedChild {
    /// The child.
    pub process: ProcessRef,
    /// When and how it ended; `None` if it lived when this was found.
    pub ended: Option<(Stamp, WaitStatus)>,
    /// When this was found of it.
    pub found: Stamp,
    /// Call stack of the call that created it, with `-k`.
    pub created_at: Option<Arc<Stack>>,
}

impl AffectedChild {
    /// A child of the ledger, as it is now.
    #[must_use]
    pub fn new(child: &Process, now: Stamp) -> AffectedChild {
        AffectedChild {
            process: ProcessRef::new(child),
            ended: child.ended.map(|end| (end.when, end.status)),
            found: now,
            created_at: child.created_at.clone(),
        }
    }
}

/// One line of evidence.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// When it happened.
    pub when: Stamp,
    /// The thread that acted.
    pub tid: Tid,
    /// Its process.
    pub tgid: Tgid,
    /// The thread's name.
    pub comm: Comm,
    /// What it did.
    pub action: Action,
    /// What that means for the finding.
    pub remark: &'static str,
}

/// The action that a line of evidence shows.
#[derive(Clone, Debug)]
pub enum Action {
    /// It completed a wait.
    Waited(CompletedWait),
    /// It is in a wait.
    Waits(Waiting),
    /// It ended.
    Ended(WaitStatus),
    /// It was created.
    Born,
    /// It executed a program.
    Executed(Arc<Image>),
    /// An exec of it failed.
    ExecFailed(FailedExec),
    /// It called exit with this code.
    Exits(i32),
    /// It sent a signal.
    Kills(Tgid, Signal),
    /// It set a SIGCHLD handler at this address.
    Handles(u64),
    /// It set SIGCHLD to be ignored.
    IgnoresSigchld,
    /// It set `SA_NOCLDWAIT`.
    SetsNoWait,
    /// It was stopped by this signal.
    Stopped(Signal),
    /// It got this signal.
    Got(Signal),
    /// One of its threads ended.
    ThreadEnded,
    /// It became the parent of an orphan.
    Adopted(Tgid),
    /// It is suspended in vfork until this child execs or exits.
    Vforked(Tgid),
    /// It is blocked on a pipe: whether it writes, and the descriptor.
    OnPipe(bool, i32),
    /// It waits for input on this pipe or socket.
    AwaitsStream(i32),
    /// It waits for SIGCHLD with `sigwait` or a signalfd.
    AwaitsSigchld,
    /// It is alive.
    LivesOn {
        /// It holds the command's standard output.
        output: bool,
        /// It holds its standard error.
        error: bool,
    },
    /// It has made no wait since; the system call that it is in, if known.
    NoWait(Option<&'static str>),
    /// It has made other waits since: their number, how many were polls, and the
    /// last.
    OtherWaits(u64, u64, CompletedWait),
}

impl Evidence {
    /// Evidence that a wait completed.
    #[must_use]
    pub fn waited(
        completed: &CompletedWait,
        ledger: &Ledger,
        tgid: Tgid,
        remark: &'static str,
    ) -> Evidence {
        Evidence {
            when: completed.when,
            tid: completed.tid,
            tgid,
            comm: name(ledger, completed.tid, tgid),
            action: Action::Waited(completed.clone()),
            remark,
        }
    }

    /// Evidence of an action of a process.
    #[must_use]
    pub fn of(process: &Process, when: Stamp, action: Action, remark: &'static str) -> Evidence {
        Evidence {
            when,
            tid: process.tgid.leader(),
            tgid: process.tgid,
            comm: process.image.comm,
            action,
            remark,
        }
    }

    /// Call stack of the action, with `-k`.
    #[must_use]
    pub fn stack(&self) -> Option<&Stack> {
        match &self.action {
            Action::Waited(completed) | Action::OtherWaits(_, _, completed) => {
                completed.stack.as_deref()
            }
            Action::Waits(waiting) => waiting.stack.as_deref(),
            _ => None,
        }
    }

    /// Evidence that a process ended.
    #[must_use]
    pub fn ended(process: &Process, remark: &'static str) -> Option<Evidence> {
        let end = process.ended?;
        let action = Action::Ended(end.status);
        Some(Evidence::of(process, end.when, action, remark))
    }
}

/// A thread's name, or its process's if the thread is gone.
fn name(ledger: &Ledger, tid: Tid, tgid: Tgid) -> Comm {
    let own = ledger.comm(tid);
    if own == Comm::default() {
        return ledger.comm(tgid.leader());
    }
    own
}

impl Finding {
    /// The call stacks reported with it, in order: those of the evidence, then those
    /// of the children's creation.
    pub(crate) fn stacks(&self) -> impl Iterator<Item = &Stack> {
        let calls = self.evidence.iter().filter_map(Evidence::stack);
        let births = self.children.iter();
        calls.chain(births.filter_map(|child| child.created_at.as_deref()))
    }

    /// A finding with the usual severity of its rule.
    #[must_use]
    pub fn new(diagnosis: impl Into<Diagnosis>, parent: ProcessRef, when: Stamp) -> Finding {
        let diagnosis = diagnosis.into();
        let rule = diagnosis.rule();
        Finding {
            rule,
            severity: rule.rule().severity,
            parent,
            children: Vec::new(),
            count: 0,
            diagnosis,
            evidence: Vec::new(),
            when,
        }
    }

    /// Adds an affected child.
    #[must_use]
    pub fn about(mut self, child: &Process) -> Finding {
        self.children.push(AffectedChild::new(child, self.when));
        self.count = 1;
        self
    }

    /// Sets the severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Finding {
        self.severity = severity;
        self
    }

    /// Adds evidence, and sorts it.
    #[must_use]
    pub fn evidence(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Finding {
        self.evidence.extend(evidence);
        self.evidence.sort_by_key(|line| line.when.seq);
        self
    }
}

/// All findings: at most one for each process, rule and form of the rule.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    all: Vec<Finding>,
    by_key: FxHashMap<(RuleId, bool, Tgid, Option<ProcessId>), usize>,
    /// Which children were counted, by the finding's index.
    counted: FxHashSet<(usize, Tgid, Option<ProcessId>)>,
    /// Threads whose wait is reported as blocked.
    blocked: FxHashSet<Tid>,
}

/// Said of a wait that is blocked.
pub(super) const NOT_RETURNED: &str = "has not returned";

/// Said of a child that a wait does not report.
pub(super) const STAYS_STOPPED: &str = "stays stopped";

/// Limit of `counted`. Beyond it a child may be counted twice.
const MOST_COUNTED: usize = 10_000;

impl Findings {
    /// Adds a finding, or its children to the finding that there is.
    pub fn add(&mut self, finding: Finding) {
        let blocked = finding
            .evidence
            .iter()
            .filter(|line| line.remark == NOT_RETURNED);
        self.blocked.extend(blocked.map(|line| line.tid));
        let ProcessRef { id, tgid, .. } = finding.parent;
        let key = (finding.rule, finding.diagnosis.is_second_kind(), tgid, id);
        let at = self.by_key.get(&key).copied().unwrap_or(self.all.len());
        let child = finding.children.first().map(|child| &child.process);
        let is_new = child.is_none_or(|child| {
            let is_full = self.counted.len() >= MOST_COUNTED;
            is_full || self.counted.insert((at, child.tgid, child.id))
        });
        let Some(known) = self.all.get_mut(at) else {
            self.by_key.insert(key, at);
            self.all.push(finding);
            return;
        };
        if !is_new {
            return;
        }
        known.severity = known.severity.max(finding.severity);
        known.count += finding.count;
        let room = MOST_LISTED.saturating_sub(known.children.len());
        known
            .children
            .extend(finding.children.into_iter().take(room));
    }

    /// The wait that a thread is in has returned.
    pub(super) fn returned(&mut self, tid: Tid) {
        if !self.blocked.remove(&tid) {
            return;
        }
        let is_of_wait = |line: &Evidence| line.tid == tid && line.remark == NOT_RETURNED;
        for finding in &mut self.all {
            if !finding.evidence.iter().any(is_of_wait) {
                continue;
            }
            for line in &mut finding.evidence {
                line.remark = match line.remark {
                    NOT_RETURNED if line.tid == tid => "returned later",
                    STAYS_STOPPED => "was stopped until then",
                    remark => remark,
                };
            }
        }
    }

    /// The wait that a thread is in ends with the thread, or with its program.
    pub(super) fn forget(&mut self, tid: Tid) {
        self.blocked.remove(&tid);
    }

    /// A zombie whose parent still reads what its descendants hold is a consequence of
    /// that, and no finding of its own. Nothing is added after this.
    pub(super) fn drop_consequences(&mut self) {
        let of = |finding: &Finding| {
            let parent = finding.parent.id;
            let children = finding.children.iter();
            let children = children.filter_map(|child| child.process.id);
            children.map(|child| (parent, child)).collect::<Vec<_>>()
        };
        let held = |finding: &&Finding| finding.rule == RuleId::PipeHeldByDescendant;
        let held: FxHashSet<_> = self.all.iter().filter(held).flat_map(of).collect();
        self.all.retain(|finding| {
            let listed = finding.children.len() as u64;
            let is_whole = listed > 0 && finding.count == listed;
            let is_consequence = finding.rule == RuleId::ZombieLeak
                && is_whole
                && of(finding).iter().all(|pair| held.contains(pair));
            !is_consequence
        });
    }

    /// Whether there is a finding of this rule about this process.
    #[must_use]
    pub fn has(&self, rule: RuleId, process: &Process) -> bool {
        let mut all = self.all.iter();
        all.any(|finding| finding.rule == rule && finding.parent.id == Some(process.id))
    }

    /// All of them, in the order in which they were certain.
    #[must_use]
    pub fn all(&self) -> &[Finding] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use crate::rules::Loss;

    #[test]
    fn a_child_that_is_found_again_is_counted_once() {
        let ledger = Ledger::new();
        let process = |number| ProcessRef::find(Tgid::new(number), &ledger);
        let about = |id| {
            let mut finding = Finding::new(Loss::DoubleWait, process(1), Stamp::default());
            finding.count = 1;
            finding.children.push(AffectedChild {
                process: ProcessRef {
                    id: Some(id),
                    ..process(2)
                },
                ended: None,
                found: Stamp::default(),
                created_at: None,
            });
            finding
        };
        let mut findings = Findings::default();
        for id in [1, 1, 2, 1] {
            findings.add(about(ProcessId::from_number(id)));
        }
        let [one] = findings.all() else {
            panic!("one finding a rule and parent");
        };
        assert_eq!((one.count, one.children.len()), (2, 2));
    }
}
