//! How far the recovery of a database has come, told while it is opened.

use std::fmt;
use std::sync::Arc;

use crate::builder::LsmDbBuilder;
use crate::env::recovery::{self, Report};
use crate::error::LsmError;
use crate::raw::Connection;
use crate::session::patiently;
use crate::stats;

/// How far a recovery has come; see [`LsmDbBuilder::on_recovery`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryProgress {
    /// Bytes of the log that have been replayed into memory; in the end `total_bytes`.
    pub read_bytes: u64,
    /// Bytes of the log that were found, in steps of 512. A transaction that wasn't committed is
    /// counted and not replayed.
    pub total_bytes: u64,
}

/// What [`LsmDbBuilder::on_recovery`] was given.
#[derive(Clone)]
pub(crate) struct RecoveryHook(Report);

impl LsmDbBuilder {
    /// Calls `progress` while the opening replays the log of a process that didn't close the
    /// database: after each 128 KiB, and at the end with `read_bytes` equal to `total_bytes`. Not
    /// at all if there is nothing to replay, or if another handle has the file open already.
    ///
    /// Before the first call the log has been read once already, to find its last commit; before
    /// the last one it has been made durable. Both take a part of the time.
    ///
    /// The closure runs in the middle of the engine's work, on the thread that opens the database.
    /// It can't use databases of this crate, neither this one nor others: that answers
    /// [`LsmMisuse`](crate::LsmErrorCode::LsmMisuse), and a handle that it drops stays open. Nor
    /// may it wait for a thread that does. If it panics, the opening fails, the log stays as it
    /// is, and the panic goes on.
    ///
    /// A [read-only](Self::read_only) handle replays the log when it reads, not when it is opened,
    /// and tells nobody.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("demo.lsm");
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// use lsmlite_rs::LsmDb;
    ///
    /// # let mut db = LsmDb::open(dir.path().join("crashed.lsm"))?;
    /// # db.insert("key", "value")?;
    /// # // What a process that dies now leaves behind.
    /// # std::fs::copy(dir.path().join("crashed.lsm"), &path)?;
    /// # std::fs::copy(dir.path().join("crashed.lsm-log"), dir.path().join("demo.lsm-log"))?;
    /// let replayed = Arc::new(AtomicU64::new(0));
    /// let told = Arc::clone(&replayed);
    /// let db = LsmDb::builder()
    ///     .on_recovery(move |progress| {
    ///         eprintln!("{} of {} bytes", progress.read_bytes, progress.total_bytes);
    ///         told.store(progress.read_bytes, Ordering::Relaxed);
    ///     })
    ///     .open(&path)?;
    /// # assert!(replayed.load(Ordering::Relaxed) > 0);
    /// assert_eq!(db.get("key")?, Some(b"value".to_vec()));
    /// # Ok(()) }
    /// ```
    pub fn on_recovery(
        mut self,
        progress: impl Fn(&RecoveryProgress) + Send + Sync + 'static,
    ) -> Self {
        let report = move |read_bytes, total_bytes| {
            progress(&RecoveryProgress {
                read_bytes,
                total_bytes,
            });
        };
        self.settings.on_recovery = Some(RecoveryHook(Arc::new(report)));
        self
    }
}

impl RecoveryHook {
    /// Opens a connection, and tells how its recovery goes on.
    pub(crate) fn watch(
        &self,
        open: impl FnOnce() -> Result<Connection, LsmError>,
    ) -> Result<Connection, LsmError> {
        let (connection, log) = recovery::watch(Arc::clone(&self.0), open);
        let connection = connection?;
        if let Some(log) = log {
            // That it was read doesn't mean that there was a commit in it. The engine knows; and if
            // it can't be asked, the database is open all the same.
            let replayed = patiently(|| stats::log_bytes(&connection));
            if replayed.map_or(log.was_told, |bytes| bytes > 0) {
                recovery::tell(&self.0, log.bytes, log.bytes);
            }
        }
        Ok(connection)
    }
}

impl fmt::Debug for RecoveryHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryHook").finish_non_exhaustive()
    }
}
