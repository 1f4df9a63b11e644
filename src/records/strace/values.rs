//! Values as strace spells them: statuses, signals, siginfos, flags.

use memchr::memmem;

use crate::event::SigchldAction;
use crate::kernel::{Fields, NsPid, Rusage, SigInfo, Signal, TimeVal, WaitStatus};
use crate::records::text::{after, arguments, hexadecimal, number, signed};

/// A value without its explanation: `-X verbose` writes `0x2 /* WUNTRACED */`.
pub(super) fn value(text: &[u8]) -> &[u8] {
    let end = memmem::find(text, b" /* ").unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

/// The low 32 bits of a number, as an int: `-e raw` writes -1 as 0xffffffff.
pub(super) fn int(text: &[u8]) -> Option<i32> {
    let (number, _) = signed(text)?;
    let unsigned = || u32::try_from(number).ok().map(u32::cast_signed);
    i32::try_from(number).ok().or_else(unsigned)
}

/// A signal's name or number at the beginning of a text.
pub(super) fn signal(text: &[u8]) -> Option<Signal> {
    if let Some((number, _)) = hexadecimal(text) {
        return i32::try_from(number).ok().map(Signal::from_raw);
    }
    let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let length = text.iter().take_while(is_word).count();
    let word = std::str::from_utf8(text.get(..length)?).ok()?;
    match word {
        "0" => Some(Signal::from_raw(0)),
        "SIGRTMIN" => Signal::from_name("34"),
        _ => Signal::from_name(word),
    }
}

/// `[{WIFEXITED(s) && WEXITSTATUS(s) == 0}]`, older `[WIFEXITED…]`, or a
/// number.
pub(super) fn status(text: &[u8]) -> Option<WaitStatus> {
    let inner = text.strip_prefix(b"[")?;
    if let Some(code) = after(inner, "WEXITSTATUS(s) == ") {
        let (code, _) = number(code)?;
        return Some(WaitStatus::from_raw(
            (i32::try_from(code).ok()? & 0xff) << 8,
        ));
    }
    if let Some(name) = after(inner, "WTERMSIG(s) == ") {
        let core = if after(inner, "WCOREDUMP(s)").is_some() {
            0x80
        } else {
            0
        };
        return Some(WaitStatus::from_raw(signal(name)?.raw() & 0x7f | core));
    }
    if let Some(name) = after(inner, "WSTOPSIG(s) == ") {
        let traced = if after(name, "| 0x80").is_some() {
            0x80
        } else {
            0
        };
        let stopped = (signal(name)?.raw() | traced) << 8 | 0x7f;
        return Some(WaitStatus::from_raw(stopped | event(inner)? << 16));
    }
    if after(inner, "WIFCONTINUED(s)").is_some() {
        return Some(WaitStatus::from_raw(0xffff));
    }
    let (word, _) = signed(inner)?;
    Some(WaitStatus::from_raw(i32::try_from(word).ok()?))
}

/// The ptrace event of a stop; 0 if there is none.
fn event(text: &[u8]) -> Option<i32> {
    let Some(at) = memmem::find(text, b"}|") else {
        return Some(0);
    };
    let name = text.get(at + 2..)?;
    if let Some((event, _)) = hexadecimal(name) {
        return i32::try_from(event & 0xffff).ok();
    }
    let known = (1..=200u16).find(|event| {
        let word = crate::kernel::PtraceEvent::from_raw(*event);
        word.name()
            .is_some_and(|known| name.starts_with(known.as_bytes()))
    });
    known.map(i32::from)
}

/// `{ru_utime={tv_sec=0, tv_usec=86}, …}`: what it shows.
pub(super) fn rusage(text: &[u8]) -> Option<Rusage> {
    let field = |key: &str| Some(signed(after(text, key)?)?.0);
    let time = |key: &str| {
        let inner = after(text, key)?;
        Some(TimeVal {
            sec: signed(after(inner, "tv_sec=")?)?.0,
            usec: signed(after(inner, "tv_usec=")?)?.0,
        })
    };
    let count = |key: &str| field(key).unwrap_or(0);
    Some(Rusage {
        utime: time("ru_utime=")?,
        stime: time("ru_stime=")?,
        maxrss: count("ru_maxrss="),
        ixrss: count("ru_ixrss="),
        idrss: count("ru_idrss="),
        isrss: count("ru_isrss="),
        minflt: count("ru_minflt="),
        majflt: count("ru_majflt="),
        nswap: count("ru_nswap="),
        inblock: count("ru_inblock="),
        oublock: count("ru_oublock="),
        msgsnd: count("ru_msgsnd="),
        msgrcv: count("ru_msgrcv="),
        nsignals: count("ru_nsignals="),
        nvcsw: count("ru_nvcsw="),
        nivcsw: count("ru_nivcsw="),
    })
}

/// `{si_signo=SIGCHLD, si_code=CLD_EXITED, …}`; of the kinds that wait calls
/// and kills make.
pub(super) fn siginfo(text: &[u8]) -> Option<SigInfo> {
    let Some(name) = after(text, "si_signo=") else {
        // What waitid leaves where it found nothing.
        return text.starts_with(b"{}").then(|| SigInfo {
            signo: Signal::from_raw(0),
            errno: 0,
            code: 0,
            fields: Fields::Nothing,
        });
    };
    let signo = signal(name)?;
    let code = code(after(text, "si_code=")?)?;
    let field = |key: &str| Some(signed(after(text, key)?)?.0);
    let small = |key: &str| i32::try_from(field(key)?).ok();
    let Some(pid) = small("si_pid=") else {
        return Some(SigInfo {
            signo,
            errno: 0,
            code,
            fields: Fields::Nothing,
        });
    };
    let pid = NsPid::new(pid);
    // -1 where the log does not have it.
    let uid = field("si_uid=").map_or(Some(u32::MAX), |uid| u32::try_from(uid).ok())?;
    let fields = match after(text, "si_status=") {
        Some(word) => Fields::Child {
            pid,
            uid,
            status: match signed(word) {
                Some((number, _)) => i32::try_from(number).ok()?,
                None => signal(word)?.raw(),
            },
            utime: field("si_utime=").unwrap_or(0),
            stime: field("si_stime=").unwrap_or(0),
        },
        None => Fields::Kill { pid, uid },
    };
    Some(SigInfo {
        signo,
        errno: 0,
        code,
        fields,
    })
}

/// The codes that matter here (`include/uapi/asm-generic/siginfo.h`).
fn code(text: &[u8]) -> Option<i32> {
    const CODES: [(&str, i32); 13] = [
        ("CLD_EXITED", 1),
        ("CLD_KILLED", 2),
        ("CLD_DUMPED", 3),
        ("CLD_TRAPPED", 4),
        ("CLD_STOPPED", 5),
        ("CLD_CONTINUED", 6),
        ("SI_USER", 0),
        ("SI_KERNEL", 0x80),
        ("SI_QUEUE", -1),
        ("SI_TIMER", -2),
        ("SI_MESGQ", -3),
        ("SI_ASYNCIO", -4),
        ("SI_TKILL", -6),
    ];
    let known = CODES
        .iter()
        .find(|(name, _)| text.starts_with(name.as_bytes()));
    let known = known.map(|(_, code)| *code);
    known.or_else(|| i32::try_from(signed(text)?.0).ok())
}

/// `{sa_handler=SIG_IGN, sa_mask=[], sa_flags=SA_RESTORER|SA_NOCLDWAIT, …}`
pub(super) fn action(text: &[u8]) -> Option<SigchldAction> {
    let named = after(text, "sa_handler=").or_else(|| after(text, "sa_sigaction="));
    let (handler, flags) = if let Some(handler) = named {
        (handler, after(text, "sa_flags=").unwrap_or(&[]))
    } else {
        // To strace 4.14: `{SIG_IGN, [], SA_RESTORER, 0x7f0000000000}`.
        let fields = arguments(text.strip_prefix(b"{")?);
        (*fields.first()?, fields.get(2).copied().unwrap_or(&[]))
    };
    let flags = flags.split(|byte| matches!(byte, b',' | b'}')).next()?;
    let bits = hexadecimal(flags).map(|(bits, _)| bits);
    let has = |flag: &str, bit: u64| match bits {
        Some(bits) => bits & bit != 0,
        None => flags
            .split(|byte| *byte == b'|')
            .any(|it| it == flag.as_bytes()),
    };
    let no_wait = has("SA_NOCLDWAIT", 2);
    // By name, or as a number (`-X raw`).
    let number = signed(handler).map(|(number, _)| number);
    if handler.starts_with(b"SIG_IGN") || number == Some(1) {
        return Some(SigchldAction::Ignore);
    }
    if handler.starts_with(b"SIG_DFL") || number == Some(0) {
        return Some(if no_wait {
            SigchldAction::DefaultNoWait
        } else {
            SigchldAction::Default
        });
    }
    let (address, _) = hexadecimal(handler)?;
    Some(SigchldAction::Handler {
        address,
        no_wait,
        restarts: has("SA_RESTART", 0x1000_0000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_of_all_spellings_are_words_again() {
        let word = |text: &str| status(text.as_bytes()).map(WaitStatus::raw);
        for (text, expected) in [
            ("[{WIFEXITED(s) && WEXITSTATUS(s) == 42}]", 42 << 8),
            ("[WIFEXITED(s) && WEXITSTATUS(s) == 42]", 42 << 8),
            ("[{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}]", 15),
            (
                "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT && WCOREDUMP(s)}]",
                0x86,
            ),
            ("[{WIFSIGNALED(s) && WTERMSIG(s) == SIGRT_5}]", 37),
            ("[{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}]", 0x137f),
            ("[{WIFSTOPPED(s) && WSTOPSIG(s) == SIGTRAP | 0x80}]", 0x857f),
            (
                "[{WIFSTOPPED(s) && WSTOPSIG(s) == SIGTRAP}|PTRACE_EVENT_FORK<<16]",
                0x1057f,
            ),
            ("[{WIFCONTINUED(s)}]", 0xffff),
            ("[0x7f]", 0x7f),
            ("[256]", 256),
        ] {
            assert_eq!(word(text), Some(expected), "{text}");
        }
        assert_eq!(word("NULL"), None);
        assert_eq!(word("[{WIFEXITED(s) && WEXITSTATUS(s) == "), None);
    }

    #[test]
    fn an_action_is_read_with_and_without_names() {
        let handler = SigchldAction::Handler {
            address: 0x44,
            no_wait: false,
            restarts: true,
        };
        for (text, expected) in [
            (
                "{sa_handler=SIG_IGN, sa_mask=[], sa_flags=0}",
                Some(SigchldAction::Ignore),
            ),
            ("{SIG_IGN, [], 0}", Some(SigchldAction::Ignore)),
            ("{SIG_IGN}", Some(SigchldAction::Ignore)),
            (
                "{SIG_DFL, [CHLD], SA_RESTORER|SA_NOCLDWAIT, 0x7f}",
                Some(SigchldAction::DefaultNoWait),
            ),
            ("{0x44, [], SA_RESTORER|SA_RESTART, 0x7f}", Some(handler)),
            (
                "{sa_handler=0x44, sa_mask=~[], sa_flags=SA_RESTART}",
                Some(handler),
            ),
            ("0x7ffd01", None),
        ] {
            assert_eq!(action(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_siginfo_is_read_as_far_as_it_is_shown() {
        let text = b"{si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=7, si_uid=0, si_status=SIGTERM, si_utime=1, si_stime=2}";
        let info = siginfo(text);
        let child = info.as_ref().and_then(SigInfo::child);
        assert_eq!(child, Some((NsPid::new(7), WaitStatus::from_raw(15))));
        let text = info.map(|info| info.to_string());
        assert!(text.is_some_and(|text| text.contains("si_status=SIGTERM")));
        assert_eq!(siginfo(b"{}").map(|info| info.signo.raw()), Some(0));
        assert_eq!(siginfo(b"0x7ffd01"), None);
    }
}
