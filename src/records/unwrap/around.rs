//! What stands around the lines of a record, or behind them.

use memchr::memmem;

/// A line in quotes, as a list of strings has it in JSON, Python or CSV, or in
/// backticks; without what stands behind the second quote.
pub(super) fn quoted(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.trim_ascii();
    let line = line.strip_suffix(b"\\").unwrap_or(line).trim_ascii_end();
    let line = line.strip_suffix(b",").unwrap_or(line).trim_ascii_end();
    let line = match line {
        // Python's kinds of strings.
        [b'b' | b'u' | b'r' | b'f', rest @ ..] if matches!(rest.first(), Some(b'"' | b'\'')) => {
            rest
        }
        _ => line,
    };
    if let Some(inner) = line.strip_prefix(b"**") {
        return Some(inner.strip_suffix(b"**")?.to_vec());
    }
    let (mark, rest) = line.split_first()?;
    let inner = rest.strip_suffix(&[*mark])?;
    match mark {
        b'`' => Some(inner.trim_ascii_start().to_vec()),
        b'"' if !inner.contains(&b'"') => Some(without_end(inner)),
        b'"' if has_escaped_quotes(inner) => {
            let text: String = serde_json::from_slice(line).ok()?;
            Some(text.trim_end_matches(['\r', '\n']).as_bytes().to_vec())
        }
        b'"' => Some(with_single_quotes(inner)),
        b'\'' => Some(unescaped(without_end(inner))),
        _ => None,
    }
}

/// A text without the line end that an escape at its end means.
fn without_end(text: &[u8]) -> Vec<u8> {
    text.strip_suffix(b"\\n").unwrap_or(text).to_vec()
}

/// Whether a backslash stands before each quote.
fn has_escaped_quotes(text: &[u8]) -> bool {
    let mut quotes = memchr::memchr_iter(b'"', text);
    quotes.all(|at| at.checked_sub(1).and_then(|at| text.get(at)) == Some(&b'\\'))
}

/// CSV writes each quote twice.
fn with_single_quotes(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        plain.push(*byte);
        if *byte == b'"' {
            bytes.next_if_eq(&&b'"');
        }
    }
    plain
}

/// Python's `\\` and `\'`.
fn unescaped(text: Vec<u8>) -> Vec<u8> {
    if !text.contains(&b'\\') {
        return text;
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = bytes.next_if(|next| *byte == b'\\' && matches!(next, b'\\' | b'\''));
        plain.push(*escaped.unwrap_or(byte));
    }
    plain
}

/// What stands before a comma, a semicolon, a bar or a backslash at the end.
pub(super) fn behind_line(line: &[u8]) -> Option<Vec<u8>> {
    let (mark, rest) = line.trim_ascii_end().split_last()?;
    let is_ours = matches!(mark, b',' | b';' | b'|' | b'\\');
    is_ours.then(|| rest.trim_ascii_end().to_vec())
}

/// What stands in a line with what begins or ends code in chats, forums and wikis.
pub(super) fn in_fence(line: &[u8]) -> Option<Vec<u8>> {
    const BEGINS: [&[u8]; 7] = [
        b"```",
        b"[code]",
        b"[CODE]",
        b"{code}",
        b"{noformat}",
        b"{{{",
        b"<code>",
    ];
    const ENDS: [&[u8]; 7] = [
        b"```",
        b"[/code]",
        b"[/CODE]",
        b"{code}",
        b"{noformat}",
        b"}}}",
        b"</code>",
    ];
    let begun = BEGINS.iter().find_map(|begin| line.strip_prefix(*begin));
    let inner = begun.unwrap_or(line);
    let ended = ENDS.iter().find_map(|end| inner.strip_suffix(*end));
    let inner = ended.or(begun)?;
    (!inner.is_empty()).then(|| inner.to_vec())
}

/// `7 wait4(-1,[{WIF…}],0,(nil)) = 8` of `7 wait4(-1,0x7f0c,0,(nil)) = 8 (wstatus={WIF…})`:
/// qemu-user writes behind a call what lies at its pointer.
pub(super) fn status_behind(line: &[u8]) -> Option<Vec<u8>> {
    let at = memmem::find(line, b" (wstatus={")?;
    let status = line.get(at + 10..)?.trim_ascii_end().strip_suffix(b")")?;
    let call = line.get(..at)?;
    let place = memmem::find(call, b",0x")?;
    let length = call
        .get(place + 1..)?
        .iter()
        .position(|byte| *byte == b',' || *byte == b')')?;
    let rest = call.get(place + 1 + length..)?;
    Some([call.get(..=place)?, b"[", status, b"]", rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(undo: fn(&[u8]) -> Option<Vec<u8>>, line: &str) -> Option<String> {
        undo(line.as_bytes()).map(|line| String::from_utf8_lossy(&line).into_owned())
    }

    #[test]
    fn quotes_around_a_line_are_taken_off() {
        let is = |text: &str| Some(text.to_owned());
        let line = r#"6 execve("./a\\n", ["a"]) = 0"#;
        let escaped = line.replace('\\', r"\\").replace('"', "\\\"");
        let twice = line.replace('"', "\"\"");
        for quoted in [
            format!("`{line}`"),
            format!("`{line}`  "),
            format!("    \"{escaped}\","),
            format!("\"{escaped}\\n\""),
            format!("\"{twice}\""),
            format!("u'{}\\n'", line.replace('\\', r"\\")),
            format!("'{}', \\", line.replace('\\', r"\\")),
        ] {
            assert_eq!(plain(super::quoted, &quoted), is(line), "{quoted}");
        }
        assert_eq!(plain(quoted, "\"a() = 1\\n\","), is("a() = 1"));
        assert_eq!(plain(quoted, r"b'a(\'x\')'"), is("a('x')"));
        for line in ["6 write(1, \"a\", 1) = 1", "\"a", "`", "", "a() = 'x'"] {
            assert_eq!(plain(quoted, line), None, "{line}");
        }
    }

    #[test]
    fn a_fence_may_stand_in_a_line_of_a_log() {
        for line in [
            "```6 fork() = 7",
            "6 fork() = 7```",
            "[CODE]6 fork() = 7[/CODE]",
        ] {
            assert_eq!(plain(in_fence, line).as_deref(), Some("6 fork() = 7"));
        }
        for line in ["```", "6 fork() = 7", ""] {
            assert_eq!(plain(in_fence, line), None, "{line}");
        }
    }

    #[test]
    fn a_status_behind_a_call_is_one_of_its_arguments() {
        let line = "7 wait4(-1,0x7f0c,0,(nil)) = 8 (wstatus={WIFEXITED(s) && WEXITSTATUS(s) == 1})";
        let whole = "7 wait4(-1,[{WIFEXITED(s) && WEXITSTATUS(s) == 1}],0,(nil)) = 8";
        assert_eq!(plain(status_behind, line).as_deref(), Some(whole));
        let line = "7 waitpid(8,0x7f0c,0) = 8 (wstatus={WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL})";
        let whole = "7 waitpid(8,[{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}],0) = 8";
        assert_eq!(plain(status_behind, line).as_deref(), Some(whole));
        assert_eq!(plain(status_behind, "7 wait4(-1,0x7f0c,0,(nil)) = 8"), None);
    }

    #[test]
    fn marks_behind_a_line_are_taken_off() {
        for mark in [",", ";", " |", " \\", ",  "] {
            let line = format!("6 fork() = 7{mark}");
            assert_eq!(plain(behind_line, &line).as_deref(), Some("6 fork() = 7"));
        }
        assert_eq!(plain(behind_line, "6 fork() = 7"), None);
    }
}
