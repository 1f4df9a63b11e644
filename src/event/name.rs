//! Names that a tracee chose, and their escaping for terminals and JSON.

use std::borrow::Cow;
use std::fmt;

/// A task's name (`/proc/TID/comm`): at most 15 bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Comm {
    bytes: [u8; 15],
    length: u8,
}

impl Comm {
    /// The first 15 bytes of `name`.
    #[must_use]
    pub fn new(name: &[u8]) -> Comm {
        let mut bytes = [0; 15];
        let mut length = 0;
        for (to, from) in bytes.iter_mut().zip(name) {
            *to = *from;
            length += 1;
        }
        Comm { bytes, length }
    }

    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }
}

impl fmt::Display for Comm {
    /// The name, with control bytes and quotes escaped: a tracee chooses it, and it
    /// must not control a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.as_bytes(), f)
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Writes bytes that a tracee chose, so that they cannot control a terminal:
/// control characters and invalid UTF-8 become `\n`, `\33` and so on, as strace
/// writes them, with three digits if another digit follows.
///
/// # Errors
/// Those of the writer.
pub fn escape(bytes: &[u8], f: &mut dyn fmt::Write) -> fmt::Result {
    each_char(bytes, f, |c, next, f| match c {
        '\\' | '"' => write!(f, "\\{c}"),
        c => write_harmless(c, next, f),
    })
}

/// The same, but quotes and backslashes are kept.
///
/// # Errors
/// Those of the writer.
pub fn escape_controls(bytes: &[u8], f: &mut dyn fmt::Write) -> fmt::Result {
    each_char(bytes, f, write_harmless)
}

/// Text that contains names that a tracee chose, as one line.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return text.into();
    }
    let mut line = String::new();
    // Writing to a String cannot fail.
    let _ = escape_controls(text.as_bytes(), &mut line);
    line.into()
}

/// JSON in which characters that control a terminal become `\u…`. Outside of strings
/// only the white space between tokens is such a character.
#[must_use]
pub fn harmless_json(json: &str) -> Cow<'_, str> {
    let is_bad = |c: &char| is_harmful(*c) && !c.is_ascii_whitespace();
    // Nearly every line is ASCII without DEL.
    if json.bytes().all(|byte| byte < 0x7f) || !json.chars().any(|c| is_bad(&c)) {
        return json.into();
    }
    let mut harmless = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_bad(&c) {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter();
            harmless.extend(units.map(|unit| format!("\\u{unit:04x}")));
        } else {
            harmless.push(c);
        }
    }
    harmless.into()
}

/// Passes each character with the byte after it to `write`, and writes invalid
/// UTF-8 as octal numbers.
fn each_char(
    bytes: &[u8],
    f: &mut dyn fmt::Write,
    write: impl Fn(char, Option<u8>, &mut dyn fmt::Write) -> fmt::Result,
) -> fmt::Result {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'"');
    if let Some(text) = str::from_utf8(bytes)
        .ok()
        .filter(|_| bytes.iter().all(is_plain))
    {
        // Nearly every name.
        return f.write_str(text);
    }
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            at += c.len_utf8();
            write(c, bytes.get(at).copied(), f)?;
        }
        for byte in chunk.invalid() {
            at += 1;
            octal((*byte).into(), bytes.get(at).copied(), f)?;
        }
    }
    Ok(())
}

/// `\33`, or `\033` if a digit follows, which would extend the number.
fn octal(number: u32, next: Option<u8>, f: &mut dyn fmt::Write) -> fmt::Result {
    if next.is_some_and(|byte| byte.is_ascii_digit()) {
        write!(f, "\\{number:03o}")
    } else {
        write!(f, "\\{number:o}")
    }
}

/// Whether a character controls a terminal, breaks the line for some reader, is
/// invisible, or changes the text direction.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes a character, escaped if it is harmful.
fn write_harmless(c: char, next: Option<u8>, f: &mut dyn fmt::Write) -> fmt::Result {
    match c {
        '\n' => f.write_str("\\n"),
        '\t' => f.write_str("\\t"),
        '\r' => f.write_str("\\r"),
        c if c.is_control() => octal(c.into(), next, f),
        c if is_harmful(c) => write!(f, "\\u{{{:x}}}", u32::from(c)),
        c => f.write_char(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_tracee_chose_cannot_move_the_cursor() {
        let comm = Comm::new(b"a\x1b[2Jb\n\xff and more than fifteen");
        assert_eq!(comm.to_string(), "a\\33[2Jb\\n\\377 and mo");
        assert_eq!(
            Comm::new(b"\x1b1\x1bx\xff7").to_string(),
            "\\0331\\33x\\3777"
        );
        assert_eq!(
            Comm::new(b"\"\\\xe2\x80\xae").to_string(),
            r#"\"\\\u{202e}"#
        );
    }

    #[test]
    fn a_sentence_is_one_line_whatever_stands_in_it() {
        assert_eq!(one_line("no 'a\\b'"), "no 'a\\b'");
        assert_eq!(one_line("a\nb\u{2028}\u{9b}c"), "a\\nb\\u{2028}\\233c");
    }

    #[test]
    fn json_means_the_same_when_it_is_harmless() {
        let names = "a\x7f\u{85}\u{202e}\u{e0041}é\n";
        let json = serde_json::to_string_pretty(&[names, "b"]).unwrap();
        let harmless = harmless_json(&json);
        assert!(harmless.contains("a\\u007f\\u0085\\u202e\\udb40\\udc41é\\n"));
        let back: Vec<String> = serde_json::from_str(&harmless).unwrap();
        assert_eq!(back, [names, "b"]);
        assert!(matches!(harmless_json("[\n  \"é\"\n]"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_name_is_cut_after_fifteen_bytes() {
        assert_eq!(
            Comm::new(b"0123456789abcdefgh").as_bytes(),
            b"0123456789abcde"
        );
    }
}
