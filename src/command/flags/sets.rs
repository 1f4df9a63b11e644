//! The words of flags: pids, variables, sets of calls, signals and results.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::strace_flags::about_call;
use crate::kernel::{Signal, WaitCall, WaitCalls};
use crate::output::{Shown, SignalSet};
use crate::program::EnvChange;

/// Pids, separated by commas or white space, as `pidof` and `pgrep` print them.
pub(super) fn pids(lists: &[OsString]) -> Result<Vec<i32>, String> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let mut found = Vec::new();
    for list in lists {
        let text = list.to_string_lossy();
        let words = text.split(|c: char| c == ',' || c.is_whitespace());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return Err("-p wants a pid, and this list is empty: \
                        perhaps the process that was looked for does not run"
                .into());
        }
        for word in words {
            let pid = match word.parse::<i32>() {
                Ok(0) => Err("pid 0 is no process".to_owned()),
                Ok(pid) if pid == own => Err(format!("{pid} is wait4-strace itself")),
                Ok(pid) if pid > 0 => Ok(pid),
                _ => Err(format!(
                    "{word:?} is no pid: a pid is a number from 1 to {}",
                    i32::MAX
                )),
            };
            let pid = pid.map_err(|why| {
                format!("cannot attach: {why}; `pgrep -a NAME` finds the pids of those that run")
            })?;
            if !found.contains(&pid) {
                found.push(pid);
            }
        }
    }
    Ok(found)
}

/// `NAME=VALUE` or `NAME` of `-E`.
pub(super) fn env_change(word: &OsString) -> Result<EnvChange, String> {
    let bytes = word.as_bytes();
    let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (bytes.get(..at).unwrap_or_default(), bytes.get(at + 1..)),
        None => (bytes, None),
    };
    if name.is_empty() {
        return Err(format!(
            "-E wants NAME=VALUE, or NAME to remove it, and {:?} has no name",
            word.to_string_lossy()
        ));
    }
    let name = OsString::from_vec(name.to_vec());
    Ok(match value {
        Some(value) => EnvChange::Set(name, OsString::from_vec(value.to_vec())),
        None => EnvChange::Unset(name),
    })
}

/// The words of a set, and whether they are excluded (`!` in front).
fn set_words(set: &str) -> (bool, impl Iterator<Item = &str>) {
    let (negated, words) = match set.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, set),
    };
    (negated, words.split(',').map(str::trim))
}

pub(super) fn signal_names() -> Vec<&'static str> {
    (1..32)
        .filter_map(|number| Signal::from_raw(number).name())
        .collect()
}

/// ` (do you mean NAME?)` for the name that a word was most likely meant to be.
pub(super) fn nearest(word: &str, names: &[&str]) -> String {
    const LIKE_ENOUGH: f64 = 0.8;
    let word = word.to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&word, &name.to_lowercase());
    let best = names
        .iter()
        .map(|name| (likeness(name), *name))
        .filter(|(likeness, _)| *likeness > LIKE_ENOUGH)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map_or_else(String::new, |(_, name)| format!(" (do you mean {name}?)"))
}

/// The same for a signal, with SIG in front or without.
fn nearest_signal(word: &str) -> String {
    let names = signal_names();
    let upper = word.to_uppercase();
    let short: Vec<&str> = names.iter().filter_map(|name| name.get(3..)).collect();
    let is_long = upper.starts_with("SIG");
    nearest(word, if is_long { &names } else { &short })
}

pub(super) fn parse_calls(set: &str) -> Result<WaitCalls, String> {
    let (negated, words) = set_words(set);
    let mut calls = WaitCalls::default();
    for word in words {
        match word {
            "wait" | "all" => calls = WaitCalls::ALL,
            "none" => {}
            "wait4" => calls.wait4 = true,
            "waitid" => calls.waitid = true,
            "waitpid" => calls.waitpid = true,
            "wait6" => calls.wait6 = true,
            _ => {
                let likely = nearest(word, &["wait4", "waitid", "waitpid", "wait", "none"]);
                return Err(about_call(word, &likely));
            }
        }
    }
    if negated {
        calls = WaitCalls {
            wait4: !calls.has(WaitCall::Wait4),
            waitid: !calls.has(WaitCall::Waitid),
            waitpid: !calls.has(WaitCall::Waitpid),
            wait6: !calls.has(WaitCall::Wait6),
        };
    }
    Ok(calls)
}

pub(super) fn parse_signals(set: &str) -> Result<SignalSet, String> {
    let (negated, words) = set_words(set);
    let mut bits = 0u64;
    for word in words {
        bits |= match word {
            "all" => u64::MAX,
            "none" => 0,
            _ => {
                let signal = Signal::from_name(word).ok_or_else(|| {
                    format!(
                        "{word:?} is no signal (-e signal=){}; there are numbers, names as \
                         `kill -l` lists them, and SIGRT_1 to SIGRT_32",
                        nearest_signal(word)
                    )
                })?;
                signal.bit()
            }
        };
    }
    Ok(SignalSet(if negated { !bits } else { bits }))
}

pub(super) fn parse_statuses(set: &str) -> Result<Shown, String> {
    let (negated, words) = set_words(set);
    let mut shown = Shown::NONE;
    for word in words {
        match word {
            "all" => shown = Shown::ALL,
            "none" | "unavailable" => {}
            "successful" => shown.successful = true,
            "failed" => shown.failed = true,
            "unfinished" => shown.unfinished = true,
            "detached" => shown.detached = true,
            _ => {
                return Err(format!(
                    "{word:?} is no result (-e status=){}: there are successful, failed, \
                     unfinished, detached, all and none",
                    nearest(
                        word,
                        &[
                            "successful",
                            "failed",
                            "unfinished",
                            "detached",
                            "all",
                            "none"
                        ]
                    )
                ));
            }
        }
    }
    Ok(if negated { shown.complement() } else { shown })
}
