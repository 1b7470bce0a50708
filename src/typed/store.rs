//! What tables stand on: everything that reads or writes records of bytes.

use std::ops::Bound;
use std::path::Path;

use crate::db::LsmDb;
use crate::error::LsmError;
use crate::read::View;
use crate::reader_pool::PooledReader;
use crate::session::Session;
use crate::write::{Transaction, WriteBatch};

/// What tables read from: [`LsmDb`], [`Transaction`], [`Reader`](crate::Reader),
/// [`PooledReader`], [`Snapshot`](crate::Snapshot).
///
/// Implemented in this crate only.
pub trait ReadStore: Readable {}

/// What tables write to: [`LsmDb`], [`Transaction`] and [`WriteBatch`].
///
/// Implemented in this crate only.
pub trait WriteStore: Writable {}

/// What tables read from and write to at once: [`LsmDb`] and [`Transaction`].
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

macro_rules! writes {
    ($type:ty, $store:ident => $session:expr) => {
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
                atomically(self, |$store| $session, work)
            }
        }

        impl WriteStore for $type {}

        impl Store for $type {}
    };
}

writes!(LsmDb, db => db.session_mut("transaction"));
writes!(Transaction<'_>, transaction => Ok(transaction.session_mut()));

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

/// Finds the session of a store.
type FindSession<S> = fn(&mut S) -> Result<&mut Session, LsmError>;

fn atomically<S, T>(
    store: &mut S,
    session: FindSession<S>,
    work: impl FnOnce(&mut S) -> Result<T, LsmError>,
) -> Result<T, LsmError> {
    let found = session(store)?;
    let level = if found.connection().in_transaction() {
        Some(found.begin_nested()?)
    } else {
        found.begin()?;
        None
    };
    let mut level = Level {
        store,
        session,
        level,
        is_open: true,
    };
    let done = work(level.store)?;
    level.commit()?;
    Ok(done)
}

/// A transaction, or one within another, that is rolled back when it is dropped.
struct Level<'a, S> {
    store: &'a mut S,
    session: FindSession<S>,
    level: Option<i32>,
    is_open: bool,
}

impl<S> Level<'_, S> {
    fn commit(&mut self) -> Result<(), LsmError> {
        let session = (self.session)(self.store)?;
        match self.level {
            None => session.commit()?,
            Some(level) => session.commit_nested(level)?,
        }
        self.is_open = false;
        Ok(())
    }
}

impl<S> Drop for Level<'_, S> {
    fn drop(&mut self) {
        if let (true, Ok(session)) = (self.is_open, (self.session)(self.store)) {
            // The error that led here is the one to report.
            let _ = match self.level {
                None => session.rollback(),
                Some(level) => session.rollback_nested(level),
            };
        }
    }
}
