//! How many lanes there are at each time, as an area of a still picture.

use std::fmt::{self, Write};

/// Into how many columns the time is divided.
const COLUMNS: u16 = 320;
/// The least count that fills the area.
const LEAST: u32 = 4;

/// Where the area is, in the picture's units.
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) right: f64,
    /// Its lower side.
    pub(super) base: f64,
    pub(super) high: f64,
    /// Nanoseconds from left to right.
    pub(super) span: f64,
}

impl Area {
    /// Draws how many of these times, from and to, there are in each column.
    pub(super) fn draw(
        &self,
        to: &mut String,
        class: &str,
        times: impl Iterator<Item = (u64, u64)>,
    ) -> fmt::Result {
        let counts = self.counts(times);
        let most = counts.iter().copied().max().unwrap_or(0);
        if most == 0 {
            return Ok(());
        }
        let most = f64::from(most.max(LEAST));
        let Area {
            left, right, base, ..
        } = self;
        write!(to, "<path class=\"{class}\" d=\"M{left} {base}")?;
        let mut before = 0;
        for (column, count) in (0_u32..).zip(counts) {
            if count == before {
                continue;
            }
            before = count;
            let x = left + (right - left) * f64::from(column) / f64::from(COLUMNS);
            // One is seen among thousands.
            let height = match count {
                0 => 0.0,
                count => (f64::from(count) / most * self.high).max(2.0),
            };
            write!(to, "H{x:.1}V{:.1}", base - height)?;
        }
        writeln!(to, "H{right}V{base}z\"/>")
    }

    fn counts(&self, times: impl Iterator<Item = (u64, u64)>) -> Vec<u32> {
        let mut counts = vec![0; usize::from(COLUMNS)];
        for (from, until) in times {
            let (first, last) = (self.column(from), self.column(until));
            for count in counts.get_mut(first..=last).unwrap_or_default() {
                *count += 1;
            }
        }
        counts
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of the columns"
    )]
    fn column(&self, at: u64) -> usize {
        let column = at as f64 / self.span * f64::from(COLUMNS);
        (column as usize).min(usize::from(COLUMNS) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(times: &[(u64, u64)]) -> String {
        let mut to = String::new();
        let area = Area {
            left: 0.0,
            right: 320.0,
            base: 10.0,
            high: 8.0,
            span: 320.0,
        };
        area.draw(&mut to, "crowd", times.iter().copied()).unwrap();
        to
    }

    #[test]
    fn an_area_is_as_high_as_there_are_lanes() {
        assert_eq!(area(&[]), "");
        let two = area(&[(10, 19), (15, 400)]);
        assert_eq!(
            two,
            "<path class=\"crowd\" d=\"M0 10H10.0V8.0H15.0V6.0H20.0V8.0H320V10z\"/>\n"
        );
        // However many there are, one is seen and all fit.
        let many: Vec<(u64, u64)> = (0..1000).map(|_| (0, 5)).chain([(100, 101)]).collect();
        let many = area(&many);
        assert!(many.contains("M0 10H0.0V2.0H6.0V10.0H100.0V8.0"), "{many}");
    }
}
