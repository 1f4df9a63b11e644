//! The meaning of a value: its possible readings, one on each line.

use std::fmt::Write;

use super::number::word;
use super::phrase;
use super::status::{bare, of_kind_status, readings};
use crate::kernel::{Errno, IdType, Signal, System, WaitOptions, WaitTarget};

/// The text to print for a value, without the value itself.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) means_something: bool,
}

/// The kinds of value that `KIND=VALUE` can name.
const KINDS: [&str; 6] = ["status", "options", "idtype", "errno", "signal", "pid"];

impl Answer {
    /// `0x137f`, `options=3`, `errno=ECHILD`
    pub(super) fn of(value: &str, system: Option<System>) -> Answer {
        let chosen = system.unwrap_or_default();
        let Some((kind, text)) = value.split_once('=') else {
            return match word(value) {
                Some(number) => bare(value, number, system),
                None => phrase::of(value, chosen)
                    .or_else(|| named(value, chosen))
                    .unwrap_or_else(|| {
                        nothing(
                            "is no 32-bit number, name or KIND=VALUE; kinds are status, \
                             options, idtype, errno, signal and pid",
                        )
                    }),
            };
        };
        match kind {
            "status" => match word(text) {
                Some(number) => readings(of_kind_status(number, system)),
                None => phrase::of(value, chosen).unwrap_or_else(|| no_number("a wait status")),
            },
            "options" => options(text, chosen),
            "idtype" => id_type(text, chosen),
            "errno" => errno(text, chosen),
            "signal" => signal(text, chosen),
            "pid" => match word(text) {
                Some(number) => wait_target(number, chosen),
                None => no_number("a pid"),
            },
            _ => phrase::of(value, chosen).unwrap_or_else(|| {
                nothing(&format!(
                    "there is no kind {kind:?}: there are {}",
                    KINDS.join(", ")
                ))
            }),
        }
    }
}

/// `ECHILD`, `SIGKILL`, `P_PIDFD`, `WNOHANG|WEXITED`: no name is of two kinds.
fn named(name: &str, system: System) -> Option<Answer> {
    let kinds = [errno, signal, id_type, options];
    let mut answers = kinds.into_iter().map(|kind| kind(name, system));
    answers.find(|answer| answer.means_something)
}

fn something(what: impl AsRef<str>) -> Answer {
    Answer {
        text: format!("  {}\n", what.as_ref()),
        means_something: true,
    }
}

fn nothing(why: &str) -> Answer {
    Answer {
        text: format!("  means nothing: {why}\n"),
        means_something: false,
    }
}

fn no_number(what: &str) -> Answer {
    nothing(&format!("{what} is a 32-bit number"))
}

/// The signal with this number, if the system has it.
pub(super) fn existing(system: System, number: i32) -> Option<Signal> {
    Some(Signal::of(system, number)).filter(|signal| number > 0 && exists(*signal))
}

pub(super) fn exists(signal: Signal) -> bool {
    signal.to_string().starts_with("SIG")
}

fn options(text: &str, system: System) -> Answer {
    let parsed = match word(text) {
        Some(number) => Ok(WaitOptions::of(system, number.cast_unsigned())),
        None => WaitOptions::parse(system, text),
    };
    let options = match parsed {
        Ok(options) => options,
        Err(error) => return nothing(&format!("{error} of {system}'s")),
    };
    let mut answer = something(format!("{options} ({:#x})", options.raw()));
    for name in options.names() {
        let _ = writeln!(answer.text, "  {name:<14}{}", meaning_of_option(name));
    }
    if options.nameless() != 0 {
        answer.means_something = false;
        let bits = options.nameless();
        let _ = writeln!(
            answer.text,
            "  {:<14}means nothing: no option of {system}'s; a call with it fails with EINVAL",
            format!("{bits:#x}")
        );
    }
    answer
}

fn meaning_of_option(name: &str) -> &'static str {
    match name {
        "WNOHANG" => "return at once if there is nothing to report",
        "WEXITED" => "report children that have ended (wait4 always does)",
        "WSTOPPED" | "WUNTRACED" => "report children that are stopped",
        "WCONTINUED" => "report children that continue after a stop",
        "WNOWAIT" => "leave the child waitable",
        "WTRAPPED" => "report traced children at a breakpoint or trap",
        "WNOZOMBIE" => "pass over children that have ended",
        "WALTSIG" | "__WCLONE" => "only children whose exit signal is not SIGCHLD",
        "WALLSIG" | "__WALL" => "children with any exit signal",
        "WLINUXCLONE" => "children created by a Linux clone",
        "__WNOTHREAD" => "only children of this thread, not of the others of its process",
        _ => "internal to the kernel",
    }
}

fn id_type(text: &str, system: System) -> Answer {
    let parsed = match word(text) {
        Some(number) => Ok(IdType::of(system, number.cast_unsigned())),
        None => IdType::parse(system, text),
    };
    let known = parsed.ok().filter(|kind| kind.name().is_some());
    let Some((kind, name)) = known.and_then(|kind| Some((kind, kind.name()?))) else {
        return nothing(&format!("no id type of {system}'s"));
    };
    let number = kind.number_in(system).unwrap_or_default().cast_signed();
    something(format!("{name} ({number}): {}", meaning_of_id_type(name)))
}

