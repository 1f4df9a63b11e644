//! `--only`: the lines of some programs and processes, and of all below them.

use rustc_hash::FxHashSet;

use crate::event::{Event, EventKind, How, Image};
use crate::kernel::Tgid;
use crate::ledger::Ledger;

/// Which processes' lines are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A process.
    Pid(i32),
    /// Those that run a program of this name.
    Name(Vec<u8>),
}

/// The processes whose lines are shown, as they come and go.
#[derive(Debug)]
pub(super) struct Only {
    wanted: Vec<Wanted>,
    shown: FxHashSet<Tgid>,
    has_shown: bool,
}

impl Only {
    /// All, if nothing is wanted.
    pub(super) fn new(wanted: &[Wanted]) -> Only {
        Only {
            wanted: wanted.to_vec(),
            shown: FxHashSet::default(),
            has_shown: false,
        }
    }

    /// Whether processes were wanted, and none was there.
    pub(super) fn was_in_vain(&self) -> bool {
        !self.wanted.is_empty() && !self.has_shown
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
                if is_named || self.shown.contains(&tgid) || self.is_wanted(child) {
                    self.shown.insert(child);
                }
            }
            _ => {}
        }
        if self.is_wanted(tgid) {
            self.shown.insert(tgid);
        }
        let is_shown = self.shown.contains(&tgid);
        self.has_shown |= is_shown;
        if matches!(event.kind, EventKind::Ended { .. }) && event.tid == tgid.leader() {
            self.shown.remove(&tgid);
        }
        is_shown
    }

    fn is_wanted(&self, tgid: Tgid) -> bool {
        self.wanted.contains(&Wanted::Pid(tgid.raw()))
    }

    /// Whether a program has a wanted name: its command name, or the last part of its
    /// path or of its first argument.
    fn names(&self, image: &Image) -> bool {
        let base = |path: &[u8]| path.rsplit(|byte| *byte == b'/').next().map(<[u8]>::to_vec);
        let names = [
            Some(image.comm.as_bytes().to_vec()),
            image.path.as_deref().and_then(base),
            image.argv.first().and_then(|word| base(word)),
        ];
        self.wanted.iter().any(|wanted| match wanted {
            Wanted::Pid(_) => false,
            Wanted::Name(name) => names.iter().flatten().any(|known| known == name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::script::{Script, exited};

    /// The pids of the events that are shown.
    fn shown(wanted: Wanted, script: &Script) -> Vec<i32> {
        let mut ledger = Ledger::new();
        let mut only = Only::new(&[wanted]);
        let mut shown = Vec::new();
        for event in &script.events {
            ledger.apply(event);
            if only.admits(event, &ledger) {
                shown.push(event.tgid.raw());
            }
        }
        assert_eq!(only.was_in_vain(), shown.is_empty());
        shown
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
