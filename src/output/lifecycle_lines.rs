//! Lines about tasks: creation, exec, end, signals, adoption.

use std::fmt::Write;

use owo_colors::Style;

use super::span::Used;
use super::text::Text;
use super::{Output, annotations, call_syntax, causes};
use crate::event::{Comm, Created, Event, Found, Held, How, Image};
use crate::kernel::phrases::Ended;
use crate::kernel::{SigInfo, Signal, Status, Tgid, Tid, WaitStatus};
use crate::ledger::Ledger;

/// A signal that was delivered.
#[derive(Clone, Copy)]
pub(super) struct Received<'a> {
    pub(super) signal: Signal,
    pub(super) info: Option<&'a SigInfo>,
    pub(super) sender: Option<Comm>,
    pub(super) dropped: bool,
}

impl Text {
    pub(super) fn found(&mut self, event: &Event, found: &Found, ledger: &Ledger) {
        self.streams.open(event.tid);
        // The root and attached processes have lines of other events.
        let parent = found.parent.filter(|_| found.image.is_none());
        if let Some(parent) = parent.filter(|_| self.shows_lifecycle()) {
            let text = format_args!("+++ created under {parent} by a task that was killed +++");
            self.notice(event, text, Style::new(), ledger);
        }
    }

    /// What a schedule did, whatever else is shown.
    pub(super) fn held(&mut self, event: &Event, held: Held, ledger: &Ledger) {
        let Held { point, until, .. } = held;
        let at = point.name();
        let text = format_args!("~~~ held at {at} {until} ~~~");
        self.notice(event, text, Style::new(), ledger);
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
        let is_idle = created.how == How::Thread && self.is_calm();
        if !self.shows_lifecycle() || is_idle {
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
            self.notice(event, text, Style::new(), ledger);
        } else {
            self.notice(
                event,
                format_args!("+++ {did} {child} +++"),
                Style::new(),
                ledger,
            );
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
                self.notice(event, text, Style::new(), ledger);
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
        if self.is_calm() {
            let _ = annotations::command(&mut text, image);
        } else if !image.argv.is_empty() {
            text.push(' ');
            let _ = annotations::arguments(&mut text, image);
        }
        self.notice(
            event,
            format_args!("+++ executed {text} +++"),
            Style::new(),
            ledger,
        );
        self.early = text;
    }

    pub(super) fn ended(&mut self, event: &Event, status: WaitStatus, ledger: &Ledger) {
        let is_shown = match status.decode() {
            Status::Exited(_) => self.options.quiet < 2,
            Status::Signaled { signal, .. } => self.options.signals.has(signal),
            _ => true,
        };
        if !self.is_busy(event.tid, event.tgid) || !is_shown {
            return;
        }
        let style = match status.decode() {
            Status::Exited(0) => self.styles.dim,
            Status::Exited(_) => self.styles.warned,
            Status::Signaled { signal, .. } if !signal.is_crash() => self.styles.warned,
            _ => self.styles.wrong,
        };
        let mut note = std::mem::take(&mut self.early);
        note.clear();
        if self.annotates() && event.tid == event.tgid.leader() {
            // Writing to a String cannot fail.
            let _ = causes::of_death(&mut note, event.tgid, status, ledger);
            let process = ledger.process(event.tgid);
            if let Some(usage) = process.and_then(|process| process.usage)
                && self.options.verbose
            {
                let joint = if note.is_empty() { "" } else { "; " };
                let _ = write!(note, "{joint}{}", Used(usage));
            }
        }
        let ended = Ended(status);
        if note.is_empty() {
            self.notice(event, format_args!("+++ {ended} +++"), style, ledger);
        } else {
            let text = format_args!("+++ {ended} +++  # {note}");
            self.notice(event, text, style, ledger);
        }
        self.early = note;
    }

    pub(super) fn signalled(&mut self, event: &Event, received: Received, ledger: &Ledger) {
        let Received {
            signal,
            info,
            sender,
            dropped,
        } = received;
        // A signal with a handler has an outcome; one that is ignored interrupts only
        // under a tracer.
        if signal.is_stopping() {
            self.restarts_after(event.tid, signal);
        }
        if !self.options.signals.has(signal) {
            return;
        }
        let Some(info) = info else {
            let text = format_args!("--- {signal} ---");
            self.notice(event, text, Style::new(), ledger);
            return;
        };
        let mut text = std::mem::take(&mut self.early);
        text.clear();
        // Writing to a String cannot fail.
        let is_short = self.is_calm()
            && (causes::of_child(&mut text, info).unwrap_or(false)
                || causes::of_signal(&mut text, info, sender, event.tgid, ledger).unwrap_or(false));
        if !is_short {
            text.push(' ');
            let names = self.names(event.tgid, ledger);
            let _ = call_syntax::siginfo(&mut text, info, true, sender, &names);
        }
        text.push_str(" ---");
        if dropped && self.annotates() {
            text.push_str("  # dropped: PID 1 of its pid namespace has no handler for it");
        }
        let text_of = format_args!("--- {signal}{text}");
        self.notice(event, text_of, Style::new(), ledger);
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
