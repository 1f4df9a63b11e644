//! Wait options and id types: what is parsed is printed so that it means the
//! same, and what is printed is parsed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wait4_strace::kernel::{IdType, WaitOptions};

fuzz_target!(|input: (u32, &str)| {
    let (bits, text) = input;
    let options = WaitOptions::from_raw(bits);
    assert_eq!(options.to_string().parse(), Ok(options));
    let kind = IdType::from_raw(bits);
    assert_eq!(kind.to_string().parse(), Ok(kind));
    if let Ok(options) = text.parse::<WaitOptions>() {
        assert_eq!(options.to_string().parse(), Ok(options));
    }
    if let Ok(kind) = text.parse::<IdType>() {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
});
