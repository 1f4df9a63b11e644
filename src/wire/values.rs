//! Single values as JSON: the raw word with its meaning. Only the raw word is read
//! back.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::{Comm, NOT_SHOWN};
use crate::kernel::{self, IdType, System};

/// Bytes that a tracee chose: a string if they are UTF-8, else
/// `{"hex": "ff00"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextForm<'a> {
    Plain(Cow<'a, str>),
    Hex { hex: String },
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(&self.0) {
            return to.serialize_str(text);
        }
        let digits = self.0.iter().map(|byte| format!("{byte:02x}"));
        let hex = digits.collect();
        TextForm::Hex { hex }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Text, D::Error> {
        let hex = match TextForm::deserialize(from)? {
            TextForm::Plain(text) => return Ok(Text(text.into_owned().into_bytes())),
            TextForm::Hex { hex } => hex,
        };
        let pairs = hex.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = pairs.map(byte).collect();
        bytes
            .map(Text)
            .ok_or_else(|| de::Error::custom(format!("{hex:?} is not hexadecimal")))
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Bytes that a tracee chose: a string, or in hexadecimal if it is not UTF-8",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": { "hex": { "type": "string", "pattern": "^([0-9a-f]{2})*$" } },
                    "required": ["hex"]
                }
            ]
        })
    }
}

impl From<Comm> for Text {
    fn from(comm: Comm) -> Text {
        Text(comm.as_bytes().to_vec())
    }
}

impl From<&Text> for Comm {
    fn from(text: &Text) -> Comm {
        Comm::new(&text.0)
    }
}

/// The largest integer that JavaScript represents exactly.
const MOST_OF_JAVASCRIPT: i128 = (1 << 53) - 1;

/// An integer of up to 64 bits; a string where JavaScript would round it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Int(pub i128);

impl Serialize for Int {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Int(number) = *self;
        match i64::try_from(number) {
            Ok(small) if number.abs() <= MOST_OF_JAVASCRIPT => to.serialize_i64(small),
            _ => to.collect_str(&number),
        }
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Int, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Int;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer, or a string of one")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Int, E> {
                Ok(Int(number.into()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Int, E> {
                Ok(Int(number.into()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Int, E> {
                let number = text.parse().map(Int);
                number.map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        from.deserialize_any(Number)
    }
}

impl JsonSchema for Int {
    fn schema_name() -> Cow<'static, str> {
        "Int".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An integer of up to 64 bits; a string where JavaScript would round it",
            "oneOf": [{ "type": "integer" }, { "type": "string", "pattern": "^-?[0-9]+$" }]
        })
    }
}

impl From<i64> for Int {
    fn from(number: i64) -> Int {
        Int(number.into())
    }
}

impl From<u64> for Int {
    fn from(number: u64) -> Int {
        Int(number.into())
    }
}

impl Int {
    /// As a signed word, saturating.
    #[must_use]
    pub fn signed(self) -> i64 {
        let clamped = self.0.clamp(i64::MIN.into(), i64::MAX.into());
        i64::try_from(clamped).unwrap_or_default()
    }

    /// As an unsigned word, saturating.
    #[must_use]
    pub fn unsigned(self) -> u64 {
        let clamped = self.0.clamp(0, u64::MAX.into());
        u64::try_from(clamped).unwrap_or_default()
    }
}

/// An address in the tracee, or another 64-bit word: `"0x7ffd01"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Address(pub u64);

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0 == NOT_SHOWN {
            return to.serialize_str("?");
        }
        to.collect_str(&format_args!("{:#x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        if text == "?" {
            return Ok(Address(NOT_SHOWN));
        }
        let digits = text.strip_prefix("0x");
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number.map(Address).ok_or_else(|| {
            de::Error::custom(format!("{text:?} is not an address like \"0x7ffd01\""))
        })
    }
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An address or another 64-bit word, in hexadecimal; `?` for one that a record does not show",
            "type": "string",
            "pattern": "^(0x[0-9a-f]+|\\?)$"
        })
    }
}

/// A pointer that may be NULL.
pub(super) fn pointer(address: u64) -> Option<Address> {
    (address != 0).then_some(Address(address))
}

