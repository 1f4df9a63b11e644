//! Where the fields of CPython's structures lie.
//!
//! From 3.13 on the interpreter says so itself: `_PyRuntime` begins with a
//! `_Py_DebugOffsets` (CPython's `Include/internal/pycore_debug_offsets.h`). For 3.11
//! and 3.12 they are known, and the same in all releases of these; what is read by
//! them is checked by the types of the objects.

use super::reader::{Block, Reader};

/// Offsets of fields, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) interpreters_head: u64,
    pub(super) interpreter: Interpreter,
    pub(super) thread: Thread,
    pub(super) frame: Frame,
    pub(super) code: Code,
    pub(super) object_type: u64,
    /// The length of a bytes object, and of the code units of a code object.
    pub(super) object_size: u64,
    pub(super) bytes_data: u64,
    pub(super) text: Text,
}

/// Of an interpreter's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interpreter {
    pub(super) next: u64,
    pub(super) threads_head: u64,
}

/// Of a thread's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thread {
    pub(super) next: u64,
    pub(super) interpreter: u64,
    pub(super) current: Current,
}

/// How a thread's current frame is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Current {
    /// In the thread's state.
    Frame(u64),
    /// By a structure on the C stack (`_PyCFrame`), to which the thread's state points.
    Evaluation {
        pointer: u64,
        current: u64,
        previous: u64,
    },
}

/// Of a frame of the interpreter (`_PyInterpreterFrame`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) size: u64,
    pub(super) code: u64,
    /// The low bits of the pointer to the code are not a part of it.
    pub(super) is_tagged: bool,
    pub(super) previous: u64,
    pub(super) instruction: u64,
    pub(super) border: Border,
}

/// How a frame is known with which an evaluation on the C stack began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Border {
    /// A flag in the first frame of a script that it executes (3.11).
    Flag(u64),
    /// An own frame on the C stack, known by its owner (from 3.12 on).
    Owner(u64),
}

/// Of a code object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) file: u64,
    pub(super) name: u64,
    pub(super) lines: u64,
    pub(super) first_line: u64,
    /// The code units, which end it.
    pub(super) units: u64,
}

/// Of a string object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) length: u64,
    pub(super) state: u64,
    /// Where the characters begin: of a string in ASCII, and of another.
    pub(super) ascii: u64,
    pub(super) compact: u64,
}

/// The words of `_Py_DebugOffsets` that are read.
const WORDS: usize = 96;
const COOKIE: &[u8] = b"xdebugpy";
/// No structure is that large, but those of the runtime and of an interpreter.
const LARGE: u64 = 4096;
const HUGE: u64 = 1 << 24;

/// The fields of `PyObject`, `PyVarObject` and `PyBytesObject` in builds with a global
/// lock.
const OBJECT_TYPE: u64 = 8;
const OBJECT_SIZE: u64 = 16;
const BYTES_DATA: u64 = 32;

impl Layout {
    /// The layout of an interpreter with this runtime structure, whose own word for its
    /// version (`Py_Version`) is `version`. `None` if it is not known.
    pub(super) fn of(reader: &Reader<'_>, runtime: u64, version: u64) -> Option<Layout> {
        // The last byte is the release level: no layout is final before a candidate.
        let is_final = matches!(version >> 4 & 0xf, 0xc | 0xf);
        match (version >> 16, is_final) {
            (0x030b, true) => Some(Layout::of_3_11()),
            (0x030c, true) => Some(Layout::of_3_12()),
            (0x030d | 0x030e, true) => {
                Layout::described(&reader.block(runtime, WORDS * 8)?, version)
            }
            _ => None,
        }
    }

