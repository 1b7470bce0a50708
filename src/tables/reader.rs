//! [`TableReader`]: a table, to be read only.

use super::{TableStats, catalog, prefix};
use crate::db::LsmDb;
use crate::error::LsmError;
use crate::read::{LsmRange, View, reads};
use crate::reader::Reader;
use crate::snapshot::Snapshot;
use crate::write::Transaction;

/// A table, to be read; made by the methods `read_table` of everything that can be read.
///
/// A table that nothing was ever written to is empty.
pub struct TableReader<'a> {
    view: Option<View<'a>>,
    nothing: View<'a>,
}

impl<'a> TableReader<'a> {
    pub(super) fn new(view: &View<'a>, number: Option<u32>) -> TableReader<'a> {
        TableReader {
            view: number.map(|number| view.within(prefix(number))),
            // The catalog's number with a byte behind it that no name begins with.
            nothing: view.within([&prefix(0)[..], b"\xff"].concat()),
        }
    }

    fn open(view: View<'a>, name: &str) -> Result<TableReader<'a>, LsmError> {
        catalog::check_name("open a table", name)?;
        let number = catalog::find(&view, name)?;
        Ok(TableReader::new(&view, number))
    }

    pub(super) fn view(&self, _: &'static str) -> Result<View<'a>, LsmError> {
        Ok(self.view.as_ref().unwrap_or(&self.nothing).clone())
    }

    /// How much is in it. Reads the whole table.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn stats(&self) -> Result<TableStats, LsmError> {
        TableStats::of(self.iter())
    }
}

reads! {
    /// Reading. Keys are those of the table.
    impl TableReader<'_>
}

/// Reading a table.
impl LsmDb {
    /// A table, to be read while the handle is only borrowed.
    ///
    /// # Errors
    /// `LsmMisuse` for the empty name; as [`get`](Self::get).
    pub fn read_table(&self, name: &str) -> Result<TableReader<'_>, LsmError> {
        TableReader::open(self.view("open a table")?, name)
    }
}

/// Reading a table.
impl Transaction<'_> {
    /// A table with what the transaction has written, to be read.
    ///
    /// # Errors
    /// As [`LsmDb::read_table`].
    pub fn read_table(&self, name: &str) -> Result<TableReader<'_>, LsmError> {
        TableReader::open(self.view("open a table")?, name)
    }
}

/// Reading a table.
impl Reader {
    /// A table, looked up in the newest commit.
    ///
    /// # Errors
    /// As [`LsmDb::read_table`].
    pub fn read_table(&self, name: &str) -> Result<TableReader<'_>, LsmError> {
        TableReader::open(self.view("open a table")?, name)
    }
}

/// Reading a table.
impl Snapshot {
    /// A table as it was.
    ///
    /// # Errors
    /// As [`LsmDb::read_table`].
    pub fn read_table(&self, name: &str) -> Result<TableReader<'_>, LsmError> {
        TableReader::open(self.view("open a table")?, name)
    }
}
