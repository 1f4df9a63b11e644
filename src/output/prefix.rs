//! Who a line is about: what stands at its beginning.

use std::fmt::{self, Write};

use crate::event::Comm;
use crate::kernel::Tid;

/// The forms of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// None: there is one task, or a file for each.
    None,
    /// `18231 sh              `
    Annotated,
    /// `[pid 18231] `: strace's on standard error.
    Bracketed,
    /// `18231 `: strace's in a file.
    Column,
}

/// Columns of a pid, and of a name.
const PID: usize = 5;
const NAME: usize = 15;

impl Prefix {
    /// Write the prefix of a line about `tid`; `named` adds its name where the
    /// form has none (`-Y`).
    pub(super) fn write(self, to: &mut String, tid: Tid, comm: Comm, named: bool) -> fmt::Result {
        match self {
            Prefix::None => Ok(()),
            Prefix::Annotated => {
                write!(to, "{tid:<PID$} ")?;
                padded(to, NAME, |to| write!(to, "{comm}"))
            }
            Prefix::Bracketed if named => write!(to, "[pid {tid:>PID$}<{comm}>] "),
            Prefix::Bracketed => write!(to, "[pid {tid:>PID$}] "),
            Prefix::Column if named => padded(to, PID, |to| write!(to, "{tid}<{comm}>")),
            Prefix::Column => write!(to, "{tid:<PID$} "),
        }
    }
}

/// What `write` writes, spaces up to `width` columns, and one more.
fn padded(
    to: &mut String,
    width: usize,
    write: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    let before = to.len();
    write(to)?;
    let written = to.get(before..).map_or(0, |text| text.chars().count());
    for _ in written..=width.max(written) {
        to.push(' ');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(prefix: Prefix, tid: i32, comm: &str, named: bool) -> String {
        let mut text = String::new();
        prefix
            .write(&mut text, Tid::new(tid), Comm::new(comm.as_bytes()), named)
            .unwrap();
        text
    }

    #[test]
    fn each_form_has_its_columns() {
        assert_eq!(shown(Prefix::None, 1, "sh", true), "");
        assert_eq!(
            shown(Prefix::Annotated, 18231, "sh", false),
            "18231 sh              "
        );
        assert_eq!(
            shown(Prefix::Annotated, 1, "fifteen-letters", false),
            "1     fifteen-letters "
        );
        assert_eq!(shown(Prefix::Bracketed, 231, "sh", false), "[pid   231] ");
        assert_eq!(
            shown(Prefix::Bracketed, 23995, "zoo", true),
            "[pid 23995<zoo>] "
        );
        assert_eq!(shown(Prefix::Column, 231, "sh", false), "231   ");
        assert_eq!(shown(Prefix::Column, 2, "s", true), "2<s>  ");
        assert_eq!(shown(Prefix::Column, 3891, "s", true), "3891<s> ");
    }
}
