//! What is said at the end of a trace of processes that SIGKILL ended and whose sender was not
//! seen: the out-of-memory killer, where the kernel says that it was at work.

use crate::event::Comm;
use crate::kernel::Tgid;
use crate::kernel::phrases::plural;
use crate::proc::oom::OomKills;

/// How many processes are named.
const MOST: usize = 8;

/// A sentence for each such process that the kernel's log names, or one for all if only a
/// counter rose. Asks the kernel only if there is such a process.
pub(super) fn sentences(killed: &[(Tgid, Comm)], kills: &OomKills) -> Vec<String> {
    if killed.is_empty() {
        return Vec::new();
    }
    say(killed, &kills.logged(), || kills.since())
}

fn say(
    killed: &[(Tgid, Comm)],
    logged: &[(i32, String)],
    counted: impl FnOnce() -> Option<(u64, &'static str)>,
) -> Vec<String> {
    let is_logged = |(tgid, comm): &&(Tgid, Comm)| {
        // In a container the log has other pids than we.
        let mut logged = logged.iter();
        logged.any(|(pid, name)| *pid == tgid.raw() && name.as_bytes() == comm.as_bytes())
    };
    let named = |(tgid, comm): &(Tgid, Comm)| format!("{tgid} {comm}");
    let by_log = killed.iter().filter(is_logged).take(MOST);
    let by_log: Vec<String> = by_log
        .map(|process| {
            format!(
                "{}: the kernel's out-of-memory killer ended it, says the kernel's log",
                named(process)
            )
        })
        .collect();
    if !by_log.is_empty() {
        return by_log;
    }
    let Some((count, of)) = counted() else {
        return Vec::new();
    };
    let names: Vec<String> = killed.iter().take(MOST).map(named).collect();
    let cut = if killed.len() > MOST { " …" } else { "" };
    vec![format!(
        "who sent SIGKILL to {}{cut} was not seen: perhaps the kernel's out-of-memory killer, \
         which ended {} of {of} meanwhile",
        names.join(", "),
        plural(count, "process", "processes"),
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_it_and_a_counter_only_perhaps() {
        let hog = [(Tgid::new(12), Comm::new(b"hog"))];
        let log = [(12, "hog".to_owned())];
        let said = say(&hog, &log, || panic!("the log says it"));
        assert!(said[0].starts_with("12 hog: the kernel's out-of-memory killer ended it"));
        // Another process of that pid, of another namespace.
        let other = [(12, "dd".to_owned())];
        let said = say(&hog, &other, || Some((2, "this machine")));
        assert!(said[0].contains("12 hog was not seen: perhaps"), "{said:?}");
        assert!(said[0].ends_with("2 processes of this machine meanwhile"));
        assert!(say(&hog, &other, || None).is_empty());
    }
}
