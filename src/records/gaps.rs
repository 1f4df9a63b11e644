//! What the record of another tracer does not hold, and which rules that puts
//! out of reach. A rule whose evidence cannot be there is silent anyhow; one that
//! would take a thing for absent because it is not in the log must be silenced.

use crate::rules::{Needs, RULES, RuleId};

/// Which program made a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Record {
    #[default]
    Strace,
    Tracee,
    Truss,
    Kdump,
}

/// How the report speaks of a record.
struct Words {
    /// The record, singular, at the beginning of a sentence.
    record: &'static str,
    /// Whose its lines are.
    program: &'static str,
    /// The flag that adds times, behind a space and in brackets.
    time_flag: &'static str,
    no_forks: &'static str,
    no_ends: &'static str,
    no_execs: &'static str,
}

impl Record {
    fn words(self) -> Words {
        match self {
            Record::Strace => Words {
                record: "strace's log",
                program: "strace's",
                time_flag: " (-ttt)",
                no_forks: "no clone and fork calls (threads count as processes)",
                no_ends: "no ends (+++)",
                no_execs: "no execve calls",
            },
            Record::Tracee => Words {
                record: "Tracee's record",
                program: "Tracee's",
                time_flag: "",
                no_forks: "no sched_process_fork events",
                no_ends: "no sched_process_exit events",
                no_execs: "no sched_process_exec events",
            },
            Record::Truss => Words {
                record: "truss's log",
                program: "truss's",
                time_flag: " (-d)",
                no_forks: "no fork calls",
                no_ends: "no ends of processes",
                no_execs: "no execve calls",
            },
            Record::Kdump => Words {
                record: "kdump's listing",
                program: "kdump's",
                time_flag: " (-T)",
                no_forks: "no fork calls",
                no_ends: "no ends of processes",
                no_execs: "no execve calls",
            },
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
    /// Children whose end a signal alone shows: other threads of their parent may have no
    /// lines either.
    pub(super) unfollowed: u64,
    /// Waits and creations of tasks that were cut short.
    pub(super) unknown_waits: u64,
    /// Halves of calls without the other.
    pub(super) lost_halves: u64,
    /// Handlers that returned into a wait, of which no signal is shown.
    pub(super) unseen_signals: u64,
    /// Signals that interrupted a wait, of which no handler's return is shown.
    pub(super) unseen_returns: u64,
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

/// Clauses, each with what a rule may need that the record lacks.
#[derive(Default)]
struct Gaps(Vec<(String, Needs)>);

impl Gaps {
    fn add(&mut self, is_there: bool, what: impl Into<String>, lacking: Needs) {
        if is_there {
            self.0.push((what.into(), lacking));
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
    fn gaps(&self) -> Vec<(String, Needs)> {
        let mut gaps = Gaps::default();
        gaps.add(true, "no looks at /proc", Needs::PROC);
        self.of_interruptions(&mut gaps);
        let no_times = format!("no times{}", self.record.words().time_flag);
        gaps.add(!self.times, no_times, Needs::TIMES);
        self.of_tasks(&mut gaps);
        self.of_waits(&mut gaps);
        self.of_actions(&mut gaps);
        self.of_calls(&mut gaps);
        gaps.add(
            self.attached,
            "a beginning in the midst of a program",
            Needs::BEGINNING,
        );
        gaps.0
    }

    fn of_interruptions(&self, gaps: &mut Gaps) {
        let is_strace_s = self.record == Record::Strace;
        let rules = Needs::RESTARTS;
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
        let words = self.record.words();
        gaps.add(
            strangers && !self.has(self.forks),
            words.no_forks,
            Needs::LINEAGE,
        );
        let (one, more) = ("task without a creator", "tasks without a creator");
        gaps.add(
            strangers && self.has(self.forks),
            many(self.strangers, one, more),
            Needs::LINEAGE,
        );
        gaps.add(!self.ends, words.no_ends, Needs::LINEAGE);
        gaps.add(
            self.namespaces,
            "pids of several namespaces",
            Needs::LINEAGE,
        );
        let (one, more) = (
            "child that was not followed (-f)",
            "children that were not followed (-f)",
        );
        gaps.add(
            self.unfollowed > 0,
            many(self.unfollowed, one, more),
            Needs::EXECS,
        );
        gaps.add(
            self.forks && !self.has(self.execs),
            words.no_execs,
            Needs::EXECS,
        );
    }

    fn of_waits(&self, gaps: &mut Gaps) {
        let (one, more) = ("call that is cut short", "calls that are cut short");
        gaps.add(
            self.unknown_waits > 0,
            many(self.unknown_waits, one, more),
            Needs::WAITS,
        );
        let (one, more) = ("half of a call", "halves of calls");
        gaps.add(
            self.lost_halves > 0,
            many(self.lost_halves, one, more),
            Needs::WAITS,
        );
        // Unless the log has none of that kind; the others order these lines otherwise.
        let is_strace_s = self.record == Record::Strace;
        let count = |is_shown: bool, unseen: u64| if is_strace_s && is_shown { unseen } else { 0 };
        let signals = count(self.signals, self.unseen_signals);
        let returns = count(self.sigactions, self.unseen_returns);
        let (one, more) = ("half of a signal's handling", "halves of signals' handling");
        gaps.add(
            signals + returns > 0,
            many(signals + returns, one, more),
            Needs::WAITS,
        );
        let (one, more) = (
            "wait that does not show its child",
            "waits that do not show their child",
        );
        gaps.add(
            self.unknown_children > 0,
            many(self.unknown_children, one, more),
            Needs::WAITED,
        );
    }

    fn of_actions(&self, gaps: &mut Gaps) {
        let is_strace_s = self.record == Record::Strace;
        gaps.add(
            is_strace_s && !self.has(self.sigactions),
            "no rt_sigaction calls",
            Needs::AUTO_REAP.and(Needs::DISPOSITIONS),
        );
        gaps.add(
            is_strace_s && self.unknown_actions,
            "an action for SIGCHLD that it does not show",
            Needs::AUTO_REAP.and(Needs::DISPOSITIONS),
        );
        // Elsewhere a zombie is reported of a parent alone that reaps others.
        gaps.add(
            !is_strace_s && (self.unknown_actions || !self.has(self.sigactions)),
            "nothing on what happens at SIGCHLD",
            Needs::DISPOSITIONS,
        );
    }

    fn of_calls(&self, gaps: &mut Gaps) {
        // Nor are there stops: who reaps late may have been stopped.
        gaps.add(!self.signals, "no signals", Needs::SIGNALS);
        let calls = [
            (self.exits, "no exit calls", Needs::EXITS),
            (self.prctls, "no prctl calls", Needs::PRCTLS),
            // Who kills a child knows how it ended.
            (self.kills, "no kill calls", Needs::KILLS),
        ];
        for (some, what, lacking) in calls {
            gaps.add(!self.has(some), what, lacking);
        }
    }

    /// All gaps in one clause, with the rules that they put out of reach.
    pub(super) fn clause(&self) -> String {
        let gaps = self.gaps();
        let what: Vec<&str> = gaps.iter().map(|(what, _)| what.as_str()).collect();
        format!(
            "{} has {}; out of reach: {}",
            self.record.words().record,
            what.join(", "),
            listed(&self.out_of_reach())
        )
    }

    /// The rules that cannot judge by the record.
    pub(super) fn out_of_reach(&self) -> Vec<RuleId> {
        let lacking = self.gaps().into_iter().map(|(_, lacking)| lacking);
        let lacking = lacking.fold(Needs::NOTHING, Needs::and);
        let mut rules: Vec<RuleId> = RULES
            .iter()
            .filter(|rule| rule.needs.any_of(lacking))
            .map(|rule| rule.id)
            .collect();
        rules.sort_unstable();
        rules
    }

    /// Lines that were not understood: those of others, and those that were
    /// too long.
    pub(super) fn passed_over(
        &self,
        foreign: u64,
        first: Option<u64>,
        overlong: u64,
    ) -> Vec<String> {
        let name = self.record.words().program;
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
        !self.out_of_reach().contains(&RuleId::ZombieLeak)
    }
}

/// `1 line`, `2 lines`
fn many(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// The names of rules, or where they are most of all those of the others.
fn listed(rules: &[RuleId]) -> String {
    let joined = |rules: Vec<&str>| rules.join(", ");
    if rules.len() * 2 <= RULES.len() {
        return joined(rules.iter().map(|rule| rule.name()).collect());
    }
    let others = RULES.iter().filter(|rule| !rules.contains(&rule.id));
    let others = joined(others.map(|rule| rule.name).collect());
    match others.as_str() {
        "" => "all rules".to_owned(),
        others => format!("all rules but {others}"),
    }
}
