//! Tests on randomly corrupted ELF files: they are read without a panic and without
//! an endless loop.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::file;
use super::maps::Source;
use super::names::Names;
use super::object::Objects;
use super::registers::Registers;
use super::unwind::Callee;
use crate::sys::registers::DwarfRegisters;

/// A pseudo-random generator (Knuth's constants).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 11
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll()).unwrap() % end.max(1)
    }
}

/// A program with debug information, if there is a compiler; else one without.
fn program() -> Vec<u8> {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("program");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stacks/job.c");
    let built = Command::new("gcc")
        .args(["-g", "-O2", "-o"])
        .arg(&path)
        .arg(source)
        .status();
    let is_built = built.is_ok_and(|status| status.success());
    std::fs::read(if is_built {
        &path
    } else {
        Path::new("/bin/true")
    })
    .unwrap()
}

/// Changes a few bytes: anywhere, or in the headers, where they matter most.
fn broken(whole: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=dice.below(12) {
        let headers = bytes.len().min(1024);
        let at = match dice.below(4) {
            0 => dice.below(headers),
            1 => bytes.len() - 1 - dice.below(4096.min(bytes.len())),
            _ => dice.below(bytes.len()),
        };
        let edges = [0, 1, 0x7f, 0x80, 0xff];
        let any = dice.roll().to_le_bytes()[0];
        bytes[at] = edges.get(dice.below(8)).copied().unwrap_or(any);
    }
    if dice.below(10) == 0 {
        bytes.truncate(dice.below(whole.len()));
    }
    bytes
}

#[test]
fn broken_files_are_read_without_harm() {
    let whole = program();
    let mut dice = Dice(1);
    let mut read = 0;
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("broken");
    for round in 0..400 {
        std::fs::write(&path, broken(&whole, &mut dice)).unwrap();
        let (file, identity) = file::open_regular(&path).unwrap();
        let file = Arc::new(file);
        let source = Source {
            path: Arc::from(b"/nowhere/program".as_slice()),
            inode: round,
        };
        let Some(object) = Objects::default().read(&file, &source, identity) else {
            continue;
        };
        let mut names = Names::read(&file, &source.path);
        for _ in 0..200 {
            let address = dice.roll() % 0x6000;
            names.at(address, address);
            object.address_at(address & !0xfff);
            let at_stop = if round % 2 == 0 {
                DwarfRegisters::X86_64(std::array::from_fn(|_| dice.roll()))
            } else {
                DwarfRegisters::Aarch64(std::array::from_fn(|_| dice.roll()))
            };
            let registers = Registers::new(&at_stop);
            let word = dice.roll();
            let callee = Callee {
                registers: &registers,
                memory: &|_| Some(word),
                has_called: dice.below(2) == 0,
            };
            object.info.step(address, &callee);
            object.info.knows(address);
        }
        read += 1;
    }
    assert!(read > 50, "most are no files at all any more");
}
