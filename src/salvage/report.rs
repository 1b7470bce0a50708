//! What salvage copied, and what was lost.

use std::fmt;

use crate::verify::Damage;

/// So many damaged places are listed; the rest is counted.
const LISTED: usize = 1000;

/// How far a salvage has come.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageProgress {
    /// Pages that were read.
    pub pages: u64,
    /// Records that were written to the new database.
    pub records: u64,
}

/// Where records were looked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SalvageBasis {
    /// The checkpoint with this number.
    Checkpoint(u64),
    /// The whole file, because neither checkpoint can be used.
    WholeFile,
    /// The log alone: the database was never checkpointed, and the log goes back to its beginning.
    Log,
}

/// What [`salvage`](crate::salvage()) copied, and what was lost. With `serde` it can be
/// serialised.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Where records were looked for.
    pub basis: SalvageBasis,
    /// Pages that could be read.
    pub pages: u64,
    /// Records that were copied from the file.
    pub records: u64,
    /// Records that weren't copied because a newer version was, or a newer segment deletes them.
    pub records_superseded: u64,
    /// Records whose beginning could be read, but not the rest. Those on unreadable pages aren't
    /// counted: nobody knows how many they are.
    pub records_skipped: u64,
    /// Changes that were applied from the log.
    pub log_changes: u64,
    /// Damaged places, the first thousand of them. Each page among them is lost.
    pub damage: Vec<Damage>,
    /// How many damaged places there are. Not counted if the whole file was searched.
    pub damage_count: u64,
}

impl SalvageReport {
    pub(super) fn new(basis: SalvageBasis) -> SalvageReport {
        SalvageReport {
            basis,
            pages: 0,
            records: 0,
            records_superseded: 0,
            records_skipped: 0,
            log_changes: 0,
            damage: Vec::new(),
            damage_count: 0,
        }
    }

    pub(super) fn lose(&mut self, damage: Damage) {
        self.damage_count += 1;
        if self.damage.len() < LISTED {
            self.damage.push(damage);
        }
    }

    /// True if nothing that was looked for was lost.
    pub fn is_complete(&self) -> bool {
        self.damage_count == 0 && self.records_skipped == 0 && self.basis != SalvageBasis::WholeFile
    }
}

impl fmt::Display for SalvageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            records,
            log_changes,
            records_skipped,
            damage_count,
            ..
        } = self;
        match self.basis {
            SalvageBasis::Checkpoint(_) | SalvageBasis::Log => {
                write!(f, "{records} records copied")?;
            }
            SalvageBasis::WholeFile => write!(f, "{records} records found by searching")?,
        }
        write!(
            f,
            ", {log_changes} changes from the log, {records_skipped} records incomplete, \
             {damage_count} places damaged"
        )?;
        for damage in &self.damage {
            write!(f, "\n{damage}")?;
        }
        match damage_count - self.damage.len() as u64 {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

#[cfg(feature = "serde")]
mod serde {
    use serde_core::ser::{Serialize, SerializeStruct, Serializer};

    use super::{SalvageBasis, SalvageReport};

    impl Serialize for SalvageReport {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut out = serializer.serialize_struct("SalvageReport", 8)?;
            out.serialize_field("basis", &self.basis)?;
            out.serialize_field("pages", &self.pages)?;
            out.serialize_field("records", &self.records)?;
            out.serialize_field("records_superseded", &self.records_superseded)?;
            out.serialize_field("records_skipped", &self.records_skipped)?;
            out.serialize_field("log_changes", &self.log_changes)?;
            out.serialize_field("damage", &self.damage)?;
            out.serialize_field("damage_count", &self.damage_count)?;
            out.end()
        }
    }

    impl Serialize for SalvageBasis {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let name = "SalvageBasis";
            match self {
                SalvageBasis::Checkpoint(id) => {
                    serializer.serialize_newtype_variant(name, 0, "Checkpoint", id)
                }
                SalvageBasis::WholeFile => serializer.serialize_unit_variant(name, 1, "WholeFile"),
                SalvageBasis::Log => serializer.serialize_unit_variant(name, 2, "Log"),
            }
        }
    }
}
