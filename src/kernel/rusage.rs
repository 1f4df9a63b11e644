//! `struct rusage`: resource usage of a child (`man 2 getrusage`).

use super::RusageLayout;
use super::bytes::{i32_at, i64_at, u32_at};

/// A CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeVal {
    /// Seconds.
    pub sec: i64,
    /// Microseconds.
    pub usec: i64,
}

/// Resource usage of a child and the children that it reaped. Fields that Linux does
/// not maintain are kept as in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of getrusage(2), without ru_")]
pub struct Rusage {
    pub utime: TimeVal,
    pub stime: TimeVal,
    pub maxrss: i64,
    pub ixrss: i64,
    pub idrss: i64,
    pub isrss: i64,
    pub minflt: i64,
    pub majflt: i64,
    pub nswap: i64,
    pub inblock: i64,
    pub oublock: i64,
    pub msgsnd: i64,
    pub msgrcv: i64,
    pub nsignals: i64,
    pub nvcsw: i64,
    pub nivcsw: i64,
}

/// What a process has used, with the children that it reaped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in user mode, in microseconds.
    pub user_us: u64,
    /// CPU time in the kernel, in microseconds.
    pub system_us: u64,
    /// The most memory that was resident, of one of these processes, in KiB.
    pub peak_kib: u64,
}

/// The indexes of the two `tv_sec` words.
const SECONDS: [usize; 2] = [0, 2];

impl Rusage {
    /// Decodes 18 words of the layout's size; `None` if there are fewer.
    #[must_use]
    pub fn from_bytes(layout: RusageLayout, bytes: &[u8]) -> Option<Rusage> {
        let mut words = [0i64; 18];
        for (index, word) in words.iter_mut().enumerate() {
            *word = match layout {
                RusageLayout::Bits64 => i64_at(bytes, index * 8)?,
                // Seconds are signed; strace prints all others as unsigned.
                RusageLayout::Bits32 if SECONDS.contains(&index) => {
                    i64::from(i32_at(bytes, index * 4)?)
                }
                RusageLayout::Bits32 => i64::from(u32_at(bytes, index * 4)?),
            };
        }
        let [
            utime_sec,
            utime_usec,
            stime_sec,
            stime_usec,
            maxrss,
            ixrss,
            idrss,
            isrss,
            minflt,
            majflt,
            nswap,
            inblock,
            oublock,
            msgsnd,
            msgrcv,
            nsignals,
            nvcsw,
            nivcsw,
        ] = words;
        Some(Rusage {
            utime: TimeVal {
                sec: utime_sec,
                usec: utime_usec,
            },
            stime: TimeVal {
                sec: stime_sec,
                usec: stime_usec,
            },
            maxrss,
            ixrss,
            idrss,
            isrss,
            minflt,
            majflt,
            nswap,
            inblock,
            oublock,
            msgsnd,
            msgrcv,
            nsignals,
            nvcsw,
            nivcsw,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_layouts_hold_the_same_words() {
        let words: Vec<i32> = (1..=18).collect();
        let narrow: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let wide: Vec<u8> = words
            .iter()
            .flat_map(|w| i64::from(*w).to_ne_bytes())
            .collect();
        assert_eq!((narrow.len(), wide.len()), (72, 144));
        let usage = Rusage::from_bytes(RusageLayout::Bits64, &wide).unwrap();
        assert_eq!(
            Rusage::from_bytes(RusageLayout::Bits32, &narrow),
            Some(usage)
        );
        assert_eq!((usage.utime.sec, usage.utime.usec), (1, 2));
        assert_eq!((usage.maxrss, usage.nivcsw), (5, 18));
    }

    #[test]
    fn narrow_seconds_are_signed_and_narrow_counters_are_not() {
        let usage = Rusage::from_bytes(RusageLayout::Bits32, &[0xff; 72]).unwrap();
        assert_eq!((usage.utime.sec, usage.stime.sec), (-1, -1));
        assert_eq!(
            (usage.utime.usec, usage.stime.usec),
            (0xffff_ffff, 0xffff_ffff)
        );
        assert_eq!((usage.maxrss, usage.nivcsw), (0xffff_ffff, 0xffff_ffff));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_too_few(bytes: Vec<u8>) {
            for layout in [RusageLayout::Bits64, RusageLayout::Bits32] {
                let got = Rusage::from_bytes(layout, &bytes);
                prop_assert_eq!(got.is_some(), bytes.len() >= layout.size());
            }
        }
    }
}
