//! [`TableStats`]: how much is in a table.

use std::fmt;

use crate::error::LsmError;
use crate::read::LsmRange;

/// How much is in a table; from [`TableReader::stats`](crate::TableReader::stats).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableStats {
    /// Records.
    pub records: u64,
    /// Bytes of their keys, without what the file adds to them.
    pub key_bytes: u64,
    /// Bytes of their values, uncompressed.
    pub value_bytes: u64,
}

impl TableStats {
    pub(super) fn of(mut records: LsmRange<'_>) -> Result<TableStats, LsmError> {
        let mut stats = TableStats::default();
        while let Some((key, value)) = records.next_ref()? {
            stats.records += 1;
            stats.key_bytes += key.len() as u64;
            stats.value_bytes += value.len() as u64;
        }
        Ok(stats)
    }
}

impl fmt::Display for TableStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keys, values) = (self.key_bytes, self.value_bytes);
        write!(
            f,
            "{} records, {keys} bytes of keys, {values} bytes of values",
            self.records
        )
    }
}
