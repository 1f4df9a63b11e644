//! Demangled names of C++ and Rust.

use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, Symbol};

/// In bytes; longer names are truncated: those of templates can fill pages.
const MOST_OF_A_NAME: usize = 256;

/// The demangled name, or the name itself; truncated if it is long.
pub(super) fn demangled(name: &str) -> String {
    let mut short = Short::default();
    if let Ok(name) = rustc_demangle::try_demangle(name) {
        // An error only means that it is truncated.
        let _ = write!(short, "{name:#}");
    } else if let Some(symbol) = name.starts_with("_Z").then(|| Symbol::new(name)) {
        // A few bytes may expand to a name of gigabytes.
        let written = symbol.map(|symbol| {
            let options = DemangleOptions::default();
            symbol.structured_demangle(&mut short, &options).is_ok()
        });
        if !written.unwrap_or_default() && !short.is_cut {
            short = Short::default();
            let _ = short.write_str(name);
        }
    } else {
        let _ = short.write_str(name);
    }
    short.text
}

/// Text with a limited length.
#[derive(Default)]
struct Short {
    text: String,
    count: usize,
    is_cut: bool,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for symbol in text.chars() {
            if self.count == MOST_OF_A_NAME {
                if !self.is_cut {
                    self.is_cut = true;
                    self.text.push('…');
                }
                return Err(fmt::Error);
            }
            self.count += 1;
            self.text.push(symbol);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_source() {
        for (name, text) in [
            ("main", "main"),
            ("_ZN4jobs6Runner8wait_forEi", "jobs::Runner::wait_for(int)"),
            ("_ZN4jobs8wait_for17h0123456789abcdefE", "jobs::wait_for"),
            ("_Znonsense", "_Znonsense"),
            ("_Z", "_Z"),
            ("", ""),
        ] {
            assert_eq!(demangled(name), text);
        }
        let long = "x".repeat(1000);
        assert_eq!(demangled(&long).chars().count(), MOST_OF_A_NAME + 1);
        assert!(demangled(&long).ends_with("x…"));
    }

    /// Each type is the pair of the last two: the whole name has 2^60 parts.
    #[test]
    fn a_short_symbol_of_a_name_without_end_is_cut() {
        const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut name = String::from("_Z1f1A");
        // Substitutions: S_ is A, then of each pair its template and itself.
        let mut last = "S_".to_owned();
        for level in 0..17 {
            let _ = write!(name, "1BI{last}{last}E");
            // B itself is a substitution the first time only.
            let number = level + 1;
            last = format!("S{}_", char::from(DIGITS[number]));
        }
        let text = demangled(&name);
        assert!(text.chars().count() <= MOST_OF_A_NAME + 1, "{text}");
    }
}
