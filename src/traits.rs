//! The traits of 0.2.2, [`Disk`] and [`Cursor`]: they only delegate.

use std::cmp::Ordering;

use crate::config::DbConf;
use crate::cursor::LsmCursor;
use crate::db::LsmDb;
use crate::error::LsmErrorCode;
use crate::raw::{self, Seek};

/// Where [`Cursor::seek`] may come to rest, in the interface of 0.2.2.
#[repr(C)]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LsmCursorSeekOp {
    /// On the key, or the next smaller one. [`Cursor::prev`] may follow.
    LsmCursorSeekLe = -1,
    /// On the key, or nowhere. Neither `next` nor `prev` may follow.
    LsmCursorSeekEq,
    /// On the key, or the next larger one. [`Cursor::next`] may follow.
    LsmCursorSeekGe,
}

impl TryFrom<i32> for LsmCursorSeekOp {
    type Error = LsmErrorCode;

    /// Reads a discriminant; an unknown one is [`LsmErrorCode::LsmUnknownCode`].
    fn try_from(value: i32) -> Result<Self, LsmErrorCode> {
        match value {
            -1 => Ok(LsmCursorSeekOp::LsmCursorSeekLe),
            0 => Ok(LsmCursorSeekOp::LsmCursorSeekEq),
            1 => Ok(LsmCursorSeekOp::LsmCursorSeekGe),
            _ => Err(LsmErrorCode::LsmUnknownCode),
        }
    }
}

impl From<LsmCursorSeekOp> for Seek {
    fn from(op: LsmCursorSeekOp) -> Self {
        match op {
            LsmCursorSeekOp::LsmCursorSeekLe => Seek::AtOrBefore,
            LsmCursorSeekOp::LsmCursorSeekEq => Seek::Exactly,
            LsmCursorSeekOp::LsmCursorSeekGe => Seek::AtOrAfter,
        }
    }
}

