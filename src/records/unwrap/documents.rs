//! Documents that hold a record as a whole: what mail programs, word processors,
//! terminal recorders and loggers make of a text.

use memchr::memmem;

use super::before::syslog;
use super::bytes::is_packed;
use super::choice::has_mark;

/// How much of a document is read; what is behind is left out.
pub(super) const MOST: u64 = 1 << 28;
/// How long a line of base64 is at least, the last one aside.
const SHORTEST_BASE64: usize = 40;
/// How much of a text in base64 shows what it is.
const BEGIN: usize = 512;

/// A kind of documents.
#[derive(Clone, Copy)]
pub(super) struct Document {
    /// What is undone, in a phrase.
    pub(super) name: &'static str,
    is: fn(&[u8]) -> bool,
    pub(super) plain: fn(&[u8]) -> Vec<u8>,
}

const DOCUMENTS: [Document; 5] = [
    Document {
        name: "RTF",
        is: |text| text.starts_with(b"{\\rtf"),
        plain: of_rtf,
    },
    Document {
        name: "a recording of a terminal",
        is: is_recording,
        plain: of_recording,
    },
    Document {
        name: "a string of JSON",
        is: |text| of_json(text).is_some(),
        plain: |text| of_json(text).unwrap_or_default(),
    },
    Document {
        name: "base64",
        is: |text| base64_at(text).is_some(),
        plain: |text| base64(text.get(base64_at(text).unwrap_or(0)..).unwrap_or(&[])),
    },
    Document {
        name: "line ends that syslog escapes",
        is: has_escaped_ends,
        plain: of_syslog,
    },
];

/// The kind of a document that begins so.
pub(super) fn of(begin: &[u8]) -> Option<Document> {
    DOCUMENTS
        .iter()
        .copied()
        .find(|document| (document.is)(begin))
}

/// The text of RTF: what is no control word, and in no group that is none of it.
fn of_rtf(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let (mut depth, mut hidden, mut at) = (0u32, None, 0);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'{' => {
                depth += 1;
                let rest = text.get(at..).unwrap_or(&[]);
                let groups = [
                    &b"\\*"[..],
                    b"\\fonttbl",
                    b"\\colortbl",
                    b"\\stylesheet",
                    b"\\info",
                ];
                if hidden.is_none() && groups.iter().any(|group| rest.starts_with(group)) {
                    hidden = Some(depth);
                }
            }
            b'}' => {
                hidden = hidden.filter(|begun| *begun != depth);
                depth = depth.saturating_sub(1);
            }
            b'\\' => {
                let (length, char) = control(text.get(at..).unwrap_or(&[]));
                at += length;
                plain.extend(char.filter(|_| hidden.is_none()));
            }
            b'\r' | b'\n' => {}
            byte if hidden.is_none() => plain.push(*byte),
            _ => {}
        }
    }
    plain
}

/// How long a control word is, and the character that it stands for.
fn control(text: &[u8]) -> (usize, Option<u8>) {
    let Some(first) = text.first() else {
        return (0, None);
    };
    match first {
        b'\'' => {
            let digits = text.get(1..3).and_then(|it| std::str::from_utf8(it).ok());
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            (3, byte)
        }
        b'\r' | b'\n' => (1, Some(b'\n')),
        b'~' => (1, Some(b' ')),
        first if !first.is_ascii_alphabetic() => (1, Some(*first)),
        _ => {
            let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic());
            let name = text.get(..letters.count()).unwrap_or(&[]);
            let rest = text.get(name.len()..).unwrap_or(&[]);
            let is_inner = |byte: &&u8| byte.is_ascii_digit() || **byte == b'-';
            let number = rest.iter().take_while(is_inner).count();
            let space = usize::from(rest.get(number) == Some(&b' '));
            let char = match name {
                b"par" | b"line" => Some(b'\n'),
                b"tab" => Some(b'\t'),
                b"emdash" | b"endash" => Some(b'-'),
                b"lquote" | b"rquote" => Some(b'\''),
                b"ldblquote" | b"rdblquote" => Some(b'"'),
                _ => None,
            };
            (name.len() + number + space, char)
        }
    }
}

/// asciinema's, of version 2 or later: a header, and what was written line by line.
fn is_recording(text: &[u8]) -> bool {
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    header.starts_with(b"{\"")
        && memmem::find(header, b"\"version\":").is_some()
        && ["\"width\":", "\"term\":"]
            .iter()
            .any(|key| memmem::find(header, key.as_bytes()).is_some())
}

fn of_recording(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|byte| *byte == b'\n').skip(1);
    let written = lines.filter_map(|line| {
        let (_, kind, text): (f64, String, String) = serde_json::from_slice(line).ok()?;
        (kind == "o").then_some(text)
    });
    written.collect::<String>().into_bytes()
}

/// The only text of several lines in a line of JSON, if it may be a log.
fn of_json(text: &[u8]) -> Option<Vec<u8>> {
    let line = text.trim_ascii();
    if !matches!(line.first(), Some(b'"' | b'{')) || memmem::find(line, b"\\n").is_none() {
        return None;
    }
    let several = |text: &str| {
        let lines = text.lines().filter(|line| has_mark(line.as_bytes()));
        (lines.take(2).count() > 1).then(|| text.as_bytes().to_vec())
    };
    match serde_json::from_slice(line).ok()? {
        serde_json::Value::String(text) => several(&text),
        serde_json::Value::Object(members) => {
            let mut texts = members.values().filter_map(serde_json::Value::as_str);
            texts.find_map(several)
        }
        _ => None,
    }
}

