//! How often the engine calls its storage: what a write costs where calls are slow.
#![cfg(unix)]

mod common;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::Result;
use lsmlite_rs::config::Safety;
use lsmlite_rs::env::{Env, Storage, StorageFile};
use lsmlite_rs::{LsmDb, LsmDbBuilder};

type Content = Arc<Mutex<Vec<u8>>>;

/// Files in memory, and how often they were called.
#[derive(Clone, Default)]
struct Counted {
    files: Arc<Mutex<HashMap<PathBuf, Content>>>,
    calls: Arc<Calls>,
}

#[derive(Default)]
struct Calls {
    reads: AtomicUsize,
    syncs: AtomicUsize,
}

impl Calls {
    /// Reads and syncs since the last time.
    fn take(&self) -> (usize, usize) {
        let take = |calls: &AtomicUsize| calls.swap(0, Ordering::Relaxed);
        (take(&self.reads), take(&self.syncs))
    }
}

struct File(Content, Arc<Calls>);

impl Storage for Counted {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn StorageFile>> {
        let mut files = self.files.lock().unwrap();
        if !create && !files.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let content = files.entry(path.to_owned()).or_default();
        Ok(Box::new(File(Arc::clone(content), Arc::clone(&self.calls))))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.files.lock().unwrap().remove(path);
        removed.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.files.lock().unwrap().keys().cloned().collect())
    }
}

impl StorageFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.reads.fetch_add(1, Ordering::Relaxed);
        let content = self.0.lock().unwrap();
        let rest = content.get(offset as usize..).unwrap_or(&[]);
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut content = self.0.lock().unwrap();
        let end = offset as usize + bytes.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[offset as usize..end].copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().truncate(length as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.1.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn counted(builder: LsmDbBuilder) -> Result<(LsmDb, Arc<Calls>)> {
    let storage = Counted::default();
    let calls = Arc::clone(&storage.calls);
    let db = builder
        .env(Env::with_storage(storage))
        .open("/counted.lsm")?;
    Ok((db, calls))
}

#[test]
fn a_commit_at_full_safety_syncs_once() -> Result {
    let (mut db, calls) = counted(LsmDb::builder().safety(Safety::Full))?;
    db.insert("first", "opens the log")?;
    calls.take();
    for n in 0..10_u8 {
        db.insert([n], "value")?;
    }
    assert_eq!(calls.take().1, 10);
    let mut transaction = db.transaction()?;
    transaction.insert("one", "of two")?;
    transaction.insert("two", "of two")?;
    transaction.commit()?;
    assert_eq!(calls.take().1, 1);
    db.close()?;
    Ok(())
}

#[test]
fn writes_read_nothing_but_a_page_after_each_checkpoint() -> Result {
    let (mut db, calls) = counted(LsmDb::builder())?;
    for round in 0..3_u8 {
        for n in 0..10_u8 {
            db.insert([n, round], "value")?;
        }
        db.flush()?;
        db.checkpoint()?;
        calls.take();
        for n in 0..100_u8 {
            db.insert([n], [round])?;
        }
        // To see whether there is a new checkpoint, to read it, and to see that there is none.
        let reads = calls.take().0;
        assert!((1..=3).contains(&reads), "{reads} reads");
    }
    db.close()?;
    Ok(())
}
