//! Names and numbers of options and id types of each system, in the order in which
//! they are printed.

use super::System;

/// A name and its bits or number.
pub(super) type Word = (&'static str, u32);

/// FreeBSD, `sys/wait.h` and wait6(2).
const FREEBSD_OPTIONS: [Word; 7] = [
    ("WNOHANG", 1),
    ("WUNTRACED", 2),
    ("WCONTINUED", 4),
    ("WNOWAIT", 8),
    ("WEXITED", 0x10),
    ("WTRAPPED", 0x20),
    ("WLINUXCLONE", 0x8000_0000),
];

/// NetBSD, `sys/wait.h` and wait6(2). `WOPTSCHECKED` is internal to the kernel.
const NETBSD_OPTIONS: [Word; 10] = [
    ("WNOHANG", 1),
    ("WUNTRACED", 2),
    ("WALTSIG", 4),
    ("WALLSIG", 8),
    ("WCONTINUED", 0x10),
    ("WEXITED", 0x20),
    ("WTRAPPED", 0x40),
    ("WNOWAIT", 0x1_0000),
    ("WNOZOMBIE", 0x2_0000),
    ("WOPTSCHECKED", 0x4_0000),
];

/// FreeBSD, `sys/wait.h`, in the order of their numbers from 0 on.
const FREEBSD_ID_TYPES: [Word; 16] = [
    ("P_PID", 0),
    ("P_PPID", 1),
    ("P_PGID", 2),
    ("P_SID", 3),
    ("P_CID", 4),
    ("P_UID", 5),
    ("P_GID", 6),
    ("P_ALL", 7),
    ("P_LWPID", 8),
    ("P_TASKID", 9),
    ("P_PROJID", 10),
    ("P_POOLID", 11),
    ("P_JAILID", 12),
    ("P_CTID", 13),
    ("P_CPUID", 14),
    ("P_PSETID", 15),
];

/// NetBSD, `sys/idtype.h`; the first is -1.
const NETBSD_ID_TYPES: [Word; 17] = [
    ("P_MYID", u32::MAX),
    ("P_ALL", 0),
    ("P_PID", 1),
    ("P_LWPID", 2),
    ("P_PPID", 3),
    ("P_PGID", 4),
    ("P_SID", 5),
    ("P_CID", 6),
    ("P_UID", 7),
    ("P_GID", 8),
    ("P_TASKID", 9),
    ("P_PROJID", 10),
    ("P_POOLID", 11),
    ("P_ZONEID", 12),
    ("P_CTID", 13),
    ("P_CPUID", 14),
    ("P_PSETID", 15),
];

/// Linux, `include/uapi/linux/wait.h`, in the order in which strace prints them.
const LINUX_OPTIONS: [Word; 8] = [
    ("WNOHANG", 1),
    ("WEXITED", 4),
    ("WSTOPPED", 2),
    ("WCONTINUED", 8),
    ("WNOWAIT", 0x0100_0000),
    ("__WCLONE", 0x8000_0000),
    ("__WALL", 0x4000_0000),
    ("__WNOTHREAD", 0x2000_0000),
];

/// Linux, `include/uapi/linux/wait.h`.
const LINUX_ID_TYPES: [Word; 4] = [("P_ALL", 0), ("P_PID", 1), ("P_PGID", 2), ("P_PIDFD", 3)];

/// The options of a system.
pub(super) fn options(system: System) -> &'static [Word] {
    match system {
        System::Linux => &LINUX_OPTIONS,
        System::NetBsd => &NETBSD_OPTIONS,
        System::FreeBsd => &FREEBSD_OPTIONS,
    }
}

/// The id types of a system.
pub(super) fn id_types(system: System) -> &'static [Word] {
    match system {
        System::Linux => &LINUX_ID_TYPES,
        System::NetBsd => &NETBSD_ID_TYPES,
        System::FreeBsd => &FREEBSD_ID_TYPES,
    }
}
