//! Errors of system calls, including those internal to the kernel.

use std::fmt;

use super::{System, bsd};

/// An errno; any number is kept. Errors of a BSD have the number of Linux's error
/// of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Errno(i32);

#[expect(missing_docs, reason = "the constants of errno(3), without their E")]
impl Errno {
    pub const PERM: Errno = Errno(1);
    pub const NOENT: Errno = Errno(2);
    pub const SRCH: Errno = Errno(3);
    pub const INTR: Errno = Errno(4);
    pub const IO: Errno = Errno(5);
    pub const NOEXEC: Errno = Errno(8);
    pub const BADF: Errno = Errno(9);
    pub const CHILD: Errno = Errno(10);
    pub const AGAIN: Errno = Errno(11);
    pub const NOMEM: Errno = Errno(12);
    pub const ACCES: Errno = Errno(13);
    pub const FAULT: Errno = Errno(14);
    pub const NOTDIR: Errno = Errno(20);
    pub const INVAL: Errno = Errno(22);
    pub const NOSYS: Errno = Errno(38);
    pub const RESTARTSYS: Errno = Errno(512);
    pub const RESTARTNOINTR: Errno = Errno(513);
    pub const RESTARTNOHAND: Errno = Errno(514);
    pub const RESTART_RESTARTBLOCK: Errno = Errno(516);
    /// The BSDs' ERESTART.
    pub const BSD_RESTART: Errno = Errno(bsd::RESTARTED);
}

impl Errno {
    /// The errno with this number.
    #[must_use]
    pub const fn from_raw(number: i32) -> Errno {
        Errno(number)
    }

    /// The number.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The error that has this number in a system.
    #[must_use]
    pub fn of(system: System, number: i32) -> Errno {
        match system {
            System::Linux => Errno(number),
            // A number without a name is kept.
            System::NetBsd | System::FreeBsd => {
                bsd::errno_of(system, number).unwrap_or(Errno(number))
            }
        }
    }

    /// The number that it has in a system; `None` if it does not exist there.
    #[must_use]
    pub fn number_in(self, system: System) -> Option<i32> {
        match system {
            System::Linux => bsd::foreign_row(self.0).is_none().then_some(self.0),
            System::NetBsd | System::FreeBsd => bsd::number_of_errno(system, self),
        }
    }

    /// Linux's error with this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Errno> {
        let name = match name {
            "EWOULDBLOCK" => "EAGAIN",
            "EDEADLOCK" => "EDEADLK",
            "ENOTSUP" => "EOPNOTSUPP",
            name => name,
        };
        let row = TABLE.iter().find(|(_, known, _)| *known == name);
        row.map(|(number, ..)| Errno(*number))
    }

    /// The error that has this name in a system.
    #[must_use]
    pub fn from_name_in(system: System, name: &str) -> Option<Errno> {
        if system == System::Linux {
            return Errno::of_name(name);
        }
        let errno = bsd::named(name)?;
        errno.number_in(system).map(|_| errno)
    }

    /// The constant's name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.row().map(|(name, _)| name)
    }

    /// The text of glibc's `strerror`, or strace's for those internal to the kernel.
    #[must_use]
    pub fn message(self) -> Option<&'static str> {
        self.row().map(|(_, message)| message)
    }

    /// Whether a tracer sees it in place of a result because the kernel may restart the
    /// call (`include/linux/errno.h`). A program never sees it.
    #[must_use]
    pub const fn is_restart(self) -> bool {
        matches!(self.0, 512..=514 | 516 | bsd::RESTARTED)
    }

    fn row(self) -> Option<(&'static str, &'static str)> {
        let index = TABLE.binary_search_by_key(&self.0, |(number, ..)| *number);
        let linux = index.ok().and_then(|index| TABLE.get(index));
        linux
            .map(|(_, name, message)| (*name, *message))
            .or_else(|| bsd::foreign_row(self.0))
    }
}

impl fmt::Display for Errno {
    /// As strace prints it: `ECHILD (No child processes)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some((name, message)) => write!(f, "{name} ({message})"),
            None => write!(f, "(errno {})", self.0),
        }
    }
}

