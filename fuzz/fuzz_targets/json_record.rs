//! A record in JSON lines, of which the first is one: what is behind it is
//! anything.
#![no_main]

use libfuzzer_sys::fuzz_target;

const START: &[u8] = br#"{"v":1,"type":"start","tracer":"","command":["a"],"attached":[],"kernel":"","arch":"x86_64","began":"2026-01-01T00:00:00Z","sees":{"children":true,"restart_outcomes":true,"proc":true}}
"#;

fuzz_target!(|bytes: &[u8]| {
    // With a first line of its own, as a seed has it, or with ours.
    if bytes.starts_with(b"{\"v\"") {
        wait4_strace_fuzz::read(bytes);
    } else {
        wait4_strace_fuzz::read(&[START, bytes].concat());
    }
});