/// Where lines in base64 begin that are a packed file or a log.
fn base64_at(text: &[u8]) -> Option<usize> {
    let mut begin = 0;
    for line in text.split(|byte| *byte == b'\n') {
        if is_base64(line) && line.len() >= SHORTEST_BASE64 {
            let end = text.len().min(begin + BEGIN);
            let plain = base64(text.get(begin..end)?);
            if is_packed(&plain) || has_mark(&plain) {
                return Some(begin);
            }
        }
        begin += line.len() + 1;
    }
    None
}

fn is_base64(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let is_inner = |byte: &u8| sextet(*byte).is_some() || *byte == b'=';
    // A boundary ends a part of a mail.
    !line.is_empty() && !line.starts_with(b"--") && line.iter().all(is_inner)
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

/// What lines in base64 hold, up to the first that is none.
fn base64(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    let lines = text.split(|byte| *byte == b'\n');
    for byte in lines.take_while(|line| is_base64(line)).flatten() {
        let Some(value) = sextet(*byte) else {
            continue;
        };
        bits = bits << 6 | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            plain.extend(u8::try_from(bits >> count & 0xff));
        }
    }
    plain
}

/// Whether most lines of a log end in what syslog writes for a line's end.
fn has_escaped_ends(text: &[u8]) -> bool {
    if memmem::find(text, b"#012").is_none() {
        return false;
    }
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| has_mark(line)).count();
    let escaped = replaced(text, b"#012", b'\n');
    let inner = escaped.split(|byte| *byte == b'\n');
    inner.filter(|line| has_mark(line)).count() >= 2 * lines.max(1)
}

/// What syslog's prefix stands before is one line.
fn of_syslog(text: &[u8]) -> Vec<u8> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let bare = lines.flat_map(|line| {
        let is_several = memmem::find(line, b"#012").is_some();
        let prefix = if is_several { syslog(line) } else { 0 };
        line.get(prefix..).unwrap_or(line)
    });
    replaced(&bare.copied().collect::<Vec<u8>>(), b"#012", b'\n')
}

fn replaced(text: &[u8], from: &[u8], to: u8) -> Vec<u8> {
    let mut whole = Vec::with_capacity(text.len());
    let mut begun = 0;
    for at in memmem::find_iter(text, from) {
        whole.extend_from_slice(text.get(begun..at).unwrap_or(&[]));
        whole.push(to);
        begun = at + from.len();
    }
    whole.extend_from_slice(text.get(begun..).unwrap_or(&[]));
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "600 fork() = 601\n600 wait4(601, [{WIFEXITED(s)}], 0, NULL) = 601\n";

    fn plain(text: &str) -> Option<(String, &'static str)> {
        let document = of(text.as_bytes())?;
        let plain = (document.plain)(text.as_bytes());
        Some((String::from_utf8_lossy(&plain).into_owned(), document.name))
    }

    #[test]
    fn documents_are_texts_again() {
        let rtf = LOG.replace('{', "\\{").replace('}', "\\}");
        let rtf = rtf.replace('\n', "\\par\n").replace("wait4", "\\'77ait4");
        let lines: Vec<&str> = LOG.lines().collect();
        let json = serde_json::Value::from(LOG).to_string();
        let base64 = "Content-Transfer-Encoding: base64\n\n\
                      NjAwIGZvcmsoKSA9IDYwMQo2MDAgd2FpdDQoNjAxLCBbe1dJRkVYSVRFRChzKX1dLCAwLCBO\n\
                      VUxMKSA9IDYwMQo=\n--b--\n";
        for (text, name) in [
            (
                format!("{{\\rtf1{{\\fonttbl\\f0 Courier;}}\n\\f0\\fs20 {rtf}}}"),
                "RTF",
            ),
            (
                format!(
                    "{{\"version\": 2, \"width\": 80}}\n[0.1, \"o\", {json}]\n[1, \"i\", \"x\"]\n"
                ),
                "a recording of a terminal",
            ),
            (json.clone(), "a string of JSON"),
            (
                format!("{{\"code\":0,\"stderr\":{json}}}"),
                "a string of JSON",
            ),
            (base64.to_owned(), "base64"),
            (
                format!("Nov 27 03:48:01 host a[1]: {}#012", lines.join("#012")),
                "line ends that syslog escapes",
            ),
        ] {
            assert_eq!(plain(&text), Some((LOG.to_owned(), name)), "{text}");
        }
    }

    #[test]
    fn logs_are_no_documents() {
        for text in [
            LOG,
            "600 write(1, \"#012\", 4) = 4\n600 fork() = 7\n",
            "{\"v\":1,\"type\":\"start\",\"command\":[\"a\\nb\"]}",
            "{\"log\":\"600 fork() = 7\\n\",\"stream\":\"stderr\"}",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
            "",
        ] {
            assert!(of(text.as_bytes()).is_none(), "{text}");
        }
    }
}
