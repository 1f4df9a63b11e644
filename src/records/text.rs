//! Numbers and arguments in lines of text, as every tracer writes them.

use memchr::memmem;

/// What follows `key` in a text.
pub(super) fn after<'a>(text: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let at = memmem::find(text, key.as_bytes())?;
    text.get(at + key.len()..)
}

/// A decimal number at the beginning, and what follows it.
pub(super) fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value: u64 = 0;
    let mut length = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.checked_mul(10)?.checked_add(digit.into())?;
        length += 1;
    }
    let rest = text.get(length..)?;
    (length > 0).then_some((value, rest))
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
    let mut nanos = whole.checked_mul(1_000_000_000)?;
    let Some((b'.', digits)) = rest.split_first() else {
        return Some((nanos, rest));
    };
    let mut unit: u64 = 100_000_000;
    let mut length = 0;
    for byte in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        nanos = nanos.checked_add(unit * u64::from(byte - b'0'))?;
        unit /= 10;
        length += 1;
    }
    Some((nanos, digits.get(length..)?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_outside_of_brackets_and_strings() {
        let args = arguments(br#"-1, [{a, b}], "x, \" y", NULL"#);
        let expected: [&[u8]; 4] = [b"-1", b"[{a, b}]", br#""x, \" y""#, b"NULL"];
        assert_eq!(args, expected);
    }
}
