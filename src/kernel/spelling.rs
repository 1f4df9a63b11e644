//! Numbers as strace prints them, where that differs from Rust's formats.

use std::fmt;

/// C's `%#x`: zero has no `0x`.
pub(super) struct Hex(pub(super) u64);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0"),
            number => write!(f, "{number:#x}"),
        }
    }
}

/// An address: zero is `NULL`.
pub(super) struct Pointer(pub(super) u64);

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("NULL"),
            address => write!(f, "{address:#x}"),
        }
    }
}

/// A user id: the one that means "none" is -1.
pub(super) struct Uid(pub(super) u32);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u32::MAX => f.write_str("-1"),
            uid => write!(f, "{uid}"),
        }
    }
}

/// A `clock_t`, with a comment in seconds unless it is zero. The unit is `USER_HZ`,
/// 100 on all supported ABIs (`man 7 time`).
pub(super) struct Clock(pub(super) i64);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.cast_unsigned() {
            0 => f.write_str("0"),
            ticks => write!(f, "{ticks} /* {}.{:02} s */", ticks / 100, ticks % 100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_spelled_without_its_base() {
        assert_eq!(Hex(0).to_string(), "0");
        assert_eq!(Hex(0x1c).to_string(), "0x1c");
        assert_eq!(Pointer(0).to_string(), "NULL");
        assert_eq!(Pointer(0x1c).to_string(), "0x1c");
    }

    #[test]
    fn no_user_is_minus_one() {
        assert_eq!(Uid(u32::MAX).to_string(), "-1");
        assert_eq!(Uid(u32::MAX - 1).to_string(), "4294967294");
    }

    /// Printed by strace 6.1 for these words.
    #[test]
    fn clocks_are_explained_in_seconds() {
        assert_eq!(Clock(0).to_string(), "0");
        assert_eq!(Clock(5).to_string(), "5 /* 0.05 s */");
        assert_eq!(
            Clock(-2_254_403_154).to_string(),
            "18446744071455148462 /* 184467440714551484.62 s */"
        );
    }
}
