//! Lines about tasks: creation, exec, end, signals, adoption.

use std::fmt::Write;

use super::text::Text;
use super::{Output, annotations, call_syntax};
use crate::event::{Comm, Created, Event, Found, Held, How, Image};
use crate::kernel::phrases::Ended;
use crate::kernel::{SigInfo, Signal, Status, Tgid, Tid, WaitStatus};
use crate::ledger::Ledger;

impl Text {
    pub(super) fn found(&mut self, event: &Event, found: &Found, ledger: &Ledger) {
        self.streams.open(event.tid);
        // The root and attached processes have lines of other events.
        let parent = found.parent.filter(|_| found.image.is_none());
        if let Some(parent) = parent.filter(|_| self.shows_lifecycle()) {
            let text = format_args!("+++ created under {parent} by a task that was killed +++");
            self.notice(event, text, false, ledger);
        }
    }

    /// What a schedule did, whatever else is shown.
    pub(super) fn held(&mut self, event: &Event, held: Held, ledger: &Ledger) {
        let Held { point, until, .. } = held;
        let at = point.name();
        let text = format_args!("~~~ held at {at} {until} ~~~");
        self.notice(event, text, false, ledger);
    }

    pub(super) fn attached(&mut self, tid: Tid, threads: usize) {
        if self.options.quiet > 0 {
            return;
        }
        let many = if threads > 1 {
            format!(" with {threads} threads")
        } else {
            String::new()
        };
        self.message(&format!("Process {tid} attached{many}"));
    }

    pub(super) fn created(&mut self, event: &Event, created: &Created, ledger: &Ledger) {
        let child = created.child;
        self.streams.open(child);
        if !self.annotates() {
            if self.options.quiet == 0 {
                self.message(&format!("Process {child} attached"));
            }
            return;
        }
        if !self.shows_lifecycle() {
            return;
        }
        let did = match created.how {
            How::Fork => "forked",
            How::Vfork => "vforked",
            How::Clone => "cloned",
            How::Thread => "started thread",
        };
        if let Some(parent) = created.parent {
            let text = format_args!("+++ {did} {child} as a child of {parent} +++");
            self.notice(event, text, false, ledger);
        } else {
            self.notice(event, format_args!("+++ {did} {child} +++"), false, ledger);
        }
        self.stack(event, created.stack.as_ref(), ledger);
    }

    pub(super) fn executed(
        &mut self,
        event: &Event,
        image: &Image,
        former: Option<Tid>,
        ledger: &Ledger,
    ) {
        if let Some(former) = former {
            self.end_polls(former, ledger);
            self.unfinished(event, ledger);
            if self.options.quiet < 3 {
                let text = format_args!("+++ superseded by execve in pid {former} +++");
                self.notice(event, text, false, ledger);
            }
            self.calls.remove(&former);
            self.streams.retire(former);
        }
        self.calls.remove(&event.tid);
        if !self.shows_lifecycle() {
            return;
        }
        let mut text = std::mem::take(&mut self.early);
        text.clear();
        let path = image.path.as_deref();
        // Writing to a String cannot fail.
        let _ = crate::event::escape(path.unwrap_or(image.comm.as_bytes()), &mut text);
        if !image.argv.is_empty() {
            text.push(' ');
            let _ = annotations::arguments(&mut text, image);
        }
        self.notice(
            event,
            format_args!("+++ executed {text} +++"),
            false,
            ledger,
        );
        self.early = text;
    }

    pub(super) fn ended(&mut self, event: &Event, status: WaitStatus, ledger: &Ledger) {
        let is_wrong = match status.decode() {
            Status::Exited(_) => false,
            Status::Signaled { signal, .. } => signal.is_crash(),
            _ => true,
        };
        let is_shown = match status.decode() {
            Status::Exited(_) => self.options.quiet < 2,
            Status::Signaled { signal, .. } => self.options.signals.has(signal),
            _ => true,
        };
        if is_shown {
            let text = format_args!("+++ {} +++", Ended(status));
            self.notice(event, text, is_wrong, ledger);
        }
    }

    pub(super) fn signalled(
        &mut self,
        event: &Event,
        signal: Signal,
        info: Option<&SigInfo>,
        sender: Option<Comm>,
        ledger: &Ledger,
    ) {
        // A signal with a handler has an outcome; one that is ignored interrupts only
        // under a tracer.
        if signal.is_stopping() {
            self.restarts_after(event.tid, signal);
        }
        if !self.options.signals.has(signal) {
            return;
        }
        let Some(info) = info else {
            self.notice(event, format_args!("--- {signal} ---"), false, ledger);
            return;
        };
        let mut text = std::mem::take(&mut self.early);
        text.clear();
        let names = self.names(event.tgid, ledger);
        // Writing to a String cannot fail.
        let _ = call_syntax::siginfo(&mut text, info, sender, &names);
        self.notice(
            event,
            format_args!("--- {signal} {text} ---"),
            false,
            ledger,
        );
        self.early = text;
    }

    pub(super) fn adopted(
        &mut self,
        event: &Event,
        child: Tgid,
        from: Tgid,
        comm: Comm,
        ledger: &Ledger,
    ) {
        if !self.shows_lifecycle() {
            return;
        }
        let dead = ledger.process(from).map(|process| process.image.comm);
        let mut text = format!("+++ adopted {child} from {from}");
        if let Some(dead) = dead.filter(|dead| !dead.as_bytes().is_empty()) {
            let _ = write!(text, " {dead}");
        }
        text.push_str(" +++");
        self.begin(event.tid, event.tgid, comm, event.at, 2);
        self.line.plain(&text);
        self.streams.write(event.tid, &mut self.line, None);
    }

    pub(super) fn detached(&mut self, event: &Event) {
        let tid = event.tid;
        self.calls.remove(&tid);
        if self.streams.is_open(tid) {
            self.line.plain(" <detached ...>");
            self.streams.write(tid, &mut self.line, None);
        }
        if self.options.quiet == 0 {
            self.message(&format!("Process {tid} detached"));
        }
        self.streams.retire(tid);
    }
}
