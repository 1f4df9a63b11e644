//! The calls that matter, and their arguments as truss and kdump show them:
//! by name, decoded, or as bare words in decimal or hexadecimal.

use memchr::memmem;

use crate::event::{Fetched, NOT_SHOWN, Named, SigchldAction, WaitEntry};
use crate::kernel::{
    Abi, Fields, IdType, NsPid, Rusage, SigInfo, Signal, System, TimeVal, WaitCall, WaitOptions,
    WaitStatus,
};
use crate::records::log::{Action, Kind, Program, Wait};
use crate::records::text::{after, arguments, hexadecimal, number, seconds, signed};

/// The call of a name. NetBSD's tables put underscores before a name and a
/// version behind it where the call has changed: `__wait450`.
pub(super) fn kind(name: &[u8]) -> Option<Kind> {
    let name = name.strip_prefix(b"sys_").unwrap_or(name);
    Some(match name {
        b"wait4" | b"__wait450" | b"compat_50_wait4" | b"owait" => Kind::Wait(WaitCall::Wait4),
        b"wait6" => Kind::Wait(WaitCall::Wait6),
        b"waitid" => Kind::Wait(WaitCall::Waitid),
        b"waitpid" => Kind::Wait(WaitCall::Waitpid),
        b"fork" | b"pdfork" | b"rfork" | b"__clone" | b"posix_spawn" => Kind::Create,
        b"vfork" | b"__vfork14" => Kind::Vfork,
        b"execve" | b"fexecve" => Kind::Exec,
        b"exit" | b"_exit" => Kind::Exit,
        b"sigaction" | b"__sigaction14" | b"__sigaction_sigtramp" => Kind::Sigaction,
        b"kill" => Kind::Kill,
        _ => return None,
    })
}

/// The arguments of a wait, and what truss shows behind its pointers. `None`
/// if the text does not hold them.
pub(super) fn wait(system: System, call: WaitCall, args: &[u8]) -> Option<Wait> {
    let args = arguments(args);
    let (named, status, options, usage, info): (_, _, _, Option<&[u8]>, Option<&[u8]>) =
        match (call, &args[..]) {
            (WaitCall::Wait4, [pid, status, options, usage]) => {
                (of_pid(pid)?, status, options, Some(*usage), None)
            }
            (WaitCall::Waitpid, [pid, status, options]) => {
                (of_pid(pid)?, status, options, None, None)
            }
            (WaitCall::Wait6, [kind, id, status, options, usage, info]) => {
                let named = of_id(system, kind, id)?;
                (named, status, options, Some(*usage), Some(*info))
            }
            // As the library has it; the kernel's is wait6.
            (WaitCall::Waitid, [kind, id, info, options]) => {
                (of_id(system, kind, id)?, info, options, None, None)
            }
            _ => return None,
        };
    let (result_at, rusage_at) = (address(status)?, usage.map_or(Some(0), address)?);
    let entry = WaitEntry {
        call,
        // It matters for layouts alone.
        abi: Abi::X86_64,
        named,
        options: options_of(system, options)?,
        result_at,
        rusage_at,
        info_at: info.map_or(Some(0), address)?,
        is_restart: false,
        is_half: false,
        target: None,
        pidfd: None,
        stack: None,
    };
    let is_waitid = call == WaitCall::Waitid;
    Some(Wait {
        entry,
        status: if is_waitid {
            Fetched::Null
        } else {
            shown(result_at, status_of(status))
        },
        info: if is_waitid {
            Fetched::unread(result_at)
        } else {
            Fetched::Null
        },
        rusage: shown(rusage_at, usage.and_then(rusage_of)),
    })
}

/// What lies behind a pointer, if it is shown.
fn shown<T>(address: u64, value: Option<T>) -> Fetched<T> {
    match value {
        Some(value) => Fetched::Value {
            addr: NOT_SHOWN,
            value,
        },
        None => Fetched::unread(address),
    }
}

