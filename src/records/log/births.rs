//! A task's first line in a log, and who created it. Lines of a task wait here until
//! its creator is known.

use super::line::{Beginning, Birth, Format, LogLine};
use super::translate::Translator;
use crate::event::{Comm, EventKind, Image, Moment};
use crate::records::process_tree::{NewTask, TaskId};

/// How many lines are kept of tasks whose creator is not known yet.
const MOST_HELD: usize = 10_000;

/// A line of a task whose creator is not known yet.
#[derive(Debug)]
pub(super) struct Held {
    at: Moment,
    text: Vec<u8>,
}

impl<F: Format> Translator<F> {
    /// A task's first line. `false` if the line is held until its creator is
    /// known.
    pub(super) fn meet(&mut self, tgid: i32, line: &LogLine<'_>, text: &[u8]) -> bool {
        if self.tree.is_empty() {
            let beginning = self.format.beginning(line);
            self.begin(tgid, beginning, line.comm);
            return true;
        }
        if self.creating.is_empty()
            && let Some((creator, number, birth)) = self.unnamed.pop_front()
        {
            self.create(creator, tgid, birth);
            self.tree.known_inside_as(creator, tgid, number);
            return true;
        }
        let is_held = self.held.contains_key(&tgid);
        match self.creating[..] {
            [creator] if !is_held => {
                self.create_early(creator, tgid);
                true
            }
            [] if !is_held && !F::AT_RETURN => {
                self.find_stranger(tgid, line.comm);
                true
            }
            _ => {
                self.hold(tgid, text);
                false
            }
        }
    }

    pub(super) fn begin(&mut self, tgid: i32, beginning: Beginning, comm: Option<&[u8]>) {
        self.tree.coverage.attached |= beginning != Beginning::Launch;
        if beginning == Beginning::Attach {
            self.tree.push(tgid, EventKind::Attached { threads: 1 });
        }
        self.tree
            .find(TaskId::leader(tgid), None, None, image(comm));
    }

    fn find_stranger(&mut self, tgid: i32, comm: Option<&[u8]>) {
        self.tree.coverage.strangers += 1;
        self.tree
            .find(TaskId::leader(tgid), None, None, image(comm));
    }

    /// A child shows itself before its creator's call has returned. Only one
    /// can be its creator.
    fn create_early(&mut self, creator: i32, child: i32) {
        self.creating.clear();
        let Some(pending) = self.pending.get_mut(&creator) else {
            return;
        };
        pending.child = Some(child);
        let birth = self.format.birth(pending.kind, &pending.args);
        self.create(creator, child, birth);
    }

    pub(super) fn create(&mut self, creator: i32, child: i32, birth: Birth) {
        self.tree.coverage.namespaces |= birth.in_new_namespace;
        let new = NewTask {
            how: birth.how,
            exit_signal: birth.exit_signal,
            parent: birth
                .is_sibling
                .then(|| self.tree.parent_of(creator))
                .flatten(),
            inner: None,
            in_new_namespace: birth.in_new_namespace,
        };
        let id = match self.tree.process_of(creator) {
            Some(tgid) if birth.is_thread() => TaskId { tid: child, tgid },
            _ => TaskId::leader(child),
        };
        self.tree.create(creator, id, new);
        self.newest = Some(child);
        self.release(child);
    }

    fn hold(&mut self, tgid: i32, text: &[u8]) {
        self.held.entry(tgid).or_default().push(Held {
            at: self.tree.at,
            text: text.to_vec(),
        });
        self.held_lines += 1;
        if self.held_lines > MOST_HELD {
            self.release_all();
        }
    }

    /// Creators that are not known yet will not be.
    pub(super) fn release_all(&mut self) {
        let mut held: Vec<i32> = self.held.keys().copied().collect();
        held.sort_unstable();
        for tgid in held {
            self.find_stranger(tgid, None);
            self.release(tgid);
        }
    }

    /// Take in the lines that were held of a task.
    fn release(&mut self, tid: i32) {
        let now = self.tree.at;
        let lines = self.held.remove(&tid).unwrap_or_default();
        self.held_lines = self.held_lines.saturating_sub(lines.len());
        for held in lines {
            self.tree.at = held.at;
            if let Some(mut line) = self.format.line(&held.text)
                && self.tree.knows(tid)
            {
                line.tid = line.tid.or(Some(tid));
                let (tid, tgid) = self.task_of(&line);
                self.apply(tid, tgid, &line);
            }
        }
        self.tree.at = now;
    }
}

fn image(comm: Option<&[u8]>) -> Option<Image> {
    comm.map(|comm| Image {
        comm: Comm::new(comm),
        ..Image::default()
    })
}
