//! Names of code addresses of an ELF file: functions, source files and lines, from its
//! debug information and its symbols, or those in its separate debug file.

use std::convert::Infallible;
use std::fs::File;
use std::sync::Arc;

use addr2line::Context;
use gimli::{Dwarf, EndianReader, RunTimeEndian, SectionId};
use object::Object as _;
use rustc_hash::FxHashSet;

use super::budget::{NAMES, Reserved};
use super::demangle::demangled;
use super::elf::{Bytes as FileBytes, Elf};
use super::file;
use super::symbols::Symbols;
use crate::event::Function;

type Bytes = EndianReader<RunTimeEndian, Arc<[u8]>>;

/// Limit in bytes for the line program of one source file: its parsed form is many
/// times as large.
const MOST_OF_LINES: usize = 4 << 20;
/// Estimated bytes in memory for a byte of a line program and for a byte of a unit's
/// other information, and the overhead of each unit.
const LINE: u64 = 24;
const ENTRY: u64 = 2;
const UNIT: u64 = 512;
/// Limit for the source files of a program.
const MOST_UNITS: u64 = 100_000;

/// The names in one file.
pub(super) struct Names {
    symbols: Symbols,
    lines: Option<Lines>,
    reserved: Reserved,
}

/// Its debug information.
struct Lines {
    context: Context<Bytes>,
    /// The units whose lines were parsed.
    read: FxHashSet<usize>,
}

impl Default for Names {
    fn default() -> Names {
        Names {
            symbols: Symbols::default(),
            lines: None,
            reserved: NAMES.nothing(),
        }
    }
}

impl Names {
    /// Reads the names of the file with this path, as far as they fit the budget.
    pub(super) fn read(file: &Arc<File>, path: &[u8]) -> Names {
        let mut names = Names::default();
        let bytes = FileBytes::new(Arc::clone(file));
        if let Some(elf) = Elf::parse(&bytes, file) {
            names.add(&elf, path);
            if names.lines.is_none()
                && let Some(other) = debug_file(&elf, path).map(Arc::new)
            {
                let bytes = FileBytes::new(Arc::clone(&other));
                if let Some(other) = Elf::parse(&bytes, &other) {
                    names.add(&other, path);
                }
            }
        }
        names.symbols.sort();
        names
    }

    fn add(&mut self, elf: &Elf<'_>, path: &[u8]) {
        self.symbols.add(elf, &mut self.reserved);
        let context = lines(elf, path, &mut self.reserved);
        self.lines = context.map(|context| Lines {
            context,
            read: FxHashSet::default(),
        });
    }

    /// Whether there are more than fit the budget.
    pub(super) fn are_cut(&self) -> bool {
        self.reserved.was_refused()
    }

    /// The functions at an address, the innermost first. They are looked up by `within`,
    /// which is inside of the call instruction; offsets are relative to `address`.
    pub(super) fn at(&mut self, within: u64, address: u64) -> Vec<Function> {
        let mut functions = Vec::new();
        if let Some(lines) = &mut self.lines {
            functions = frames(&lines.context, within);
            if lines.count(within, &mut self.reserved).is_none() {
                // The rest would need too much memory.
                self.lines = None;
            }
        }
        let Some((name, start)) = self.symbols.find(within) else {
            return functions;
        };
        if functions.is_empty() {
            functions.push(Function::default());
        }
        if let Some(last) = functions.last_mut() {
            last.offset = Some(address.wrapping_sub(start));
            // glibc's internal aliases hide the public names.
            let is_alias = |name: &String| name.starts_with("__GI_");
            if last.name.as_ref().is_none_or(is_alias) {
                last.name = Some(demangled(name));
            }
        }
        functions
    }
}

impl Lines {
    /// Adds the memory for the lines around this address to the budget; `None` if that is
    /// more than is available.
    fn count(&mut self, address: u64, reserved: &mut Reserved) -> Option<()> {
        let unit = self.context.find_dwarf_and_unit(address).skip_all_loads();
        let Some(unit) = unit else {
            return Some(());
        };
        let offset = unit.header.debug_info_offset().map_or(0, |offset| offset.0);
        if !self.read.insert(offset) {
            return Some(());
        }
        let lines = unit.line_program.as_ref();
        let lines = lines.map_or(0, |lines| lines.header().raw_program_buf().len());
        let entries = unit.header.length_including_self();
        reserved.add(lines as u64 * LINE + entries as u64 * ENTRY)
    }
}

