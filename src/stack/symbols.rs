//! The function symbols of an ELF file, sorted by address.

use std::ops::Range;
use std::sync::Arc;

use object::{Object as _, ObjectSegment};

use super::budget::Reserved;
use super::elf::Elf;

/// The symbol tables of a file, each with its string table.
const TABLES: [(&str, &str); 2] = [(".symtab", ".strtab"), (".dynsym", ".dynstr")];
/// Bytes of an `Elf64_Sym`.
const ENTRY: usize = 24;
/// Longer names are ignored.
const MOST_OF_A_NAME: usize = 16 << 10;

/// The symbols of functions.
#[derive(Default)]
pub(super) struct Symbols {
    sorted: Vec<Symbol>,
    names: Vec<Arc<[u8]>>,
}

/// A function.
struct Symbol {
    address: u64,
    size: u64,
    /// The string table, and the offset in it.
    table: u8,
    name: u32,
}

impl Symbols {
    /// Adds the symbols of a file, as far as they fit the budget.
    pub(super) fn add(&mut self, elf: &Elf<'_>, reserved: &mut Reserved) {
        if !elf.file.is_64() || !elf.file.is_little_endian() {
            return;
        }
        let code = elf.file.segments();
        let code = code.filter(|segment| segment.permissions().executable());
        let code: Vec<_> = code
            .map(|code| code.address()..code.address().saturating_add(code.size()))
            .collect();
        for (table, names) in TABLES {
            let mut moment = reserved.budget().nothing();
            let Some(table) = elf.section(table, &mut moment) else {
                reserved.refuse(&moment);
                continue;
            };
            let size = size_of::<Symbol>() * (table.len() / ENTRY);
            if reserved.add(size as u64).is_none() {
                continue;
            }
            if let Some(names) = elf.section(names, reserved) {
                self.add_table(&table, names, &code);
            }
        }
    }

    fn add_table(&mut self, table: &[u8], names: Arc<[u8]>, code: &[Range<u64>]) {
        let Ok(number) = u8::try_from(self.names.len()) else {
            return;
        };
        let (entries, _) = table.as_chunks::<ENTRY>();
        self.sorted.reserve_exact(entries.len());
        let symbols = entries
            .iter()
            .filter_map(|entry| Symbol::read(entry, number));
        self.sorted.extend(symbols.filter(|symbol| {
            let first = names.get(symbol.name as usize);
            let is_named = first.is_some_and(|first| !matches!(first, 0 | b'$'));
            is_named && code.iter().any(|code| code.contains(&symbol.address))
        }));
        self.names.push(names);
    }

    /// Sorts the symbols for look-ups.
    pub(super) fn sort(&mut self) {
        // Of symbols at one address the one with a size comes first, and of these the one
        // with the fewest leading underscores: wait4, not __wait4.
        let names = &self.names;
        let inner = |symbol: &Symbol| {
            let name = names.get(usize::from(symbol.table));
            let name = name.and_then(|names| names.get(symbol.name as usize..));
            let name = name.unwrap_or_default().iter();
            name.take_while(|byte| **byte == b'_').count()
        };
        self.sorted
            .sort_by_key(|symbol| (symbol.address, symbol.size == 0, inner(symbol)));
        self.sorted.dedup_by_key(|symbol| symbol.address);
    }

    /// The symbol that contains an address, and its start.
    pub(super) fn find(&self, address: u64) -> Option<(&str, u64)> {
        let after = self
            .sorted
            .partition_point(|symbol| symbol.address <= address);
        let symbol = self.sorted.get(after.checked_sub(1)?)?;
        if symbol.size > 0 && address - symbol.address >= symbol.size {
            return None;
        }
        let names = self.names.get(usize::from(symbol.table))?;
        let name = names.get(symbol.name as usize..)?;
        let end = name
            .iter()
            .take(MOST_OF_A_NAME)
            .position(|byte| *byte == 0)?;
        let name = str::from_utf8(name.get(..end)?).ok()?;
        Some((name, symbol.address))
    }
}

impl Symbol {
    /// A function symbol, from its `Elf64_Sym`.
    fn read(entry: &[u8; ENTRY], table: u8) -> Option<Symbol> {
        const FUNCTION: u8 = 2;
        const INDIRECT: u8 = 10;
        let [n0, n1, n2, n3, info, _, s0, s1, rest @ ..] = *entry;
        let [address, size] = [rest.first_chunk()?, rest.last_chunk()?];
        // Assembler code often has no type and no size.
        let is_code = matches!(info & 0xf, 0 | FUNCTION | INDIRECT);
        let is_defined = u16::from_le_bytes([s0, s1]) != 0;
        (is_code && is_defined).then_some(Symbol {
            address: u64::from_le_bytes(*address),
            size: u64::from_le_bytes(*size),
            table,
            name: u32::from_le_bytes([n0, n1, n2, n3]),
        })
    }
}
