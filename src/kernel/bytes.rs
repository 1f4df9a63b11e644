//! Integers from bytes that a tracee wrote; `None` beyond their end.

/// Native-endian `i32` at a byte offset.
pub(super) fn i32_at(bytes: &[u8], offset: usize) -> Option<i32> {
    let word = bytes.get(offset..)?.first_chunk::<4>()?;
    Some(i32::from_ne_bytes(*word))
}

/// Native-endian `u32` at a byte offset.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    i32_at(bytes, offset).map(i32::cast_unsigned)
}

/// Native-endian `i64` at a byte offset.
pub(super) fn i64_at(bytes: &[u8], offset: usize) -> Option<i64> {
    let word = bytes.get(offset..)?.first_chunk::<8>()?;
    Some(i64::from_ne_bytes(*word))
}
