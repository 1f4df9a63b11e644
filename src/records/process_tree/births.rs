//! How processes and threads come into a record's tree: created, or met without their
//! creation, and which number they have in another pid namespace.

use std::sync::Arc;

use super::{Inner, NewTask, ProcessTree, Task, TaskId};
use crate::event::{Created, EventKind, Found, How, Image, NsPids};
use crate::kernel::{NsPid, Tgid, Tid};

impl ProcessTree {
    /// A task whose creation is not known.
    pub(in crate::records) fn find(
        &mut self,
        task: TaskId,
        parent: Option<i32>,
        inner: Option<Inner>,
        image: Option<Image>,
    ) {
        let TaskId { tid, tgid } = task;
        if !self.processes.contains_key(&tgid) {
            self.enter(tgid, tgid, inner);
            let found = Found {
                parent: parent.map(Tgid::new),
                image: image.map(Arc::new),
                ns: inner.map(|inner| Arc::new(pids(tgid, inner))),
                comm: None,
                sigchld: None,
            };
            self.push(tgid, EventKind::Found(found));
        }
        if tid != tgid && !self.tasks.contains_key(&tid) {
            self.thread(tgid, tid);
        }
    }

    /// A thread of a process.
    fn thread(&mut self, creator: i32, tid: i32) {
        let Some(tgid) = self.tasks.get(&creator).map(|task| task.tgid) else {
            return;
        };
        self.enter(tid, tgid, None);
        let new = NewTask {
            how: How::Thread,
            exit_signal: None,
            ..NewTask::fork()
        };
        self.push(creator, created(tid, new));
    }

    /// A task that another created.
    pub(in crate::records) fn create(&mut self, creator: i32, child: TaskId, new: NewTask) {
        self.coverage.forks = true;
        if self.tasks.contains_key(&child.tid) {
            // Its own lines came first.
            return;
        }
        if child.tid != child.tgid {
            self.thread(creator, child.tid);
            return;
        }
        self.enter(child.tid, child.tgid, new.inner);
        let parent = new.parent.or(self.process_of(creator));
        let by = self.process_mut(creator);
        let by_inside = by.is_some_and(|by| by.is_inside || by.unshared);
        if let Some(process) = self.processes.get_mut(&child.tgid) {
            process.parent = parent;
            process.is_inside = by_inside || new.in_new_namespace;
        }
        self.push(creator, created(child.tid, new));
    }

    /// The next children of a thread's process are in another pid namespace.
    pub(in crate::records) fn enters_namespace(&mut self, tid: i32) {
        self.coverage.namespaces = true;
        if let Some(process) = self.process_mut(tid) {
            process.unshared = true;
        }
    }

    /// Whether a thread is in another pid namespace than the tracer.
    pub(in crate::records) fn is_inside(&mut self, tid: i32) -> bool {
        self.process_mut(tid)
            .is_some_and(|process| process.is_inside)
    }

    /// A thread knows a child by the number of its own pid namespace.
    pub(in crate::records) fn known_inside_as(&mut self, creator: i32, child: i32, number: i32) {
        self.coverage.namespaces = true;
        let (Some(creator), true) = (self.process_of(creator), self.knows_process(child)) else {
            return;
        };
        let outer = self
            .processes
            .get(&creator)
            .and_then(|process| process.inner);
        let namespace = outer.map_or(u64::from(creator.unsigned_abs()), |inner| inner.namespace);
        for (tgid, pid) in [(creator, 0), (child, number)] {
            let Some(process) = self.processes.get_mut(&tgid) else {
                continue;
            };
            process.is_inside = true;
            if process.inner.is_some() {
                continue;
            }
            let inner = Inner { namespace, pid };
            process.inner = Some(inner);
            self.inner.insert(inner, tgid);
            let found = Found {
                parent: None,
                image: None,
                ns: Some(Arc::new(pids(tgid, inner))),
                comm: None,
                sigchld: None,
            };
            self.push(tgid, EventKind::Found(found));
        }
    }

    fn enter(&mut self, tid: i32, tgid: i32, inner: Option<Inner>) {
        self.dead.remove(&tgid);
        let task = Task { tgid };
        self.tasks.insert(tid, task);
        let process = self.processes.entry(tgid).or_default();
        if tid != tgid {
            process.threads.push(tid);
        }
        if let Some(inner) = inner {
            process.inner = Some(inner);
            self.inner.insert(inner, tgid);
        }
    }
}

fn created(child: i32, new: NewTask) -> EventKind {
    let ns = new.inner.map(|inner| Arc::new(pids(child, inner)));
    EventKind::Created(Created {
        child: Tid::new(child),
        how: new.how,
        parent: new.parent.map(Tgid::new),
        ns,
        exit_signal: new.exit_signal,
        stack: None,
    })
}

fn pids(tgid: i32, inner: Inner) -> NsPids {
    NsPids {
        inode: inner.namespace,
        chain: vec![NsPid::new(tgid), NsPid::new(inner.pid)],
    }
}
