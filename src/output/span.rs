//! Spans of time as people read them.

use std::fmt;

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

#[cfg(test)]
mod tests {
    use super::*;

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
