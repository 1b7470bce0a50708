//! An open database: the caller's connection, its background threads and its metrics.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::background::Background;
use crate::compression::{CodecChoice, FileCodec};
use crate::config::{Safety, Settings};
use crate::error::{LsmError, LsmErrorCode};
use crate::metrics::LsmMetrics;
use crate::observe::{Observer, Operation, Span};
use crate::raw::{Connection, Param, Source, Stop};
use crate::stats::{self, DbStats};
use crate::write::Durability;

/// How long maintenance waits for a background thread or another connection to let go.
const MAINTENANCE_TIMEOUT: Duration = Duration::from_secs(10);
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// While everything is merged, checkpoints must come often: only then is the space that the
/// merge frees reused, and the file stays small.
const COMPACTION_CHECKPOINT_KIB: i32 = 2 * 1024;

/// With a smaller budget a merge writes the b-tree of its result anew for each record or two.
const LEAST_WORK_PAGES: u32 = 8;

pub(crate) struct Session {
    /// Dropped first: the last connection to close writes everything to the file, and that
    /// must be the caller's.
    background: Option<Background>,
    connection: Connection,
    metrics: Option<LsmMetrics>,
    observer: Observer,
    autocheckpoint_kib: i32,
    safety: Safety,
    use_log: bool,
    /// How long a write waits for another writer.
    busy_timeout: Duration,
    codecs: CodecChoice,
    /// Of keys and values, since it was opened.
    bytes_given: u64,
}

/// A source that remembers whether it was asked.
struct Begun<'a> {
    source: &'a mut dyn Source,
    has_begun: bool,
    /// Of keys and values, so far.
    bytes: u64,
}

impl Source for Begun<'_> {
    fn advance(&mut self) -> Result<bool, Stop> {
        self.has_begun = true;
        let is_record = self.source.advance()?;
        if is_record {
            let (key, value) = self.source.record();
            self.bytes += (key.len() + value.len()) as u64;
        }
        Ok(is_record)
    }

    fn record(&self) -> (&[u8], &[u8]) {
        self.source.record()
    }
}

impl Session {
    /// Opens the file with checked settings and starts the threads.
    pub(crate) fn open(
        path: &Path,
        settings: &Settings,
        metrics: Option<&LsmMetrics>,
    ) -> Result<Session, LsmError> {
        let span = Span::open(path, settings.read_only);
        let opened = Session::connect(path, settings, metrics);
        span.end(opened.as_ref().err(), None);
        opened
    }

    fn connect(
        path: &Path,
        settings: &Settings,
        metrics: Option<&LsmMetrics>,
    ) -> Result<Session, LsmError> {
        settings.check().map_err(|error| error.with_path(path))?;
        let open = || {
            Connection::open(
                &settings.env,
                path,
                settings.opening(),
                &settings.params(),
                &settings.codecs,
            )
        };
        #[cfg(unix)]
        let connection = match &settings.on_recovery {
            Some(hook) => hook.watch(open)?,
            None => open()?,
        };
        #[cfg(not(unix))]
        let connection = open()?;
        let background = Background::start(path, settings, metrics)?;
        Ok(Session {
            background,
            observer: Observer::new(settings.db_metrics.as_ref(), &connection),
            connection,
            metrics: metrics.cloned(),
            autocheckpoint_kib: settings.own_autocheckpoint_kib(),
            safety: settings.safety,
            use_log: settings.use_log,
            busy_timeout: settings.busy_timeout,
            codecs: settings.codecs.clone(),
            bytes_given: 0,
        })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The codecs that are known here.
    pub(crate) fn codecs(&self) -> impl Iterator<Item = &FileCodec> + Clone {
        self.codecs.preferred.iter().chain(&self.codecs.known)
    }

    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmError> {
        let bytes = key.len() + value.len();
        self.write(Operation::Insert(bytes), |connection| {
            connection.insert(key, value)
        })
    }

    /// Says which keys are written next, in the open transaction.
    pub(crate) fn expect<'k>(&mut self, keys: impl IntoIterator<Item = &'k [u8]>) {
        self.connection.expect(keys);
    }

    pub(crate) fn delete(&mut self, key: &[u8]) -> Result<(), LsmError> {
        self.write(Operation::Remove(key.len()), |connection| {
            connection.delete(key)
        })
    }

