//! Compression and encodings.

use std::io::{self, BufRead, BufReader, Cursor, Error, ErrorKind, Read};

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::cut::{Flag, Watched, Whole};

/// How deep packing may be nested.
const MOST_LAYERS: usize = 3;
/// What may stand before the first character of a text in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// An input as UTF-8 that is not compressed.
pub(super) struct Unpacked {
    pub(super) input: Box<dyn Read>,
    /// What was undone for that.
    pub(super) undone: Vec<&'static str>,
    /// Whether the end is missing of what was packed in this way; known at the end.
    pub(super) cut: Vec<(&'static str, Flag)>,
}

/// Undo compression and encodings.
pub(super) fn unpacked(mut input: Box<dyn Read>) -> io::Result<Unpacked> {
    let (mut undone, mut cut) = (Vec::new(), Vec::new());
    for _ in 0..MOST_LAYERS {
        let mut begin = Vec::new();
        (&mut input).take(6).read_to_end(&mut begin)?;
        let mut rest: Box<dyn Read> = Box::new(Cursor::new(begin.clone()).chain(input));
        let packing = match begin[..] {
            [b'B', b'Z', b'h', ..] => return Err(packed("bzip2 -dc")),
            _ if packing(&begin).is_some() => packing(&begin).unwrap_or_default(),
            [0xff, 0xfe, ..] | [b'\x20'..=b'\x7e', 0, _, 0, ..] => {
                undone.push("UTF-16");
                rest = Box::new(Utf16::new(rest, u16::from_le_bytes));
                ""
            }
            [0xfe, 0xff, ..] | [0, b'\x20'..=b'\x7e', 0, ..] => {
                undone.push("UTF-16");
                rest = Box::new(Utf16::new(rest, u16::from_be_bytes));
                ""
            }
            _ if begin.starts_with(BOM) => {
                // Editors put it there, and it means nothing.
                rest.read_exact(&mut [0; BOM.len()])?;
                ""
            }
            _ => "",
        };
        input = rest;
        if packing.is_empty() {
            break;
        }
        let (watched, is_over) = Watched::new(input);
        let (whole, is_cut) = Whole::new(unpacker(packing, watched), is_over);
        undone.push(packing);
        cut.push((packing, is_cut));
        input = Box::new(whole);
    }
    Ok(Unpacked { input, undone, cut })
}

/// By which program a file is packed that begins so.
fn packing(begin: &[u8]) -> Option<&'static str> {
    match begin {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some("zstd"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some("xz"),
        _ => None,
    }
}

/// Whether a file that begins so is packed.
pub(super) fn is_packed(begin: &[u8]) -> bool {
    packing(begin).is_some() || begin.starts_with(b"BZh9")
}

/// What reads an input that is packed in this way.
fn unpacker(packing: &str, input: Watched<Box<dyn Read>>) -> Box<dyn Read> {
    match packing {
        "gzip" => Box::new(MultiGzDecoder::new(input)),
        "zstd" => Box::new(Zstd {
            input: BufReader::new(input),
            frame: FrameDecoder::new(),
            broken: None,
        }),
        _ => Box::new(XzReader::new(input, true)),
    }
}

fn packed(program: &str) -> Error {
    let why = format!("it is compressed; {program} FILE | wait4-strace --read - reads it");
    Error::new(ErrorKind::InvalidData, why)
}

/// All frames of zstd, one behind the other: the crate's own reader ends with the first.
struct Zstd<R> {
    input: BufReader<R>,
    frame: FrameDecoder,
    /// Why the frame cannot be decoded further; what was is handed out first.
    broken: Option<Error>,
}

/// A block that ends a frame: the last, raw, and empty.
const LAST_BLOCK: [u8; 3] = [1, 0, 0];

impl<R: Read> Zstd<R> {
    /// Begin the next frame that is not to be skipped; `false` if there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match self.frame.reset(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = (&mut self.input).take(length.into());
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(error) => return Err(Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.frame.read(to)?;
            if count > 0 || to.is_empty() {
                return Ok(count);
            }
            if let Some(error) = self.broken.take() {
                return Err(error);
            }
            let one = || BlockDecodingStrategy::UptoBlocks(1);
            if !self.frame.is_finished() {
                if let Err(error) = self.frame.decode_blocks(&mut self.input, one()) {
                    self.broken = Some(Error::other(error));
                    // What later blocks might refer to is kept until the last.
                    let _ = self.frame.decode_blocks(&LAST_BLOCK[..], one());
                }
            } else if !self.begin()? {
                return Ok(0);
            }
        }
    }
}

