//! What the record of another tracer does not hold, and which rules that puts
//! out of reach. A rule whose evidence cannot be there is silent anyhow; one that
//! would take a thing for absent because it is not in the log must be silenced.

use crate::rules::RuleId;
use crate::rules::RuleId as R;

/// Which program made a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Record {
    #[default]
    Strace,
    Tracee,
    Truss,
    Kdump,
}

impl Record {
    /// What the record is called in a sentence.
    fn name(self) -> &'static str {
        match self {
            Record::Strace => "strace's log",
            Record::Tracee => "Tracee's record",
            Record::Truss => "truss's log",
            Record::Kdump => "kdump's listing",
        }
    }

    /// The flag that adds times.
    fn time_flag(self) -> &'static str {
        match self {
            Record::Strace => " (-ttt)",
            Record::Tracee => "",
            Record::Truss => " (-d)",
            Record::Kdump => " (-T)",
        }
    }
}

/// What was seen in a record.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    pub(super) record: Record,
    /// What happens at SIGCHLD was changed, and it is not known to what.
    pub(super) unknown_actions: bool,
    /// Waits that do not show their child.
    pub(super) unknown_children: u64,
    pub(super) times: bool,
    pub(super) ends: bool,
    pub(super) signals: bool,
    pub(super) attached: bool,
    /// Pids are of namespaces that the log does not translate.
    pub(super) namespaces: bool,
    /// Tasks whose creator is not known.
    pub(super) strangers: u64,
    /// Waits and creations of tasks that were cut short.
    pub(super) unknown_waits: u64,
    /// Halves of calls without the other.
    pub(super) lost_halves: u64,
    pub(super) forks: bool,
    pub(super) execs: bool,
    pub(super) exits: bool,
    pub(super) sigactions: bool,
    pub(super) prctls: bool,
    pub(super) kills: bool,
    pub(super) sigreturns: bool,
    /// Calls that every program makes and no rule is about: memory, files,
    /// descriptors. Where all are there, the log is of all calls.
    others: [bool; 3],
}

/// Those that ask what processes do meanwhile.
const PROC: &[RuleId] = &[
    R::ReaperIdle,
    R::PgrpMiss,
    R::SigchldBlocked,
    R::PipeFullDeadlock,
    R::PipeEofDeadlock,
    R::PipeHeldByDescendant,
    R::OutlivesCommand,
    R::StoppedChildHang,
    R::LeaderZombie,
    R::EfaultLostStatus,
    R::PidnsInitExit,
];
/// Loops of calls, which are judged by their times.
const SPINS: &[RuleId] = &[R::WnohangSpin, R::EchildSpin];
/// Leaks, which are judged by the age of a zombie.
const LEAKS: &[RuleId] = &[
    R::ParentStopped,
    R::VforkStall,
    R::ExecInheritedChild,
    R::CloneChildInvisible,
    R::WnowaitOnly,
    R::StopMistakenForExit,
    R::SpawnFailedZombie,
    R::HandlerReplaced,
    R::CoalescedSigchld,
    R::SigchldDiscarded,
    R::ZombieLeak,
    R::LateReap,
];
/// Those that need to know the parent of each process, and more than that.
const LOSSES: &[RuleId] = &[
    R::StolenChild,
    R::DoubleWait,
    R::NotMyChild,
    R::AutoreapEchild,
    R::InheritedSigchldIgnore,
    R::StatusDiscarded,
    R::SignalDeathHidden,
    R::RawStatusExit,
    R::WrongThreadWait,
    R::PdeathsigThread,
    R::KillAfterReap,
];

/// Clauses, each with the rules that it puts out of reach.
#[derive(Default)]
struct Gaps(Vec<(String, Vec<RuleId>)>);

impl Gaps {
    fn add(&mut self, is_there: bool, what: impl Into<String>, rules: &[&[RuleId]]) {
        if is_there {
            self.0.push((what.into(), rules.concat()));
        }
    }
}

