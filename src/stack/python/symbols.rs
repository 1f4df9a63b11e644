//! The symbols of a file that contains a CPython interpreter.

use memchr::memmem;

use super::super::budget::UNWINDING;
use super::super::elf::Elf;

/// Bytes of an `Elf64_Sym`.
const ENTRY: usize = 24;

/// The addresses of what is needed to read an interpreter's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stack) struct Symbols {
    /// `_PyRuntime`: the state of all interpreters of the process.
    pub(super) runtime: u64,
    /// `Py_Version`: a word (from 3.11 on).
    pub(super) version: u64,
    /// The types of code objects, strings and bytes.
    pub(super) code_type: u64,
    pub(super) text_type: u64,
    pub(super) bytes_type: u64,
}

const NAMES: [&[u8]; 5] = [
    b"_PyRuntime",
    b"Py_Version",
    b"PyCode_Type",
    b"PyUnicode_Type",
    b"PyBytes_Type",
];

impl Symbols {
    /// Those of a file; `None` if it contains no interpreter.
    pub(in crate::stack) fn find(elf: &Elf<'_>) -> Option<Symbols> {
        let mut moment = UNWINDING.nothing();
        let names = elf.section(".dynstr", &mut moment)?;
        // Of most files this is all that is read.
        memmem::find(&names, b"_PyRuntime\0")?;
        let table = elf.section(".dynsym", &mut moment)?;
        Symbols::of(&table, &names)
    }

    /// From a symbol table and its strings.
    fn of(table: &[u8], names: &[u8]) -> Option<Symbols> {
        let mut found = [None; NAMES.len()];
        let (entries, _) = table.as_chunks::<ENTRY>();
        for entry in entries {
            let [n0, n1, n2, n3, _, _, s0, s1, a @ ..] = *entry;
            let name = usize::try_from(u32::from_le_bytes([n0, n1, n2, n3])).ok()?;
            let is_defined = u16::from_le_bytes([s0, s1]) != 0;
            let rest = names.get(name..).unwrap_or_default();
            let is = |name: &&[u8]| {
                rest.strip_prefix(*name)
                    .is_some_and(|r| r.first() == Some(&0))
            };
            let place = NAMES.iter().position(is);
            if let Some(place) = place
                .filter(|_| is_defined)
                .and_then(|at| found.get_mut(at))
            {
                *place = a.first_chunk().map(|address| u64::from_le_bytes(*address));
            }
        }
        let [runtime, version, code_type, text_type, bytes_type] = found;
        Some(Symbols {
            runtime: runtime?,
            version: version?,
            code_type: code_type?,
            text_type: text_type?,
            bytes_type: bytes_type?,
        })
    }

    /// In memory, where this is to be added to the addresses of the file.
    pub(in crate::stack) fn moved_by(&self, bias: u64) -> Symbols {
        Symbols {
            runtime: self.runtime.wrapping_add(bias),
            version: self.version.wrapping_add(bias),
            code_type: self.code_type.wrapping_add(bias),
            text_type: self.text_type.wrapping_add(bias),
            bytes_type: self.bytes_type.wrapping_add(bias),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_symbols_must_be_defined() {
        let names = b"\0x_PyRuntime\0Py_Version\0PyCode_Type\0PyUnicode_Type\0PyBytes_Type\0";
        let entry = |name: &[u8], section: u16, address: u64| {
            let at = memmem::find(names, name).unwrap();
            let mut bytes = u32::try_from(at).unwrap().to_le_bytes().to_vec();
            bytes.extend([0x11, 0]);
            bytes.extend(section.to_le_bytes());
            bytes.extend(address.to_le_bytes());
            bytes.extend([0; 8]);
            bytes
        };
        let table = |section: u16| {
            // A name may be the end of another.
            let all = NAMES.iter().zip(1..);
            let all = all.map(|(name, address)| entry(name, section, address));
            all.collect::<Vec<_>>().concat()
        };
        let found = Symbols::of(&table(7), names).unwrap();
        assert_eq!((found.runtime, found.bytes_type), (1, 5));
        assert_eq!(found.moved_by(0x1000).code_type, 0x1003);
        assert_eq!(Symbols::of(&table(0), names), None);
        assert_eq!(Symbols::of(&table(7)[ENTRY..], names), None);
        assert_eq!(Symbols::of(&[0xff; 3 * ENTRY], names), None);
    }
}