/// UTF-16 as UTF-8.
struct Utf16<R> {
    input: BufReader<R>,
    unit: fn([u8; 2]) -> u16,
    /// The first half of a pair of units.
    high: Option<u16>,
    /// What was decoded and not handed out.
    ready: Cursor<Vec<u8>>,
}

impl<R: Read> Utf16<R> {
    fn new(input: R, unit: fn([u8; 2]) -> u16) -> Utf16<R> {
        Utf16 {
            input: BufReader::new(input),
            unit,
            high: None,
            ready: Cursor::default(),
        }
    }

    /// Decode what is buffered. `false` at the end.
    fn decode(&mut self) -> io::Result<bool> {
        let mut units: Vec<u16> = self.high.take().into_iter().collect();
        let bytes = self.input.fill_buf()?;
        let mut pair = [0; 2];
        let used = if bytes.len() < 2 {
            if self.input.read(&mut pair[..1])? == 0 {
                return Ok(false);
            }
            // An odd byte at the end means nothing.
            if self.input.read(&mut pair[1..])? == 0 {
                return Ok(false);
            }
            units.push((self.unit)(pair));
            0
        } else {
            let (pairs, _) = bytes.as_chunks::<2>();
            units.extend(pairs.iter().map(|pair| (self.unit)(*pair)));
            pairs.len() * 2
        };
        self.input.consume(used);
        self.high = units.pop_if(|last| (0xd800..0xdc00).contains(last));
        let mut text = String::new();
        for char in char::decode_utf16(units) {
            let char = char.unwrap_or(char::REPLACEMENT_CHARACTER);
            if char != '\u{feff}' {
                text.push(char);
            }
        }
        self.ready = Cursor::new(text.into_bytes());
        Ok(true)
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.ready.read(to)?;
            if count > 0 || to.is_empty() || !self.decode()? {
                return Ok(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const XZ: &[u8] =
        b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\
        \x2f\xe5\xa3\x01\x00\x04\x77\x61\x69\x74\x34\x00\x00\x00\x00\x2b\xa8\x78\xd4\x51\x93\
        \xdc\x4a\x00\x01\x1d\x05\xb8\x2d\x80\xaf\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\
        \x5a";

    fn read(bytes: &[u8]) -> (Vec<u8>, Vec<&'static str>) {
        let input = Box::new(Cursor::new(bytes.to_vec()));
        let Unpacked {
            mut input, undone, ..
        } = unpacked(input).unwrap_or_else(|error| Unpacked {
            input: Box::new(Cursor::new(error.to_string().into_bytes())),
            undone: vec!["error"],
            cut: Vec::new(),
        });
        let mut text = Vec::new();
        let _ = input.read_to_end(&mut text);
        (text, undone)
    }

    #[test]
    fn utf_16_of_either_order_is_text_again() {
        let text = "wait4(-1) = 7 \u{1f600}\n";
        let of = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
            units.flat_map(order).collect()
        };
        for bytes in [of(u16::to_le_bytes), of(u16::to_be_bytes)] {
            assert_eq!(read(&bytes), (text.as_bytes().to_vec(), vec!["UTF-16"]));
        }
        let no_mark: Vec<u8> = "ab".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&no_mark).0, b"ab");
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let _ = packed.write_all(text);
        packed.finish().unwrap_or_default()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        ruzstd::encoding::compress_to_vec(text, level)
    }

