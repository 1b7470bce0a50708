//! An open database: the caller's connection, its background threads and its metrics.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::background::Background;
use crate::compression::{CodecChoice, PageCodec};
use crate::config::Settings;
use crate::error::LsmError;
use crate::metrics::LsmMetrics;
use crate::raw::{Connection, Param};
use crate::stats::{self, DbStats};

/// How long maintenance waits for a background thread or another connection to let go.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// While everything is merged, checkpoints must come often: only then is the space that the
/// merge frees reused, and the file stays small.
const COMPACTION_CHECKPOINT_KIB: i32 = 2 * 1024;

pub(crate) struct Session {
    /// Dropped first: the last connection to close writes everything to the file, and that
    /// must be the caller's.
    background: Option<Background>,
    connection: Connection,
    metrics: Option<LsmMetrics>,
    autocheckpoint_kib: i32,
    codecs: CodecChoice,
}

impl Session {
    /// Opens the file with checked settings and starts the threads.
    pub(crate) fn open(
        path: &Path,
        settings: &Settings,
        metrics: Option<&LsmMetrics>,
    ) -> Result<Session, LsmError> {
        settings.check().map_err(|error| error.with_path(path))?;
        let connection = Connection::open(
            &settings.env,
            path,
            settings.opening(),
            &settings.params(),
            &settings.codecs,
        )?;
        let background = Background::start(path, settings, metrics)?;
        Ok(Session {
            background,
            connection,
            metrics: metrics.cloned(),
            autocheckpoint_kib: settings.own_autocheckpoint_kib(),
            codecs: settings.codecs.clone(),
        })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The codec with this id, if it is known here.
    pub(crate) fn codec(&self, id: u32) -> Option<Arc<dyn PageCodec>> {
        let mut codecs = self.codecs.preferred.iter().chain(&self.codecs.known);
        codecs
            .find(|known| known.id == id)
            .map(|known| Arc::clone(&known.codec))
    }

    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmError> {
        self.write(|connection| connection.insert(key, value))
    }

    pub(crate) fn delete(&mut self, key: &[u8]) -> Result<(), LsmError> {
        self.write(|connection| connection.delete(key))
    }

    pub(crate) fn delete_range(&mut self, begin: &[u8], end: &[u8]) -> Result<(), LsmError> {
        self.write(|connection| connection.delete_range(begin, end))
    }

    pub(crate) fn begin(&mut self) -> Result<(), LsmError> {
        self.check_background()?;
        self.connection.begin()
    }

    pub(crate) fn commit(&mut self) -> Result<(), LsmError> {
        self.write(Connection::commit)
    }

    pub(crate) fn rollback(&mut self) -> Result<(), LsmError> {
        self.connection.rollback()
    }

    /// Every write goes through here: refused after a background failure, timed, and
    /// followed by the writer's share of the background work.
    fn write(
        &mut self,
        operation: impl FnOnce(&mut Connection) -> Result<(), LsmError>,
    ) -> Result<(), LsmError> {
        let start = self.metrics.is_some().then(Instant::now);
        self.check_background()?;
        operation(&mut self.connection)?;
        if let (Some(background), false) = (&mut self.background, self.connection.in_transaction())
        {
            background.after_commit(&self.connection)?;
        }
        if let (Some(metrics), Some(start)) = (&self.metrics, start) {
            metrics.observe_write(start.elapsed());
        }
        Ok(())
    }

    fn check_background(&self) -> Result<(), LsmError> {
        self.background.as_ref().map_or(Ok(()), Background::check)
    }

    /// Writes what is in memory to the database file.
    pub(crate) fn flush(&mut self) -> Result<(), LsmError> {
        self.check_background()?;
        patiently(|| self.connection.flush())
    }

    /// Makes the database file durable; returns the KiB that it was behind.
    pub(crate) fn checkpoint(&mut self) -> Result<u32, LsmError> {
        self.check_background()?;
        patiently(|| self.connection.checkpoint())
    }

    /// Flushes the old tree and merges until about so many KiB were written; returns how many.
    pub(crate) fn work(&mut self, kib: u32) -> Result<u32, LsmError> {
        self.check_background()?;
        patiently(|| self.connection.work(0, Some(kib.max(1))))
    }

    /// What the database looks like inside.
    pub(crate) fn stats(&self) -> Result<DbStats, LsmError> {
        patiently(|| stats::read(&self.connection))
    }

    /// Merges everything into one segment and makes it durable.
    pub(crate) fn compact(&mut self) -> Result<(), LsmError> {
        self.flush()?;
        let often = match self.autocheckpoint_kib {
            0 => COMPACTION_CHECKPOINT_KIB,
            usual => usual.min(COMPACTION_CHECKPOINT_KIB),
        };
        self.connection.set(Param::AutocheckpointKib, often)?;
        let compaction = Compaction {
            connection: &mut self.connection,
            usual_checkpoint_kib: self.autocheckpoint_kib,
        };
        patiently(|| compaction.connection.work(1, None))?;
        drop(compaction);
        self.checkpoint()?;
        Ok(())
    }

    /// Stops the threads and closes the file; an open transaction is rolled back.
    pub(crate) fn close(self) -> Result<(), LsmError> {
        let failed = self.check_background();
        drop(self.background);
        self.connection.close()?;
        failed
    }
}

/// A connection that checkpoints often; goes back to its usual ways at the end, also when a
/// codec panics.
struct Compaction<'a> {
    connection: &'a mut Connection,
    usual_checkpoint_kib: i32,
}

impl Drop for Compaction<'_> {
    fn drop(&mut self) {
        // The engine took the value before; and if not, checkpoints are only more frequent.
        let _ = self
            .connection
            .set(Param::AutocheckpointKib, self.usual_checkpoint_kib);
    }
}

/// Tries again while another connection is in the way.
fn patiently<T>(mut work: impl FnMut() -> Result<T, LsmError>) -> Result<T, LsmError> {
    let start = Instant::now();
    loop {
        match work() {
            Err(error) if error.is_busy() && start.elapsed() < BUSY_TIMEOUT => {
                thread::sleep(BUSY_PAUSE);
            }
            other => return other,
        }
    }
}
