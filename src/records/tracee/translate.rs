//! From one event of Tracee's to the process tree.

use std::sync::Arc;

use super::event::TraceeEvent;
use crate::event::{
    Comm, EventKind, Fetched, Image, Moment, Named, SigchldAction, WaitEntry, WaitExit,
};
use crate::kernel::{Abi, Errno, IdType, NsPid, Signal, WaitCall, WaitOptions, WaitStatus};
use crate::records::process_tree::{Inner, NewTask, ProcessTree, TaskId};

/// What the pid namespace is known by where the event does not say it.
const SOME_NAMESPACE: u64 = u64::MAX;

/// Takes one event in.
pub(super) struct Translator<'a> {
    pub(super) tree: &'a mut ProcessTree,
    pub(super) event: &'a TraceeEvent<'a>,
    /// When it was, or for a call when that began.
    pub(super) at: Moment,
}

impl Translator<'_> {
    pub(super) fn translate(mut self) {
        if self.tree.is_over(self.event.tgid, self.at) {
            return;
        }
        if !self.event.name.starts_with("wait") {
            self.tree.goes_on(self.event.tid, self.at, None);
        }
        let call = |call| (call, self.event.returned);
        match &*self.event.name {
            "wait4" => self.waited(call(WaitCall::Wait4)),
            "waitid" => self.waited(call(WaitCall::Waitid)),
            "waitpid" => self.waited(call(WaitCall::Waitpid)),
            "sched_process_fork" => self.forked(),
            "sched_process_exec" => self.executed(),
            "sched_process_exit" => self.exited(),
            "do_sigaction" => self.acted(),
            "rt_sigaction" | "sigaction" => self.asked_to_act(),
            "kill" | "tkill" | "tgkill" => self.killed(),
            _ => {}
        }
    }

    /// The task of the event, made known if need be.
    fn task(&mut self) -> TaskId {
        let event = self.event;
        let task = TaskId {
            tid: event.tid,
            tgid: event.tgid,
        };
        if !self.tree.knows(task.tid) {
            self.find(task);
        }
        task
    }

    fn find(&mut self, task: TaskId) {
        let event = self.event;
        let parent = event.parent.filter(|parent| *parent > 0);
        if !self.tree.knows_process(task.tgid) {
            // It may have children that are in no event.
            self.tree.coverage.attached = true;
            self.tree.coverage.strangers += u64::from(parent.is_none());
        }
        let inner = self.inner(task.tgid, event.ns_pid);
        let image = (!event.comm.is_empty()).then(|| Image {
            comm: Comm::new(event.comm.as_bytes()),
            ..Image::default()
        });
        self.tree.find(task, parent, inner, image);
    }

    /// A process's pid in its own namespace, where that is not the host's.
    fn inner(&self, tgid: i32, pid: i32) -> Option<Inner> {
        let namespace = match self.event.namespace {
            0 => SOME_NAMESPACE,
            namespace => namespace,
        };
        (pid != tgid && pid > 0).then_some(Inner { namespace, pid })
    }

    fn forked(&mut self) {
        self.tree.now(self.at);
        let event = self.event;
        let tid = event.int32("child_tid");
        let Some(tid) = tid.filter(|tid| *tid > 0) else {
            return;
        };
        let tgid = event.int32("child_pid").unwrap_or(tid);
        if self.tree.is_over(tgid, self.at) {
            return;
        }
        let creator = TaskId {
            tid: event.int32("parent_tid").unwrap_or(event.tid),
            tgid: event.int32("parent_pid").unwrap_or(event.tgid),
        };
        if !self.tree.knows(creator.tid) {
            self.find(creator);
        }
        let parent = event.int32("parent_process_pid");
        let parent = parent.filter(|parent| *parent > 0 && *parent != creator.tgid && tid == tgid);
        let inner = event.int32("child_ns_pid");
        let inner = inner.and_then(|pid| self.inner(tgid, pid));
        let child = TaskId { tid, tgid };
        // With CLONE_VFORK or another exit signal it looks the same.
        let new = NewTask {
            parent,
            inner,
            ..NewTask::fork()
        };
        self.tree.create(creator.tid, child, new);
    }

    fn executed(&mut self) {
        self.tree.now(self.at);
        let task = self.task();
        let event = self.event;
        let path = event.text("cmdpath").or_else(|| event.text("pathname"));
        let argv = event.texts("argv");
        let base = path.and_then(|path| path.rsplit('/').next());
        let comm = if event.comm.is_empty() {
            base.unwrap_or("")
        } else {
            &event.comm
        };
        let image = Image {
            comm: Comm::new(comm.as_bytes()),
            path: path.map(|path| path.as_bytes().to_vec()),
            argv,
        };
        self.tree.execute(task.tid, Arc::new(image), None);
    }

    /// `exit_code` is the code where `signal_code` has the signal and the core
    /// bit; where there is none it is the kernel's word of both.
    fn exited(&mut self) {
        self.tree.now(self.at);
        let task = self.task();
        let event = self.event;
        let code = event.int32("exit_code").unwrap_or(0);
        let word = match event.int32("signal_code") {
            Some(signal) => (code & 0xff) << 8 | signal & 0xff,
            None => code & 0xffff,
        };
        let is_last = event.flag("process_group_exit") == Some(true);
        self.tree
            .ended(task.tid, self.at, WaitStatus::from_raw(word), is_last);
    }

    /// `do_sigaction`: the kernel's own function, with what it was given.
    fn acted(&mut self) {
        let event = self.event;
        let signal = event
            .int32("sig")
            .map(Signal::from_raw)
            .or_else(|| Signal::from_name(event.text("sig")?));
        if signal != Some(Signal::CHLD) || event.flag("is_sa_initialized") == Some(false) {
            return;
        }
        self.tree.now(self.at);
        let task = self.task();
        let flags = event.pointer("sa_flags");
        let no_wait = flags & 2 != 0;
        let method = event.text("sa_handle_method").map(str::to_owned);
        let method = method.or_else(|| Some(event.int("sa_handle_method")?.to_string()));
        let action = match method.as_deref() {
            Some("SIG_DFL" | "0") if no_wait => Some(SigchldAction::DefaultNoWait),
            Some("SIG_DFL" | "0") => Some(SigchldAction::Default),
            Some("SIG_IGN" | "1") => Some(SigchldAction::Ignore),
            Some("SIG_HND" | "2") => Some(SigchldAction::Handler {
                address: event.pointer("sa_handler"),
                no_wait,
                restarts: flags & 0x1000_0000 != 0,
            }),
            _ => None,
        };
        self.tree.set_action(task.tid, action);
    }

    /// The system call has a pointer alone.
    fn asked_to_act(&mut self) {
        let event = self.event;
        let is_ours = event.int32("signum").or_else(|| event.int32("sig")) == Some(17);
        let changes = event.pointer("act") != 0;
        if is_ours && changes && event.returned == Some(0) {
            self.tree.now(self.at);
            let task = self.task();
            self.tree.set_action(task.tid, None);
        }
    }

    /// A signal that the task sends: to a pid as it calls it.
    fn killed(&mut self) {
        let event = self.event;
        let signal = event.int32("sig").map(Signal::from_raw);
        let signal = signal.or_else(|| Signal::from_name(event.text("sig")?));
        let target = ["pid", "tgid", "tid"]
            .iter()
            .find_map(|name| event.int32(name));
        let signal = signal.filter(|signal| signal.raw() != 0);
        if let (Some(signal), Some(target)) = (signal, target) {
            self.tree.now(self.at);
            let task = self.task();
            self.tree.coverage.kills = true;
            let target = NsPid::new(target);
            self.tree
                .push(task.tid, EventKind::Kills { target, signal });
        }
    }

    fn waited(&mut self, (call, returned): (WaitCall, Option<i64>)) {
        let task = self.task();
        let Some(entry) = self.entry(call) else {
            self.tree.coverage.unknown_waits += 1;
            return;
        };
        // It returned now; the event has when it began.
        self.tree.now(self.at);
        let Some(returned) = returned.and_then(|number| i32::try_from(number).ok()) else {
            self.tree.coverage.unknown_waits += 1;
            return;
        };
        let result = match returned {
            number if number < 0 => Err(Errno::from_raw(number.saturating_neg())),
            number => Ok(NsPid::new(number)),
        };
        let exit = WaitExit {
            entered: self.at,
            result,
            status: match call {
                WaitCall::Waitid => Fetched::Null,
                _ => Fetched::unread(entry.result_at),
            },
            info: match call {
                WaitCall::Waitid => Fetched::unread(entry.result_at),
                _ => Fetched::Null,
            },
            rusage: Fetched::unread(entry.rusage_at),
            child: None,
            remaining: None,
            lives_on: false,
            in_handler: None,
            entry,
        };
        self.tree.goes_on(task.tid, self.at, Some(&exit));
        self.tree.wait_in_any_order(task.tid, exit);
    }

    fn entry(&self, call: WaitCall) -> Option<WaitEntry> {
        let event = self.event;
        let (named, result_at) = if call == WaitCall::Waitid {
            let kind = match event.text("idtype") {
                Some(name) if name.starts_with("P_") => name.parse().ok()?,
                _ => IdType::from_raw(event.word("idtype")?),
            };
            // Called so, or as the call's own parameter.
            let id = event.word("id").or_else(|| event.word("which"))?;
            (Named::Id(kind, id), event.pointer("infop"))
        } else {
            let pid = event.word("pid").or_else(|| event.word("upid"))?;
            (Named::Pid(pid.cast_signed()), event.pointer("wstatus"))
        };
        let options = match event.text("options") {
            Some(names) if names.starts_with(['W', '_']) => names.parse().ok()?,
            _ => WaitOptions::from_raw(event.word("options")?),
        };
        Some(WaitEntry {
            call,
            abi: if event.compat || call == WaitCall::Waitpid {
                Abi::I386
            } else {
                Abi::X86_64
            },
            named,
            options,
            result_at,
            rusage_at: event.pointer("rusage"),
            info_at: 0,
            is_restart: false,
            is_half: false,
            target: None,
            pidfd: None,
            stack: None,
        })
    }
}
