//! `LsmMode` in serde's terms: what deriving would give, without the time that it takes to
//! build the derive macro.

use super::LsmMode;
use serde_core::de::{
    Deserialize, Deserializer, EnumAccess, Error, Unexpected, VariantAccess, Visitor,
};
use serde_core::ser::{Serialize, Serializer};
use std::fmt;

const NAMES: &[&str] = &[
    "LsmNoBackgroundThreads",
    "LsmBackgroundMerger",
    "LsmBackgroundCheckpointer",
];
const MODES: [LsmMode; 3] = [
    LsmMode::LsmNoBackgroundThreads,
    LsmMode::LsmBackgroundMerger,
    LsmMode::LsmBackgroundCheckpointer,
];

impl Serialize for LsmMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let index = *self as u32;
        serializer.serialize_unit_variant("LsmMode", index, NAMES[index as usize])
    }
}

impl<'de> Deserialize<'de> for LsmMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("LsmMode", NAMES, Mode)
    }
}

/// Reads the enum: a variant, and nothing in it.
struct Mode;

impl<'de> Visitor<'de> for Mode {
    type Value = LsmMode;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("enum LsmMode")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<LsmMode, A::Error> {
        let (Name(mode), content) = data.variant()?;
        content.unit_variant()?;
        Ok(mode)
    }
}

/// The variant's name or, in formats that keep no names, its number.
struct Name(LsmMode);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("variant identifier")
    }

    fn visit_u64<E: Error>(self, index: u64) -> Result<Name, E> {
        let mode = usize::try_from(index)
            .ok()
            .and_then(|index| MODES.get(index));
        mode.map(|mode| Name(*mode)).ok_or_else(|| {
            E::invalid_value(Unexpected::Unsigned(index), &"variant index 0 <= i < 3")
        })
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
        self.visit_bytes(name.as_bytes())
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<Name, E> {
        let index = NAMES.iter().position(|known| known.as_bytes() == name);
        index
            .map(|index| Name(MODES[index]))
            .ok_or_else(|| E::unknown_variant(&String::from_utf8_lossy(name), NAMES))
    }
}
