//! Test of [`SigInfo`] on lines that strace 6.1 printed.
//!
//! A seccomp supervisor answered a tracee's waitid with 0, so that strace decoded
//! bytes that the tracee had written itself: every signal from -1 to 71 with
//! every code from -70 to 140, on x86-64 and i386, 200,000 lines to which
//! [`SigInfo`] was compared. These are one of each kind.

use super::{SigInfo, SiginfoLayout};

/// The siginfo in which the word at byte `4 * n` is `7 * n`.
fn sevens(signo: i32, code: i32) -> Vec<u8> {
    words((0..32).map(|n| match n {
        0 => signo,
        1 => 0,
        2 => code,
        n => 7 * n,
    }))
}

/// The siginfo in which all but signal and code is 0.
fn blank(signo: i32, code: i32) -> Vec<u8> {
    words((0..32).map(|n| match n {
        0 => signo,
        2 => code,
        _ => 0,
    }))
}

fn words(words: impl IntoIterator<Item = i32>) -> Vec<u8> {
    words.into_iter().flat_map(i32::to_ne_bytes).collect()
}

fn shown(layout: SiginfoLayout, bytes: &[u8]) -> String {
    SigInfo::from_bytes(layout, bytes).unwrap().to_string()
}

#[test]
fn each_kind_of_fields_prints_as_strace_prints_it() {
    // Signal, code, the line of a 64-bit tracee, the line of an i386 tracee.
    #[rustfmt::skip]
    let lines = [
        (1, -2, "SIGHUP, si_code=SI_TIMER, si_timerid=0x1c, si_overrun=35, si_int=42, si_ptr=0x310000002a",
                "SIGHUP, si_code=SI_TIMER, si_timerid=0x15, si_overrun=28, si_int=35, si_ptr=0x23"),
        (1, -1, "SIGHUP, si_code=SI_QUEUE, si_pid=28, si_uid=35, si_int=42, si_ptr=0x310000002a",
                "SIGHUP, si_code=SI_QUEUE, si_pid=21, si_uid=28, si_int=35, si_ptr=0x23"),
        (1, 1, "SIGHUP, si_code=0x1, si_pid=28, si_uid=35, si_int=42, si_ptr=0x310000002a",
               "SIGHUP, si_code=0x1, si_pid=21, si_uid=28, si_int=35, si_ptr=0x23"),
        (65, -6, "65, si_code=SI_TKILL, si_pid=28, si_uid=35",
                 "65, si_code=SI_TKILL, si_pid=21, si_uid=28"),
        (17, -70, "SIGCHLD, si_code=0xffffffba, si_pid=28, si_uid=35, si_int=42, si_ptr=0x310000002a",
                  "SIGCHLD, si_code=0xffffffba, si_pid=21, si_uid=28, si_int=35, si_ptr=0x23"),
        (17, 2, "SIGCHLD, si_code=CLD_KILLED, si_pid=28, si_uid=35, si_status=SIGRT_10, \
                 si_utime=270582939704 /* 2705829397.04 s */, si_stime=330712481862 /* 3307124818.62 s */",
                "SIGCHLD, si_code=CLD_KILLED, si_pid=21, si_uid=28, si_status=SIGRT_3, \
                 si_utime=42 /* 0.42 s */, si_stime=49 /* 0.49 s */"),
        (11, 3, "SIGSEGV, si_code=SEGV_BNDERR, si_addr=0x230000001c, si_lower=0x3f00000038, si_upper=0x4d00000046",
                "SIGSEGV, si_code=SEGV_BNDERR, si_addr=0x15, si_lower=0x23, si_upper=0x2a"),
        (11, 4, "SIGSEGV, si_code=SEGV_PKUERR, si_addr=0x230000001c, si_pkey=56",
                "SIGSEGV, si_code=SEGV_PKUERR, si_addr=0x15, si_pkey=35"),
        (7, 4, "SIGBUS, si_code=BUS_MCEERR_AR, si_addr=0x230000001c, si_addr_lsb=0x2a",
               "SIGBUS, si_code=BUS_MCEERR_AR, si_addr=0x15, si_addr_lsb=0x1c"),
        (5, 1, "SIGTRAP, si_code=TRAP_BRKPT, si_addr=0x230000001c",
               "SIGTRAP, si_code=TRAP_BRKPT, si_addr=0x15"),
        (29, 6, "SIGIO, si_code=POLL_HUP, si_band=150323855388, si_fd=42",
                "SIGIO, si_code=POLL_HUP, si_band=21, si_fd=28"),
        (29, -5, "SIGIO, si_code=SI_SIGIO, si_band=150323855388, si_fd=42",
                 "SIGIO, si_code=SI_SIGIO, si_band=21, si_fd=28"),
    ];
    for (signo, code, wide, narrow) in lines {
        let bytes = sevens(signo, code);
        let expected = |rest: &str| format!("{{si_signo={rest}}}");
        assert_eq!(shown(SiginfoLayout::Bits64, &bytes), expected(wide));
        assert_eq!(shown(SiginfoLayout::Bits32, &bytes), expected(narrow));
    }
}

