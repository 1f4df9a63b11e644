//! `--only`: the lines of some programs and processes, and of all below them.

use rustc_hash::FxHashSet;

use crate::event::{Event, EventKind, How, Image};
use crate::kernel::Tgid;
use crate::ledger::Ledger;

use std::fmt;

/// Which processes' lines are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A process.
    Pid(i32),
    /// Those that run a program of this name.
    Name(Vec<u8>),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Pid(pid) => write!(f, "{pid}"),
            Wanted::Name(name) => f.write_str(&String::from_utf8_lossy(name)),
        }
    }
}

/// The processes whose lines are shown, as they come and go.
#[derive(Debug)]
pub(super) struct Only {
    wanted: Vec<Wanted>,
    /// Which of them were there, in the same order.
    was_there: Vec<bool>,
    shown: FxHashSet<Tgid>,
}

impl Only {
    /// All, if nothing is wanted.
    pub(super) fn new(wanted: &[Wanted]) -> Only {
        Only {
            wanted: wanted.to_vec(),
            was_there: vec![false; wanted.len()],
            shown: FxHashSet::default(),
        }
    }

    /// Those that were wanted, and no process was it.
    pub(super) fn missing(&self) -> Vec<String> {
        let wanted = self.wanted.iter().zip(&self.was_there);
        let missing = wanted.filter(|(_, was_there)| !**was_there);
        missing.map(|(wanted, _)| wanted.to_string()).collect()
    }

    /// Whether the lines of this event are shown; the ledger has taken it.
    pub(super) fn admits(&mut self, event: &Event, ledger: &Ledger) -> bool {
        if self.wanted.is_empty() {
            return true;
        }
        let tgid = event.tgid;
        match &event.kind {
            EventKind::Looked(_) => return true,
            EventKind::Executed { image, .. } if self.names(image) => {
                self.shown.insert(tgid);
            }
            EventKind::Found(found) => {
                let is_named = found
                    .image
                    .as_deref()
                    .is_some_and(|image| self.names(image));
                let is_below = found
                    .parent
                    .is_some_and(|parent| self.shown.contains(&parent));
                if is_named || is_below {
                    self.shown.insert(tgid);
                }
            }
            EventKind::Created(created) if created.how != How::Thread => {
                let child = Tgid::new(created.child.raw());
                let image = ledger.process(child).map(|child| &child.image);
                let is_named = image.is_some_and(|image| self.names(image));
                let is_wanted = self.is_wanted(child);
                if is_named || is_wanted || self.shown.contains(&tgid) {
                    self.shown.insert(child);
                }
            }
            _ => {}
        }
        if self.is_wanted(tgid) {
            self.shown.insert(tgid);
        }
        let is_shown = self.shown.contains(&tgid);
        if matches!(event.kind, EventKind::Ended { .. }) && event.tid == tgid.leader() {
            self.shown.remove(&tgid);
        }
        is_shown
    }

    fn is_wanted(&mut self, tgid: Tgid) -> bool {
        self.finds(|wanted| *wanted == Wanted::Pid(tgid.raw()))
    }

    /// Whether a program has a wanted name: its command name, or the last part of its
    /// path or of its first argument.
    fn names(&mut self, image: &Image) -> bool {
        let base = |path: &[u8]| path.rsplit(|byte| *byte == b'/').next().map(<[u8]>::to_vec);
        let names = [
            Some(image.comm.as_bytes().to_vec()),
            image.path.as_deref().and_then(base),
            image.argv.first().and_then(|word| base(word)),
        ];
        self.finds(|wanted| match wanted {
            Wanted::Pid(_) => false,
            Wanted::Name(name) => names.iter().flatten().any(|known| known == name),
        })
    }

    /// Whether a process is one that is wanted, which then was there.
    fn finds(&mut self, is_it: impl Fn(&Wanted) -> bool) -> bool {
        let mut found = false;
        for (wanted, was_there) in self.wanted.iter().zip(&mut self.was_there) {
            let is_it = is_it(wanted);
            *was_there |= is_it;
            found |= is_it;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::script::{Script, exited};

    /// The pids of the events that are shown.
    fn shown(wanted: Wanted, script: &Script) -> Vec<i32> {
        let (shown, missing) = shown_of(&[wanted], script);
        assert_eq!(missing.is_empty(), !shown.is_empty());
        shown
    }

    /// The same of several, and which of them no process was.
    fn shown_of(wanted: &[Wanted], script: &Script) -> (Vec<i32>, Vec<String>) {
        let mut ledger = Ledger::new();
        let mut only = Only::new(wanted);
        let mut shown = Vec::new();
        for event in &script.events {
            ledger.apply(event);
            if only.admits(event, &ledger) {
                shown.push(event.tgid.raw());
            }
        }
        (shown, only.missing())
    }

    #[test]
    fn a_program_is_shown_with_all_below_it() {
        let mut script = Script::launched(10);
        script
            .fork(10, 11)
            .exec(11, "make")
            .fork(11, 12)
            .exec(12, "cc");
        script.end(12, exited(0)).fork(10, 13).end(13, exited(0));
        let by_name = shown(Wanted::Name(b"make".to_vec()), &script);
        assert_eq!(by_name, [11, 11, 12, 12]);
        assert_eq!(shown(Wanted::Pid(12), &script), [12, 12]);
        assert!(shown(Wanted::Name(b"nothing".to_vec()), &script).is_empty());
    }

    #[test]
    fn of_several_those_are_named_that_no_process_was() {
        let mut script = Script::launched(10);
        script.fork(10, 11).exec(11, "make").fork(11, 12);
        script.exec(12, "cc").end(12, exited(0));
        let name = |name: &str| Wanted::Name(name.as_bytes().to_vec());
        let wanted = [
            name("make"),
            name("ld"),
            name("cc"),
            Wanted::Pid(12),
            Wanted::Pid(7),
        ];
        let (_, missing) = shown_of(&wanted, &script);
        assert_eq!(missing, ["ld", "7"]);
    }

    #[test]
    fn a_child_that_is_shown_with_its_parent_is_there_without_an_event_of_its_own() {
        let mut script = Script::launched(10);
        script.exec(10, "make").fork(10, 12);
        let wanted = [Wanted::Name(b"make".to_vec()), Wanted::Pid(12)];
        assert_eq!(shown_of(&wanted, &script).1, [""; 0]);
    }

    #[test]
    fn the_tid_of_a_thread_is_no_process_that_is_shown() {
        let mut script = Script::launched(10);
        script.fork(10, 11).exec(11, "make").thread(11, 12);
        script
            .end((12, 11), exited(0))
            .fork(10, 12)
            .end(12, exited(0));
        assert_eq!(shown(Wanted::Pid(11), &script), [11, 11, 11]);
    }
}
