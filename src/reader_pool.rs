//! [`ReaderPool`]: readers for threads that share them.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::db::LsmDb;
use crate::error::{LsmError, LsmErrorCode};
use crate::reader::{ReadSource, Reader};
use crate::snapshot::Snapshot;

/// How long somebody waits for a reader that another one has, unless told otherwise.
const WAIT: Duration = Duration::from_secs(10);

/// Readers that threads share: clone it, or put it into an `Arc`, and just read; from
/// [`LsmDb::reader_pool`].
///
/// Each read takes a connection out of the pool, opens one if all are in use and the limit allows
/// it, and puts it back. At the limit it waits until another thread is done: ten seconds at most,
/// or what [`with_wait`](Self::with_wait) says; then it is `LsmBusy`. Every read sees the newest
/// commit at that moment.
///
/// Connections stay open until the last clone of the pool and the last [`PooledReader`] are
/// dropped. The pool may outlive the handle that it came from, as a [`Reader`] may.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("demo.lsm");
/// use lsmlite_rs::LsmDb;
///
/// let mut db = LsmDb::open(&path)?;
/// db.insert("key", "value")?;
/// let readers = db.reader_pool(4)?;
/// std::thread::scope(|scope| {
///     for _ in 0..8 {
///         scope.spawn(|| assert!(readers.get("key").unwrap().is_some()));
///     }
/// });
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ReaderPool {
    shared: Arc<Shared>,
    wait: Duration,
}

struct Shared {
    source: Arc<ReadSource>,
    limit: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Reader>,
    in_use: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Readers for many threads.
impl LsmDb {
    /// Makes a pool of at most `limit` readers. They are opened when they are first needed.
    ///
    /// As many as threads read at the same time are enough; more threads wait for each other.
    ///
    /// # Errors
    /// `LsmMisuse` if the handle isn't connected, or `limit` is 0.
    pub fn reader_pool(&self, limit: usize) -> Result<ReaderPool, LsmError> {
        let source = self.read_source("reader_pool")?;
        if limit == 0 {
            let error = LsmError::new("reader_pool", LsmErrorCode::LsmMisuse);
            return Err(error.with_message("a pool needs a limit of 1 at least"));
        }
        Ok(ReaderPool {
            shared: Arc::new(Shared {
                source,
                limit,
                state: Mutex::default(),
                returned: Condvar::new(),
            }),
            wait: WAIT,
        })
    }
}

impl ReaderPool {
    /// The same readers, for which this handle and its clones wait so long. Default: ten seconds.
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Takes a reader out of the pool, for several reads or to iterate; it goes back when the
    /// result is dropped.
    ///
    /// A thread that asks for a second one while it keeps the first may wait for itself.
    ///
    /// # Errors
    /// `LsmBusy` if all are in use for too long; whatever opening another one runs into.
    pub fn reader(&self) -> Result<PooledReader, LsmError> {
        let shared = &self.shared;
        let start = Instant::now();
        let mut state = shared.lock();
        loop {
            if let Some(reader) = state.idle.pop() {
                state.in_use += 1;
                return Ok(self.lend(reader));
            }
            if state.in_use < shared.limit {
                state.in_use += 1;
                drop(state);
                return match Reader::open(Arc::clone(&shared.source)) {
                    Ok(reader) => Ok(self.lend(reader)),
                    Err(error) => {
                        shared.lock().in_use -= 1;
                        shared.returned.notify_one();
                        Err(error)
                    }
                };
            }
            let Some(rest) = self.wait.checked_sub(start.elapsed()) else {
                let error = LsmError::new("take a reader", LsmErrorCode::LsmBusy);
                return Err(error.with_path(shared.source.path()).with_message(format!(
                    "all {} readers of the pool have been in use for {:?}",
                    shared.limit, self.wait
                )));
            };
            state = shared
                .returned
                .wait_timeout(state, rest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lend(&self, reader: Reader) -> PooledReader {
        PooledReader {
            reader: Some(reader),
            shared: Arc::clone(&self.shared),
        }
    }

    /// The value of this key in the newest commit, or `None`.
    ///
    /// # Errors
    /// As [`reader`](Self::reader) and [`Reader::get`].
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, LsmError> {
        self.reader()?.get(key)
    }

    /// True if the newest commit has a record with this key.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn contains_key(&self, key: impl AsRef<[u8]>) -> Result<bool, LsmError> {
        self.reader()?.contains_key(key)
    }

    /// Keeps the newest commit readable; see [`LsmDb::snapshot`]. It has a connection of its own,
    /// which doesn't count here.
    ///
    /// # Errors
    /// As [`LsmDb::snapshot`].
    pub fn snapshot(&self) -> Result<Snapshot, LsmError> {
        Snapshot::take(Arc::clone(&self.shared.source))
    }
}

/// A [`Reader`] out of a [`ReaderPool`], into which it goes back when this is dropped.
///
/// Its iterators end before that:
///
/// ```compile_fail,E0716
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let db = lsmlite_rs::LsmDb::open("never.lsm")?;
/// let readers = db.reader_pool(4)?;
/// let mut records = readers.reader()?.iter();
/// records.next();
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PooledReader {
    /// Only the drop takes it.
    reader: Option<Reader>,
    shared: Arc<Shared>,
}

impl Deref for PooledReader {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        match &self.reader {
            Some(reader) => reader,
            None => unreachable!("it goes back in the drop only"),
        }
    }
}

impl Drop for PooledReader {
    fn drop(&mut self) {
        if let Some(mut reader) = self.reader.take() {
            // The next one must see the newest commit, not what a leaked iterator keeps.
            reader.let_go();
            let mut state = self.shared.lock();
            state.in_use -= 1;
            state.idle.push(reader);
            drop(state);
            self.shared.returned.notify_one();
        }
    }
}

impl fmt::Debug for ReaderPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReaderPool")
            .field("path", &self.source.path())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
