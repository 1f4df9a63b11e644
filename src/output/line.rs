//! One line under construction: its text, and the column that it has reached.

use std::fmt::{self, Write};

use owo_colors::Style;

/// A line, or the part of it that is not written yet. Colours do not count as
/// columns.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) text: String,
}

impl Line {
    /// Add plain text; returns how many columns it takes.
    pub(super) fn plain(&mut self, text: &str) -> usize {
        self.text.push_str(text);
        text.chars().count()
    }

    /// Add text in a style, without counting its columns.
    pub(super) fn write(&mut self, text: fmt::Arguments<'_>, style: Style) {
        // Writing to a String cannot fail.
        let _ = if style.is_plain() {
            self.text.write_fmt(text)
        } else {
            write!(self.text, "{}", style.style(text))
        };
    }

    /// Add text in a style; returns how many columns it takes.
    pub(super) fn styled(&mut self, text: &str, style: Style) -> usize {
        if text.is_empty() || style.is_plain() {
            return self.plain(text);
        }
        self.write(format_args!("{text}"), style);
        text.chars().count()
    }

    /// Add spaces up to a column.
    pub(super) fn pad(&mut self, from: usize, to: usize) {
        for _ in from..to {
            self.text.push(' ');
        }
    }
}