/// Number, name, text; sorted by number. 41 and 58 are not used. Those from 512 on
/// are internal to the kernel (`include/linux/errno.h`): strace has texts for
/// those that restart a call, the others are as in glibc.
const TABLE: &[(i32, &str, &str)] = &[
    (1, "EPERM", "Operation not permitted"),
    (2, "ENOENT", "No such file or directory"),
    (3, "ESRCH", "No such process"),
    (4, "EINTR", "Interrupted system call"),
    (5, "EIO", "Input/output error"),
    (6, "ENXIO", "No such device or address"),
    (7, "E2BIG", "Argument list too long"),
    (8, "ENOEXEC", "Exec format error"),
    (9, "EBADF", "Bad file descriptor"),
    (10, "ECHILD", "No child processes"),
    (11, "EAGAIN", "Resource temporarily unavailable"),
    (12, "ENOMEM", "Cannot allocate memory"),
    (13, "EACCES", "Permission denied"),
    (14, "EFAULT", "Bad address"),
    (15, "ENOTBLK", "Block device required"),
    (16, "EBUSY", "Device or resource busy"),
    (17, "EEXIST", "File exists"),
    (18, "EXDEV", "Invalid cross-device link"),
    (19, "ENODEV", "No such device"),
    (20, "ENOTDIR", "Not a directory"),
    (21, "EISDIR", "Is a directory"),
    (22, "EINVAL", "Invalid argument"),
    (23, "ENFILE", "Too many open files in system"),
    (24, "EMFILE", "Too many open files"),
    (25, "ENOTTY", "Inappropriate ioctl for device"),
    (26, "ETXTBSY", "Text file busy"),
    (27, "EFBIG", "File too large"),
    (28, "ENOSPC", "No space left on device"),
    (29, "ESPIPE", "Illegal seek"),
    (30, "EROFS", "Read-only file system"),
    (31, "EMLINK", "Too many links"),
    (32, "EPIPE", "Broken pipe"),
    (33, "EDOM", "Numerical argument out of domain"),
    (34, "ERANGE", "Numerical result out of range"),
    (35, "EDEADLK", "Resource deadlock avoided"),
    (36, "ENAMETOOLONG", "File name too long"),
    (37, "ENOLCK", "No locks available"),
    (38, "ENOSYS", "Function not implemented"),
    (39, "ENOTEMPTY", "Directory not empty"),
    (40, "ELOOP", "Too many levels of symbolic links"),
    (42, "ENOMSG", "No message of desired type"),
    (43, "EIDRM", "Identifier removed"),
    (44, "ECHRNG", "Channel number out of range"),
    (45, "EL2NSYNC", "Level 2 not synchronized"),
    (46, "EL3HLT", "Level 3 halted"),
    (47, "EL3RST", "Level 3 reset"),
    (48, "ELNRNG", "Link number out of range"),
    (49, "EUNATCH", "Protocol driver not attached"),
    (50, "ENOCSI", "No CSI structure available"),
    (51, "EL2HLT", "Level 2 halted"),
    (52, "EBADE", "Invalid exchange"),
    (53, "EBADR", "Invalid request descriptor"),
    (54, "EXFULL", "Exchange full"),
    (55, "ENOANO", "No anode"),
    (56, "EBADRQC", "Invalid request code"),
    (57, "EBADSLT", "Invalid slot"),
    (59, "EBFONT", "Bad font file format"),
    (60, "ENOSTR", "Device not a stream"),
    (61, "ENODATA", "No data available"),
    (62, "ETIME", "Timer expired"),
    (63, "ENOSR", "Out of streams resources"),
    (64, "ENONET", "Machine is not on the network"),
    (65, "ENOPKG", "Package not installed"),
    (66, "EREMOTE", "Object is remote"),
    (67, "ENOLINK", "Link has been severed"),
    (68, "EADV", "Advertise error"),
    (69, "ESRMNT", "Srmount error"),
    (70, "ECOMM", "Communication error on send"),
    (71, "EPROTO", "Protocol error"),
    (72, "EMULTIHOP", "Multihop attempted"),
    (73, "EDOTDOT", "RFS specific error"),
    (74, "EBADMSG", "Bad message"),
    (75, "EOVERFLOW", "Value too large for defined data type"),
    (76, "ENOTUNIQ", "Name not unique on network"),
    (77, "EBADFD", "File descriptor in bad state"),
    (78, "EREMCHG", "Remote address changed"),
    (79, "ELIBACC", "Can not access a needed shared library"),
    (80, "ELIBBAD", "Accessing a corrupted shared library"),
    (81, "ELIBSCN", ".lib section in a.out corrupted"),
    (
        82,
        "ELIBMAX",
        "Attempting to link in too many shared libraries",
    ),
    (83, "ELIBEXEC", "Cannot exec a shared library directly"),
    (
        84,
        "EILSEQ",
        "Invalid or incomplete multibyte or wide character",
    ),
    (
        85,
        "ERESTART",
        "Interrupted system call should be restarted",
    ),
    (86, "ESTRPIPE", "Streams pipe error"),
    (87, "EUSERS", "Too many users"),
    (88, "ENOTSOCK", "Socket operation on non-socket"),
    (89, "EDESTADDRREQ", "Destination address required"),
    (90, "EMSGSIZE", "Message too long"),
    (91, "EPROTOTYPE", "Protocol wrong type for socket"),
    (92, "ENOPROTOOPT", "Protocol not available"),
    (93, "EPROTONOSUPPORT", "Protocol not supported"),
    (94, "ESOCKTNOSUPPORT", "Socket type not supported"),
    (95, "EOPNOTSUPP", "Operation not supported"),
    (96, "EPFNOSUPPORT", "Protocol family not supported"),
    (
        97,
        "EAFNOSUPPORT",
        "Address family not supported by protocol",
    ),
    (98, "EADDRINUSE", "Address already in use"),
    (99, "EADDRNOTAVAIL", "Cannot assign requested address"),
    (100, "ENETDOWN", "Network is down"),
    (101, "ENETUNREACH", "Network is unreachable"),
    (102, "ENETRESET", "Network dropped connection on reset"),
    (103, "ECONNABORTED", "Software caused connection abort"),
    (104, "ECONNRESET", "Connection reset by peer"),
    (105, "ENOBUFS", "No buffer space available"),
    (106, "EISCONN", "Transport endpoint is already connected"),
    (107, "ENOTCONN", "Transport endpoint is not connected"),
    (
        108,
        "ESHUTDOWN",
        "Cannot send after transport endpoint shutdown",
    ),
    (109, "ETOOMANYREFS", "Too many references: cannot splice"),
    (110, "ETIMEDOUT", "Connection timed out"),
    (111, "ECONNREFUSED", "Connection refused"),
    (112, "EHOSTDOWN", "Host is down"),
    (113, "EHOSTUNREACH", "No route to host"),
    (114, "EALREADY", "Operation already in progress"),
    (115, "EINPROGRESS", "Operation now in progress"),
    (116, "ESTALE", "Stale file handle"),
    (117, "EUCLEAN", "Structure needs cleaning"),
    (118, "ENOTNAM", "Not a XENIX named type file"),
    (119, "ENAVAIL", "No XENIX semaphores available"),
    (120, "EISNAM", "Is a named type file"),
    (121, "EREMOTEIO", "Remote I/O error"),
    (122, "EDQUOT", "Disk quota exceeded"),
    (123, "ENOMEDIUM", "No medium found"),
    (124, "EMEDIUMTYPE", "Wrong medium type"),
    (125, "ECANCELED", "Operation canceled"),
    (126, "ENOKEY", "Required key not available"),
    (127, "EKEYEXPIRED", "Key has expired"),
    (128, "EKEYREVOKED", "Key has been revoked"),
    (129, "EKEYREJECTED", "Key was rejected by service"),
    (130, "EOWNERDEAD", "Owner died"),
    (131, "ENOTRECOVERABLE", "State not recoverable"),
    (132, "ERFKILL", "Operation not possible due to RF-kill"),
    (133, "EHWPOISON", "Memory page has hardware error"),
    (512, "ERESTARTSYS", "To be restarted if SA_RESTART is set"),
    (513, "ERESTARTNOINTR", "To be restarted"),
    (514, "ERESTARTNOHAND", "To be restarted if no handler"),
    (515, "ENOIOCTLCMD", "Unknown error 515"),
    (516, "ERESTART_RESTARTBLOCK", "Interrupted by signal"),
    (517, "EPROBE_DEFER", "Unknown error 517"),
    (518, "EOPENSTALE", "Unknown error 518"),
    (521, "EBADHANDLE", "Unknown error 521"),
    (522, "ENOTSYNC", "Unknown error 522"),
    (523, "EBADCOOKIE", "Unknown error 523"),
    (524, "ENOTSUPP", "Unknown error 524"),
    (525, "ETOOSMALL", "Unknown error 525"),
    (526, "ESERVERFAULT", "Unknown error 526"),
    (527, "EBADTYPE", "Unknown error 527"),
    (528, "EJUKEBOX", "Unknown error 528"),
    (529, "EIOCBQUEUED", "Unknown error 529"),
    (530, "ERECALLCONFLICT", "Unknown error 530"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri's C library has texts of its own")]
    fn the_table_is_sorted_and_agrees_with_libc() {
        assert!(TABLE.is_sorted_by_key(|(number, ..)| *number));
        for (number, name, message) in TABLE.iter().filter(|(number, ..)| *number < 512) {
            let libc = std::io::Error::from_raw_os_error(*number).to_string();
            if cfg!(target_env = "gnu") {
                assert_eq!(libc, format!("{message} (os error {number})"), "{name}");
            }
        }
    }

    #[test]
    fn errors_are_spelled_as_strace_spells_them() {
        assert_eq!(Errno::CHILD.to_string(), "ECHILD (No child processes)");
        assert_eq!(
            Errno::RESTARTSYS.to_string(),
            "ERESTARTSYS (To be restarted if SA_RESTART is set)"
        );
        assert_eq!(Errno::from_raw(4095).to_string(), "(errno 4095)");
        assert_eq!(
            Errno::from_raw(524).to_string(),
            "ENOTSUPP (Unknown error 524)"
        );
        for number in [i32::MIN, -1, 0, 41, 58, 134, 511, 519, 531, i32::MAX] {
            assert_eq!(Errno::from_raw(number).name(), None, "{number}");
        }
    }

    #[test]
    fn only_the_four_restart_codes_are_restarts() {
        let restarts: Vec<i32> = (-1..5000).filter(|n| Errno(*n).is_restart()).collect();
        assert_eq!(restarts, [512, 513, 514, 516]);
    }
}