    fn of_3_11() -> Layout {
        Layout {
            interpreters_head: 40,
            interpreter: Interpreter {
                next: 0,
                threads_head: 16,
            },
            thread: Thread {
                next: 8,
                interpreter: 16,
                current: Current::Evaluation {
                    pointer: 56,
                    current: 8,
                    previous: 16,
                },
            },
            frame: Frame {
                size: 80,
                code: 32,
                is_tagged: false,
                previous: 48,
                instruction: 56,
                border: Border::Flag(68),
            },
            code: Code {
                file: 112,
                name: 128,
                lines: 136,
                first_line: 72,
                units: 184,
            },
            object_type: OBJECT_TYPE,
            object_size: OBJECT_SIZE,
            bytes_data: BYTES_DATA,
            text: Text {
                length: 16,
                state: 32,
                ascii: 48,
                compact: 72,
            },
        }
    }

    fn of_3_12() -> Layout {
        Layout {
            interpreters_head: 40,
            interpreter: Interpreter {
                next: 0,
                threads_head: 72,
            },
            thread: Thread {
                next: 8,
                interpreter: 16,
                current: Current::Evaluation {
                    pointer: 56,
                    current: 0,
                    previous: 8,
                },
            },
            frame: Frame {
                size: 80,
                code: 0,
                is_tagged: false,
                previous: 8,
                instruction: 56,
                border: Border::Owner(70),
            },
            code: Code {
                file: 112,
                name: 128,
                lines: 136,
                first_line: 68,
                units: 192,
            },
            object_type: OBJECT_TYPE,
            object_size: OBJECT_SIZE,
            bytes_data: BYTES_DATA,
            text: Text {
                length: 16,
                state: 32,
                ascii: 40,
                compact: 56,
            },
        }
    }

    /// The layout as `_Py_DebugOffsets` describes it, if that is one of this version.
    fn described(offsets: &Block, version: u64) -> Option<Layout> {
        if !offsets.bytes().starts_with(COOKIE) || offsets.word(8)? != version {
            return None;
        }
        let is_3_14 = version >> 16 == 0x030e;
        // The first word of each group is the size of the structure. 3.14 has more words.
        let [interpreter, thread, frame, code, object, bytes, text] = if is_3_14 {
            [6, 22, 31, 39, 50, 74, 77]
        } else {
            [6, 19, 28, 34, 44, 64, 67]
        };
        let field = |group: u64, index: u64, most: u64| {
            let size = offsets.word(8 * group)?;
            let at = offsets.word(8 * (group + index))?;
            (size <= most && at.checked_add(8)? <= size.checked_add(8)?).then_some(at)
        };
        let of_object = |group, index| field(group, index, LARGE);
        let ascii = offsets.word(8 * (text + 3)).filter(|size| *size < 256)?;
        Some(Layout {
            interpreters_head: field(3, 2, HUGE)?,
            interpreter: Interpreter {
                next: field(interpreter, 2, HUGE)?,
                threads_head: field(interpreter, 3, HUGE)?,
            },
            thread: Thread {
                next: of_object(thread, 2)?,
                interpreter: of_object(thread, 3)?,
                current: Current::Frame(of_object(thread, 4)?),
            },
            frame: Frame {
                size: offsets.word(8 * frame).filter(|size| *size <= LARGE)?,
                code: of_object(frame, 2)?,
                is_tagged: is_3_14,
                previous: of_object(frame, 1)?,
                instruction: of_object(frame, 3)?,
                border: Border::Owner(of_object(frame, 5)?),
            },
            code: Code {
                file: of_object(code, 1)?,
                name: of_object(code, 3)?,
                lines: of_object(code, 4)?,
                first_line: of_object(code, 5)?,
                units: of_object(code, 9)?,
            },
            object_type: of_object(object, 1)?,
            object_size: offsets.word(8 * object).filter(|size| *size <= LARGE)?,
            bytes_data: of_object(bytes, 2)?,
            text: Text {
                length: of_object(text, 2)?,
                state: of_object(text, 1)?,
                ascii,
                // Behind it are the length of the string in UTF-8, and a pointer to it.
                compact: ascii + 16,
            },
        })
    }
}

