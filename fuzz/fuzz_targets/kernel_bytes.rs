//! A siginfo and a rusage of each ABI, from as many bytes as there are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wait4_strace::kernel::{Rusage, RusageLayout, SigInfo, SiginfoLayout};

fuzz_target!(|bytes: &[u8]| {
    for layout in [
        SiginfoLayout::Bits64,
        SiginfoLayout::Bits32,
        SiginfoLayout::X32,
    ] {
        let info = SigInfo::from_bytes(layout, bytes);
        assert!(info.is_some() || bytes.len() < 48, "{layout:?}");
        let Some(info) = info else { continue };
        let mut shown = String::new();
        info.write_with(&mut shown, &mut |to, pid| write!(to, "{pid}"), true)
            .expect("memory takes all");
        wait4_strace_fuzz::check(&shown);
        if let Some((pid, status)) = info.child() {
            assert_eq!(info.pid(), Some(pid));
            wait4_strace_fuzz::check(&status.to_string());
        }
    }
    for (layout, size) in [(RusageLayout::Bits64, 144), (RusageLayout::Bits32, 72)] {
        let usage = Rusage::from_bytes(layout, bytes);
        assert_eq!(usage.is_some(), bytes.len() >= size, "{layout:?}");
    }
});
