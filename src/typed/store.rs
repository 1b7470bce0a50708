//! What tables stand on: everything that reads or writes records of bytes.

use std::ops::Bound;
use std::path::Path;

use crate::db::LsmDb;
use crate::error::LsmError;
use crate::read::View;
use crate::reader_pool::PooledReader;
use crate::session::Session;
use crate::tables::Table;
use crate::write::{Transaction, WriteBatch};

/// What typed tables read from: [`LsmDb`], [`Transaction`], [`Reader`](crate::Reader),
/// [`PooledReader`], [`Snapshot`](crate::Snapshot), and the named tables in all of these,
/// [`Table`] and [`TableReader`](crate::TableReader).
///
/// Implemented in this crate only.
pub trait ReadStore: Readable {}

/// What typed tables write to: [`LsmDb`], [`Transaction`], [`Table`] and [`WriteBatch`].
///
/// Implemented in this crate only.
pub trait WriteStore: Writable {}

/// What typed tables read from and write to at once: [`LsmDb`], [`Transaction`] and [`Table`].
///
/// Implemented in this crate only.
pub trait Store: ReadStore + WriteStore + Atomic {}

pub trait Readable {
    fn reading(&self, operation: &'static str) -> Result<View<'_>, LsmError>;
}

/// The bounds of a range in bytes.
pub type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

pub trait Writable {
    fn insert_record(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmError>;

    fn remove_record(&mut self, key: &[u8]) -> Result<(), LsmError>;

    fn remove_records(&mut self, range: Bounds) -> Result<(), LsmError>;

    /// The file, for errors.
    fn file(&self) -> Option<&Path>;
}

pub trait Atomic {
    /// Does all of the work or, after an error or a panic, nothing of it; nobody else writes
    /// meanwhile. In a transaction that is open it is a part of that.
    fn atomically<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, LsmError>,
    ) -> Result<T, LsmError>;
}

impl Readable for PooledReader {
    fn reading(&self, operation: &'static str) -> Result<View<'_>, LsmError> {
        Readable::reading(&**self, operation)
    }
}

impl ReadStore for PooledReader {}

/// What has a session, in which transactions are open.
trait InSession {
    fn session(&mut self) -> Result<&mut Session, LsmError>;

    /// Called where what it knows of the database may be out of date: in a transaction that has
    /// just begun, and after one was rolled back.
    fn look_again(&mut self) -> Result<(), LsmError> {
        Ok(())
    }
}

impl InSession for LsmDb {
    fn session(&mut self) -> Result<&mut Session, LsmError> {
        self.session_mut("transaction")
    }
}

impl InSession for Transaction<'_> {
    fn session(&mut self) -> Result<&mut Session, LsmError> {
        Ok(self.session_mut())
    }
}

impl InSession for Table<'_> {
    fn session(&mut self) -> Result<&mut Session, LsmError> {
        Ok(self.session_mut())
    }

    fn look_again(&mut self) -> Result<(), LsmError> {
        Table::look_again(self)
    }
}

macro_rules! writes {
    ($type:ty) => {
        impl Writable for $type {
            fn insert_record(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmError> {
                self.insert(key, value)
            }

            fn remove_record(&mut self, key: &[u8]) -> Result<(), LsmError> {
                self.remove(key)
            }

            fn remove_records(&mut self, range: Bounds) -> Result<(), LsmError> {
                self.remove_range(range)
            }

            fn file(&self) -> Option<&Path> {
                Some(self.reading("locate").ok()?.path())
            }
        }

        impl Atomic for $type {
            fn atomically<T>(
                &mut self,
                work: impl FnOnce(&mut Self) -> Result<T, LsmError>,
            ) -> Result<T, LsmError> {
                atomically(self, work)
            }
        }

        impl WriteStore for $type {}

        impl Store for $type {}
    };
}

writes!(LsmDb);
writes!(Transaction<'_>);
writes!(Table<'_>);

impl Writable for WriteBatch {
    fn insert_record(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmError> {
        self.insert(key, value);
        Ok(())
    }

    fn remove_record(&mut self, key: &[u8]) -> Result<(), LsmError> {
        self.remove(key);
        Ok(())
    }

    fn remove_records(&mut self, range: Bounds) -> Result<(), LsmError> {
        self.remove_range(range);
        Ok(())
    }

    fn file(&self) -> Option<&Path> {
        None
    }
}

impl WriteStore for WriteBatch {}

fn atomically<S: InSession, T>(
    store: &mut S,
    work: impl FnOnce(&mut S) -> Result<T, LsmError>,
) -> Result<T, LsmError> {
    let session = store.session()?;
    let level = if session.connection().in_transaction() {
        Some(session.begin_nested()?)
    } else {
        session.begin()?;
        None
    };
    let mut level = Level {
        store,
        level,
        is_open: true,
    };
    if level.level.is_none() {
        level.store.look_again()?;
    }
    let done = work(level.store)?;
    level.commit()?;
    Ok(done)
}

/// A transaction, or one within another, that is rolled back when it is dropped.
struct Level<'a, S: InSession> {
    store: &'a mut S,
    level: Option<i32>,
    is_open: bool,
}

impl<S: InSession> Level<'_, S> {
    fn commit(&mut self) -> Result<(), LsmError> {
        let session = self.store.session()?;
        match self.level {
            None => session.commit()?,
            Some(level) => session.commit_nested(level)?,
        }
        self.is_open = false;
        Ok(())
    }
}

impl<S: InSession> Drop for Level<'_, S> {
    fn drop(&mut self) {
        // The error that led here is the one to report.
        if let (true, Ok(session)) = (self.is_open, self.store.session()) {
            let _ = match self.level {
                None => session.rollback(),
                Some(level) => session.rollback_nested(level),
            };
            let _ = self.store.look_again();
        }
    }
}