    /// As pzstd and rotated logs are: several packed files, one behind the other.
    #[test]
    fn what_was_compressed_in_parts_is_whole() {
        let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
        let long = "wait4(-1) = 7\n".repeat(40_000);
        let long = long.as_bytes();
        for (parts, name, text) in [
            (vec![gzip(long), gzip(b"end")], "gzip", [long, b"end"]),
            (vec![XZ.to_vec(), XZ.to_vec()], "xz", [b"wait4", b"wait4"]),
            (vec![zstd(long), zstd(b"end")], "zstd", [long, b"end"]),
            (
                vec![
                    skippable.to_vec(),
                    zstd(b""),
                    zstd(b"wait4"),
                    skippable.to_vec(),
                    zstd(long),
                    skippable.to_vec(),
                ],
                "zstd",
                [b"wait4", long],
            ),
        ] {
            assert!(
                read(&parts.concat()) == (text.concat(), vec![name]),
                "{name}"
            );
        }
    }

    #[test]
    fn a_broken_part_is_an_error_and_not_the_end() {
        let packed = [zstd(b"a"), b"rest".to_vec()].concat();
        let read = unpacked(Box::new(Cursor::new(packed))).and_then(|mut unpacked| {
            let mut text = Vec::new();
            unpacked.input.read_to_end(&mut text)
        });
        assert!(read.is_err(), "{read:?}");
    }

    /// A text that does not pack well.
    fn varied(lines: usize) -> String {
        let line = |number: usize| {
            let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!("{number} wait4({mixed}, NULL, 0, NULL) = {mixed:x}\n")
        };
        (0..lines).map(line).collect()
    }

    #[test]
    fn of_a_file_that_is_cut_the_whole_lines_are_read_and_it_is_noted() {
        let text = varied(20_000);
        for (packed, name) in [
            (gzip(text.as_bytes()), "gzip"),
            (zstd(text.as_bytes()), "zstd"),
        ] {
            for missing in [packed.len() / 2, 300, 1, 0] {
                let part = packed.get(..packed.len() - missing).unwrap_or_default();
                let Ok(mut unpacked) = unpacked(Box::new(Cursor::new(part.to_vec()))) else {
                    panic!("{name}");
                };
                let mut read = String::new();
                let is_read = unpacked.input.read_to_string(&mut read);
                assert!(is_read.is_ok(), "{name} {missing}: {is_read:?}");
                let is_begin = text.starts_with(&read) && read.ends_with('\n');
                assert!(is_begin && read.len() > text.len() / 4, "{name} {missing}");
                let is_cut = unpacked.cut.iter().any(|(_, cut)| cut.is_set());
                assert_eq!(is_cut, missing > 0, "{name} {missing}");
            }
        }
        let (part, _) = XZ.split_at(XZ.len() - 12);
        assert_eq!(read(part), (vec![], vec!["xz"]));
    }

    #[test]
    fn what_is_compressed_is_unpacked_or_refused_with_the_way() {
        assert_eq!(read(&gzip(b"wait4")), (b"wait4".to_vec(), vec!["gzip"]));
        assert_eq!(read(&zstd(b"wait4")), (b"wait4".to_vec(), vec!["zstd"]));
        // Of `printf wait4 | xz`.
        assert_eq!(read(XZ), (b"wait4".to_vec(), vec!["xz"]));
        let (why, _) = read(b"BZh91AY");
        assert!(why.starts_with(b"it is compressed; bzip2 -dc"));
        assert_eq!(read(b"\xef\xbb\xbfa"), (b"a".to_vec(), vec![]));
        assert_eq!(read(b"a"), (b"a".to_vec(), vec![]));
        assert_eq!(read(b""), (vec![], vec![]));
    }
}
