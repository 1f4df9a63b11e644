//! Lines that fit a terminal: cut at its width, where colours take no room.

/// The columns of a text that may have colours.
pub(super) fn columns(text: &str) -> usize {
    visible(text).count()
}

/// The characters that take room, with their places.
fn visible(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut in_escape = false;
    text.char_indices()
        .filter(move |(_, c)| match (in_escape, *c) {
            (false, '\x1b') => {
                in_escape = true;
                false
            }
            (false, c) => c != '\n',
            (true, c) => {
                in_escape = !c.is_ascii_alphabetic();
                false
            }
        })
}

/// Cuts what is in `text` behind so many columns; its last character is `…` then.
pub(super) fn cut(text: &mut String, room: usize) {
    let mut rest = visible(text).skip(room.saturating_sub(1));
    let (last, next) = (rest.next(), rest.next());
    drop(rest);
    match (last, next) {
        _ if room == 0 => text.clear(),
        (Some((at, _)), Some(_)) => {
            let is_coloured = text.contains('\x1b');
            text.truncate(at);
            text.push('…');
            if is_coloured {
                text.push_str("\x1b[0m");
            }
        }
        _ => {}
    }
}

/// Makes room for what stands behind `to`, by cutting what is between: so much that
/// `over` columns fewer are taken. Nothing in it has colours.
pub(super) fn shorten(text: &mut String, from: usize, to: usize, over: usize) {
    let Some(middle) = text.get(from..to) else {
        return;
    };
    let count = middle.chars().count();
    // `… ` takes two.
    let kept = count.saturating_sub(over + 2);
    let short: String = middle.chars().take(kept).chain("… ".chars()).collect();
    if over > 0 && count > 2 {
        text.replace_range(from..to, &short);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_at(text: &str, room: usize) -> String {
        let mut text = text.to_owned();
        cut(&mut text, room);
        text
    }

    #[test]
    fn a_line_is_cut_where_it_does_not_fit() {
        assert_eq!(cut_at("abcdef", 6), "abcdef");
        assert_eq!(cut_at("abcdef", 5), "abcd…");
        assert_eq!(cut_at("abcdef", 0), "");
        assert_eq!(cut_at("\x1b[31mabc\x1b[0m", 3), "\x1b[31mabc\x1b[0m");
        assert_eq!(cut_at("\x1b[31mabc\x1b[0m", 2), "\x1b[31ma…\x1b[0m");
        assert_eq!(columns("\x1b[2mü\x1b[0mb\n"), 2);
    }

    #[test]
    fn the_middle_gives_way_to_the_end() {
        let mut text = "wait4(-1, [{WIFEXITED(s)}], 0, NULL)    = 7".to_owned();
        let (from, to) = (8, text.len() - 3);
        shorten(&mut text, from, to, 10);
        assert_eq!(text, "wait4(-1, [{WIFEXITED(s)}], … = 7");
        assert_eq!(text.chars().count(), 33);
    }
}
