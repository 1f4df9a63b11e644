//! Texts of other programs that have calls in their lines and are no record of what
//! processes waited for: refused by name, with what to make instead.

use memchr::memmem;

/// What only strace writes, of all that write calls as it does.
const OF_STRACE: [&str; 8] = [
    "+++ exited with ",
    "execve(\"",
    "{si_signo=SIG",
    "(Child exited) @ 0",
    "WIFEXITED(s)",
    "WIFSIGNALED(s)",
    "SIG_SETMASK, [",
    "|SIGCHLD",
];

/// A program's text, and why it is refused.
struct Other {
    /// Whether a line is one that no other program writes.
    writes: fn(&[u8]) -> bool,
    why: &'static str,
}

/// What makes a log that can be read.
macro_rules! refusal {
    ($what:literal) => {
        concat!(
            $what,
            "; what strace -f -ttt -o FILE PROGRAM writes is read"
        )
    };
}

const OTHERS: [Other; 8] = [
    Other {
        writes: is_ltrace_s,
        why: refusal!(
            "it is ltrace's log of calls of libraries, which make their waits out of its sight"
        ),
    },
    Other {
        writes: is_gdb_s,
        why: refusal!("it is a session of gdb's, which shows no waits"),
    },
    Other {
        writes: is_dtruss_s,
        why: "it is dtruss's log, which has no statuses: what truss -f and kdump write on a \
              BSD is read",
    },
    Other {
        writes: is_solaris_s,
        why: "it is the log of another truss than FreeBSD's, which has no statuses: what \
              FreeBSD's and kdump write is read",
    },
    Other {
        writes: is_perf_s,
        why: refusal!("it is perf trace's log, which has no statuses"),
    },
    Other {
        writes: is_sandbox_s,
        why: refusal!("it is a log of gVisor's or of u-root's, which has no statuses"),
    },
    Other {
        writes: is_summary,
        why: refusal!("it is the table of strace -c, which counts calls and shows none"),
    },
    Other {
        writes: is_snoop_s,
        why: refusal!("it is a table of processes that began or ended, which has no waits"),
    },
];

/// Why a text is refused that another program has written.
pub(super) fn refusal(text: &[u8]) -> Option<&'static str> {
    let has = |mark: &str| memmem::find(text, mark.as_bytes()).is_some();
    // Nearly all texts are strace's: their lines are not looked at.
    if OF_STRACE.iter().any(|mark| has(mark)) {
        return None;
    }
    let other = OTHERS.iter().find(|other| {
        let mut lines = text.split(|byte| *byte == b'\n');
        lines.any(|line| (other.writes)(line.trim_ascii()))
    });
    other.map(|other| other.why)
}

/// Where a text stands in a line, if in no string.
fn find(line: &[u8], mark: &str) -> Option<usize> {
    let at = memmem::find(line, mark.as_bytes())?;
    let before = line.get(..at)?;
    (!before.contains(&b'"')).then_some(at)
}

fn has(line: &[u8], mark: &str) -> bool {
    find(line, mark).is_some()
}

fn is_ltrace_s(line: &[u8]) -> bool {
    let marks = ["+++ exited (status ", "__libc_start_main("];
    let is_call = |mark: &str| {
        let name = find(line, mark).and_then(|at| line.get(..at)?.last());
        name.is_some_and(u8::is_ascii_alphanumeric)
    };
    marks.iter().any(|mark| has(line, mark)) || is_call("@SYS(")
}

fn is_gdb_s(line: &[u8]) -> bool {
    has(line, "(gdb) ") || has(line, "[Inferior 1 (process ")
}

/// `501/0x1f3a:     43987       8      5 wait4(0xFFFFFFFF, 0x7FFF5D80553C, 0x0)  = 502 0`
fn is_dtruss_s(line: &[u8]) -> bool {
    let thread = find(line, "/0x").filter(|at| {
        let before = at.checked_sub(1).and_then(|at| line.get(at));
        before.is_some_and(u8::is_ascii_digit)
    });
    let rest = thread.and_then(|at| line.get(at + 3..)).unwrap_or(&[]);
    let number = rest.iter().take_while(|byte| byte.is_ascii_hexdigit());
    rest.get(number.count()) == Some(&b':') || has(line, "SYSCALL(args)")
}