impl Coverage {
    /// Nothing yet, of a record.
    pub(super) fn of(record: Record) -> Coverage {
        Coverage {
            record,
            ..Coverage::default()
        }
    }

    /// Note a call that no rule is about, from its name on.
    pub(super) fn note_other(&mut self, call: &[u8]) {
        if self.everything() {
            return;
        }
        let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let length = call.iter().take(32).take_while(is_word).count();
        let name = call.get(..length).unwrap_or(&[]);
        let [memory, files, descriptors] = &mut self.others;
        match name {
            b"mmap" | b"mmap2" | b"brk" => *memory = true,
            b"openat" | b"open" => *files = true,
            b"read" | b"close" => *descriptors = true,
            b"rt_sigaction" => self.sigactions = true,
            _ => {}
        }
    }

    /// Whether the log is of all calls.
    pub(super) fn everything(&self) -> bool {
        self.others == [true; 3]
    }

    /// Whether calls of a kind would be in the log: some are, or all calls.
    fn has(&self, some: bool) -> bool {
        some || self.everything()
    }

    /// Each gap in a clause, with its rules.
    fn gaps(&self) -> Vec<(String, Vec<RuleId>)> {
        let mut gaps = Gaps::default();
        gaps.add(true, "no looks at /proc", &[PROC]);
        self.of_interruptions(&mut gaps);
        let no_times = format!("no times{}", self.record.time_flag());
        gaps.add(!self.times, no_times, &[LEAKS, SPINS]);
        self.of_tasks(&mut gaps);
        self.of_waits(&mut gaps);
        self.of_actions(&mut gaps);
        self.of_calls(&mut gaps);
        let midst = &[R::NotMyChild, R::DoubleWait, R::InheritedSigchldIgnore];
        gaps.add(
            self.attached,
            "a beginning in the midst of a program",
            &[midst],
        );
        gaps.0
    }

    fn of_interruptions(&self, gaps: &mut Gaps) {
        let is_strace_s = self.record == Record::Strace;
        let rules: &[&[RuleId]] = &[&[R::EintrAbandoned]];
        gaps.add(
            is_strace_s && !self.has(self.sigreturns),
            "nothing on whether interrupted waits failed",
            rules,
        );
        // The others have EINTR, and not which handler ran.
        gaps.add(!is_strace_s, "no signal handlers", rules);
    }

    fn of_tasks(&self, gaps: &mut Gaps) {
        let strangers = self.strangers > 0;
        let no_forks = match self.record {
            Record::Strace => "no clone and fork calls (threads count as processes)",
            Record::Tracee => "no sched_process_fork events",
            Record::Truss | Record::Kdump => "no fork calls",
        };
        gaps.add(
            strangers && !self.has(self.forks),
            no_forks,
            &[LEAKS, LOSSES],
        );
        let (one, more) = ("task without a creator", "tasks without a creator");
        gaps.add(
            strangers && self.has(self.forks),
            many(self.strangers, one, more),
            &[LEAKS, LOSSES],
        );
        let no_ends = match self.record {
            Record::Strace => "no ends (+++)",
            Record::Tracee => "no sched_process_exit events",
            Record::Truss | Record::Kdump => "no ends of processes",
        };
        gaps.add(!self.ends, no_ends, &[LEAKS, LOSSES]);
        gaps.add(
            self.namespaces,
            "pids of several namespaces",
            &[LEAKS, LOSSES],
        );
        let no_execs = match self.record {
            Record::Tracee => "no sched_process_exec events",
            Record::Strace | Record::Truss | Record::Kdump => "no execve calls",
        };
        gaps.add(self.forks && !self.has(self.execs), no_execs, &[LEAKS]);
    }