    pub(crate) fn delete_range(&mut self, begin: &[u8], end: &[u8]) -> Result<(), LsmError> {
        let bytes = begin.len() + end.len();
        self.write(Operation::RemoveRange(bytes), |connection| {
            connection.delete_range(begin, end)
        })
    }

    /// Opens a transaction, unless one is open.
    pub(crate) fn begin(&mut self) -> Result<(), LsmError> {
        self.hear_background();
        let timeout = self.busy_timeout;
        let result = in_turn(timeout, || self.connection.begin());
        self.halt_after_failure();
        result
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// Also that one is open.
    pub(crate) fn begin_new(&mut self) -> Result<(), LsmError> {
        if self.connection.in_transaction() && self.connection.failure().is_none() {
            let error = LsmError::new("transaction", LsmErrorCode::LsmMisuse);
            return Err(error.with_path(self.connection.path()).with_message(
                "a transaction of the compatible face is open: commit it or roll it back first",
            ));
        }
        self.begin()
    }

    pub(crate) fn commit(&mut self) -> Result<(), LsmError> {
        self.write(Operation::Commit, Connection::commit)
    }

    pub(crate) fn commit_with(&mut self, durability: Durability) -> Result<(), LsmError> {
        let usual = self.safety;
        let safety =
            (durability.safety(usual)).map_err(|error| error.with_path(self.connection.path()))?;
        match safety {
            None => self.commit(),
            Some(safety) if self.use_log => self.write(Operation::Commit, |connection| {
                connection.commit_at(safety as i32, usual as i32)
            }),
            Some(_) => {
                self.commit()?;
                if durability == Durability::Sync {
                    self.flush()?;
                    self.checkpoint()?;
                }
                Ok(())
            }
        }
    }

    /// Says why a commit can't be had like this.
    pub(crate) fn check_durability(&self, durability: Durability) -> Result<(), LsmError> {
        let safety = durability.safety(self.safety);
        safety.map_err(|error| error.with_path(self.connection.path()))?;
        Ok(())
    }

    /// True if a commit of this durability syncs.
    pub(crate) fn will_sync(&self, durability: Durability) -> bool {
        match durability {
            Durability::Default => self.use_log && self.safety == Safety::Full,
            Durability::Sync => true,
            Durability::None => false,
        }
    }

    /// How much memory what was written takes, and 0 if that isn't known.
    pub(crate) fn live_tree_kib(&self) -> u32 {
        self.connection.tree_size().map_or(0, |size| size.live_kib)
    }

    pub(crate) fn rollback(&mut self) -> Result<(), LsmError> {
        self.connection.rollback()
    }

    pub(crate) fn begin_nested(&mut self) -> Result<i32, LsmError> {
        self.connection.begin_nested()
    }

    pub(crate) fn commit_nested(&mut self, level: i32) -> Result<(), LsmError> {
        self.connection.commit_nested(level)
    }

    pub(crate) fn rollback_nested(&mut self, level: i32) -> Result<(), LsmError> {
        self.connection.rollback_nested(level)
    }

    /// Several writes as one: in the transaction that is open, or in one of their own.
    pub(crate) fn atomically<T>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T, LsmError>,
    ) -> Result<T, LsmError> {
        if self.connection.in_transaction() {
            return work(self);
        }
        self.begin()?;
        match work(self) {
            Ok(done) => self.commit().map(|()| done),
            Err(error) => {
                self.rollback()?;
                Err(error)
            }
        }
    }

    /// Every write goes through here: shown to those who listen.
    fn write(
        &mut self,
        operation: Operation,
        work: impl FnMut(&mut Connection) -> Result<(), LsmError>,
    ) -> Result<(), LsmError> {
        let running = self.observer.start(operation, &self.connection);
        let result = self.write_unseen(work);
        if result.is_ok() {
            self.bytes_given += operation.bytes();
        }
        (self.observer).end(running, &self.connection, |()| None, result)
    }