/// A database, as 0.2.2 has it; implemented by [`LsmDb`].
///
/// Every method but the first three answers [`LsmErrorCode::LsmMisuse`] before
/// [`connect`](Self::connect).
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmErrorCode> {
/// # let dir = tempfile::tempdir().unwrap();
/// use lsmlite_rs::{Cursor, DbConf, Disk, LsmCursorSeekOp, LsmDb};
///
/// let mut db = LsmDb::default();
/// db.initialize(DbConf::new(dir.path(), "demo".to_string()))?;
/// db.connect()?;
/// db.persist(b"key", b"value")?;
///
/// let mut cursor = db.cursor_open()?;
/// cursor.seek(b"key", LsmCursorSeekOp::LsmCursorSeekEq)?;
/// assert_eq!(cursor.get_value()?, b"value");
/// cursor.close()?;
/// drop(cursor);
///
/// db.disconnect()?;
/// # Ok(()) }
/// ```
pub trait Disk
where
    for<'a> Self: 'a,
{
    /// The cursor type.
    type C<'a>: Cursor;

    /// Tells the handle which file it belongs to. Touches no file.
    ///
    /// # Errors
    /// `LsmMisuse` if it knows already; `LsmError` if the path contains a nul byte.
    fn initialize(&mut self, conf: DbConf) -> Result<(), LsmErrorCode>;

    /// Opens the file, recovers what a crash left in the log, and starts the background
    /// thread of the configured mode.
    ///
    /// A missing file is created, except in read-only mode.
    ///
    /// # Errors
    /// `LsmMisuse` if not initialised, or connected already; `LsmIOErr` if the folder, or in
    /// read-only mode the file, doesn't exist; `LsmBusy` if another process has the file
    /// open; `LsmMismatch` if the codec isn't compiled in. That the file was written with
    /// another codec is reported by the first operation that needs the data. After an error
    /// the handle holds nothing and can try again.
    fn connect(&mut self) -> Result<(), LsmErrorCode>;

    /// Stops the background thread, writes everything to the file and closes it. Does
    /// nothing if not connected. Afterwards [`connect`](Self::connect) may follow.
    ///
    /// # Errors
    /// `LsmMisuse` if a transaction is open; the handle stays connected then. Any other
    /// error means that writing failed, now or [earlier](LsmDb::failure): the handle is closed
    /// and the log keeps the data.
    fn disconnect(&mut self) -> Result<(), LsmErrorCode>;

    /// Inserts a record or replaces the one with this key, as a transaction of its own
    /// unless one is open.
    ///
    /// # Errors
    /// `LsmConversionErr` if key and value take more than 1 GiB less 64 KiB; `LsmReadOnly`; `LsmBusy` if
    /// another connection is writing. After a failure to write, the handle
    /// [only reads](LsmDb::failure) and the record isn't there.
    fn persist(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmErrorCode>;

    /// The same as [`persist`](Self::persist).
    ///
    /// # Errors
    /// As [`persist`](Self::persist).
    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmErrorCode>;

    /// Deletes the record with this key. That there is none isn't an error.
    ///
    /// # Errors
    /// As [`persist`](Self::persist).
    fn delete(&mut self, key: &[u8]) -> Result<(), LsmErrorCode>;

    /// Deletes the records strictly between the two keys; both of them survive. Does nothing
    /// unless `begin` is smaller than `end`.
    ///
    /// # Errors
    /// As [`persist`](Self::persist).
    fn delete_range(&mut self, begin: &[u8], end: &[u8]) -> Result<(), LsmErrorCode>;

    /// Rewrites the database as one sorted run without deleted records, the smallest and
    /// fastest form to read; meant for files that are written once.
    ///
    /// # Errors
    /// `LsmMisuse` in a transaction; `LsmReadOnly`; `LsmBusy` if another connection is in the
    /// way for ten seconds; whatever writing runs into.
    fn optimize(&mut self) -> Result<(), LsmErrorCode>;

    /// Opens a transaction; what follows takes effect together at
    /// [`commit_transaction`](Self::commit_transaction). Does nothing if one is open.
    ///
    /// # Errors
    /// `LsmReadOnly`; `LsmBusy` if another connection is writing.
    fn begin_transaction(&mut self) -> Result<(), LsmErrorCode>;

    /// Commits the open transaction. Does nothing if none is open.
    ///
    /// # Errors
    /// If writing the log fails, nothing of the transaction is kept. If a write in the
    /// transaction failed, its error is returned again and the transaction stays open for
    /// [`rollback_transaction`](Self::rollback_transaction).
    fn commit_transaction(&mut self) -> Result<(), LsmErrorCode>;

    /// Takes back everything since [`begin_transaction`](Self::begin_transaction) and ends
    /// the transaction. Does nothing if none is open.
    ///
    /// # Errors
    /// None that are expected.
    fn rollback_transaction(&mut self) -> Result<(), LsmErrorCode>;

    /// Opens a cursor on a snapshot of the database. All cursors that are open together
    /// share it.
    ///
    /// # Errors
    /// `LsmMismatch` if the file was written with another codec; whatever reading runs into.
    fn cursor_open(&self) -> Result<Self::C<'_>, LsmErrorCode>;
}

/// A cursor, as 0.2.2 has it; implemented by [`LsmCursor`].
///
/// Moving past either end isn't an error: the cursor is then no longer
/// [`valid`](Self::valid). Every method answers [`LsmErrorCode::LsmMisuse`] on a cursor that
/// is closed or was never opened.
pub trait Cursor {
    /// Closes the cursor; dropping it does the same.
    ///
    /// # Errors
    /// `LsmMisuse` if it is closed already.
    fn close(&mut self) -> Result<(), LsmErrorCode>;

    /// Moves to the record with the smallest key. [`next`](Self::next) may follow.
    ///
    /// # Errors
    /// Whatever reading the file runs into.
    fn first(&mut self) -> Result<(), LsmErrorCode>;

    /// Moves to the record with the largest key. [`prev`](Self::prev) may follow.
    ///
    /// # Errors
    /// Whatever reading the file runs into.
    fn last(&mut self) -> Result<(), LsmErrorCode>;

    /// Moves to the record with this key, or near it as `mode` says. If there is no such
    /// record the cursor isn't [`valid`](Self::valid) afterwards, which isn't an error.
    ///
    /// # Errors
    /// Whatever reading the file runs into.
    fn seek(&mut self, key: &[u8], mode: LsmCursorSeekOp) -> Result<(), LsmErrorCode>;

    /// Moves to the next larger key.
    ///
    /// # Errors
    /// `LsmMisuse` unless the cursor was placed by [`first`](Self::first) or a seek with
    /// [`LsmCursorSeekOp::LsmCursorSeekGe`]; whatever reading the file runs into.
    fn next(&mut self) -> Result<(), LsmErrorCode>;

    /// Moves to the next smaller key.
    ///
    /// # Errors
    /// `LsmMisuse` unless the cursor was placed by [`last`](Self::last) or a seek with
    /// [`LsmCursorSeekOp::LsmCursorSeekLe`]; whatever reading the file runs into.
    fn prev(&mut self) -> Result<(), LsmErrorCode>;

    /// `Ok` while the cursor is on a record.
    ///
    /// # Errors
    /// `LsmError` if it isn't.
    fn valid(&self) -> Result<(), LsmErrorCode>;

    /// A copy of the record's key.
    ///
    /// # Errors
    /// `LsmError` if the cursor isn't on a record.
    fn get_key(&self) -> Result<Vec<u8>, LsmErrorCode>;

    /// A copy of the record's value.
    ///
    /// # Errors
    /// `LsmError` if the cursor isn't on a record; whatever reading the file runs into.
    fn get_value(&self) -> Result<Vec<u8>, LsmErrorCode>;

    /// How the record's key compares with `key`: byte by byte, and where one is the
    /// beginning of the other the shorter is the smaller.
    ///
    /// # Errors
    /// `LsmError` if the cursor isn't on a record.
    fn compare(&self, key: &[u8]) -> Result<Ordering, LsmErrorCode>;
}

impl Disk for LsmDb {
    type C<'a> = LsmCursor<'a>;

    fn initialize(&mut self, conf: DbConf) -> Result<(), LsmErrorCode> {
        Ok(self.set_target(conf)?)
    }

    fn connect(&mut self) -> Result<(), LsmErrorCode> {
        Ok(self.connect_target()?)
    }

    fn disconnect(&mut self) -> Result<(), LsmErrorCode> {
        Ok(self.end_session()?)
    }

    fn persist(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmErrorCode> {
        Ok(self.session_mut("persist")?.insert(key, value)?)
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmErrorCode> {
        self.persist(key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<(), LsmErrorCode> {
        Ok(self.session_mut("delete")?.delete(key)?)
    }

    fn delete_range(&mut self, begin: &[u8], end: &[u8]) -> Result<(), LsmErrorCode> {
        Ok(self.session_mut("delete_range")?.delete_range(begin, end)?)
    }

    fn optimize(&mut self) -> Result<(), LsmErrorCode> {
        Ok(self.session_mut("optimize")?.compact()?)
    }

    fn begin_transaction(&mut self) -> Result<(), LsmErrorCode> {
        Ok(self.session_mut("begin_transaction")?.begin()?)
    }

    fn commit_transaction(&mut self) -> Result<(), LsmErrorCode> {
        Ok(self.session_mut("commit_transaction")?.commit()?)
    }

    fn rollback_transaction(&mut self) -> Result<(), LsmErrorCode> {
        Ok(self.session_mut("rollback_transaction")?.rollback()?)
    }

    fn cursor_open(&self) -> Result<LsmCursor<'_>, LsmErrorCode> {
        Ok(self.open_cursor()?)
    }
}

impl<'a> LsmCursor<'a> {
    fn ours(&self) -> Result<&raw::Cursor<'a>, LsmErrorCode> {
        self.get().ok_or(LsmErrorCode::LsmMisuse)
    }

    fn ours_mut(&mut self) -> Result<&mut raw::Cursor<'a>, LsmErrorCode> {
        self.get_mut().ok_or(LsmErrorCode::LsmMisuse)
    }
}

impl Cursor for LsmCursor<'_> {
    fn close(&mut self) -> Result<(), LsmErrorCode> {
        self.take().map(drop).ok_or(LsmErrorCode::LsmMisuse)
    }

    fn first(&mut self) -> Result<(), LsmErrorCode> {
        Ok(self.ours_mut()?.first()?)
    }

    fn last(&mut self) -> Result<(), LsmErrorCode> {
        Ok(self.ours_mut()?.last()?)
    }

    fn seek(&mut self, key: &[u8], mode: LsmCursorSeekOp) -> Result<(), LsmErrorCode> {
        Ok(self.ours_mut()?.seek(key, mode.into())?)
    }

    fn next(&mut self) -> Result<(), LsmErrorCode> {
        Ok(self.ours_mut()?.next()?)
    }

    fn prev(&mut self) -> Result<(), LsmErrorCode> {
        Ok(self.ours_mut()?.prev()?)
    }

    fn valid(&self) -> Result<(), LsmErrorCode> {
        self.ours()?
            .valid()
            .then_some(())
            .ok_or(LsmErrorCode::LsmError)
    }

    fn get_key(&self) -> Result<Vec<u8>, LsmErrorCode> {
        Ok(self.ours()?.key()?)
    }

    fn get_value(&self) -> Result<Vec<u8>, LsmErrorCode> {
        Ok(self.ours()?.value()?)
    }

    fn compare(&self, key: &[u8]) -> Result<Ordering, LsmErrorCode> {
        Ok(self.ours()?.compare(key)?)
    }
}
