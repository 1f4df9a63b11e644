//! Spans of time as people read them.

use std::fmt;

use crate::kernel::Usage;

/// Nanoseconds, in the unit that fits: `85 µs`, `0.4 ms`, `1.2 s`.
pub(super) struct Span(pub(super) u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span(nanos) = *self;
        let micros = nanos / 1000;
        match micros {
            0..100 => write!(f, "{micros} µs"),
            100..100_000 => {
                let tenths = (micros + 50) / 100;
                if tenths < 100 {
                    write!(f, "{}.{} ms", tenths / 10, tenths % 10)
                } else {
                    write!(f, "{} ms", tenths / 10)
                }
            }
            _ => {
                let tenths = (micros + 50_000) / 100_000;
                write!(f, "{}.{} s", tenths / 10, tenths % 10)
            }
        }
    }
}

/// What a process has used: `0.12 s user, 0.03 s system, 5.2 MB`.
pub(super) struct Used(pub(super) Usage);

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Used(usage) = self;
        let time = |f: &mut fmt::Formatter<'_>, micros: u64| {
            let hundredths = (micros + 5_000) / 10_000;
            write!(f, "{}.{:02} s", hundredths / 100, hundredths % 100)
        };
        time(f, usage.user_us)?;
        f.write_str(" user, ")?;
        time(f, usage.system_us)?;
        write!(f, " system, {}", Memory(usage.peak_kib))
    }
}

/// KiB in megabytes: `5.2 MB`.
pub(super) struct Memory(pub(super) u64);

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0.saturating_mul(1024) + 50_000) / 100_000;
        write!(f, "{}.{} MB", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_told_in_seconds_and_megabytes() {
        let usage = Usage {
            user_us: 123_456,
            system_us: 4_999,
            peak_kib: 5_120,
        };
        assert_eq!(
            Used(usage).to_string(),
            "0.12 s user, 0.00 s system, 5.2 MB"
        );
    }

    #[test]
    fn a_span_has_the_unit_that_fits() {
        let spans = [
            0,
            85_900,
            412_000,
            9_960_000,
            45_200_000,
            99_999_999,
            1_249_000_000,
        ];
        let shown: Vec<String> = spans.iter().map(|span| Span(*span).to_string()).collect();
        assert_eq!(
            shown,
            [
                "0 µs", "85 µs", "0.4 ms", "10 ms", "45 ms", "100 ms", "1.2 s"
            ]
        );
    }
}
