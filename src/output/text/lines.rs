//! How a line begins, fits the terminal and ends, whatever it is about.

use std::fmt;
use std::sync::Arc;

use owo_colors::Style;

use super::Text;
use crate::event::{Comm, Event, Moment, Stack};
use crate::kernel::{Tgid, Tid};
use crate::ledger::Ledger;
use crate::output::call_syntax::Names;
use crate::output::options::Pids;
use crate::output::prefix::Prefix;
use crate::output::{fit, frames};

impl Text {
    pub(in crate::output) fn names<'a>(&self, caller: Tgid, ledger: &'a Ledger) -> Names<'a> {
        Names {
            ledger,
            caller,
            pids: self.options.pids,
        }
    }

    /// A whole line of one text.
    pub(in crate::output) fn notice(
        &mut self,
        event: &Event,
        text: fmt::Arguments<'_>,
        style: Style,
        ledger: &Ledger,
    ) {
        let comm = ledger.comm(event.tid);
        self.begin(event.tid, event.tgid, comm, event.at, ledger.tasks());
        self.line.write(text, style);
        self.fit();
        self.streams.write(event.tid, &mut self.line, None);
    }

    /// Begin a line: who, and when. Returns the column that counts as reached.
    pub(in crate::output) fn begin(
        &mut self,
        tid: Tid,
        tgid: Tgid,
        comm: Comm,
        at: Moment,
        tasks: usize,
    ) -> usize {
        self.streams.interrupt(tid);
        self.line.text.clear();
        self.piece.clear();
        let named = self.options.pids == Pids::Names;
        let prefix = self.prefix(tasks);
        // Writing to a String cannot fail.
        let _ = prefix.write(&mut self.piece, tid, comm, named);
        // The name is what one looks for; the number is for grep.
        let number = self.piece.find(' ').filter(|_| self.annotates());
        let (number, name) = self.piece.split_at(number.unwrap_or(0));
        let column = self.line.styled(number, self.styles.dim) + self.line.plain(name);
        if self.is_calm() && tid != tgid.leader() {
            self.busy.insert(tid);
        }
        self.piece.clear();
        self.stamper.write(at, &mut self.piece);
        let column = column + self.line.styled(&self.piece, self.styles.dim);
        // A fixed prefix would only push the results to the right.
        if self.annotates() { 0 } else { column }
    }

    fn prefix(&self, tasks: usize) -> Prefix {
        if self.annotates() {
            Prefix::Annotated
        } else if self.streams.is_stderr() {
            if tasks > 1 {
                Prefix::Bracketed
            } else {
                Prefix::None
            }
        } else if self.streams.is_split() || !self.options.follow {
            Prefix::None
        } else {
            Prefix::Column
        }
    }

    /// The width that lines must fit, if they must.
    fn width(&self) -> Option<usize> {
        let cuts = self.is_calm() && self.streams.is_watched();
        cuts.then(|| (self.options.columns)()).flatten()
    }

    /// Makes a call's line fit: its arguments give way to its result and note.
    pub(super) fn fit_call(&mut self, tid: Tid) {
        let Some(width) = self.width() else {
            return;
        };
        let before = self.streams.visible(tid);
        let over = (before + fit::columns(&self.line.text)).saturating_sub(width);
        let (from, to) = self.exit_words;
        fit::shorten(&mut self.line.text, from, to, over);
        fit::cut(&mut self.line.text, width.saturating_sub(before));
    }

    /// Cuts a line that is no call's.
    pub(super) fn fit(&mut self) {
        if let Some(width) = self.width() {
            fit::cut(&mut self.line.text, width);
        }
    }

    /// The lines of a call stack, below that of the call.
    pub(in crate::output) fn stack(
        &mut self,
        event: &Event,
        stack: Option<&Arc<Stack>>,
        ledger: &Ledger,
    ) {
        let Some(stack) = stack.filter(|_| self.options.stacks) else {
            return;
        };
        if !self.annotates() {
            let lines = Box::new(|stack: &Stack| frames::strace_lines(stack));
            self.streams.write_stack(event.tid, stack, lines);
            return;
        }
        let comm = ledger.comm(event.tid);
        self.begin(event.tid, event.tgid, comm, event.at, ledger.tasks());
        let prefix = std::mem::take(&mut self.line.text);
        let (dim, is_whole) = (self.styles.dim, self.options.whole_stacks);
        let lines = Box::new(move |stack: &Stack| frames::lines(stack, &prefix, dim, is_whole));
        self.streams.write_stack(event.tid, stack, lines);
    }
}
