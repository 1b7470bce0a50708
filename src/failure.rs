//! A handle after a failed write: what still works, and why the rest doesn't.

use crate::db::LsmDb;
use crate::error::LsmError;

/// Failures.
impl LsmDb {
    /// The failure after which this handle only reads; `None` as long as all is well.
    ///
    /// A write or sync that failed (the disk is full, a device is broken, memory ran out, the
    /// file turned out to be damaged) leaves the file in a state that only opening it anew can
    /// make certain. So from then on, whether the failure was in a call of yours, in the work
    /// that follows some commits, or in a background thread:
    ///
    /// - Reading goes on, and shows what was committed. The call that failed has no effect: a
    ///   transaction is taken back at once, and [`rollback`](crate::Disk::rollback_transaction)
    ///   remains for its formal end.
    /// - Every call that would write, change a setting or do maintenance is refused with an
    ///   error that [`is_poisoned`](LsmError::is_poisoned), has the code of the failure and
    ///   tells of it. Background threads stop.
    /// - [`close`](Self::close) and dropping write nothing. `close` returns the failure.
    /// - Opening the database again, in this process or another, recovers all that was
    ///   committed, once there is space or memory again.
    ///
    /// Handles of the same process on the same file go on: what failed has left no trace in
    /// the memory that they share. But after a failed sync of the file none of them takes
    /// another checkpoint until all are closed, because a second sync can say that all is well
    /// when it isn't.
    ///
    /// Not failures in this sense: `LsmBusy`, `LsmMisuse`, `LsmReadOnly`, `LsmMismatch`,
    /// `LsmConversionErr`, an error or panic of a page codec (unless in a background thread),
    /// and whatever happens while reading.
    ///
    /// If a device refuses to sync a commit and then refuses the write that would take it back,
    /// it may be there after opening again.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("demo.lsm");
    /// use lsmlite_rs::LsmDb;
    ///
    /// let mut db = LsmDb::open(&path)?;
    /// db.insert(b"key", b"value")?;
    /// if let Some(cause) = db.failure() {
    ///     eprintln!("{cause}");
    ///     let _ = db.close(); // says the same once more
    ///     db = LsmDb::open(&path)?;
    /// }
    /// assert_eq!(db.get(b"key")?, Some(b"value".to_vec()));
    /// # Ok(()) }
    /// ```
    pub fn failure(&self) -> Option<LsmError> {
        self.session("failure").ok()?.failure()
    }
}
