//! What the places in an ELF file's code are called: functions, source files
//! and lines, from its debug information and its symbols, or those that were
//! stripped from it into another file.

use std::borrow::Cow;
use std::sync::Arc;

use addr2line::{Context, demangle_auto};
use gimli::{Dwarf, EndianReader, RunTimeEndian, SectionId};
use object::{Object as _, ObjectSegment, ObjectSymbol, ReadCache, ReadRef, SymbolKind};

use super::file;
use super::object::bytes;
use crate::event::Function;

type Bytes = EndianReader<RunTimeEndian, Arc<[u8]>>;

/// Longer names are cut: those of templates can fill pages.
const MOST_OF_A_NAME: usize = 256;

/// The names in one file.
#[derive(Default)]
pub(super) struct Names {
    symbols: Symbols,
    lines: Option<Context<Bytes>>,
}

impl Names {
    /// Read the names of the file of this path.
    pub(super) fn read<'data, R: ReadRef<'data>>(
        file: &object::File<'data, R>,
        path: &[u8],
    ) -> Names {
        let mut symbols = Symbols::default();
        symbols.add(file);
        let mut lines = lines(file, path);
        let stripped = lines.is_none();
        if stripped && let Some(other) = debug_file(file, path) {
            let cache = ReadCache::new(other);
            if let Ok(other) = object::File::parse(&cache) {
                symbols.add(&other);
                lines = self::lines(&other, path);
            }
        }
        symbols.sort();
        Names { symbols, lines }
    }

    /// The functions at an address, the innermost first. It is looked up
    /// `within` the call; what is told is `address`.
    pub(super) fn at(&self, within: u64, address: u64) -> Vec<Function> {
        let lines = self.lines.as_ref();
        let mut functions = lines.map_or_else(Vec::new, |lines| frames(lines, within));
        let Some((name, start)) = self.symbols.find(within) else {
            return functions;
        };
        if functions.is_empty() {
            functions.push(Function::default());
        }
        if let Some(last) = functions.last_mut() {
            last.offset = Some(address.wrapping_sub(start));
            // glibc's aliases for its own use hide what everybody calls.
            let is_alias = |name: &String| name.starts_with("__GI_");
            if last.name.as_ref().is_none_or(is_alias) {
                last.name = Some(cut(&demangle_auto(Cow::Borrowed(name), None)));
            }
        }
        functions
    }
}

/// The functions that the debug information tells of.
fn frames(lines: &Context<Bytes>, address: u64) -> Vec<Function> {
    let mut told = Vec::new();
    let Ok(mut frames) = lines.find_frames(address).skip_all_loads() else {
        return told;
    };
    while let Ok(Some(frame)) = frames.next() {
        let name = frame.function.as_ref();
        let name = name.and_then(|name| Some(cut(&name.demangle().ok()?)));
        let place = frame.location.as_ref();
        told.push(Function {
            name,
            offset: None,
            file: place.and_then(|place| place.file).map(str::to_owned),
            line: place.and_then(|place| place.line).filter(|line| *line > 0),
        });
    }
    told
}

fn cut(name: &str) -> String {
    match name.char_indices().nth(MOST_OF_A_NAME) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

/// The debug information of a file, if it has any.
fn lines<'data, R: ReadRef<'data>>(
    file: &object::File<'data, R>,
    path: &[u8],
) -> Option<Context<Bytes>> {
    file.section_by_name(".debug_info")
        .or_else(|| file.section_by_name(".zdebug_info"))?;
    let mut dwarf = dwarf(file);
    // What several files have in common, dwz moves into one of its own.
    if let Ok(Some((link, _))) = file.gnu_debugaltlink()
        && let Some(common) = file::open_common(path, link)
    {
        let cache = ReadCache::new(common);
        if let Ok(common) = object::File::parse(&cache) {
            dwarf.set_sup(self::dwarf(&common));
        }
    }
    Context::from_dwarf(dwarf).ok()
}

fn dwarf<'data, R: ReadRef<'data>>(file: &object::File<'data, R>) -> Dwarf<Bytes> {
    let endian = if file.is_little_endian() {
        RunTimeEndian::Little
    } else {
        RunTimeEndian::Big
    };
    let load = |section: SectionId| {
        let bytes = bytes(file, section.name());
        let bytes = bytes.unwrap_or_else(|| Arc::from([].as_slice()));
        Ok::<_, std::convert::Infallible>(EndianReader::new(bytes, endian))
    };
    match Dwarf::load(load) {
        Ok(dwarf) => dwarf,
        Err(never) => match never {},
    }
}

/// The file that holds what was stripped from this one.
fn debug_file<'data, R: ReadRef<'data>>(
    file: &object::File<'data, R>,
    path: &[u8],
) -> Option<std::fs::File> {
    let by_id = file.build_id().ok().flatten();
    by_id.and_then(file::open_debug_by_id).or_else(|| {
        let (link, _) = file.gnu_debuglink().ok().flatten()?;
        file::open_debug_by_link(path, link)
    })
}

/// The symbols of functions, by address.
#[derive(Default)]
struct Symbols {
    /// Address, size, and where the name is in `names`.
    sorted: Vec<(u64, u64, std::ops::Range<usize>)>,
    names: String,
}

impl Symbols {
    fn add<'data, R: ReadRef<'data>>(&mut self, file: &object::File<'data, R>) {
        let code = file.segments();
        let code = code.filter(|segment| segment.permissions().executable());
        let code: Vec<_> = code
            .map(|code| code.address()..code.address().saturating_add(code.size()))
            .collect();
        for symbol in file.symbols().chain(file.dynamic_symbols()) {
            // Hand-written code has no type, and no size.
            let kind = symbol.kind();
            let address = symbol.address();
            let is_code = matches!(kind, SymbolKind::Text | SymbolKind::Unknown)
                && code.iter().any(|code| code.contains(&address));
            if !is_code || symbol.is_undefined() {
                continue;
            }
            let Ok(name) = symbol.name() else {
                continue;
            };
            if name.is_empty() || name.starts_with('$') {
                continue;
            }
            let start = self.names.len();
            self.names.push_str(name);
            let name = start..self.names.len();
            self.sorted.push((address, symbol.size(), name));
        }
    }

    fn sort(&mut self) {
        // Of those at one address the one that says its size, and of these the
        // one with the fewest underscores before its name: wait4, not __wait4.
        let names = &self.names;
        let inner = |name: &std::ops::Range<usize>| {
            let name = names.get(name.clone()).unwrap_or_default();
            name.len() - name.trim_start_matches('_').len()
        };
        self.sorted
            .sort_by_key(|(address, size, name)| (*address, *size == 0, inner(name), name.start));
        self.sorted.dedup_by_key(|(address, ..)| *address);
    }

    /// The symbol that an address belongs to, and where it starts.
    fn find(&self, address: u64) -> Option<(&str, u64)> {
        let after = self.sorted.partition_point(|(start, ..)| *start <= address);
        let (start, size, name) = self.sorted.get(after.checked_sub(1)?)?;
        if *size > 0 && address - start >= *size {
            return None;
        }
        Some((self.names.get(name.clone())?, *start))
    }
}