/// The functions by the debug information.
fn frames(lines: &Context<Bytes>, address: u64) -> Vec<Function> {
    let mut functions = Vec::new();
    let Ok(mut frames) = lines.find_frames(address).skip_all_loads() else {
        return functions;
    };
    while let Ok(Some(frame)) = frames.next() {
        let name = frame.function.as_ref();
        let name = name.and_then(|name| Some(demangled(&name.raw_name().ok()?)));
        let place = frame.location.as_ref();
        functions.push(Function {
            name,
            offset: None,
            file: place.and_then(|place| place.file).map(str::to_owned),
            line: place.and_then(|place| place.line).filter(|line| *line > 0),
        });
    }
    functions
}

/// The debug information of a file, if it has any that fits the budget.
fn lines(elf: &Elf<'_>, path: &[u8], reserved: &mut Reserved) -> Option<Context<Bytes>> {
    elf.file.section_by_name(".debug_info")?;
    let mut dwarf = dwarf(elf, reserved)?;
    // dwz moves what several files share into another file.
    if let Ok(Some((link, _))) = elf.file.gnu_debugaltlink()
        && let Some(common) = file::open_common(path, link).map(Arc::new)
    {
        let bytes = FileBytes::new(Arc::clone(&common));
        if let Some(common) = Elf::parse(&bytes, &common) {
            dwarf.set_sup(self::dwarf(&common, reserved)?);
        }
    }
    Context::from_dwarf(dwarf).ok()
}

/// The debug information that is needed for names; `None` if it does not fit the
/// budget, or would expand to more than it seems.
fn dwarf(elf: &Elf<'_>, reserved: &mut Reserved) -> Option<Dwarf<Bytes>> {
    let endian = if elf.file.is_little_endian() {
        RunTimeEndian::Little
    } else {
        RunTimeEndian::Big
    };
    let mut load = |section: SectionId| {
        let bytes = is_needed(section).then(|| elf.section(section.name(), reserved));
        let bytes = bytes.flatten().unwrap_or_else(|| Arc::from([].as_slice()));
        let is_large = section == SectionId::DebugLine && longest_program(&bytes) > MOST_OF_LINES;
        let bytes = if is_large {
            Arc::from([].as_slice())
        } else {
            bytes
        };
        Ok::<_, Infallible>(EndianReader::new(bytes, endian))
    };
    let Ok(dwarf) = Dwarf::load(&mut load);
    let mut units = dwarf.units();
    let mut count = 0;
    while let Ok(Some(_)) = units.next() {
        count += 1;
    }
    if count > MOST_UNITS {
        return None;
    }
    reserved.add(count * UNIT)?;
    Some(dwarf)
}

/// Variables and macros are not needed.
fn is_needed(section: SectionId) -> bool {
    matches!(
        section,
        SectionId::DebugAbbrev
            | SectionId::DebugAddr
            | SectionId::DebugAranges
            | SectionId::DebugInfo
            | SectionId::DebugLine
            | SectionId::DebugLineStr
            | SectionId::DebugStr
            | SectionId::DebugStrOffsets
            | SectionId::DebugTypes
            | SectionId::DebugRanges
            | SectionId::DebugRngLists
    )
}

/// The length of the longest line program, by the lengths in their headers.
fn longest_program(lines: &[u8]) -> usize {
    const WIDE: u32 = u32::MAX;
    let mut rest = lines;
    let mut longest = 0;
    while let Some((head, behind)) = rest.split_first_chunk() {
        let (length, behind) = match u32::from_le_bytes(*head) {
            WIDE => match behind.split_first_chunk() {
                Some((length, behind)) => (u64::from_le_bytes(*length), behind),
                None => break,
            },
            length => (u64::from(length), behind),
        };
        let length = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(behind.len());
        longest = longest.max(length);
        rest = behind.get(length..).unwrap_or_default();
    }
    longest
}

/// The separate debug file.
fn debug_file(elf: &Elf<'_>, path: &[u8]) -> Option<File> {
    let by_id = elf.file.build_id().ok().flatten();
    by_id.and_then(file::open_debug_by_id).or_else(|| {
        let (link, _) = elf.file.gnu_debuglink().ok().flatten()?;
        file::open_debug_by_link(path, link)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_line_program_is_found() {
        let program = |length: u32| {
            let body = vec![0; length as usize];
            [&length.to_le_bytes()[..], &body].concat()
        };
        let wide = [&u32::MAX.to_le_bytes()[..], &7u64.to_le_bytes(), &[0; 7]].concat();
        let all = [program(3), wide, program(5)].concat();
        assert_eq!(longest_program(&all), 7);
        assert_eq!(longest_program(&all[..25]), 6);
        assert_eq!(longest_program(&all[..20]), 3);
        assert_eq!(longest_program(&program(3)[..6]), 2);
        assert_eq!(longest_program(&[0xff; 8]), 0);
        assert_eq!(longest_program(&[]), 0);
    }
}
