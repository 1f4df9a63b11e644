//! What has changed since a snapshot was stored.

use std::fmt::Write;

use owo_colors::Style;
use similar::{ChangeTag, TextDiff};

use crate::event::one_line;
use crate::output::Styles;

/// How many equal lines stand around a change.
const CONTEXT: usize = 3;

/// A unified diff of a stored snapshot (`old`, in the file `name`) and that of
/// this run; empty if they are equal.
#[must_use]
pub fn diff(old: &str, new: &str, name: &str, styles: &Styles) -> String {
    let mut to = String::new();
    if old == new {
        return to;
    }
    let is_plain = styles.wrong == Style::default();
    let added = if is_plain {
        Style::default()
    } else {
        Style::new().green()
    };
    let heads = [
        (styles.wrong, format!("--- {}", one_line(name))),
        (added, "+++ this run".to_owned()),
    ];
    for (style, head) in heads {
        // Writing to a String cannot fail.
        let _ = writeln!(to, "{}", style.style(head));
    }
    let diff = TextDiff::from_lines(old, new);
    let mut unified = diff.unified_diff();
    for hunk in unified.context_radius(CONTEXT).iter_hunks() {
        let _ = writeln!(to, "{}", styles.dim.style(hunk.header()));
        for change in hunk.iter_changes() {
            let style = match change.tag() {
                ChangeTag::Delete => styles.wrong,
                ChangeTag::Insert => added,
                ChangeTag::Equal => Style::default(),
            };
            let line = change.value();
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line = format!("{}{}", change.tag(), one_line(line));
            let _ = writeln!(to, "{}", style.style(line));
            if change.missing_newline() {
                let _ = writeln!(to, "\\ No newline at end of file");
            }
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "root: a\n  forks root.1\n  exited 0\n";
    const NEW: &str = "root: a\n  forks root.1\n  exited 1\n";

    #[test]
    fn a_change_is_shown_with_what_stands_around_it() {
        assert_eq!(
            diff(OLD, NEW, "a.snap", &Styles::plain()),
            "--- a.snap\n+++ this run\n@@ -1,3 +1,3 @@\n root: a\n   forks root.1\n-  exited 0\n+  exited 1\n"
        );
        assert_eq!(diff(OLD, OLD, "a.snap", &Styles::plain()), "");
    }

    #[test]
    fn colours_are_those_of_a_diff() {
        let text = diff(OLD, NEW, "a.snap", &Styles::coloured());
        assert!(text.contains("\x1b[31m-  exited 0"), "{text:?}");
        assert!(text.contains("\x1b[32m+  exited 1"), "{text:?}");
        assert!(!diff(OLD, NEW, "a.snap", &Styles::plain()).contains('\x1b'));
    }
}
