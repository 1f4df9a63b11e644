//! The BSDs' errors (`sys/errno.h`): only 1 to 10 and 12 to 34 are as on Linux.

use crate::kernel::{Errno, System};

/// Names of 1 to 81, the same on both.
const SHARED: [&str; 81] = [
    "EPERM",
    "ENOENT",
    "ESRCH",
    "EINTR",
    "EIO",
    "ENXIO",
    "E2BIG",
    "ENOEXEC",
    "EBADF",
    "ECHILD",
    "EDEADLK",
    "ENOMEM",
    "EACCES",
    "EFAULT",
    "ENOTBLK",
    "EBUSY",
    "EEXIST",
    "EXDEV",
    "ENODEV",
    "ENOTDIR",
    "EISDIR",
    "EINVAL",
    "ENFILE",
    "EMFILE",
    "ENOTTY",
    "ETXTBSY",
    "EFBIG",
    "ENOSPC",
    "ESPIPE",
    "EROFS",
    "EMLINK",
    "EPIPE",
    "EDOM",
    "ERANGE",
    "EAGAIN",
    "EINPROGRESS",
    "EALREADY",
    "ENOTSOCK",
    "EDESTADDRREQ",
    "EMSGSIZE",
    "EPROTOTYPE",
    "ENOPROTOOPT",
    "EPROTONOSUPPORT",
    "ESOCKTNOSUPPORT",
    "EOPNOTSUPP",
    "EPFNOSUPPORT",
    "EAFNOSUPPORT",
    "EADDRINUSE",
    "EADDRNOTAVAIL",
    "ENETDOWN",
    "ENETUNREACH",
    "ENETRESET",
    "ECONNABORTED",
    "ECONNRESET",
    "ENOBUFS",
    "EISCONN",
    "ENOTCONN",
    "ESHUTDOWN",
    "ETOOMANYREFS",
    "ETIMEDOUT",
    "ECONNREFUSED",
    "ELOOP",
    "ENAMETOOLONG",
    "EHOSTDOWN",
    "EHOSTUNREACH",
    "ENOTEMPTY",
    "EPROCLIM",
    "EUSERS",
    "EDQUOT",
    "ESTALE",
    "EREMOTE",
    "EBADRPC",
    "ERPCMISMATCH",
    "EPROGUNAVAIL",
    "EPROGMISMATCH",
    "EPROCUNAVAIL",
    "ENOLCK",
    "ENOSYS",
    "EFTYPE",
    "EAUTH",
    "ENEEDAUTH",
];

/// FreeBSD's names from 82 on.
const FREEBSD: [&str; 16] = [
    "EIDRM",
    "ENOMSG",
    "EOVERFLOW",
    "ECANCELED",
    "EILSEQ",
    "ENOATTR",
    "EDOOFUS",
    "EBADMSG",
    "EMULTIHOP",
    "ENOLINK",
    "EPROTO",
    "ENOTCAPABLE",
    "ECAPMODE",
    "ENOTRECOVERABLE",
    "EOWNERDEAD",
    "EINTEGRITY",
];

/// NetBSD's names from 82 on.
const NETBSD: [&str; 17] = [
    "EIDRM",
    "ENOMSG",
    "EOVERFLOW",
    "EILSEQ",
    "ENOTSUP",
    "ECANCELED",
    "EBADMSG",
    "ENODATA",
    "ENOSR",
    "ENOSTR",
    "ETIME",
    "ENOATTR",
    "EMULTIHOP",
    "ENOLINK",
    "EPROTO",
    "EOWNERDEAD",
    "ENOTRECOVERABLE",
];

/// Internal to the kernel: a program never sees them, a tracer does.
const FREEBSD_INTERNAL: [(i32, &str); 5] = [
    (-1, RESTART),
    (-2, "EJUSTRETURN"),
    (-3, "ENOIOCTL"),
    (-4, "EDIRIOCTL"),
    (-5, "ERELOOKUP"),
];
const NETBSD_INTERNAL: [(i32, &str); 5] = [
    (-2, "EJUSTRETURN"),
    (-3, RESTART),
    (-4, "EPASSTHROUGH"),
    (-5, "EDUPFD"),
    (-6, "EMOVEFD"),
];
/// Not Linux's ERESTART, which Linux never returns.
const RESTART: &str = "ERESTART";

