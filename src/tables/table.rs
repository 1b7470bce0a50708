//! [`Table`]: a table, to be read and written.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use super::{TableReader, TableStats, catalog, prefix};
use crate::db::LsmDb;
use crate::error::LsmError;
use crate::read::{LsmRange, View, reads};
use crate::session::Session;
use crate::write::{
    Failed, Transaction, WriteBatch, bounds, compares, ingest, remove_within, update,
};

/// A named key space; made by [`LsmDb::table`] and [`Transaction::table`].
///
/// A table comes into being with the first write to it. From [`LsmDb`], each write is a
/// transaction of its own; from a [`Transaction`], they are part of that, together with those to
/// other tables.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
/// let mut tx = db.transaction()?;
/// tx.table("users")?.insert("7", "Anna")?;
/// tx.table("by name")?.insert("Anna", "7")?;
/// tx.commit()?;
///
/// assert_eq!(db.tables()?, ["by name", "users"]);
/// assert_eq!(db.table("users")?.get("7")?, Some(b"Anna".to_vec()));
/// assert_eq!(db.iter().count(), 0, "plain keys are a space of their own");
/// # Ok(()) }
/// ```
///
/// In the file, the keys of tables begin with eight bytes, `FF FE 4C 73 6D 54 62 01`, that are
/// kept for them. The compatible face and programs that don't know tables see them as they are;
/// the iterators and `remove_range` of [`LsmDb`] pass over them.
pub struct Table<'a> {
    session: &'a mut Session,
    name: String,
    number: Option<u32>,
}

/// Tables.
impl LsmDb {
    /// A table of this name, which need not exist yet.
    ///
    /// # Errors
    /// `LsmMisuse` for the empty name; as [`get`](Self::get).
    pub fn table(&mut self, name: &str) -> Result<Table<'_>, LsmError> {
        Table::open(self.session_mut("open a table")?, name)
    }
}

/// Tables.
impl Transaction<'_> {
    /// A table of this name, which need not exist yet.
    ///
    /// # Errors
    /// As [`LsmDb::table`].
    pub fn table(&mut self, name: &str) -> Result<Table<'_>, LsmError> {
        Table::open(self.session_mut(), name)
    }
}

