//! [`Sweeper`]: removes expired records in the background.

use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::clock::Clock;
use super::key::Key;
use super::store::Store;
use super::ttl::TtlTable;
use super::value::ValueFormat;
use crate::error::{LsmError, LsmErrorCode};

/// How many records are removed before others get the handle.
const BATCH: usize = 256;

/// A thread that removes expired records of a [`TtlTable`] now and then, until it is stopped or
/// dropped.
///
/// It works on the handle that the program itself writes with, behind a mutex, because a second
/// one would make writes fail with `LsmBusy` at times. The lock is held for 256 records at most.
/// Keep the lock for as long as a transaction of your own is open: otherwise removals become a
/// part of it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("demo.lsm");
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
/// use lsmlite_rs::LsmDb;
/// use lsmlite_rs::typed::{Sweeper, TtlTable};
///
/// const CACHE: TtlTable<String, Vec<u8>> = TtlTable::new(b"cache/");
///
/// let db = Arc::new(Mutex::new(LsmDb::open(&path)?));
/// let sweeper = Sweeper::start(Arc::clone(&db), CACHE, Duration::from_secs(30))?;
///
/// let page = b"<html>".to_vec();
/// CACHE.insert(&mut *db.lock().unwrap(), "/index", page, Duration::from_secs(300))?;
///
/// sweeper.stop()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping it stops the thread"]
pub struct Sweeper {
    /// Dropped to stop the thread.
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<Result<(), LsmError>>>,
    removed: Arc<AtomicU64>,
}

impl Sweeper {
    /// Starts the thread: it looks for expired records at once, and again each time that `every`
    /// has passed.
    ///
    /// # Errors
    /// `LsmBgThreadUnavailable` if the system gives no thread.
    pub fn start<S, K, V, F, C>(
        db: Arc<Mutex<S>>,
        table: TtlTable<K, V, F, C>,
        every: Duration,
    ) -> Result<Sweeper, LsmError>
    where
        S: Store + Send + 'static,
        K: Key,
        V: 'static,
        F: ValueFormat<V> + 'static,
        C: Clock + 'static,
    {
        let (wake, woken) = mpsc::channel();
        let removed = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&removed);
        let thread = thread::Builder::new()
            .name("lsm-sweeper".into())
            .spawn(move || run(&db, &table, every, &woken, &count))
            .map_err(|error| {
                LsmError::new("start a sweeper", LsmErrorCode::LsmBgThreadUnavailable)
                    .with_message(error.to_string())
            })?;
        Ok(Sweeper {
            wake: Some(wake),
            thread: Some(thread),
            removed,
        })
    }

    /// Makes it look now. Doesn't wait for it.
    pub fn sweep_now(&self) {
        if let Some(wake) = &self.wake {
            // It has stopped after an error, which `stop` returns.
            let _ = wake.send(());
        }
    }

    /// How many records it has removed.
    pub fn removed(&self) -> u64 {
        self.removed.load(Ordering::SeqCst)
    }

    /// False once it has stopped because of an error, which [`stop`](Self::stop) returns.
    pub fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// Stops it after the records that it is at, and returns how many it has removed.
    ///
    /// # Errors
    /// The one that stopped it before. A busy database doesn't; it tries again the next time.
    ///
    /// # Panics
    /// If an encoding or a codec has panicked in the thread, with that panic.
    pub fn stop(mut self) -> Result<u64, LsmError> {
        match self.join() {
            Some(Err(payload)) => panic::resume_unwind(payload),
            Some(Ok(Err(error))) => Err(error),
            _ => Ok(self.removed()),
        }
    }

    fn join(&mut self) -> Option<thread::Result<Result<(), LsmError>>> {
        self.wake = None;
        Some(self.thread.take()?.join())
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.join();
    }
}

fn run<S: Store, K: Key, V, F: ValueFormat<V>, C: Clock>(
    db: &Mutex<S>,
    table: &TtlTable<K, V, F, C>,
    every: Duration,
    woken: &Receiver<()>,
    removed: &AtomicU64,
) -> Result<(), LsmError> {
    loop {
        let pause = match sweep(db, table)? {
            Some(batch) => {
                removed.fetch_add(batch.removed as u64, Ordering::SeqCst);
                if batch.is_last { every } else { Duration::ZERO }
            }
            None => every,
        };
        match woken.recv_timeout(pause) {
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// One batch; `None` if another handle is writing.
fn sweep<S: Store, K: Key, V, F: ValueFormat<V>, C: Clock>(
    db: &Mutex<S>,
    table: &TtlTable<K, V, F, C>,
) -> Result<Option<super::ttl::Batch>, LsmError> {
    let mut db = db.lock().map_err(|_| {
        LsmError::new(
            "remove expired records",
            LsmErrorCode::LsmBgThreadUnavailable,
        )
        .with_message("a thread panicked with the database in its hands")
    })?;
    match table.remove_batch(&mut *db, BATCH) {
        Err(error) if error.is_busy() => Ok(None),
        other => other.map(Some),
    }
}
