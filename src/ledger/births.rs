//! How processes come into the ledger: created, found at an attach, or seen as the
//! untraced child of a traced process.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::namespaces::Levels;
use super::process::{ParentId, Process, ProcessId, Stamp};
use super::processes::{Ledger, Thread};
use super::sigchld::Sigchld;
use super::waits::{BlockedTime, WaitHistory};
use crate::event::{Created, Event, Found, How, Image, NsPids, UntracedChild};
use crate::kernel::{Signal, Tgid};

/// What is known of a new process.
struct Birth {
    tgid: Tgid,
    parent: Option<ParentId>,
    image: Arc<Image>,
    ns: Option<Arc<NsPids>>,
    is_traced: bool,
}

impl Ledger {
    pub(super) fn found(&mut self, event: &Event, found: &Found) {
        let image = found.image.clone().unwrap_or_default();
        if let Some(seen) = self.processes.get_mut(&event.tgid)
            && !seen.is_traced
        {
            // A child of a process that was attached to before.
            seen.is_traced = true;
            seen.sigchld = Sigchld::found(found.sigchld);
            self.counts.processes += 1;
        } else if self.existing_or_none(event.tgid).is_none() {
            let birth = Birth {
                tgid: event.tgid,
                parent: found.parent.map(|parent| self.parent_id(parent)),
                image: image.clone(),
                ns: found.ns.clone(),
                is_traced: true,
            };
            let is_before_attach = self.attached == Some(event.tgid);
            let process = self.enter(birth);
            process.sigchld = Sigchld::found(found.sigchld);
            process.born.is_before_attach = is_before_attach;
            self.claim_children(event.tgid);
            // The parent of a launched process alone is not looked up.
            if self.attached.is_none() || found.parent.is_none() {
                let found = self.parent_id(event.tgid);
                self.root.get_or_insert(found);
            }
        }
        self.found_inside(event.tgid, found);
        let comm = found.comm.filter(|comm| *comm != image.comm);
        self.threads
            .insert(event.tid, Thread::new(event.tgid, comm));
    }

    /// A record shows a process's pids in other namespaces late.
    fn found_inside(&mut self, tgid: Tgid, found: &Found) {
        let process = self.processes.get_mut(&tgid);
        if let Some(process) = process.filter(|process| process.ns.is_none())
            && let Some(ns) = &found.ns
        {
            process.levels = self.namespaces.enter(tgid, ns, &[]);
            process.ns = Some(Arc::clone(ns));
        }
    }

    pub(super) fn created(&mut self, event: &Event, created: &Created) {
        let creator = self.threads.get(&event.tid);
        let comm = creator.and_then(|creator| creator.comm);
        if created.how == How::Thread {
            self.threads
                .insert(created.child, Thread::new(event.tgid, comm));
            return;
        }
        if let Some(creator) = self.processes.get_mut(&event.tgid) {
            creator.failed_execs = None;
        }
        let tgid = Tgid::new(created.child.raw());
        let creator_id = Some(self.parent_id(event.tgid));
        let process = self.process(event.tgid);
        let sigchld = process.map(|process| process.sigchld).unwrap_or_default();
        let exit_signal = process.and_then(|process| process.exit_signal);
        let image = process
            .map(|process| Arc::clone(&process.image))
            .unwrap_or_default();
        let birth = Birth {
            tgid,
            parent: Some(self.parent_id(created.parent.unwrap_or(event.tgid))),
            // A process that a renamed thread forks starts with the thread's name.
            image: match comm {
                Some(comm) => Arc::new(Image {
                    comm,
                    ..Image::clone(&image)
                }),
                None => image,
            },
            ns: created.ns.clone(),
            is_traced: true,
        };
        let was_found = self.existing_or_none(tgid).is_some_and(|child| {
            child.is_traced && child.creator.is_none() && child.parent == birth.parent
        });
        let child = match self.processes.get_mut(&tgid).filter(|_| was_found) {
            // The event of its creator came late.
            Some(child) => child.as_mut(),
            None => self.enter(birth),
        };
        child.creator = Some((event.tid, created.how));
        child.created_by = creator_id;
        child.created_at.clone_from(&created.stack);
        child.cloned_by = created.parent.and(creator_id);
        let is_new = child.execs.is_empty() && child.ended.is_none();
        if is_new {
            child.exit_signal = if created.parent.is_some() {
                // CLONE_PARENT: its creator's (`copy_process` in kernel/fork.c).
                exit_signal
            } else {
                created.exit_signal
            };
            if child.sigchld.set.is_none() {
                child.sigchld = sigchld;
            }
        }
        if created.how == How::Vfork && is_new {
            let now = self.now;
            if let Some(process) = self.processes.get_mut(&event.tgid) {
                process.vforks.push((now, tgid));
            }
        }
        self.threads.insert(created.child, Thread::new(tgid, None));
    }

    /// A child of an attached process that is not traced.
    pub(super) fn untraced_child(&mut self, parent: Tgid, seen: &UntracedChild) {
        let by = self.parent_id(parent);
        if let Some(known) = self.existing_or_none(seen.child) {
            let dies = !known.is_traced && known.ended.is_none() && known.parent == Some(by);
            if let Some(status) = seen.zombie.filter(|_| dies) {
                self.untraced_child_ended(parent, seen.child, status, self.now);
            }
            return;
        }
        let when = Stamp {
            is_before_attach: !seen.is_adopted,
            ..self.now
        };
        let child = self.enter(Birth {
            tgid: seen.child,
            parent: Some(by),
            image: Arc::clone(&seen.image),
            ns: seen.ns.clone(),
            is_traced: false,
        });
        child.born.is_before_attach = true;
        if seen.is_adopted {
            let unknown = ParentId {
                tgid: Tgid::new(0),
                id: None,
            };
            child.adopted = Some((when, unknown));
        }
        if let Some(status) = seen.zombie {
            self.untraced_child_ended(parent, seen.child, status, when);
        }
    }

    fn enter(&mut self, birth: Birth) -> &mut Process {
        let tgid = birth.tgid;
        // The pid is reused: the former process is gone.
        self.forget(tgid);
        let levels = match &birth.ns {
            Some(ns) => {
                let parent = birth.parent.and_then(|parent| self.parent(parent));
                let parent = parent
                    .map(|parent| parent.levels.clone())
                    .unwrap_or_default();
                self.namespaces.enter(tgid, ns, &parent)
            }
            None => Levels::new(),
        };
        if let Some(parent) = birth.parent {
            self.join_parent(tgid, parent);
        }
        self.last_id += 1;
        self.counts.processes += u64::from(birth.is_traced);
        let process = Process {
            id: ProcessId(self.last_id),
            tgid,
            parent: birth.parent,
            born: self.now,
            creator: None,
            created_at: None,
            created_by: None,
            cloned_by: None,
            image: birth.image,
            execs: Vec::new(),
            failed_execs: None,
            group: None,
            exit_signal: Some(Signal::CHLD),
            ended: None,
            reaped: None,
            adopted: None,
            orphaned: None,
            sigchld: Sigchld::default(),
            stopped: None,
            vforks: Vec::new(),
            is_traced: birth.is_traced,
            zombies: FxHashSet::default(),
            children: 0,
            waits: None,
            usage: None,
            history: WaitHistory::default(),
            busy: BlockedTime::default(),
            ns: birth.ns,
            levels,
        };
        let process = match self.spare.take() {
            Some(mut spare) => {
                *spare = process;
                spare
            }
            None => Box::new(process),
        };
        self.processes.entry(tgid).insert_entry(process).into_mut()
    }
}
