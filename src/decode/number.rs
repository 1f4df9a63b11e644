//! Numbers as they are typed: decimal, hexadecimal, octal, binary.

/// A number in any base as a 32-bit word: C's spellings (`0x1f`, `037`, `31`),
/// Rust's (`0o37`, `0b11111`), with a sign. A sign-extended 64-bit register value
/// is accepted too.
pub(super) fn word(text: &str) -> Option<i32> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = if let Some(digits) = lower.strip_prefix("0x") {
        (16, digits)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        (2, digits)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        (8, digits)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if !digits.starts_with(|first: char| first.is_digit(base)) {
        return None;
    }
    let number = i128::from(u64::from_str_radix(digits, base).ok()?);
    let number = if negative { -number } else { number };
    let extended = number - (1 << 64);
    let word = [number, extended]
        .into_iter()
        .find_map(|number| i32::try_from(number).ok());
    word.or_else(|| Some(u32::try_from(number).ok()?.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_base_is_read() {
        for text in [
            "4991",
            "0x137f",
            "0X137F",
            "011577",
            "0o11577",
            "0b1001101111111",
            "+4991",
        ] {
            assert_eq!(word(text), Some(4991), "{text}");
        }
        assert_eq!(word("0"), Some(0));
        assert_eq!(word("-9"), Some(-9));
        assert_eq!(word("-0x9"), Some(-9));
        assert_eq!(word("4294967295"), Some(-1));
        assert_eq!(word("0xfffffffffffffe00"), Some(-512));
    }

    #[test]
    fn what_is_no_word_is_refused() {
        for text in [
            "",
            "-",
            "x",
            "0x",
            "0b2",
            "08",
            "1.5",
            "--1",
            "-+1",
            "0x+1",
            "1e3",
            "0x100000000",
            "4294967296",
            "-2147483649",
            "99999999999999999999999",
        ] {
            assert_eq!(word(text), None, "{text}");
        }
    }
}
