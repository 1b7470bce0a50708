//! [`Writer`]: one writer that many threads share, and that commits for several at once.

mod group;
mod inside;
mod queue;

use std::fmt;
use std::sync::Arc;

use crate::db::LsmDb;
use crate::error::LsmError;
use crate::reader::Reader;
use crate::reader_pool::ReaderPool;
use crate::snapshot::Snapshot;
use crate::write::{Durability, Transaction, WriteBatch};
use queue::Queue;

/// A writer for many threads, with group commit: what they write at the same time is committed
/// together, with one sync for all; from [`LsmDb::into_writer`].
///
/// Clone it, or share it in an `Arc`. Requests are carried out one after the other, each in a
/// savepoint of its own: one that fails takes nothing back but itself. Each returns when what it
/// wrote is committed, and if that commit fails, everyone whose writes were in it hears of it.
///
/// A request sees those before it, also of its own group. While other threads are known to write,
/// a commit that has to sync waits for them, for at most half the time that the last one took; a
/// thread alone never waits.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("demo.lsm");
/// use lsmlite_rs::LsmDb;
/// use lsmlite_rs::config::Safety;
///
/// let writer = LsmDb::builder().safety(Safety::Full).open(&path)?.into_writer();
/// let threads: Vec<_> = (0..8_u8)
///     .map(|me| {
///         let writer = writer.clone();
///         std::thread::spawn(move || writer.insert([me], "value"))
///     })
///     .collect();
/// for thread in threads {
///     thread.join().unwrap()?;
/// }
/// assert_eq!(writer.reader()?.iter().count(), 8);
/// writer.close()?;
/// # Ok(()) }
/// ```
///
/// The database is closed when the last clone is dropped, without a way to report an error; use
/// [`close`](Self::close) to hear of it.
#[derive(Clone)]
pub struct Writer {
    queue: Arc<Queue>,
    durability: Durability,
}

impl LsmDb {
    /// Makes a writer of this handle that many threads can share.
    pub fn into_writer(self) -> Writer {
        Writer {
            queue: Arc::new(Queue::new(self)),
            durability: Durability::Default,
        }
    }
}

impl Writer {
    /// The same writer, for whose requests, and those of its clones, commits wait for this.
    /// A group waits for the most that one of its requests asks for.
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Inserts a record, or replaces the one with this key.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn insert(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), LsmError> {
        self.update(|tx| tx.insert(key, value))
    }

    /// Removes the record with this key, if there is one.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn remove(&self, key: impl AsRef<[u8]>) -> Result<(), LsmError> {
        self.update(|tx| tx.remove(key))
    }

    /// Makes all writes of the batch, or none of them.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn write(&self, batch: &WriteBatch) -> Result<(), LsmError> {
        self.update(|tx| tx.write(batch))
    }

    /// Runs a closure that reads and writes: all that it writes is committed, or nothing if it
    /// returns an error or panics.
    ///
    /// It runs in this thread, while no other one writes, so that what it read is still true when
    /// it writes; keep it short. The error can be of the caller's own, as long as an [`LsmError`]
    /// turns into it.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let writer = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?.into_writer();
    /// let next_number = || -> Result<u64, lsmlite_rs::LsmError> {
    ///     writer.update(|tx| {
    ///         let last = tx.get("number")?.map_or(0, |bytes| bytes[0].into());
    ///         tx.insert("number", [last as u8 + 1])?;
    ///         Ok(last + 1)
    ///     })
    /// };
    /// assert_eq!((next_number()?, next_number()?), (1, 2));
    /// # Ok(()) }
    /// ```
    ///
    /// The transaction stays in the closure:
    ///
    /// ```compile_fail,E0521
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let writer = lsmlite_rs::LsmDb::open("never.lsm")?.into_writer();
    /// let mut kept = None;
    /// writer.update(|tx| {
    ///     kept = Some(tx);
    ///     Ok::<_, lsmlite_rs::LsmError>(())
    /// })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of the closure. That of the commit, which then has had no effect for anyone in the
    /// group. `LsmBusy` if a handle other than this one is writing; `LsmMisuse` if the writer is
    /// closed, or if this is called in the closure of another request. After a write or sync that
    /// failed everything is refused, as [`LsmDb::failure`] describes.
    pub fn update<T, E: From<LsmError>>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.queue.request(self.durability, work)
    }

    /// Runs a closure that has the handle to itself, between two groups: for maintenance, such as
    /// [`LsmDb::compact`] and [`LsmDb::stats`]. Others wait meanwhile.
    ///
    /// A transaction that is left open is rolled back.
    ///
    /// # Errors
    /// `LsmMisuse` as for [`update`](Self::update).
    pub fn exclusive<T>(&self, work: impl FnOnce(&mut LsmDb) -> T) -> Result<T, LsmError> {
        self.queue.exclusive(work)
    }

    /// Opens a [`Reader`] beside the writer; see [`LsmDb::reader`].
    ///
    /// # Errors
    /// As [`LsmDb::reader`] and [`exclusive`](Self::exclusive).
    pub fn reader(&self) -> Result<Reader, LsmError> {
        self.queue.look(LsmDb::reader)
    }

    /// Makes a pool of readers beside the writer; see [`LsmDb::reader_pool`].
    ///
    /// # Errors
    /// As [`LsmDb::reader_pool`] and [`exclusive`](Self::exclusive).
    pub fn reader_pool(&self, limit: usize) -> Result<ReaderPool, LsmError> {
        self.queue.look(|db| db.reader_pool(limit))
    }

    /// Keeps the newest commit readable; see [`LsmDb::snapshot`].
    ///
    /// # Errors
    /// As [`LsmDb::snapshot`] and [`exclusive`](Self::exclusive).
    pub fn snapshot(&self) -> Result<Snapshot, LsmError> {
        self.queue.look(LsmDb::snapshot)
    }

    /// Closes the database for all clones, after what is under way, and says whether everything
    /// reached the file. Later requests are `LsmMisuse`.
    ///
    /// # Errors
    /// As [`LsmDb::close`]; `LsmMisuse` if a clone has closed it already.
    pub fn close(self) -> Result<(), LsmError> {
        self.queue.close()
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}
