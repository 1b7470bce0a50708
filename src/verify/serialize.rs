//! Reports in serde's terms.

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use super::{CheckpointState, Damage, Place, VerifyReport};

impl Serialize for VerifyReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("VerifyReport", 11)?;
        out.serialize_field("pages", &self.pages)?;
        out.serialize_field("bytes", &self.bytes)?;
        out.serialize_field("levels", &self.levels)?;
        out.serialize_field("segments", &self.segments)?;
        out.serialize_field("records", &self.records)?;
        out.serialize_field("tombstones", &self.tombstones)?;
        out.serialize_field("free_blocks", &self.free_blocks)?;
        out.serialize_field("checkpoints", &self.checkpoints)?;
        out.serialize_field("log_transactions", &self.log_transactions)?;
        out.serialize_field("damage", &self.damage)?;
        out.serialize_field("damage_count", &self.damage_count)?;
        out.end()
    }
}

impl Serialize for Damage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Damage", 4)?;
        out.serialize_field("place", &self.place)?;
        out.serialize_field("level", &self.level)?;
        out.serialize_field("segment", &self.segment)?;
        out.serialize_field("problem", &self.problem)?;
        out.end()
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = "Place";
        match self {
            Place::HeaderPage(n) => serializer.serialize_newtype_variant(name, 0, "HeaderPage", n),
            Place::Page(n) => serializer.serialize_newtype_variant(name, 1, "Page", n),
            Place::Block(n) => serializer.serialize_newtype_variant(name, 2, "Block", n),
        }
    }
}

impl Serialize for CheckpointState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = "CheckpointState";
        match self {
            CheckpointState::Empty => serializer.serialize_unit_variant(name, 0, "Empty"),
            CheckpointState::Valid(id) => {
                serializer.serialize_newtype_variant(name, 1, "Valid", id)
            }
            CheckpointState::Invalid => serializer.serialize_unit_variant(name, 2, "Invalid"),
        }
    }
}
