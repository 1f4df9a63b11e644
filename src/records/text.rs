//! Numbers and arguments in lines of text, as every tracer writes them.

use memchr::memmem;

/// What follows `key` in a text.
pub(super) fn after<'a>(text: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let at = memmem::find(text, key.as_bytes())?;
    text.get(at + key.len()..)
}

/// A decimal number at the beginning, and what follows it.
pub(super) fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    let mut length = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        // So many digits fit.
        value = if length < 19 {
            value * 10 + u64::from(digit)
        } else {
            u64::checked_add(value.checked_mul(10)?, digit.into())?
        };
        length += 1;
    }
    let rest = text.get(length..)?;
    (length > 0).then_some((value, rest))
}

/// How many digits there are at the beginning.
fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The number that so few digits are that it fits.
fn decimal(digits: &[u8]) -> u64 {
    let digits = digits.iter().map(|digit| u64::from(digit - b'0'));
    digits.fold(0, |value, digit| value * 10 + digit)
}

/// What follows the spaces at the beginning.
pub(super) fn spaces(text: &[u8]) -> &[u8] {
    let count = text.iter().take_while(|byte| **byte == b' ').count();
    text.get(count..).unwrap_or(&[])
}

/// `12.345678`, in nanoseconds, and what follows.
pub(super) fn seconds(text: &[u8]) -> Option<(u64, &[u8])> {
    let (whole, rest) = number(text)?;
    fraction(whole, rest)
}

/// The same, where the number before the point is known.
pub(super) fn fraction(whole: u64, rest: &[u8]) -> Option<(u64, &[u8])> {
    const UNITS: [u64; 10] = [
        1_000_000_000,
        100_000_000,
        10_000_000,
        1_000_000,
        100_000,
        10_000,
        1_000,
        100,
        10,
        1,
    ];
    let nanos = whole.checked_mul(1_000_000_000)?;
    let Some((b'.', rest)) = rest.split_first() else {
        return Some((nanos, rest));
    };
    let (digits, rest) = rest.split_at_checked(digits(rest))?;
    // What is finer is left out.
    let shown = digits.get(..digits.len().min(9))?;
    let parts = decimal(shown) * UNITS.get(shown.len())?;
    Some((nanos.checked_add(parts)?, rest))
}

/// A number with a sign perhaps, decimal or hexadecimal, and what follows.
pub(super) fn signed(text: &[u8]) -> Option<(i64, &[u8])> {
    if let Some(rest) = text.strip_prefix(b"-") {
        let (value, rest) = number(rest)?;
        return Some((0i64.checked_sub_unsigned(value)?, rest));
    }
    if let Some((value, rest)) = hexadecimal(text) {
        return Some((value.cast_signed(), rest));
    }
    let (value, rest) = number(text)?;
    Some((i64::try_from(value).ok()?, rest))
}

/// `0x7ffd01`, and what follows.
pub(super) fn hexadecimal(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.strip_prefix(b"0x")?;
    let length = digits
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (digits, rest) = digits.split_at_checked(length)?;
    let value = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((value, rest))
}

/// The arguments, split at the commas that stand in no bracket or string.
pub(super) fn arguments(args: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    let (mut depth, mut quoted, mut escaped, mut start) = (0u32, false, false, 0);
    for (at, byte) in args.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' | b'(' => depth += 1,
            b']' | b'}' | b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                all.push(args.get(start..at).unwrap_or(&[]).trim_ascii());
                start = at + 1;
            }
            _ => {}
        }
    }
    all.push(args.get(start..).unwrap_or(&[]).trim_ascii());
    all
}

/// Where ` = ` stands last, behind which a call's result is.
pub(super) fn last_equals(text: &[u8]) -> Option<usize> {
    let signs = memchr::memrchr_iter(b'=', text);
    let mut starts = signs.filter_map(|sign| sign.checked_sub(1));
    starts.find(|start| text.get(*start..start + 3) == Some(b" = "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_read_up_to_their_end() {
        assert_eq!(number(b"12a"), Some((12, &b"a"[..])));
        assert_eq!(number(b"18446744073709551615"), Some((u64::MAX, &b""[..])));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b"a"), None);
        assert_eq!(seconds(b"12 "), Some((12_000_000_000, &b" "[..])));
        assert_eq!(seconds(b"0.000031>"), Some((31_000, &b">"[..])));
        assert_eq!(seconds(b"1.0000000019"), Some((1_000_000_001, &b""[..])));
        assert_eq!(seconds(b"1."), Some((1_000_000_000, &b""[..])));
        assert_eq!(seconds(b"99999999999."), None);
    }

    #[test]
    fn the_last_sign_between_spaces_is_found() {
        assert_eq!(last_equals(b"a = b = c"), Some(5));
        assert_eq!(last_equals(b"a = b=c= "), Some(1));
        assert_eq!(last_equals(b"= b"), None);
        assert_eq!(last_equals(b""), None);
    }

    #[test]
    fn arguments_are_split_outside_of_brackets_and_strings() {
        let args = arguments(br#"-1, [{a, b}], "x, \" y", NULL"#);
        let expected: [&[u8]; 4] = [b"-1", b"[{a, b}]", br#""x, \" y""#, b"NULL"];
        assert_eq!(args, expected);
    }
}
