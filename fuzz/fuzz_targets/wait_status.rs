//! Status words: libc's macros see in them what ours do, and all are shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wait4_strace::kernel::{Status, WaitStatus};

fuzz_target!(|word: i32| {
    let status = WaitStatus::from_raw(word);
    wait4_strace_fuzz::check(&status.to_string());
    let (low, high) = (word & 0x7f, (word >> 8) & 0xff);
    match status.decode() {
        Status::Exited(code) => assert!(low == 0 && i32::from(code) == high),
        Status::Signaled { signal, core } => {
            assert!(low != 0 && low != 0x7f && signal.raw() == low);
            assert_eq!(core, word & 0x80 != 0);
        }
        Status::Stopped {
            signal, syscall, ..
        } => {
            assert_eq!(word & 0xff, 0x7f);
            assert_eq!(signal.raw() | i32::from(syscall) << 7, high);
        }
        Status::Continued => assert_eq!(word, 0xffff),
        Status::Unknown => assert_eq!(low, 0x7f),
    }
});