    fn of_waits(&self, gaps: &mut Gaps) {
        let (one, more) = ("call that is cut short", "calls that are cut short");
        gaps.add(
            self.unknown_waits > 0,
            many(self.unknown_waits, one, more),
            &[LEAKS, LOSSES, SPINS],
        );
        let (one, more) = ("half of a call", "halves of calls");
        gaps.add(
            self.lost_halves > 0,
            many(self.lost_halves, one, more),
            &[LEAKS, LOSSES, SPINS],
        );
        let (one, more) = (
            "wait that does not show its child",
            "waits that do not show their child",
        );
        gaps.add(
            self.unknown_children > 0,
            many(self.unknown_children, one, more),
            &[LOSSES],
        );
    }

    fn of_actions(&self, gaps: &mut Gaps) {
        let rules: &[RuleId] = &[R::AutoreapEchild, R::InheritedSigchldIgnore, R::DoubleWait];
        let is_strace_s = self.record == Record::Strace;
        gaps.add(
            is_strace_s && !self.has(self.sigactions),
            "no rt_sigaction calls",
            &[LEAKS, rules],
        );
        // Elsewhere a zombie is reported of a parent alone that reaps others.
        gaps.add(
            !is_strace_s && (self.unknown_actions || !self.has(self.sigactions)),
            "nothing on what happens at SIGCHLD",
            &[rules, &[R::HandlerReplaced, R::SigchldDiscarded]],
        );
    }

    fn of_calls(&self, gaps: &mut Gaps) {
        // Nor are there stops: who reaps late may have been stopped.
        let of_signals: &[RuleId] = &[
            R::CoalescedSigchld,
            R::SigchldDiscarded,
            R::PdeathsigThread,
            R::ParentStopped,
            R::LateReap,
        ];
        gaps.add(!self.signals, "no signals", &[of_signals]);
        // Who kills a child knows how it ended.
        let of_kills: &[RuleId] = &[R::KillAfterReap, R::StatusDiscarded, R::SignalDeathHidden];
        let calls: [(bool, &str, &[RuleId]); 3] = [
            (self.exits, "no exit calls", &[R::RawStatusExit]),
            (self.prctls, "no prctl calls", &[R::PdeathsigThread]),
            (self.kills, "no kill calls", of_kills),
        ];
        for (some, what, rules) in calls {
            gaps.add(!self.has(some), what, &[rules]);
        }
    }

    /// All gaps in one clause, with the rules that they put out of reach.
    pub(super) fn clause(&self) -> String {
        let gaps = self.gaps();
        let what: Vec<&str> = gaps.iter().map(|(what, _)| what.as_str()).collect();
        let mut rules = self.out_of_reach();
        rules.sort_unstable();
        rules.dedup();
        let names: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
        format!(
            "{} has {}; out of reach: {}",
            self.record.name(),
            what.join(", "),
            names.join(", ")
        )
    }

    /// The rules that cannot judge by the record.
    pub(super) fn out_of_reach(&self) -> Vec<RuleId> {
        let gaps = self.gaps().into_iter();
        gaps.flat_map(|(_, rules)| rules).collect()
    }

    /// Lines that were not understood: those of others, and those that were
    /// too long.
    pub(super) fn passed_over(
        &self,
        foreign: u64,
        first: Option<u64>,
        overlong: u64,
    ) -> Vec<String> {
        let name = match self.record {
            Record::Strace => "strace's",
            Record::Tracee => "Tracee's",
            Record::Truss => "truss's",
            Record::Kdump => "kdump's",
        };
        let count = |count, one: &str, more: &str| (count > 0).then(|| many(count, one, more));
        let foreign_clause = count(
            foreign,
            &format!("line is not {name}"),
            &format!("lines are not {name}"),
        );
        let first = first.map_or_else(String::new, |first| match foreign {
            1 => format!(": line {first}"),
            _ => format!(", the first is line {first}"),
        });
        let foreign = foreign_clause.map(|clause| clause + &first);
        let overlong = count(overlong, "line is too long", "lines are too long");
        foreign.into_iter().chain(overlong).collect()
    }

    /// Whether a zombie of the log is one for sure.
    pub(super) fn knows_zombies(&self) -> bool {
        !self.out_of_reach().contains(&R::ZombieLeak)
    }
}

/// `1 line`, `2 lines`
fn many(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}
