//! A snapshot that was kept, and another: the difference is empty if and only
//! if they are equal, and shows nothing that harms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wait4_strace::output::{Styles, diff};

fuzz_target!(|texts: (&str, &str, &str)| {
    let (old, new, name) = texts;
    let shown = diff(old, new, name, &Styles::plain());
    assert_eq!(shown.is_empty(), old == new);
    wait4_strace_fuzz::check(&shown);
});