/// A number with its name, if it has one. Signals and errors have Linux's numbers,
/// for every system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// The number.
    pub raw: i64,
    /// Its name; null if it has none.
    #[serde(default)]
    pub name: Option<Cow<'static, str>>,
}

/// Whether a count is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
pub(super) fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Named {
    pub(super) fn number(&self) -> i32 {
        i32::try_from(self.raw).unwrap_or_default()
    }
}

impl From<kernel::Signal> for Named {
    fn from(signal: kernel::Signal) -> Named {
        Named {
            raw: signal.raw().into(),
            name: Some(match signal.name() {
                Some(name) => name.into(),
                None => signal.to_string().into(),
            }),
        }
    }
}

impl From<&Named> for kernel::Signal {
    fn from(word: &Named) -> kernel::Signal {
        kernel::Signal::from_raw(word.number())
    }
}

impl From<kernel::Errno> for Named {
    fn from(errno: kernel::Errno) -> Named {
        Named {
            raw: errno.raw().into(),
            name: errno.name().map(Cow::from),
        }
    }
}

impl From<&Named> for kernel::Errno {
    fn from(word: &Named) -> kernel::Errno {
        kernel::Errno::from_raw(word.number())
    }
}

impl Named {
    /// An id type of a system.
    pub(super) fn of_id_type(kind: IdType, system: System) -> Named {
        Named {
            raw: kind.number_in(system).unwrap_or_default().into(),
            name: kind.name().map(Cow::from),
        }
    }

    /// The id type that has this number in a system.
    pub(super) fn id_type(&self, system: System) -> IdType {
        IdType::of(system, u32::try_from(self.raw).unwrap_or_default())
    }
}

/// A wait status (`man 2 wait`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The word as in memory.
    pub raw: i32,
    /// The system of the word, if not Linux: `netbsd` or `freebsd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Cow<'static, str>>,
    /// The decoded word.
    #[serde(flatten, skip_deserializing)]
    pub means: Meaning,
}

/// The name of a system, if it is not Linux's.
pub(super) fn foreign(system: System) -> Option<Cow<'static, str>> {
    (system != System::Linux).then(|| system.name().into())
}

/// What a wait status means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Meaning {
    /// It exited.
    Exited {
        /// With this code.
        code: u8,
    },
    /// It was killed.
    Signaled {
        /// By this signal.
        signal: Named,
        /// And dumped core.
        core: bool,
    },
    /// It is stopped.
    Stopped {
        /// By this signal.
        signal: Named,
        /// The 0x80 bit: a syscall-stop of a ptracer.
        syscall: bool,
        /// The ptrace event in bits 16 and above.
        event: u16,
    },
    /// It was continued.
    Continued,
    /// Not a status that the kernel makes.
    #[default]
    Unknown,
}

impl From<kernel::WaitStatus> for Status {
    fn from(status: kernel::WaitStatus) -> Status {
        let means = match status.decode() {
            kernel::Status::Exited(code) => Meaning::Exited { code },
            kernel::Status::Signaled { signal, core } => Meaning::Signaled {
                signal: signal.into(),
                core,
            },
            kernel::Status::Stopped {
                signal,
                syscall,
                event,
            } => Meaning::Stopped {
                signal: signal.into(),
                syscall,
                event: event.raw(),
            },
            kernel::Status::Continued => Meaning::Continued,
            kernel::Status::Unknown => Meaning::Unknown,
        };
        Status {
            raw: status.raw(),
            system: foreign(status.system()),
            means,
        }
    }
}

impl From<&Status> for kernel::WaitStatus {
    fn from(status: &Status) -> kernel::WaitStatus {
        let system = status.system.as_deref().and_then(|name| name.parse().ok());
        kernel::WaitStatus::of(system.unwrap_or_default(), status.raw)
    }
}

/// The options of a wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Options {
    /// The bits.
    pub raw: u32,
    /// The names of the bits that have one.
    #[serde(default)]
    pub names: Vec<Cow<'static, str>>,
}

impl From<kernel::WaitOptions> for Options {
    fn from(options: kernel::WaitOptions) -> Options {
        Options {
            raw: options.raw(),
            names: options.names().map(Cow::from).collect(),
        }
    }
}
