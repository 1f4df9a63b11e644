//! Names of `AUDIT_ARCH_*`, for the SIGSYS of a seccomp filter.
//! From `include/uapi/linux/audit.h`; strace also still knows V850.

/// The name of an architecture.
pub(super) fn name(arch: u32) -> Option<&'static str> {
    let index = TABLE.binary_search_by_key(&arch, |(number, _)| *number);
    TABLE.get(index.ok()?).map(|(_, name)| *name)
}

/// Number and name, sorted by number.
const TABLE: &[(u32, &str)] = &[
    (0x2, "AUDIT_ARCH_SPARC"),
    (0x4, "AUDIT_ARCH_M68K"),
    (0x8, "AUDIT_ARCH_MIPS"),
    (0xf, "AUDIT_ARCH_PARISC"),
    (0x14, "AUDIT_ARCH_PPC"),
    (0x16, "AUDIT_ARCH_S390"),
    (0x28, "AUDIT_ARCH_ARMEB"),
    (0x2a, "AUDIT_ARCH_SH"),
    (0x2e, "AUDIT_ARCH_H8300"),
    (0x58, "AUDIT_ARCH_M32R"),
    (0x5c, "AUDIT_ARCH_OPENRISC"),
    (0x5d, "AUDIT_ARCH_ARCOMPACTBE"),
    (0x5e, "AUDIT_ARCH_XTENSA"),
    (0x8c, "AUDIT_ARCH_C6XBE"),
    (0xa4, "AUDIT_ARCH_HEXAGON"),
    (0xa7, "AUDIT_ARCH_NDS32BE"),
    (0xbd, "AUDIT_ARCH_MICROBLAZE"),
    (0xc3, "AUDIT_ARCH_ARCV2BE"),
    (0x5441, "AUDIT_ARCH_FRV"),
    (0x4000_0003, "AUDIT_ARCH_I386"),
    (0x4000_0008, "AUDIT_ARCH_MIPSEL"),
    (0x4000_0028, "AUDIT_ARCH_ARM"),
    (0x4000_002a, "AUDIT_ARCH_SHEL"),
    (0x4000_004c, "AUDIT_ARCH_CRIS"),
    (0x4000_0057, "AUDIT_ARCH_V850"),
    (0x4000_005d, "AUDIT_ARCH_ARCOMPACT"),
    (0x4000_006e, "AUDIT_ARCH_UNICORE"),
    (0x4000_0071, "AUDIT_ARCH_NIOS2"),
    (0x4000_008c, "AUDIT_ARCH_C6X"),
    (0x4000_00a7, "AUDIT_ARCH_NDS32"),
    (0x4000_00bc, "AUDIT_ARCH_TILEPRO"),
    (0x4000_00bf, "AUDIT_ARCH_TILEGX32"),
    (0x4000_00c3, "AUDIT_ARCH_ARCV2"),
    (0x4000_00f3, "AUDIT_ARCH_RISCV32"),
    (0x4000_00fc, "AUDIT_ARCH_CSKY"),
    (0x4000_0102, "AUDIT_ARCH_LOONGARCH32"),
    (0x8000_0008, "AUDIT_ARCH_MIPS64"),
    (0x8000_000f, "AUDIT_ARCH_PARISC64"),
    (0x8000_0015, "AUDIT_ARCH_PPC64"),
    (0x8000_0016, "AUDIT_ARCH_S390X"),
    (0x8000_002a, "AUDIT_ARCH_SH64"),
    (0x8000_002b, "AUDIT_ARCH_SPARC64"),
    (0xa000_0008, "AUDIT_ARCH_MIPS64N32"),
    (0xc000_0008, "AUDIT_ARCH_MIPSEL64"),
    (0xc000_0015, "AUDIT_ARCH_PPC64LE"),
    (0xc000_002a, "AUDIT_ARCH_SHEL64"),
    (0xc000_0032, "AUDIT_ARCH_IA64"),
    (0xc000_003e, "AUDIT_ARCH_X86_64"),
    (0xc000_00b7, "AUDIT_ARCH_AARCH64"),
    (0xc000_00bf, "AUDIT_ARCH_TILEGX"),
    (0xc000_00f3, "AUDIT_ARCH_RISCV64"),
    (0xc000_0102, "AUDIT_ARCH_LOONGARCH64"),
    (0xc000_9026, "AUDIT_ARCH_ALPHA"),
    (0xe000_0008, "AUDIT_ARCH_MIPSEL64N32"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Abi;

    #[test]
    fn the_table_is_sorted_and_has_our_abis() {
        assert!(TABLE.is_sorted());
        for abi in Abi::ALL {
            assert!(name(abi.audit_arch()).is_some(), "{}", abi.name());
        }
        assert_eq!(name(0xc000_003e), Some("AUDIT_ARCH_X86_64"));
        assert_eq!(name(0), None);
    }
}
