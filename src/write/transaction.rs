//! [`Transaction`]: a guard around a transaction, also one within another.

use std::ffi::c_int;
use std::fmt;

use super::{Durability, WriteBatch};
use crate::db::LsmDb;
use crate::error::LsmError;
use crate::read::{LsmRange, View, reads};
use crate::session::Session;

/// A transaction: what it writes takes effect together, at [`commit`](Self::commit), or not at
/// all. Made by [`LsmDb::transaction`] and [`savepoint`](Self::savepoint).
///
/// Dropping it, also in a panic, takes everything back. While it lives it is the only way to
/// the handle, and the only writer of the database.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
/// let mut tx = db.transaction()?;
/// tx.insert("a", "1")?;
/// assert_eq!(tx.get("a")?, Some(b"1".to_vec()), "it reads its own writes");
/// tx.commit()?;
///
/// let mut tx = db.transaction()?;
/// tx.remove("a")?;
/// drop(tx);
/// assert!(db.contains_key("a")?);
/// # Ok(()) }
/// ```
///
/// After the commit it is gone:
///
/// ```compile_fail,E0382
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let mut db = lsmlite_rs::LsmDb::open("never.lsm")?;
/// let mut tx = db.transaction()?;
/// tx.commit()?;
/// tx.insert("a", "1")?;
/// # Ok(()) }
/// ```
///
/// and nothing else is done with the handle before:
///
/// ```compile_fail,E0499
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let mut db = lsmlite_rs::LsmDb::open("never.lsm")?;
/// let mut tx = db.transaction()?;
/// db.insert("a", "1")?;
/// tx.commit()?;
/// # Ok(()) }
/// ```
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<'db> {
    session: &'db mut Session,
    /// 1, or more for one within another.
    level: c_int,
    is_open: bool,
}

impl LsmDb {
    /// Begins a transaction, and waits for another writer as long as the
    /// [busy timeout](crate::LsmDbBuilder::busy_timeout) says.
    ///
    /// # Errors
    /// `LsmBusy` if another handle is still writing then; `LsmReadOnly`; `LsmMisuse` if a
    /// transaction of the compatible face is open; a failure of before.
    pub fn transaction(&mut self) -> Result<Transaction<'_>, LsmError> {
        Transaction::begin(self.session_mut("transaction")?)
    }

    /// Runs a closure in a transaction: commits if it returns `Ok`, and takes everything back
    /// if it returns an error or panics.
    ///
    /// The error can be of the caller's own, as long as an [`LsmError`] turns into it.
    ///
    /// If another handle or process is writing, it tries again for as long as the
    /// [busy timeout](crate::LsmDbBuilder::busy_timeout) says. The closure runs once, when nobody
    /// can be in its way any more.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// db.insert("anna", "30")?;
    /// let outcome: Result<(), Box<dyn std::error::Error>> = db.transact(|tx| {
    ///     tx.insert("bela", "50")?;
    ///     let left: i32 = String::from_utf8(tx.get("anna")?.unwrap())?.parse::<i32>()? - 50;
    ///     if left < 0 {
    ///         return Err("anna has too little".into());
    ///     }
    ///     Ok(tx.insert("anna", left.to_string())?)
    /// });
    /// assert!(outcome.is_err());
    /// assert!(!db.contains_key("bela")?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of the closure, of [`transaction`](Self::transaction) and of
    /// [`commit`](Transaction::commit).
    pub fn transact<T, E: From<LsmError>>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut transaction = self.transaction()?;
        let done = work(&mut transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

impl<'db> Transaction<'db> {
    /// Begins one where there is none.
    pub(crate) fn begin(session: &'db mut Session) -> Result<Transaction<'db>, LsmError> {
        session.begin_new()?;
        Ok(Transaction {
            session,
            level: 1,
            is_open: true,
        })
    }

    /// Begins one within the transaction that is open.
    pub(crate) fn within(session: &'db mut Session) -> Result<Transaction<'db>, LsmError> {
        let level = session.begin_nested()?;
        Ok(Transaction {
            session,
            level,
            is_open: true,
        })
    }
}

impl Transaction<'_> {
    /// Inserts a record, or replaces the one with this key.
    ///
    /// # Errors
    /// As [`LsmDb::insert`]. Only a rollback can follow, of the transaction or of a
    /// [`savepoint`](Self::savepoint) around the failure.
    pub fn insert(
        &mut self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), LsmError> {
        self.session.insert(key.as_ref(), value.as_ref())
    }

    /// Removes the record with this key, if there is one.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove(&mut self, key: impl AsRef<[u8]>) -> Result<(), LsmError> {
        self.session.delete(key.as_ref())
    }

    /// Does everything that the batch says, in its order.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn write(&mut self, batch: &WriteBatch) -> Result<(), LsmError> {
        batch.apply(self.session, &[])
    }

    /// Begins a transaction within this one, which can be taken back alone. Its commit leaves
    /// what it did to this one.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// let mut order = db.transaction()?;
    /// order.insert("order", "7 apples")?;
    ///
    /// let mut discount = order.savepoint()?;
    /// discount.insert("discount", "10 %")?;
    /// discount.rollback()?;
    ///
    /// order.commit()?;
    /// assert!(db.contains_key("order")? && !db.contains_key("discount")?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// That of a write that failed before: then there is nothing to go back to.
    pub fn savepoint(&mut self) -> Result<Transaction<'_>, LsmError> {
        Transaction::within(self.session)
    }

    /// Makes everything take effect, or hands it to the transaction around this one.
    ///
    /// # Errors
    /// If a write in it failed, that write's error, and everything is taken back. If the log
    /// can't be written, nothing has taken effect, and the handle [only
    /// reads](LsmDb::failure) from now on.
    pub fn commit(self) -> Result<(), LsmError> {
        self.commit_with(Durability::Default)
    }

    /// [`commit`](Self::commit), with a durability of its own. Within another transaction it
    /// makes no difference: that one's commit decides.
    ///
    /// # Errors
    /// As [`commit`](Self::commit), and those of the [`Durability`].
    pub fn commit_with(mut self, durability: Durability) -> Result<(), LsmError> {
        match self.level {
            1 => self.session.commit_with(durability)?,
            level => self.session.commit_nested(level)?,
        }
        self.is_open = false;
        Ok(())
    }

    /// Takes everything back. Dropping does the same.
    ///
    /// # Errors
    /// None that are expected.
    pub fn rollback(mut self) -> Result<(), LsmError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), LsmError> {
        self.is_open = false;
        match self.level {
            1 => self.session.rollback(),
            level => self.session.rollback_nested(level),
        }
    }

    pub(crate) fn session_mut(&mut self) -> &mut Session {
        self.session
    }

    pub(crate) fn view(&self, _: &'static str) -> Result<View<'_>, LsmError> {
        Ok(View::new(self.session.connection()))
    }
}

reads! {
    /// Reading: the newest committed state, and what the transaction has written.
    impl Transaction<'_>
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // Nobody is left to hear of an error, and none is expected.
            let _ = self.end();
        }
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
