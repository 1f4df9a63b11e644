//! Made-up runs, for the tests.

use super::hang::{Hang, Sleeper};
use super::run::{End, Run};
use super::scheduler::{Circumstances, Counts};
use super::written::Written;
use crate::event::{Comm, Image};
use crate::kernel::{Tgid, Tid, WaitStatus};
use crate::ledger::Stamp;
use crate::library::Keep;
use crate::rules::{Finding, ProcessRef, RULES, Severity};

/// A run that ended with this code and wrote this.
pub(super) fn ended(code: i32, stdout: &str) -> Run {
    Run {
        end: End::Ended(WaitStatus::from_raw(code << 8)),
        findings: Vec::new(),
        crashes: Vec::new(),
        stdout: {
            let mut written = Written::default();
            written.keep(stdout.as_bytes());
            written
        },
        counts: Counts::default(),
        forced: Counts::default(),
        at_play: Circumstances::default(),
        timed_out_in_hold: false,
        kills_all: None,
        ran_on: None,
        took: std::time::Duration::from_millis(10),
    }
}

/// A run that hangs.
pub(super) fn hung() -> Run {
    hung_of(&["x"])
}

/// One in which these programs hang.
pub(super) fn hung_of(names: &[&str]) -> Run {
    let sleeper = |name: &&str| Sleeper {
        tid: Tid::new(9),
        tgid: Tgid::new(9),
        comm: Comm::new(name.as_bytes()),
        call: "pause",
        first: None,
        may_be_woken: false,
    };
    let sleepers = names.iter().map(sleeper).collect();
    Run {
        end: End::Hung(Hang { sleepers }),
        ..ended(0, "")
    }
}

/// A finding in a program.
pub(super) fn found_in(name: &str) -> Finding {
    let lasting = RULES.iter().find(|rule| !rule.is_timed);
    let image = Image {
        comm: Comm::new(name.as_bytes()),
        ..Image::default()
    };
    let party = ProcessRef {
        id: None,
        tgid: Tgid::new(1),
        image: std::sync::Arc::new(image),
    };
    let finding = Finding::new(lasting.unwrap().id, party, Stamp::default());
    finding.severity(Severity::Error)
}
