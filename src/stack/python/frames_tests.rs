//! Tests of the reading of an interpreter on made-up memory, in the layouts of each
//! version.

use std::collections::BTreeMap;

use super::super::layout::description;
use super::*;

/// Memory that is made of words.
#[derive(Clone, Default)]
struct Image(BTreeMap<u64, u8>);

impl Image {
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        self.0.extend((at..).zip(bytes.iter().copied()));
    }

    fn word(&mut self, at: u64, word: u64) {
        self.bytes(at, &word.to_le_bytes());
    }

    fn half(&mut self, at: u64, half: u32) {
        self.bytes(at, &half.to_le_bytes());
    }

    /// Fills a buffer; bytes in between that were not set are 0.
    fn read(&self, at: u64, to: &mut [u8]) -> Option<()> {
        // There is no memory below the first page.
        at.checked_sub(0x1000)?;
        for (address, byte) in (at..).zip(to) {
            *byte = self.0.get(&address).copied().unwrap_or(0);
        }
        Some(())
    }
}

const SYMBOLS: Symbols = Symbols {
    runtime: 0x1_0000,
    version: 0x2_0000,
    code_type: 0x3_0000,
    text_type: 0x3_1000,
    bytes_type: 0x3_2000,
};

const INTERPRETER: u64 = 0x4_0000;
const THREAD: u64 = 0x5_0000;
const STRANGER: u64 = 0x5_1000;
/// The C stack: frames of 0x100 bytes.
const STACK: u64 = 0x7f_0000;
const POINTERS: [u64; 4] = [STACK, STACK + 0x100, STACK + 0x200, STACK + 0x300];

fn text(image: &mut Image, at: u64, text: &str, start: u64) {
    image.word(at + 8, SYMBOLS.text_type);
    image.word(at + 16, text.len() as u64);
    image.half(at + 32, 0x64);
    image.bytes(at + start, text.as_bytes());
}

/// A code object of a function with this name, whose instructions have lines of their
/// own from the first line on.
fn code(image: &mut Image, at: u64, name: &str, first: u32, layout: &Layout) -> u64 {
    let fields = &layout.code;
    image.word(at + 8, SYMBOLS.code_type);
    image.word(at + 16, 10);
    for (field, what, to) in [
        (fields.file, "/srv/job.py", 0x200),
        (fields.name, name, 0x300),
    ] {
        image.word(at + field, at + to);
        text(image, at + to, what, layout.text.ascii);
    }
    image.half(at + fields.first_line, first);
    image.word(at + fields.lines, at + 0x400);
    image.word(at + 0x408, SYMBOLS.bytes_type);
    image.word(at + 0x410, 30);
    // A line further, one code unit, no columns.
    image.bytes(at + 0x420, &[0x80 | 11 << 3, 1, 1].repeat(10));
    at
}

/// A frame that executes the third instruction of a code object.
fn frame(image: &mut Image, at: u64, code: u64, previous: u64, layout: &Layout) {
    let fields = &layout.frame;
    // From 3.14 on the pointer has a tag.
    image.word(
        at + fields.code,
        code | u64::from(fields.is_tagged && code != 0),
    );
    image.word(at + fields.previous, previous);
    image.word(at + fields.instruction, code + layout.code.units + 4);
}

/// An interpreter with two threads, of which the second has our stack: the C frame 1
/// executes `wait_for` and `job`, the C frame 2 `<module>`.
fn interpreter(version: u64, layout: &Layout) -> Image {
    let mut image = Image::default();
    image.word(SYMBOLS.version, version);
    for (at, word) in (SYMBOLS.runtime..).step_by(8).zip(described(version)) {
        image.word(at, word);
    }
    image.word(SYMBOLS.runtime + layout.interpreters_head, INTERPRETER);
    image.word(INTERPRETER + layout.interpreter.threads_head, STRANGER);
    for (thread, next) in [(STRANGER, THREAD), (THREAD, 0)] {
        image.word(thread + layout.thread.next, next);
        image.word(thread + layout.thread.interpreter, INTERPRETER);
    }
    let names = [
        (0x6_0000, "wait_for", 10),
        (0x6_1000, "job", 20),
        (0x6_2000, "<module>", 30),
    ];
    let codes = names.map(|(at, name, first)| code(&mut image, at, name, first, layout));
    let frames = [0x7_0000, 0x7_0100, 0x7_0200];
    let [inner, outer, module] = frames;
    let entries = [POINTERS[1] + 0x40, POINTERS[2] + 0x40];
    let links = match layout.frame.border {
        Border::Flag(flag) => {
            image.bytes(outer + flag, &[1]);
            image.bytes(module + flag, &[1]);
            [outer, module, 0]
        }
        Border::Owner(owner) => {
            for (entry, next) in entries.into_iter().zip([module, 0]) {
                frame(&mut image, entry, 0, next, layout);
                image.bytes(entry + owner, &[3]);
            }
            [outer, entries[0], entries[1]]
        }
    };
    for ((at, code), next) in frames.into_iter().zip(codes).zip(links) {
        frame(&mut image, at, code, next, layout);
    }
    match layout.thread.current {
        Current::Frame(at) => {
            image.word(THREAD + at, inner);
            // The other thread is on a stack of its own, or on none.
            image.word(STRANGER + at, 0);
        }
        Current::Evaluation {
            pointer,
            current,
            previous,
        } => {
            let evaluations = [POINTERS[1] + 0xc0, POINTERS[2] + 0xc0, THREAD + 0x200];
            image.word(THREAD + pointer, evaluations[0]);
            for (index, at) in [inner, module, 0].into_iter().enumerate() {
                image.word(evaluations[index] + current, at);
                let outer = evaluations.get(index + 1).copied().unwrap_or(0);
                image.word(evaluations[index] + previous, outer);
            }
            image.word(STRANGER + pointer, STACK + 0x10_0000);
            image.word(STACK + 0x10_0000 + current, inner);
        }
    }
    image
}