/// The description that an interpreter of this version has, on x86-64: that of CPython
/// 3.13.0, or one in the order of 3.14.
#[cfg(test)]
pub(super) fn description(version: u64) -> Vec<u64> {
    let is_3_14 = version >> 16 == 0x030e;
    let later = |words: &[u64]| if is_3_14 { words.to_vec() } else { Vec::new() };
    let cookie = COOKIE
        .first_chunk()
        .map_or(0, |cookie| u64::from_le_bytes(*cookie));
    let head = if is_3_14 { 856 } else { 632 };
    let groups = [
        vec![cookie, version, 0],
        vec![283_320, 600, head],
        vec![221_872, 7272, 7264, 7344],
        later(&[7352]),
        vec![7720, 7688, 7696, 7704, 8, 9, 0, 10, 11],
        later(&[12, 0]),
        vec![368, 0, 8, 16, 72, 152, 160, 232, 32],
        vec![88, 8, 0, 56, 72, 70],
        later(&[64, 0]),
        vec![216, 112, 120, 128, 136, 68, 52, 96, 104, 200],
        later(&[0]),
        vec![16, 8],
        vec![416, 24, 88, 168],
        vec![32, 24, 16],
        vec![40, 24, 16],
        later(&[200, 24, 40, 32]),
        vec![48, 32, 40],
        vec![24, 16],
        vec![32, 16, 24],
        vec![40, 16, 32],
        vec![64, 32, 16, 40],
    ];
    let mut words = groups.concat();
    words.resize(WORDS, 0);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: u64 = 0x030d_00f0;

    fn layout(words: &[u64], version: u64) -> Option<Layout> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let memory = |at: u64, to: &mut [u8]| {
            let from = usize::try_from(at.checked_sub(0x1000)?).ok()?;
            to.copy_from_slice(bytes.get(from..from + to.len())?);
            Some(())
        };
        Layout::of(&Reader::new(&memory), 0x1000, version)
    }

    #[test]
    fn the_interpreters_own_description_is_read() {
        let layout = layout(&description(VERSION), VERSION).unwrap();
        assert_eq!(layout.interpreters_head, 632);
        assert_eq!(layout.interpreter.threads_head, 7344);
        assert_eq!(layout.thread.current, Current::Frame(72));
        assert_eq!(layout.frame.border, Border::Owner(70));
        assert_eq!(
            (layout.frame.code, layout.frame.previous),
            (0, 8),
            "{layout:?}"
        );
        assert_eq!((layout.code.name, layout.code.units), (128, 200));
        assert_eq!((layout.object_size, layout.bytes_data), (16, 32));
        let text = [layout.text.state, layout.text.ascii, layout.text.compact];
        assert_eq!(text, [32, 40, 56]);
    }

    #[test]
    fn the_groups_of_3_14_are_longer() {
        let version = 0x030e_01f0;
        let later = layout(&description(version), version).unwrap();
        let mut expected = layout(&description(VERSION), VERSION).unwrap();
        expected.interpreters_head = 856;
        expected.frame.is_tagged = true;
        assert_eq!(later, expected);
    }

    #[test]
    fn a_description_of_something_else_is_not_believed() {
        let changed = |index: usize, word: u64| {
            let mut words = description(VERSION);
            words[index] = word;
            layout(&words, VERSION)
        };
        assert!(changed(4, 0).is_some());
        assert_eq!(changed(0, 1), None, "another cookie");
        assert_eq!(changed(1, VERSION + 0x100), None, "another version");
        assert_eq!(changed(23, 400), None, "a field behind its structure");
        assert_eq!(changed(23, u64::MAX), None);
        assert_eq!(changed(28, 1 << 20), None, "a frame that large");
        // A version that is not known, and one whose layout is not final.
        for version in [0x030a_04f0, 0x030f_00f0, 0x030d_00a3, 0] {
            let mut words = description(VERSION);
            words[1] = version;
            assert_eq!(layout(&words, version), None, "{version:#x}");
        }
        assert!(
            layout(&[], 0x030b_07f0).is_some(),
            "it needs no description"
        );
        assert_eq!(layout(&[], VERSION), None);
    }
}