/// `600: waitid(P_ALL, 0, 0x08047A50, WEXITED|WTRAPPED) Err#10 ECHILD`, of Solaris's and
/// AIX's
fn is_solaris_s(line: &[u8]) -> bool {
    let error = find(line, "Err#").and_then(|at| line.get(at + 4..));
    let name = error.map(<[u8]>::trim_ascii_start).and_then(|error| {
        let digits = error
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        error.get(digits..).filter(|_| digits > 0)
    });
    let is_named = name.is_some_and(|name| name.trim_ascii_start().starts_with(b"E"));
    let marks = [
        "Received signal #",
        "(returning as child ...)",
        "(sleeping...)",
    ];
    is_named || marks.iter().any(|mark| has(line, mark))
}

/// `0.123 ( 0.004 ms): sh/600 wait4(upid: 601, stat_addr: 0x7ffe0c) = 601`
fn is_perf_s(line: &[u8]) -> bool {
    let call = find(line, " ms): ").and_then(|at| line.get(at..));
    call.is_some_and(|call| has(call, "("))
}

/// `[pid 600] X wait4(0xffffffff, 0x7ffd, 0x0, 0x0) = 0x259 (12.3µs)`
fn is_sandbox_s(line: &[u8]) -> bool {
    [" E ", " X "].iter().any(|direction| {
        let Some(at) = find(line, direction) else {
            return false;
        };
        let call = line.get(at + direction.len()..).unwrap_or(&[]);
        let is_word =
            |byte: &&u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || **byte == b'_';
        let name = call.iter().take_while(is_word).count();
        let is_behind_pid = line.get(..at).is_some_and(|it| it.contains(&b']'));
        is_behind_pid && name > 0 && call.get(name..).is_some_and(|it| it.starts_with(b"(0x"))
    })
}

fn is_summary(line: &[u8]) -> bool {
    has(line, "% time") && has(line, "usecs/call")
}

fn is_snoop_s(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace);
    let mut has_word = |word: &[u8]| words.any(|it| it == word);
    has_word(b"PID") && has_word(b"PPID") && (has(line, " RET ARGS") || has(line, " EXIT_CODE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_programs_write_is_refused_by_name() {
        for (text, who) in [
            (
                "wait(0x7ffd10) = 601\n+++ exited (status 3) +++\n",
                "ltrace",
            ),
            ("[pid 600] waitpid@SYS(601, 0x7ffd, 0) = 601\n", "ltrace"),
            ("(gdb) call fork()\n$1 = 601\nfork() = 601\n", "gdb"),
            (
                "600/0x1f3a:  43987   8   5 wait4(0xFFFFFFFF, 0x7FFF, 0x0)\t\t = 601 0\n",
                "dtruss",
            ),
            (
                "SYSCALL(args) \t\t = return\nfork()\t\t = 601 0\n",
                "dtruss",
            ),
            (
                "600:\twaitid(P_ALL, 0, 0x08047A50, WEXITED) Err#10 ECHILD\n",
                "truss",
            ),
            (
                "   0.123 ( 0.004 ms): sh/600 wait4(upid: 601) = 601\n",
                "perf",
            ),
            (
                "[pid 600] X wait4(0xffffffff, 0x0, 0x0) = 0x259 (1ms)\n",
                "gVisor",
            ),
            (
                "> % time     seconds  usecs/call     calls    errors syscall\n",
                "strace -c",
            ),
            (
                "PCOMM            PID    PPID   RET ARGS\nsh  601  600  0 /bin/sh\n",
                "table",
            ),
        ] {
            let why = refusal(text.as_bytes());
            assert!(why.is_some_and(|why| why.contains(who)), "{text} {why:?}");
            let with_log = format!("execve(\"./a\", [\"./a\"], 0x7f) = 0\n{text}");
            assert_eq!(refusal(with_log.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_strace_and_the_bsds_write_is_not() {
        for text in [
            "fork() = 601\nwait4(601, NULL, 0, NULL) = 601\n",
            "600 write(1, \"+++ exited (status 0) +++\", 25) = 25\n",
            "600: wait4(-1,{ EXITED,val=0 },0x0,0x0) = 601 (0x259)\n",
            "--- SIGCHLD (Child exited) ---\n",
            "600 <... wait4 resumed>NULL, 0, NULL) = 601\n",
        ] {
            assert_eq!(refusal(text.as_bytes()), None, "{text}");
        }
    }
}