/// What the runtime says of its layout; nothing before 3.13.
fn described(version: u64) -> Vec<u64> {
    if version < 0x030d_0000 {
        return Vec::new();
    }
    description(version)
}

const V3_11: u64 = 0x030b_07f0;
const V3_12: u64 = 0x030c_01f0;

fn layouts() -> [(u64, Layout); 2] {
    [V3_11, V3_12].map(|version| {
        let nothing = |_: u64, _: &mut [u8]| None;
        (
            version,
            Layout::of(&Reader::new(&nothing), 0, version).unwrap(),
        )
    })
}

fn read_of(image: &Image, is_cut: bool, pointers: &[u64]) -> Option<Scripts> {
    let memory = |at: u64, to: &mut [u8]| image.read(at, to);
    let stack = CStack {
        pointers,
        end: STACK + 0x1000,
        is_cut,
    };
    read(&memory, &SYMBOLS, &stack)
}

/// In short: `1 wait_for:13`.
fn words(scripts: &Scripts) -> Vec<String> {
    let all = scripts.iter().flat_map(|(index, functions)| {
        functions.iter().map(move |function| {
            let line = function
                .line
                .map_or("?".to_owned(), |line| line.to_string());
            format!("{index} {}:{line}", function.name.as_deref().unwrap())
        })
    });
    all.collect()
}

#[test]
fn each_function_is_found_with_the_c_frame_that_executes_it() {
    for (version, layout) in layouts() {
        let image = interpreter(version, &layout);
        let scripts = read_of(&image, false, &POINTERS).unwrap();
        assert_eq!(
            words(&scripts),
            ["1 wait_for:13", "1 job:23", "2 <module>:33"]
        );
        assert_eq!(scripts[0].1[0].file.as_deref(), Some("/srv/job.py"));
    }
}

#[test]
fn what_does_not_fit_together_is_not_believed() {
    for (version, layout) in layouts() {
        let image = interpreter(version, &layout);
        let with = |at: u64, word: u64| {
            let mut image = image.clone();
            image.word(at, word);
            read_of(&image, false, &POINTERS)
        };
        assert!(with(0x8_0000, 0).is_some());
        let [inner, outer] = [0x7_0000, 0x7_0100].map(|frame| frame + layout.frame.previous);
        let head = SYMBOLS.runtime + layout.interpreters_head;
        let of_thread = THREAD + layout.thread.interpreter;
        let wrong = [
            ("another version", SYMBOLS.version, 0x030a_00f0),
            ("no interpreter", head, 0),
            ("a thread of another interpreter", of_thread, 7),
            ("code of another type", 0x6_1008, SYMBOLS.text_type),
            ("a name of another type", 0x6_1308, 1),
            ("a name as long as memory", 0x6_1310, u64::MAX),
            ("a frame nowhere", inner, 8),
            ("frames in a circle", outer, 0x7_0000),
        ];
        for (what, at, word) in wrong {
            assert_eq!(with(at, word), None, "{what}, {version:#x}");
        }
        // A thread that runs on a stack of another order, or on none that is known.
        let [a, b, c, d] = POINTERS;
        assert_eq!(read_of(&image, false, &[a, c, b, d]), None);
        assert_eq!(read_of(&image, false, &[]), None);
        assert_eq!(
            read_of(&image, false, &[STACK + 0x800]),
            None,
            "{version:#x}"
        );
    }
}

#[test]
fn one_function_alone_may_have_no_line() {
    for (version, layout) in layouts() {
        let mut image = interpreter(version, &layout);
        let instruction = 0x7_0000 + layout.frame.instruction;
        let first = 0x6_0000 + layout.code.units;
        let mut at = |address: u64| {
            image.word(instruction, address);
            let scripts = read_of(&image, false, &POINTERS).unwrap();
            scripts[0].1[0].line
        };
        assert_eq!(at(first), Some(11));
        assert_eq!(at(first - 2), Some(10), "it has not begun");
        assert_eq!(at(first + 18), Some(20));
        for outside in [first + 20, first - 4, 0, u64::MAX] {
            assert_eq!(at(outside), None, "{outside:#x}");
        }
        image.word(instruction, first);
        image.word(0x6_0408, 1);
        let scripts = read_of(&image, false, &POINTERS).unwrap();
        assert_eq!(
            words(&scripts)[0],
            "1 wait_for:?",
            "a table of another type"
        );
    }
}

#[test]
fn functions_beyond_the_known_c_frames_are_left_out() {
    for (version, layout) in layouts() {
        let image = interpreter(version, &layout);
        let scripts = read_of(&image, true, &POINTERS[..3]).unwrap();
        assert_eq!(words(&scripts), ["1 wait_for:13", "1 job:23"]);
        assert_eq!(read_of(&image, true, &POINTERS[..2]), Some(Vec::new()));
    }
}

#[test]
fn random_memory_is_read_within_the_limits() {
    for (version, layout) in layouts() {
        let image = interpreter(version, &layout);
        let mut state = 1_u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 33
        };
        let words: Vec<u64> = image.0.keys().map(|at| at & !7).collect();
        for _ in 0..200 {
            let mut image = image.clone();
            for _ in 0..=random() % 4 {
                let pick = |random: u64| words[usize::try_from(random).unwrap() % words.len()];
                let (at, to) = (pick(random()), pick(random()));
                image.word(at, if random() % 2 == 0 { to } else { random() });
            }
            // It ends, and does not panic.
            read_of(&image, random() % 2 == 0, &POINTERS);
        }
    }
}