impl<'a> Table<'a> {
    fn open(session: &'a mut Session, name: &str) -> Result<Table<'a>, LsmError> {
        catalog::check_name("open a table", name)?;
        let number = catalog::find(&View::new(session.connection()), name)?;
        Ok(Table {
            session,
            name: name.to_owned(),
            number,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Inserts a record, or replaces the one with this key.
    ///
    /// # Errors
    /// As [`LsmDb::insert`].
    pub fn insert(
        &mut self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), LsmError> {
        self.change(|session, prefix| session.insert(&full(prefix, key.as_ref()), value.as_ref()))
    }

    /// Removes the record with this key, if there is one.
    ///
    /// # Errors
    /// As [`LsmDb::insert`].
    pub fn remove(&mut self, key: impl AsRef<[u8]>) -> Result<(), LsmError> {
        self.change(|session, prefix| session.delete(&full(prefix, key.as_ref())))
    }

    /// Puts in place of a value what the closure makes of it; see [`LsmDb::update_with`].
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// let mut visits = db.table("visits")?;
    /// for page in ["home", "about", "home"] {
    ///     visits.update_with(page, |old| Some([old.map_or(1, |n| n[0] + 1)]))?;
    /// }
    /// assert_eq!(visits.get("home")?, Some(vec![2]));
    /// assert!(visits.compare_and_swap("about", Some(&[1]), None)?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn update_with<V: AsRef<[u8]>>(
        &mut self,
        key: impl AsRef<[u8]>,
        change: impl FnOnce(Option<&[u8]>) -> Option<V>,
    ) -> Result<Option<Vec<u8>>, LsmError> {
        if self.session.connection().in_transaction() {
            let mut new = None;
            self.change(|session, prefix| {
                new = update(session, &full(prefix, key.as_ref()), change)?;
                Ok(())
            })?;
            return Ok(new);
        }
        // One that takes everything back if the closure panics.
        let mut tx = Transaction::begin(self.session)?;
        let new = tx.table(&self.name)?.update_with(key, change)?;
        tx.commit()?;
        Ok(new)
    }

    /// Removes all records of the table whose keys are in `range`; see
    /// [`LsmDb::remove_range`].
    ///
    /// # Errors
    /// As [`LsmDb::insert`].
    pub fn remove_range<K: AsRef<[u8]>>(
        &mut self,
        range: impl RangeBounds<K>,
    ) -> Result<(), LsmError> {
        let range = bounds(&range);
        self.change(|session, prefix| remove_within(session, prefix, range))
    }

    /// Makes all writes of the batch, on the keys of this table.
    ///
    /// # Errors
    /// As [`LsmDb::write`].
    pub fn write(&mut self, batch: &WriteBatch) -> Result<(), LsmError> {
        self.change(|session, prefix| batch.apply(session, prefix))
    }

    /// Inserts sorted records straight into the file; see [`LsmDb::ingest`].
    ///
    /// A table that there isn't yet is made first, and stays if the rest fails.
    ///
    /// # Errors
    /// As [`LsmDb::ingest`]: so not within a transaction.
    pub fn ingest<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        records: impl IntoIterator<Item = (K, V)>,
    ) -> Result<u64, LsmError> {
        self.try_ingest(records.into_iter().map(Ok::<_, LsmError>))
    }

    /// [`ingest`](Self::ingest) of records that can fail to come; see [`LsmDb::try_ingest`].
    ///
    /// # Errors
    /// As [`LsmDb::try_ingest`].
    pub fn try_ingest<K: AsRef<[u8]>, V: AsRef<[u8]>, E: From<LsmError>>(
        &mut self,
        records: impl IntoIterator<Item = Result<(K, V), E>>,
    ) -> Result<u64, E> {
        let mut full = Vec::new();
        self.change(|_, prefix| {
            full = prefix.to_vec();
            Ok(())
        })?;
        let count = ingest(self.session, &full, records.into_iter()).map_err(Failed::into)?;
        if catalog::find(&View::new(self.session.connection()), &self.name)? != self.number {
            // Somebody has dropped it before the first record came: then this came before.
            self.session.atomically(|session| {
                remove_within(session, &full, (Bound::Unbounded, Bound::Unbounded))
            })?;
        }
        Ok(count)
    }

    /// The table to be read only, without holding on to it.
    pub fn as_reader(&self) -> TableReader<'_> {
        let all = View::new(self.session.connection());
        match self.number {
            Some(number) => TableReader::numbered(&all, number),
            // Somebody else may have made it meanwhile.
            None => TableReader::named(&all, &self.name),
        }
    }

    /// How much is in it. Reads the whole table.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn stats(&self) -> Result<TableStats, LsmError> {
        self.as_reader().stats()
    }

    /// Writes, in one transaction with making the table if there is none yet.
    fn change(
        &mut self,
        write: impl FnOnce(&mut Session, &[u8]) -> Result<(), LsmError>,
    ) -> Result<(), LsmError> {
        if let Some(number) = self
            .number
            .filter(|_| self.session.connection().in_transaction())
        {
            return write(self.session, &prefix(number));
        }
        let name = &self.name;
        // Looked up again: somebody else may have made or dropped it meanwhile.
        let number = self.session.atomically(|session| {
            let found = catalog::find(&View::new(session.connection()), name)?;
            let number = match found {
                Some(number) => number,
                None => catalog::create(session, name)?,
            };
            write(session, &prefix(number))?;
            Ok(number)
        })?;
        self.number = Some(number);
        Ok(())
    }

    #[cfg(feature = "typed")]
    pub(crate) fn session_mut(&mut self) -> &mut Session {
        self.session
    }

    /// Finds out anew whether there is such a table: one that was made in a transaction is gone when
    /// that is rolled back.
    #[cfg(feature = "typed")]
    pub(crate) fn look_again(&mut self) -> Result<(), LsmError> {
        // Nothing known: if this fails, each read and write asks for itself.
        self.number = None;
        self.number = catalog::find(&View::new(self.session.connection()), &self.name)?;
        Ok(())
    }

    fn view(&self, operation: &'static str) -> Result<View<'_>, LsmError> {
        self.as_reader().view(operation)
    }
}

fn full(prefix: &[u8], key: &[u8]) -> Vec<u8> {
    [prefix, key].concat()
}

compares! { impl Table<'_> }

reads! {
    /// Reading. Keys are those of the table.
    impl Table<'_>
}

impl fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