#[test]
fn what_is_zero_is_left_out_or_has_a_spelling_of_its_own() {
    #[rustfmt::skip]
    let lines = [
        (1, -3, "SIGHUP, si_code=SI_MESGQ, si_pid=0, si_uid=0"),
        (1, -2, "SIGHUP, si_code=SI_TIMER, si_timerid=0, si_overrun=0, si_int=0, si_ptr=NULL"),
        (39, 0x10001, "SIGRT_7, si_code=0x10001"),
        (11, 0x80, "SIGSEGV, si_code=SI_KERNEL, si_addr=NULL"),
        (11, 3, "SIGSEGV, si_code=SEGV_BNDERR, si_addr=NULL, si_lower=NULL, si_upper=NULL"),
        (7, 5, "SIGBUS, si_code=BUS_MCEERR_AO, si_addr=NULL, si_addr_lsb=0"),
        (8, 15, "SIGFPE, si_code=FPE_CONDTRAP, si_addr=NULL"),
        (29, 0x80, "SIGIO, si_code=SI_KERNEL"),
        (17, 0x80, "SIGCHLD, si_code=SI_KERNEL, si_pid=0, si_uid=0, si_status=0, si_utime=0, si_stime=0"),
    ];
    for (signo, code, line) in lines {
        for layout in [SiginfoLayout::Bits64, SiginfoLayout::Bits32] {
            let bytes = blank(signo, code);
            assert_eq!(shown(layout, &bytes), format!("{{si_signo={line}}}"));
        }
    }
}

#[test]
fn a_forbidden_call_is_named_or_numbered() {
    let sys = |nr: i32, arch: u32| {
        let arch = arch.cast_signed();
        let head = [31, 0, 1, 0, 0x2345_6789, 1, nr, arch];
        shown(
            SiginfoLayout::Bits64,
            &words(head.into_iter().chain([0; 24])),
        )
    };
    let line = |rest| {
        format!("{{si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x123456789, {rest}}}")
    };
    assert_eq!(
        sys(61, 0xc000_003e),
        line("si_syscall=__NR_wait4, si_arch=AUDIT_ARCH_X86_64")
    );
    assert_eq!(
        sys(-1, 0xc000_00f3),
        line("si_syscall=4294967295, si_arch=AUDIT_ARCH_RISCV64")
    );
    assert_eq!(
        sys(61, 0),
        line("si_syscall=61, si_arch=0 /* AUDIT_ARCH_??? */")
    );
    assert_eq!(
        sys(61, 0x31),
        line("si_syscall=61, si_arch=0x31 /* AUDIT_ARCH_??? */")
    );
}

#[test]
fn an_errno_is_named_or_an_unsigned_number() {
    let with = |errno: i32| {
        shown(
            SiginfoLayout::Bits64,
            &words([1, errno, 0].into_iter().chain([0; 29])),
        )
    };
    let line = |errno| {
        format!("{{si_signo=SIGHUP, si_code=SI_USER, si_errno={errno}, si_pid=0, si_uid=0}}")
    };
    assert_eq!(with(107), line("ENOTCONN"));
    assert_eq!(with(-604_977_409), line("3689989887"));
}

#[test]
fn no_user_and_no_process_are_minus_one() {
    let bytes = words([39, 0, -70, 0, -1, -1, 5].into_iter().chain([0; 25]));
    assert_eq!(
        shown(SiginfoLayout::Bits64, &bytes),
        "{si_signo=SIGRT_7, si_code=0xffffffba, si_pid=-1, si_uid=-1, si_int=5, si_ptr=0x5}"
    );
}

#[test]
fn pids_are_printed_by_whoever_knows_them() {
    let info = SigInfo::from_bytes(SiginfoLayout::Bits64, &sevens(15, 0)).unwrap();
    let mut text = String::new();
    info.write_with(&mut text, &mut |to, pid| write!(to, "{pid}<sh>"), true)
        .unwrap();
    assert_eq!(
        text,
        "{si_signo=SIGTERM, si_code=SI_USER, si_pid=28<sh>, si_uid=35}"
    );
}