/// A signed word, of which the low 32 bits count.
pub(super) fn int(text: &[u8]) -> Option<i32> {
    let (value, _) = signed(text)?;
    let low = u32::try_from(value & 0xffff_ffff).ok()?;
    Some(low.cast_signed())
}

fn of_pid(text: &[u8]) -> Option<Named> {
    Some(Named::Pid(int(text)?))
}

fn of_id(system: System, kind: &[u8], id: &[u8]) -> Option<Named> {
    let name = std::str::from_utf8(kind).ok()?;
    let kind = match int(kind) {
        Some(number) => IdType::of(system, number.cast_unsigned()),
        None => IdType::parse(system, name).ok()?,
    };
    Some(Named::Id(kind, int(id)?.cast_unsigned()))
}

/// `WNOHANG|WUNTRACED`, `0x3<WNOHANG|WUNTRACED>`, `3`
fn options_of(system: System, text: &[u8]) -> Option<WaitOptions> {
    if let Some(bits) = int(text) {
        return Some(WaitOptions::of(system, bits.cast_unsigned()));
    }
    WaitOptions::parse(system, std::str::from_utf8(text).ok()?).ok()
}

/// Where an argument points to.
fn address(text: &[u8]) -> Option<u64> {
    match text.first()? {
        b'{' => Some(NOT_SHOWN),
        b'C' if text == b"CONTINUED" => Some(NOT_SHOWN),
        _ => hexadecimal(text).or_else(|| number(text)).map(|(at, _)| at),
    }
}

/// `{ EXITED,val=3 }`, `{ SIGNALED,sig=SIGABRT,cored }`, `{ STOPPED,sig=127 }`,
/// `{ CONTINUED }`. For the signal of a stop truss takes the wrong bits, which
/// are 127 always.
fn status_of(text: &[u8]) -> Option<WaitStatus> {
    let inner = text.strip_prefix(b"{ ").unwrap_or(text);
    let inner = inner.strip_suffix(b" }").unwrap_or(inner);
    let of = |word| WaitStatus::of(System::FreeBsd, word);
    if inner == b"CONTINUED" {
        return Some(of(0x13));
    }
    if let Some(code) = inner.strip_prefix(b"EXITED,val=") {
        return Some(of((int(code)? & 0xff) << 8));
    }
    let (is_stop, rest) = match inner.strip_prefix(b"STOPPED,sig=") {
        Some(rest) => (true, rest),
        None => (false, inner.strip_prefix(b"SIGNALED,sig=")?),
    };
    let core = rest.ends_with(b",cored");
    let name = rest.split(|byte| *byte == b',').next()?;
    let number = match signal(System::FreeBsd, name) {
        Some(signal) => signal.number_in(System::FreeBsd)?,
        None => int(name)?,
    };
    Some(of(if is_stop {
        let number = if number == 0x7f { 0 } else { number & 0xff };
        number << 8 | 0x7f
    } else {
        (number & 0x7f) | if core { 0x80 } else { 0 }
    }))
}

/// `{ u=0.001234,s=0.000500,in=0,out=2 }`
fn rusage_of(text: &[u8]) -> Option<Rusage> {
    let inner = text.strip_prefix(b"{ ")?.strip_suffix(b" }")?;
    let time = |key: &str| {
        let (nanos, _) = seconds(after(inner, key)?)?;
        Some(TimeVal {
            sec: i64::try_from(nanos / 1_000_000_000).ok()?,
            usec: i64::try_from(nanos % 1_000_000_000 / 1000).ok()?,
        })
    };
    let count = |key: &str| signed(after(inner, key)?).map(|(count, _)| count);
    Some(Rusage {
        utime: time("u=")?,
        stime: time("s=")?,
        inblock: count("in=").unwrap_or(0),
        oublock: count("out=").unwrap_or(0),
        ..Rusage::default()
    })
}