/// Errors that Linux does not have: the first is the one that restarts a call.
const FOREIGN: [(&str, &str); 22] = [
    (RESTART, "To be restarted"),
    ("EJUSTRETURN", "The result stays as it is"),
    ("ENOIOCTL", "The ioctl is not handled by this layer"),
    ("EDIRIOCTL", "The ioctl is to be done directly"),
    ("ERELOOKUP", "The lookup is to be done again"),
    ("EPASSTHROUGH", "Not handled by this layer"),
    ("EDUPFD", "The descriptor is to be duplicated"),
    ("EMOVEFD", "The descriptor is to be moved"),
    ("EPROCLIM", "Too many processes"),
    ("EBADRPC", "RPC struct is bad"),
    ("ERPCMISMATCH", "RPC version wrong"),
    ("EPROGUNAVAIL", "RPC program not available"),
    ("EPROGMISMATCH", "Program version wrong"),
    ("EPROCUNAVAIL", "Bad procedure for program"),
    ("EFTYPE", "Inappropriate file type or format"),
    ("EAUTH", "Authentication error"),
    ("ENEEDAUTH", "Need authenticator"),
    ("ENOATTR", "Attribute not found"),
    ("EDOOFUS", "Programming error"),
    ("ENOTSUP", "Not supported"),
    ("ENOTCAPABLE", "Capabilities insufficient"),
    ("ECAPMODE", "Not permitted in capability mode"),
];
/// The first number of an error.
const FIRST: i32 = -6;
const LAST: i32 = 98;
/// One more error of FreeBSD.
const INTEGRITY: (&str, &str) = ("EINTEGRITY", "Integrity check failed");

fn foreign() -> impl Iterator<Item = (i32, &'static str, &'static str)> {
    let rows = FOREIGN.iter().chain([&INTEGRITY]);
    (super::FOREIGN..)
        .zip(rows)
        .map(|(number, (name, text))| (number, *name, *text))
}

/// The name of a number.
fn name_of(system: System, number: i32) -> Option<&'static str> {
    let (internal, tail): (&[(i32, &str)], &[&str]) = match system {
        System::Linux => return None,
        System::NetBsd => (&NETBSD_INTERNAL, &NETBSD),
        System::FreeBsd => (&FREEBSD_INTERNAL, &FREEBSD),
    };
    if let Some((_, name)) = internal.iter().find(|(known, _)| *known == number) {
        return Some(name);
    }
    let index = usize::try_from(number.checked_sub(1)?).ok()?;
    SHARED.iter().chain(tail).nth(index).copied()
}

/// The error with this number, if it has a name.
pub(in crate::kernel) fn errno_of(system: System, number: i32) -> Option<Errno> {
    named(name_of(system, number)?)
}

/// The error with this name, if only the BSDs have it.
pub(in crate::kernel) fn named(name: &str) -> Option<Errno> {
    let foreign = foreign().find(|(_, known, _)| *known == name);
    foreign
        .map(|(number, ..)| Errno::from_raw(number))
        .or_else(|| Errno::of_name(name))
}

/// The number of an error; `None` if the system does not have it.
pub(in crate::kernel) fn number_of_errno(system: System, errno: Errno) -> Option<i32> {
    (FIRST..=LAST).find(|number| errno_of(system, *number) == Some(errno))
}

/// Name and text of an error that Linux does not have.
pub(in crate::kernel) fn foreign_row(number: i32) -> Option<(&'static str, &'static str)> {
    let found = foreign().find(|(known, ..)| *known == number);
    found.map(|(_, name, text)| (name, text))
}

/// The error that a tracer sees in place of a result when the call is about to be
/// restarted.
pub(in crate::kernel) const RESTARTED: i32 = super::FOREIGN;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        for (system, own, last) in [
            (System::NetBsd, -6..=-2, 98),
            (System::FreeBsd, -5..=-1, 97),
        ] {
            for number in own.chain(1..=last) {
                let errno = Errno::of(system, number);
                let name = errno.name().unwrap();
                assert_eq!(errno.number_in(system), Some(number), "{system} {name}");
                assert_eq!(
                    Errno::from_name_in(system, name),
                    Some(errno),
                    "{system} {name}"
                );
                assert!(errno.message().is_some(), "{name}");
            }
            assert_eq!(errno_of(system, 0), None);
            assert_eq!(errno_of(system, last + 1), None);
        }
    }

    #[test]
    fn a_name_has_the_number_of_its_system() {
        let of = Errno::of;
        for system in [System::NetBsd, System::FreeBsd] {
            assert_eq!(of(system, 10), Errno::CHILD);
            assert_eq!(of(system, 35), Errno::AGAIN);
            assert_eq!(of(system, 4), Errno::INTR);
            assert_eq!(of(system, 78), Errno::NOSYS);
        }
        assert_eq!(of(System::FreeBsd, -1), Errno::BSD_RESTART);
        assert_eq!(of(System::NetBsd, -3), Errno::BSD_RESTART);
        assert_eq!(of(System::NetBsd, 86).name(), Some("ENOTSUP"));
        assert_eq!(of(System::FreeBsd, 86).name(), Some("EILSEQ"));
        assert_eq!(of(System::FreeBsd, 97).name(), Some("EINTEGRITY"));
    }
}
