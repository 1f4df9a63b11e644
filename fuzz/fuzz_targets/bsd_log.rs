//! A log of truss's, or a listing of kdump's.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wait4_strace_fuzz::read(bytes));
