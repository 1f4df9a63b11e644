//! Colours: one calm colour a process, dim for what is beside the point, red
//! only for what is wrong.

use owo_colors::Style;

use crate::kernel::Tgid;

/// How the parts of a line look; plain unless asked for.
#[derive(Clone, Debug, Default)]
pub struct Styles {
    /// Colours for processes, by turns; empty when plain.
    processes: Vec<Style>,
    /// Notes and times.
    pub(crate) dim: Style,
    /// What is wrong.
    pub(crate) wrong: Style,
    /// What is to be fixed.
    pub(crate) warned: Style,
}

impl Styles {
    /// No colours at all: files, and terminals that do not want them.
    #[must_use]
    pub fn plain() -> Styles {
        Styles::default()
    }

    /// Colours for a terminal.
    #[must_use]
    pub fn coloured() -> Styles {
        let calm = Style::new();
        Styles {
            processes: vec![
                calm.cyan(),
                calm.green(),
                calm.yellow(),
                calm.blue(),
                calm.magenta(),
                calm.bright_cyan(),
            ],
            dim: calm.dimmed(),
            wrong: calm.red(),
            warned: calm.yellow(),
        }
    }

    /// The colour of a process.
    pub(crate) fn process(&self, tgid: Tgid) -> Style {
        let count = self.processes.len().max(1);
        let turn = usize::try_from(tgid.raw()).unwrap_or(0) % count;
        self.processes.get(turn).copied().unwrap_or_default()
    }
}
