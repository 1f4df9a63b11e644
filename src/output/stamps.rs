//! Times before a line: `-t`, `-tt`, `-ttt`, `-r`.

use std::cell::OnceCell;
use std::fmt::Write;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::event::Moment;

/// The wall clock's form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WallClock {
    /// None.
    #[default]
    Off,
    /// `-t`: 12:34:56
    Seconds,
    /// `-tt`: 12:34:56.789012
    Microseconds,
    /// `-ttt`: 1795399787.410322
    Epoch,
}

/// Which times stand before a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// The wall clock.
    pub wall: WallClock,
    /// `-r`: since the line before.
    pub relative: bool,
}

/// What ties moments to the wall clock.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Wall-clock time of moment 0.
    start: Timestamp,
    /// The system's, from when it is first needed.
    zone: OnceCell<TimeZone>,
}

impl Clock {
    /// A clock whose moment 0 is `start`, shown in the system's time zone.
    #[must_use]
    pub fn new(start: std::time::SystemTime) -> Clock {
        Clock {
            start: Timestamp::try_from(start).unwrap_or_default(),
            zone: OnceCell::new(),
        }
    }

    fn zone(&self) -> TimeZone {
        self.zone.get_or_init(TimeZone::system).clone()
    }

    fn at(&self, moment: Moment) -> Timestamp {
        let nanos = i64::try_from(moment.0).unwrap_or(i64::MAX);
        self.start
            .checked_add(SignedDuration::from_nanos(nanos))
            .unwrap_or(self.start)
    }
}

/// Writes stamps, and remembers the line before.
#[derive(Clone, Debug)]
pub(super) struct Stamper {
    stamps: Stamps,
    clock: Clock,
    before: Option<Moment>,
}

impl Stamper {
    pub(super) fn new(stamps: Stamps, clock: Clock) -> Stamper {
        Stamper {
            stamps,
            clock,
            before: None,
        }
    }

    /// Write the times of a line that begins at `at`, with a space behind.
    pub(super) fn write(&mut self, at: Moment, to: &mut String) {
        let wall = self.stamps.wall;
        if wall != WallClock::Off {
            let now = self.clock.at(at);
            let micros = now.subsec_nanosecond().unsigned_abs() / 1000;
            // Writing to a String cannot fail.
            let _ = if wall == WallClock::Epoch {
                write!(to, "{}.{micros:06} ", now.as_second())
            } else {
                let time = now.to_zoned_datetime(self.clock.zone()).time();
                let (h, m, s) = (time.hour(), time.minute(), time.second());
                let _ = write!(to, "{h:02}:{m:02}:{s:02}");
                if wall == WallClock::Microseconds {
                    write!(to, ".{micros:06} ")
                } else {
                    to.write_char(' ')
                }
            };
        }
        if self.stamps.relative {
            let since = at.since(self.before.unwrap_or(at)) / 1000;
            let (seconds, micros) = (since / 1_000_000, since % 1_000_000);
            let _ = if wall == WallClock::Off {
                write!(to, "{seconds:6}.{micros:06} ")
            } else {
                write!(to, "(+{seconds:6}.{micros:06}) ")
            };
            self.before = Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(stamps: Stamps, moments: &[u64]) -> String {
        let clock = Clock {
            start: Timestamp::from_second(1_795_399_787).unwrap(),
            zone: OnceCell::from(TimeZone::UTC),
        };
        let mut stamper = Stamper::new(stamps, clock);
        let mut text = String::new();
        for moment in moments {
            stamper.write(Moment(*moment), &mut text);
            text.push('|');
        }
        text
    }

    #[test]
    fn stamps_have_the_forms_of_strace() {
        let wall = |wall| Stamps {
            wall,
            relative: false,
        };
        assert_eq!(stamped(wall(WallClock::Off), &[5]), "|");
        assert_eq!(
            stamped(wall(WallClock::Seconds), &[1_500_000_000]),
            "02:09:48 |"
        );
        assert_eq!(
            stamped(wall(WallClock::Microseconds), &[410_322_999]),
            "02:09:47.410322 |"
        );
        assert_eq!(
            stamped(wall(WallClock::Epoch), &[410_322_000]),
            "1795399787.410322 |"
        );
    }

    #[test]
    fn relative_stamps_count_from_the_line_before() {
        let relative = Stamps {
            wall: WallClock::Off,
            relative: true,
        };
        assert_eq!(
            stamped(relative, &[7_000, 1_000_070_000]),
            "     0.000000 |     1.000063 |"
        );
        let both = Stamps {
            wall: WallClock::Seconds,
            relative: true,
        };
        assert_eq!(stamped(both, &[0]), "02:09:47 (+     0.000000) |");
    }
}