fn meaning_of_id_type(name: &str) -> &'static str {
    match name {
        "P_ALL" => "any child; the id is ignored",
        "P_PID" => "the child with this pid",
        "P_PGID" => "any child of this process group",
        "P_PIDFD" => "the child that this pidfd refers to",
        "P_UID" => "any child with this effective user",
        "P_GID" => "any child with this effective group",
        "P_SID" => "any child of this session",
        "P_CID" => "any child of this scheduling class",
        "P_JAILID" => "any child in this jail",
        "P_PPID" => "by the parent's pid; wait6 does not take it",
        "P_LWPID" => "by a thread; wait6 does not take it",
        "P_MYID" => "the caller's own; wait6 does not take it",
        "P_CPUID" | "P_PSETID" => "by processors; wait6 does not take it",
        _ => "of the list that came from Solaris; wait6 does not take it",
    }
}

fn errno(text: &str, system: System) -> Answer {
    let errno = match word(text) {
        // A Linux kernel returns errors negated; the internal errors of the BSDs are
        // negative themselves.
        Some(number) => {
            let given = Errno::of(system, number);
            let negated = number.checked_neg().map(|number| Errno::of(system, number));
            Some(given)
                .filter(|errno| errno.name().is_some())
                .or(negated)
        }
        None => Errno::from_name_in(system, text),
    };
    let named = errno.filter(|errno| errno.name().is_some());
    let Some(number) = named.and_then(|errno| errno.number_in(system)) else {
        return nothing(&format!("no error of {system}'s"));
    };
    let errno = Errno::of(system, number);
    let own = match system {
        System::Linux => number >= 512,
        System::NetBsd | System::FreeBsd => number < 0,
    };
    let note = if own {
        "; internal to the kernel: a tracer sees it, a program never does"
    } else {
        ""
    };
    something(format!(
        "{} ({number}): {}{note}",
        errno.name().unwrap_or(""),
        errno.message().unwrap_or("")
    ))
}

fn signal(text: &str, system: System) -> Answer {
    let signal = match word(text) {
        Some(number) => existing(system, number),
        None => Signal::from_name_in(system, text).or_else(|| realtime(system, text)),
    };
    let number = signal.and_then(|signal| signal.number_in(system));
    match signal.zip(number) {
        Some((signal, number)) => {
            something(format!("{signal} ({number}){}", glibc_s(system, number)))
        }
        None => nothing(&format!("no signal of {system}'s")),
    }
}

/// The real-time signals that the C library leaves to programs (signal(7)); it
/// reserves the kernel's first two.
const REALTIME: std::ops::RangeInclusive<i32> = 34..=64;

/// `SIGRTMIN+3`, `RTMAX-1`: as the C library and `kill -l` count them.
fn realtime(system: System, text: &str) -> Option<Signal> {
    let upper = text.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    let (first, last) = (*REALTIME.start(), *REALTIME.end());
    let number = match short.strip_prefix("RTMIN+") {
        Some(offset) => first.checked_add(word(offset)?)?,
        None => match short.strip_prefix("RTMAX")? {
            "" => last,
            offset => last.checked_sub(word(offset.strip_prefix('-')?)?)?,
        },
    };
    let is_linux_s = system == System::Linux && REALTIME.contains(&number);
    is_linux_s.then(|| Signal::from_raw(number))
}

/// What the C library calls a real-time signal.
fn glibc_s(system: System, number: i32) -> String {
    match (system, number) {
        (System::Linux, 32) => "; the kernel's and strace's SIGRTMIN, which the C library \
                                reserves: that of programs and shells is 34 (SIGRT_2)"
            .to_owned(),
        (System::Linux, 33) => "; reserved by the C library".to_owned(),
        (System::Linux, 34) => "; the C library's SIGRTMIN".to_owned(),
        (System::Linux, 64) => "; the C library's SIGRTMAX".to_owned(),
        (System::Linux, number) if REALTIME.contains(&number) => {
            format!("; the C library's SIGRTMIN+{}", number - REALTIME.start())
        }
        _ => String::new(),
    }
}

/// Which processes wait4 waits for.
fn wait_target(pid: i32, system: System) -> Answer {
    something(match WaitTarget::of_pid(pid) {
        WaitTarget::Any => "any child".to_owned(),
        WaitTarget::Pid(pid) => format!("the child {pid}"),
        WaitTarget::Group(group) => format!("any child of the process group {group}"),
        WaitTarget::OwnGroup => "any child of the caller's own process group".to_owned(),
        WaitTarget::PidFd(_) | WaitTarget::Invalid => {
            let what = match system {
                System::Linux => "Linux fails with ESRCH",
                System::NetBsd | System::FreeBsd => "no group has that number",
            };
            format!("no process: INT_MIN cannot be negated, and {what}")
        }
    })
}
