//! Colours: for what matters. Dim is what is beside the point, yellow what failed or
//! was late, red what is wrong; what is fine has none.

use owo_colors::Style;

/// How the parts of a line look; plain unless asked for.
#[derive(Clone, Debug, Default)]
pub struct Styles {
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
            dim: calm.dimmed(),
            wrong: calm.red(),
            warned: calm.yellow(),
        }
    }
}