    /// Refused after a background failure, timed, and followed by the writer's share of the
    /// background work.
    fn write_unseen(
        &mut self,
        mut operation: impl FnMut(&mut Connection) -> Result<(), LsmError>,
    ) -> Result<(), LsmError> {
        let start = self.metrics.is_some().then(Instant::now);
        self.hear_background();
        let timeout = match self.connection.in_transaction() {
            true => Duration::ZERO,
            false => self.busy_timeout,
        };
        let result = in_turn(timeout, || operation(&mut self.connection));
        self.halt_after_failure();
        result?;
        if let (Some(background), false) = (&mut self.background, self.connection.in_transaction())
        {
            // The write itself has succeeded: the next one says what happened here.
            match background.after_commit(&self.connection) {
                Err(cause) if !cause.is_busy() => self.connection.fail(cause),
                _ => {}
            }
        }
        if let (Some(metrics), Some(start)) = (&self.metrics, start) {
            metrics.observe_write(start.elapsed());
        }
        Ok(())
    }

    /// The failure of a thread is one of the handle.
    fn hear_background(&mut self) {
        if let Some(Err(cause)) = self.background.as_ref().map(Background::check) {
            self.connection.fail(cause);
        }
    }

    /// And after a failure of the handle the threads stop writing too.
    fn halt_after_failure(&self) {
        if let (Some(background), Some(_)) = (&self.background, self.connection.failure()) {
            background.halt();
        }
    }

    /// Work on the file, which waits for others. `kib` says how much of it there was, if the
    /// result does.
    fn maintain<T>(
        &mut self,
        operation: Operation,
        kib: impl FnOnce(&T) -> Option<u32>,
        mut work: impl FnMut(&mut Connection) -> Result<T, LsmError>,
    ) -> Result<T, LsmError> {
        let running = self.observer.start(operation, &self.connection);
        self.hear_background();
        let result = patiently(|| work(&mut self.connection));
        self.halt_after_failure();
        self.observer.end(running, &self.connection, kib, result)
    }

    /// The failure after which the handle only reads.
    pub(crate) fn failure(&self) -> Option<LsmError> {
        let own = self.connection.failure().cloned();
        own.or_else(|| self.background.as_ref()?.check().err())
    }

    /// Writes what is in memory to the database file.
    pub(crate) fn flush(&mut self) -> Result<(), LsmError> {
        self.maintain(Operation::Flush, |()| None, Connection::flush)
    }

    /// Writes sorted records past log and memory, and makes them durable. False if the source
    /// stopped it.
    pub(crate) fn ingest(&mut self, source: &mut dyn Source) -> Result<bool, LsmError> {
        let mut source = Begun {
            source,
            has_begun: false,
            bytes: 0,
        };
        let running = self.observer.start(Operation::Ingest, &self.connection);
        self.hear_background();
        // What was taken from the source can't be had a second time.
        let result = patiently_for(MAINTENANCE_TIMEOUT, || {
            match self.connection.ingest(&mut source) {
                Err(error) if error.is_busy() && source.has_begun => Ok(Err(error)),
                Err(error) => Err(error),
                Ok(done) => Ok(Ok(done)),
            }
        });
        self.halt_after_failure();
        self.bytes_given += source.bytes;
        let result = result.and_then(|result| result);
        self.observer
            .end(running, &self.connection, |_| None, result)
    }

    /// Makes the database file durable; returns the KiB that it was behind.
    pub(crate) fn checkpoint(&mut self) -> Result<u32, LsmError> {
        self.maintain(
            Operation::Checkpoint,
            |kib| Some(*kib),
            Connection::checkpoint,
        )
    }

    /// Flushes the old tree and merges until about so many KiB were written; returns how many.
    pub(crate) fn work(&mut self, kib: u32) -> Result<u32, LsmError> {
        self.maintain(
            Operation::Work,
            |kib| Some(*kib),
            |connection| {
                let least = LEAST_WORK_PAGES * connection.page_size_bytes()? / 1024;
                connection.work(0, Some(kib.max(least)))
            },
        )
    }

    /// What the database looks like inside.
    pub(crate) fn stats(&self) -> Result<DbStats, LsmError> {
        let stats = patiently(|| stats::read(&self.connection))?;
        Ok(DbStats {
            bytes_given: self.bytes_given,
            ..stats
        })
    }

    /// How many free blocks can't be used again before this snapshot is gone.
    pub(crate) fn blocks_freed_since(&self, snapshot: u64) -> Result<u64, LsmError> {
        patiently(|| stats::blocks_freed_since(&self.connection, snapshot))
    }

