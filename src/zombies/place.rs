//! Words for what a process runs, whose it is, and where it runs. Pure.

use super::users::Users;
use crate::event::{escape_controls, one_line};
use crate::proc::Cgroup;

/// How much of a command is shown, in characters.
const MOST: usize = 60;
/// The longest path that the kernel takes, in bytes (linux/limits.h).
const PATH_MAX: usize = 4096;
/// How much of a container's id is shown; as much as `docker ps` shows.
const ID: usize = 12;

/// A command as it could be typed, on one line. One that is too long loses the
/// directories of its program first, and then its end.
pub(super) fn command(argv: &[Vec<u8>]) -> String {
    let mut text = typed(argv);
    if text.chars().count() > MOST {
        text = without_directories(text);
    }
    if text.chars().count() > MOST {
        text = text.chars().take(MOST - 1).collect();
        text.push('…');
    }
    text
}

/// As much of a command as could be shown.
fn typed(argv: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for (index, argument) in argv.iter().enumerate() {
        // A path may have 4096 bytes, and only its end may be shown.
        if text.len() > PATH_MAX + MOST * 4 {
            break;
        }
        // More cannot be shown, and an argument may have megabytes.
        let most = if index == 0 { PATH_MAX } else { MOST * 4 };
        let start = argument.get(..most).unwrap_or(argument);
        let mut word = String::new();
        // Writing to a String cannot fail.
        let _ = escape_controls(start, &mut word);
        // A single one with spaces is a title that the program gave itself.
        let needs_quotes = word.is_empty() || (argv.len() > 1 && word.contains(is_special));
        if needs_quotes {
            word = format!("'{}'", word.replace('\'', "'\\''"));
        }
        if index > 0 {
            text.push(' ');
        }
        text.push_str(&word);
    }
    text
}

/// `…/name` in place of the path at the start of a command.
fn without_directories(text: String) -> String {
    let program = text.split_whitespace().next().unwrap_or_default();
    match program.strip_prefix('/').and_then(|path| path.rfind('/')) {
        Some(at) => format!("…{}", text.split_at(at + 1).1),
        None => text,
    }
}

/// Whether a shell would take it for something else.
fn is_special(c: char) -> bool {
    c.is_whitespace() || "'\"$`;&|<>(){}*?#~".contains(c)
}

/// `you (1000)`; a number alone if it has no name here.
pub(super) fn user(uid: u32, users: &Users) -> String {
    match users.name(uid) {
        Some(name) => format!("{} ({uid})", one_line(name)),
        None => uid.to_string(),
    }
}

/// `nginx.service`, `docker container 3f2a91c07be4, pod 0d1f2a3b-…`, or else the
/// path of the cgroup.
pub(super) fn place(cgroup: &Cgroup) -> String {
    let mut parts = Vec::new();
    if let Some(container) = &cgroup.container {
        let runtime = container
            .runtime
            .map_or_else(String::new, |runtime| format!("{runtime} "));
        let id: String = container.id.chars().take(ID).collect();
        parts.push(format!("{runtime}container {id}"));
    }
    parts.extend(cgroup.pod.as_ref().map(|pod| format!("pod {pod}")));
    parts.extend(cgroup.unit.clone());
    if parts.is_empty() {
        parts.push(format!("cgroup {}", cgroup.path));
    }
    one_line(&parts.join(", ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proc::Container;

    #[test]
    fn a_command_is_quoted_where_needed_and_cut() {
        let command = |words: &[&str]| {
            let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            super::command(&words)
        };
        assert_eq!(command(&["sh", "-c", "a b"]), "sh -c 'a b'");
        assert_eq!(command(&["x", "", "it's"]), r"x '' 'it'\''s'");
        assert_eq!(command(&["x\x1b[2J\n"]), r"x\33[2J\n");
        assert_eq!(command(&[&"a".repeat(60)]), "a".repeat(60));
        let cut = command(&["x", &"é".repeat(1000), "y"]);
        assert_eq!(cut, format!("x {}…", "é".repeat(57)));
        assert_eq!(command(&["nginx: worker"]), "nginx: worker");
    }

    #[test]
    fn a_long_path_gives_way_to_the_arguments() {
        let path = format!("/{}/fixture", "long/".repeat(800));
        let command = |words: [&str; 2]| command(&words.map(|word| word.as_bytes().to_vec()));
        assert_eq!(command([&path, "a 12"]), "…/fixture 'a 12'");
        let cut = command([&path, &"a".repeat(100)]);
        assert_eq!(cut, format!("…/fixture {}…", "a".repeat(49)));
        assert_eq!(command(["/usr/bin/fixture", "12"]), "/usr/bin/fixture 12");
    }

    #[test]
    fn a_place_is_named_as_its_tools_name_it() {
        let mut cgroup = Cgroup {
            path: "/a\x1b".into(),
            ..Cgroup::default()
        };
        assert_eq!(place(&cgroup), r"cgroup /a\33");
        cgroup.unit = Some("web.service".into());
        assert_eq!(place(&cgroup), "web.service");
        cgroup.container = Some(Container {
            runtime: Some("podman"),
            id: "0123456789abcdef".into(),
        });
        cgroup.pod = Some("1-2".into());
        assert_eq!(
            place(&cgroup),
            "podman container 0123456789ab, pod 1-2, web.service"
        );
    }

    #[test]
    fn a_user_without_a_name_is_a_number() {
        assert_eq!(user(7, &Users::default()), "7");
    }
}
