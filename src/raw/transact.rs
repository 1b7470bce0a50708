//! Transactions of a connection, also one within the other.

use std::ffi::c_int;

use super::Connection;
use super::connection::{Param, Transaction};
use crate::error::LsmError;
use crate::ffi;

impl Connection {
    /// Opens a transaction, unless one is open.
    pub(crate) fn begin(&mut self) -> Result<(), LsmError> {
        let db = self.exclusive("begin")?;
        // SAFETY: `db` is live, without cursors, and ours by `&mut self`.
        let rc = unsafe { ffi::lsm_begin(db, 1) };
        if rc == ffi::LSM_OK && !self.in_transaction() {
            self.transaction = Transaction::Open;
            self.level = 1;
        }
        self.finish("begin", rc)
    }

    /// Commits the open transaction with all those within it; does nothing without one.
    ///
    /// # Errors
    /// After a failed write, that write's error; the transaction stays open for
    /// [`rollback`](Self::rollback).
    pub(crate) fn commit(&mut self) -> Result<(), LsmError> {
        self.refuse_failed("commit")?;
        if let Transaction::Failed(error) = &self.transaction {
            return Err(error.clone());
        }
        let db = self.exclusive("commit")?;
        // SAFETY: as in `begin`.
        let rc = unsafe { ffi::lsm_commit(db, 0) };
        // lsm1 ends the transaction even if the commit failed.
        self.transaction = Transaction::None;
        self.level = 0;
        self.finish("commit", rc)
    }

    /// [`commit`](Self::commit) at a level of safety of its own.
    pub(crate) fn commit_at(&mut self, safety: c_int, usual: c_int) -> Result<(), LsmError> {
        self.set(Param::Safety, safety)?;
        let result = self.commit();
        // A connection that can't be set any more doesn't commit any more either.
        let _ = self.set(Param::Safety, usual);
        result
    }

    /// Takes back everything since [`begin`](Self::begin); does nothing without one.
    pub(crate) fn rollback(&mut self) -> Result<(), LsmError> {
        self.refuse_reentry("rollback")?;
        let db = self.without_cursors();
        // SAFETY: as in `begin`. A connection that failed has done it already; then this does
        // nothing.
        let rc = unsafe { ffi::lsm_rollback(db, 0) };
        self.transaction = Transaction::None;
        self.level = 0;
        self.finish("rollback", rc)
    }

    /// Opens a transaction within the one that is open; returns its level.
    pub(crate) fn begin_nested(&mut self) -> Result<c_int, LsmError> {
        self.refuse_failed("savepoint")?;
        if let Transaction::Failed(error) = &self.transaction {
            return Err(error.clone());
        }
        let db = self.exclusive("savepoint")?;
        let level = self.level + 1;
        // SAFETY: as in `begin`.
        let rc = unsafe { ffi::lsm_begin(db, level) };
        if rc == ffi::LSM_OK {
            self.level = level;
        }
        self.finish("savepoint", rc)?;
        Ok(level)
    }

    /// Ends the transactions of this level and within it, and keeps what they did.
    pub(crate) fn commit_nested(&mut self, level: c_int) -> Result<(), LsmError> {
        self.refuse_failed("commit a savepoint")?;
        if let Transaction::Failed(error) = &self.transaction {
            return Err(error.clone());
        }
        let db = self.exclusive("commit a savepoint")?;
        // SAFETY: as in `begin`.
        let rc = unsafe { ffi::lsm_commit(db, level - 1) };
        if rc == ffi::LSM_OK {
            self.level = level - 1;
        }
        self.finish("commit a savepoint", rc)
    }

    /// Ends the transactions of this level and within it, and takes back what they did, also
    /// if that failed: the transaction around them is as it was when the first of them began.
    /// Does nothing if there is none.
    pub(crate) fn rollback_nested(&mut self, level: c_int) -> Result<(), LsmError> {
        self.refuse_reentry("roll back a savepoint")?;
        if self.level < level {
            return Ok(());
        }
        let db = self.without_cursors();
        // SAFETY: as in `begin`. The first call goes back to where the level began, the second
        // ends it.
        let rc = unsafe {
            match ffi::lsm_rollback(db, level) {
                ffi::LSM_OK => ffi::lsm_commit(db, level - 1),
                rc => rc,
            }
        };
        if rc == ffi::LSM_OK {
            self.level = level - 1;
            // It was open and whole when the level began.
            self.transaction = Transaction::Open;
        }
        self.finish("roll back a savepoint", rc)
    }
}