    /// Merges everything into one segment and makes it durable.
    pub(crate) fn compact(&mut self) -> Result<(), LsmError> {
        self.merge_all(|connection| {
            patiently(|| connection.work(1, None))?;
            Ok(true)
        })?;
        Ok(())
    }

    /// The same in steps. Before each, `next` is told how many KiB were written so far. False if it
    /// said that it was to stop; then it goes on another time.
    pub(crate) fn compact_in_steps(
        &mut self,
        mut next: impl FnMut(&Connection, u64) -> NextStep,
    ) -> Result<bool, LsmError> {
        let mut written = 0;
        self.merge_all(|connection| {
            loop {
                let (n_merge, kib) = match next(connection, written) {
                    NextStep::Take { n_merge, kib } => (n_merge, kib),
                    NextStep::Stop => return Ok(false),
                    NextStep::Done => return Ok(true),
                };
                let mut kib_now = patiently(|| connection.work(n_merge, Some(kib)))?;
                if kib_now == 0 && n_merge > 1 {
                    kib_now = patiently(|| connection.work(1, Some(kib)))?;
                }
                if kib_now == 0 {
                    break;
                }
                written += u64::from(kib_now);
            }
            // Moves blocks, which aren't counted.
            patiently(|| connection.work(1, None))?;
            Ok(true)
        })
    }

    /// Flushes, merges by `merge` while checkpoints come often, and makes it durable if that
    /// has merged everything.
    fn merge_all(
        &mut self,
        merge: impl FnOnce(&mut Connection) -> Result<bool, LsmError>,
    ) -> Result<bool, LsmError> {
        let running = self.observer.start(Operation::Compact, &self.connection);
        let result = self.merge_all_unseen(merge);
        (self.observer).end(running, &self.connection, |_| None, result)
    }

    fn merge_all_unseen(
        &mut self,
        merge: impl FnOnce(&mut Connection) -> Result<bool, LsmError>,
    ) -> Result<bool, LsmError> {
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
        let merged = merge(compaction.connection);
        drop(compaction);
        self.halt_after_failure();
        let merged = merged?;
        if merged {
            self.checkpoint()?;
        }
        Ok(merged)
    }

    /// Stops the threads and closes the file; an open transaction is rolled back.
    pub(crate) fn close(mut self) -> Result<(), LsmError> {
        self.stop_background();
        self.connection.close()
    }

    /// The same, when nobody is left to hear of an error.
    pub(crate) fn end(mut self) {
        self.stop_background();
    }

    fn stop_background(&mut self) {
        if let Some(Err(cause)) = self.background.take().map(Background::stop) {
            self.connection.fail(cause);
        }
    }
}

/// What becomes of a compaction.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// Merge so many KiB, and begin no merge of fewer runs than `n_merge`; 1: of any.
    Take {
        n_merge: u32,
        kib: u32,
    },
    Stop,
    Done,
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

/// Tries again for as long as maintenance waits, while another connection is in the way.
pub(crate) fn patiently<T>(work: impl FnMut() -> Result<T, LsmError>) -> Result<T, LsmError> {
    patiently_for(MAINTENANCE_TIMEOUT, work)
}

/// Tries again for so long, while another writer is in the way, and says that it did.
fn in_turn(timeout: Duration, work: impl FnMut() -> Result<(), LsmError>) -> Result<(), LsmError> {
    patiently_for(timeout, work).map_err(|error| match error.is_busy() {
        true if !timeout.is_zero() => {
            let waited = format!(
                "another writer was in the way for {} ms",
                timeout.as_millis()
            );
            let advice = "try again when it is done, or wait longer with busy_timeout";
            error.with_message(waited).with_advice(advice)
        }
        _ => error,
    })
}

/// Tries again for so long, while another connection is in the way.
fn patiently_for<T>(
    timeout: Duration,
    mut work: impl FnMut() -> Result<T, LsmError>,
) -> Result<T, LsmError> {
    let mut start = None;
    loop {
        match work() {
            Err(error)
                if error.is_busy()
                    && start.get_or_insert_with(Instant::now).elapsed() < timeout =>
            {
                thread::sleep(BUSY_PAUSE);
            }
            other => return other,
        }
    }
}