/// A signal's name or number.
pub(super) fn signal(system: System, text: &[u8]) -> Option<Signal> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    if let Ok(number) = text.parse() {
        return Some(Signal::of(system, number));
    }
    // kdump's own spelling.
    let text = if text == "SIGIOT" { "SIGABRT" } else { text };
    Signal::from_name_in(system, text)
}

/// ` code=CLD_EXITED pid=902 uid=0 status=3`, and NetBSD's
/// `: code=CLD_EXITED child pid=5652, uid=1000,  status=2, utime=0, stime=0)`.
/// `None` where no process is named.
pub(super) fn siginfo(system: System, signal: Signal, cause: &[u8]) -> Option<SigInfo> {
    let code = after(cause, "code=")?;
    let is_end = |byte: &u8| matches!(byte, b' ' | b',' | b')');
    let code = code.split(is_end).next()?;
    let code = SigInfo::code_of_name(signal, std::str::from_utf8(code).ok()?)?;
    let int = |key: &str| int(after(cause, key)?);
    let pid = NsPid::new(int("pid=")?);
    let uid = int("uid=")?.cast_unsigned();
    let fields = match int("status=") {
        Some(status) if signal == Signal::CHLD => Fields::Child {
            pid,
            uid,
            // A death's is a signal, in the numbers of the system.
            status: if SigInfo::tells_an_exit(code) {
                status
            } else {
                Signal::of(system, status).raw()
            },
            utime: 0,
            stime: 0,
        },
        _ => Fields::Kill { pid, uid },
    };
    Some(SigInfo {
        signo: signal,
        errno: 0,
        code,
        fields,
    })
}

/// What a sigaction with these arguments sets.
pub(super) fn action(system: System, args: &[u8]) -> Action {
    let args = arguments(args);
    let [name, new, ..] = args[..] else {
        return Action::Other;
    };
    let changes = address(new).is_some_and(|at| at != 0);
    if signal(system, name) != Some(Signal::CHLD) || !changes {
        return Action::Other;
    }
    // `{ SIG_IGN SA_NOCLDWAIT ss_t }`
    let inner = new.strip_prefix(b"{ ");
    let handler = inner.and_then(|inner| inner.split(|byte| *byte == b' ').next());
    let (Some(inner), Some(handler)) = (inner, handler) else {
        return Action::Unknown;
    };
    let has = |flag: &[u8]| memmem::find(inner, flag).is_some();
    let no_wait = has(b"SA_NOCLDWAIT");
    Action::Set(match handler {
        b"SIG_DFL" if no_wait => SigchldAction::DefaultNoWait,
        b"SIG_DFL" => SigchldAction::Default,
        b"SIG_IGN" => SigchldAction::Ignore,
        _ => SigchldAction::Handler {
            address: address(handler).unwrap_or(0),
            no_wait,
            restarts: has(b"SA_RESTART"),
        },
    })
}

/// The word of a death by a signal.
pub(super) fn exit_word(signal: i32, core: bool) -> i32 {
    signal & 0x7f | if core { 0x80 } else { 0 }
}

/// Of truss's `execve("/bin/sh",[ "sh", "-c", "true" ],0x…)`.
pub(super) fn program(args: &[u8]) -> Program {
    let args = arguments(args);
    let mut words = args.iter();
    let path = words.next().and_then(|path| unquoted(path));
    let list = words.next().and_then(|list| list.strip_prefix(b"["));
    let list = list.and_then(|list| list.strip_suffix(b"]"));
    let argv = list.filter(|_| path.is_some()).map(arguments);
    let argv = argv.into_iter().flatten().filter_map(unquoted).collect();
    Program { path, argv }
}

fn unquoted(text: &[u8]) -> Option<Vec<u8>> {
    let inner = text.trim_ascii().strip_prefix(b"\"")?;
    // A string that was cut short has dots behind it.
    let end = memchr::memrchr(b'"', inner)?;
    Some(inner.get(..end)?.to_vec())
}
