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
    /// The table, or why it can't be read.
    view: Result<View<'a>, LsmError>,
}

impl<'a> TableReader<'a> {
    /// The table of this name, as it is in what `all` reads.
    pub(super) fn named(all: &View<'a>, name: &str) -> TableReader<'a> {
        TableReader {
            view: catalog::find(all, name).map(|number| part(all, number)),
        }
    }

    pub(super) fn numbered(all: &View<'a>, number: u32) -> TableReader<'a> {
        TableReader {
            view: Ok(part(all, Some(number))),
        }
    }

    fn open(all: View<'a>, name: &str) -> Result<TableReader<'a>, LsmError> {
        catalog::check_name("open a table", name)?;
        let reader = TableReader::named(&all, name);
        match reader.view {
            Ok(_) => Ok(reader),
            Err(error) => Err(error),
        }
    }

    pub(super) fn view(&self, operation: &'static str) -> Result<View<'a>, LsmError> {
        (self.view.clone()).map_err(|error| error.during(operation))
    }

    /// How much is in it. Reads the whole table.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn stats(&self) -> Result<TableStats, LsmError> {
        TableStats::of(self.iter())
    }
}

/// The part of the database that is the table of this number; without one, where nothing is.
fn part<'a>(all: &View<'a>, number: Option<u32>) -> View<'a> {
    all.within(match number {
        Some(number) => prefix(number),
        // The catalog's number with a byte behind it that no name begins with.
        None => [&prefix(0)[..], b"\xff"].concat(),
    })
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
    /// The names of all tables in the newest commit, sorted.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn tables(&self) -> Result<Vec<String>, LsmError> {
        catalog::list(&self.view("list tables")?)
    }

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
    /// The names of all tables that there were, sorted.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn tables(&self) -> Result<Vec<String>, LsmError> {
        catalog::list(&self.view("list tables")?)
    }

    /// A table as it was.
    ///
    /// # Errors
    /// As [`LsmDb::read_table`].
    pub fn read_table(&self, name: &str) -> Result<TableReader<'_>, LsmError> {
        TableReader::open(self.view("open a table")?, name)
    }
}
