//! What an execve executes, as strace shows it.

use super::call::string;
use crate::event::{Comm, Image};
use crate::read::text::arguments;

/// The program of `"/bin/sh", ["sh", "-c", "exit 3"], 0x7ffe /* 39 vars */`,
/// or of execveat's `AT_FDCWD, "/bin/sh", …`. A path that was cut short is no
/// path, and the name is its end.
pub(super) fn image(args: &[u8]) -> Image {
    let args = arguments(args);
    let mut words = args.iter().skip_while(|word| !word.starts_with(b"\""));
    let path = words.next().and_then(|path| string(path));
    let path = path.and_then(|(path, is_cut)| (!is_cut).then_some(path));
    let argv = words.next().map(|list| strings(list)).unwrap_or_default();
    let base = path
        .as_deref()
        .and_then(|path| path.rsplit(|byte| *byte == b'/').next());
    Image {
        comm: Comm::new(base.unwrap_or_default()),
        path,
        argv,
    }
}

/// `["sh", "-c", "long"...]`; what is cut short shows it.
fn strings(list: &[u8]) -> Vec<Vec<u8>> {
    let inner = list
        .strip_prefix(b"[")
        .and_then(|list| list.strip_suffix(b"]"));
    let words = inner.map(arguments).unwrap_or_default();
    let words = words.into_iter().filter_map(string);
    words
        .map(|(mut word, is_cut)| {
            if is_cut {
                word.extend(b"...");
            }
            word
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_read() {
        let image = image(br#""/bin/sh", ["sh", "-c", "a, \"b\""...], 0x7ffe /* 39 vars */"#);
        assert_eq!(image.comm.as_bytes(), b"sh");
        let argv: Vec<&[u8]> = image.argv.iter().map(Vec::as_slice).collect();
        assert_eq!(argv, [&b"sh"[..], b"-c", b"a, \"b\"..."]);
    }

    #[test]
    fn a_path_that_was_cut_short_gives_no_name() {
        let image = image(br#""/very/long/pa"..., ["x"], NULL"#);
        assert_eq!((image.comm.as_bytes(), image.path), (&b""[..], None));
    }
}
