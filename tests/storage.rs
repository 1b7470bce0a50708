//! Storage written by a user: a database lives in it, and what goes wrong in it is an error.
#![cfg(unix)]

mod common;

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use common::{Model, Result, SplitMix64, assert_same, contents, panic_text};
use lsmlite_rs::config::{BackgroundMode, Mmap};
use lsmlite_rs::env::{Env, Storage, StorageFile};
use lsmlite_rs::{LsmDb, LsmErrorCode};

type Content = Arc<Mutex<Vec<u8>>>;

#[derive(Clone, Default)]
struct Shelf {
    files: Arc<Mutex<HashMap<PathBuf, Content>>>,
    mood: Arc<Mood>,
}

#[derive(Default)]
struct Mood {
    full: AtomicBool,
    panics: AtomicBool,
    locked: AtomicBool,
    /// Opens another database from within a read.
    nosy: AtomicBool,
    /// Opens another database when a file is closed.
    clingy: AtomicBool,
    answer: Mutex<Option<LsmErrorCode>>,
}

impl Mood {
    fn ask(&self) {
        let answer = LsmDb::open("/somewhere/else.lsm").err().map(|e| e.code());
        *self.answer.lock().unwrap() = answer;
    }
}

struct Paper(Content, Arc<Mood>);

impl Drop for Paper {
    fn drop(&mut self) {
        if self.1.clingy.swap(false, Ordering::Relaxed) {
            self.1.ask();
        }
    }
}

impl Storage for Shelf {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn StorageFile>> {
        let mut files = self.files.lock().unwrap();
        if !create && !files.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let content = files.entry(path.to_owned()).or_default();
        Ok(Box::new(Paper(Arc::clone(content), Arc::clone(&self.mood))))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.files.lock().unwrap().remove(path);
        removed.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.files.lock().unwrap().keys().cloned().collect())
    }
}

impl StorageFile for Paper {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    /// At most 1000 bytes at once, and now and then interrupted.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.1.panics.load(Ordering::Relaxed) {
            panic!("the shelf broke down");
        }
        if self.1.nosy.swap(false, Ordering::Relaxed) {
            self.1.ask();
        }
        let content = self.0.lock().unwrap();
        let rest = content.get(offset as usize..).unwrap_or(&[]);
        let n = rest.len().min(buffer.len()).min(1000);
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if self.1.full.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no shelf left"));
        }
        let n = bytes.len().min(1000);
        let mut content = self.0.lock().unwrap();
        let end = offset as usize + n;
        if content.len() < end {
            content.resize(end, 0);
        }
        content[offset as usize..end].copy_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().truncate(length as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<bool> {
        Ok(!self.1.locked.load(Ordering::Relaxed))
    }
}

const PATH: &str = "/shelf/a.lsm";

#[test]
fn a_database_lives_in_it() -> Result {
    for background in [
        BackgroundMode::None,
        BackgroundMode::Merger,
        BackgroundMode::MergerAndCheckpointer,
    ] {
        let shelf = Shelf::default();
        let env = Env::with_storage(shelf.clone());
        let builder = || {
            LsmDb::builder()
                .env(&env)
                .background(background)
                .autoflush_kib(64)
                .block_size_kib(64)
        };
        let mut model = Model::new();
        let mut random = SplitMix64::new(7);
        for _ in 0..3 {
            let mut db = builder().open(PATH)?;
            for _ in 0..2000 {
                let key = random.below(3000).to_be_bytes();
                if random.one_in(4) {
                    db.remove(key)?;
                    model.remove(&key[..]);
                } else {
                    let value = random.bytes(100);
                    db.insert(key, &value)?;
                    model.insert(key.to_vec(), value);
                }
            }
            assert_same(&contents(&db)?, &model, "while open");
            db.close()?;
        }
        assert_same(&contents(&builder().open(PATH)?)?, &model, "reopened");
        assert!(!Path::new(PATH).exists());
    }
    Ok(())
}

#[test]
fn two_storages_have_nothing_in_common() -> Result {
    let open = |env: &Env| LsmDb::builder().env(env).open(PATH);
    let envs = [0, 1].map(|_| Env::with_storage(Shelf::default()));
    let (mut one, two) = (open(&envs[0])?, open(&envs[1])?);
    one.insert(b"key", b"value")?;
    assert_eq!(two.get(b"key")?, None);
    Ok(())
}

#[test]
fn its_errors_are_told_in_its_own_words() -> Result {
    let shelf = Shelf::default();
    let env = Env::with_storage(shelf.clone());
    let mut db = LsmDb::builder().env(&env).open(PATH)?;
    db.insert(b"key", b"value")?;
    shelf.mood.full.store(true, Ordering::Relaxed);
    let error = db.insert(b"key", b"other").unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmFull);
    assert!(error.to_string().contains("no shelf left"), "{error}");
    shelf.mood.full.store(false, Ordering::Relaxed);
    drop(db);
    let db = LsmDb::builder().env(&env).open(PATH)?;
    assert_eq!(db.get(b"key")?.as_deref(), Some(&b"value"[..]));
    Ok(())
}

#[test]
fn its_panic_goes_on_in_the_caller() -> Result {
    let shelf = Shelf::default();
    let env = Env::with_storage(shelf.clone());
    LsmDb::builder().env(&env).open(PATH)?.insert(b"k", b"v")?;
    let db = LsmDb::builder().env(&env).open(PATH)?;
    shelf.mood.panics.store(true, Ordering::Relaxed);
    let payload = catch_unwind(AssertUnwindSafe(|| db.get(b"k"))).unwrap_err();
    assert_eq!(panic_text(&*payload), "the shelf broke down");
    shelf.mood.panics.store(false, Ordering::Relaxed);
    assert_eq!(db.get(b"k")?.as_deref(), Some(&b"v"[..]));
    Ok(())
}

#[test]
fn it_can_not_use_databases_itself() -> Result {
    let shelf = Shelf::default();
    let env = Env::with_storage(shelf.clone());
    LsmDb::builder().env(&env).open(PATH)?.insert(b"k", b"v")?;
    let db = LsmDb::builder().env(&env).open(PATH)?;
    shelf.mood.nosy.store(true, Ordering::Relaxed);
    db.get(b"k")?;
    let answer = *shelf.mood.answer.lock().unwrap();
    assert_eq!(answer, Some(LsmErrorCode::LsmMisuse));
    Ok(())
}

/// The engine closes files under a lock that another opening waits for, for ever.
#[test]
fn it_can_not_use_databases_while_it_closes_a_file() -> Result {
    let shelf = Shelf::default();
    let env = Env::with_storage(shelf.clone());
    let db = LsmDb::builder().env(&env).open(PATH)?;
    shelf.mood.clingy.store(true, Ordering::Relaxed);
    db.close()?;
    let answer = *shelf.mood.answer.lock().unwrap();
    assert_eq!(answer, Some(LsmErrorCode::LsmMisuse));
    Ok(())
}

/// It would read while the other process writes.
#[test]
fn a_storage_that_is_locked_elsewhere_can_not_be_read_either() -> Result {
    let shelf = Shelf::default();
    let env = Env::with_storage(shelf.clone());
    LsmDb::builder().env(&env).open(PATH)?.insert(b"k", b"v")?;
    let open = || LsmDb::builder().env(&env).read_only(true).open(PATH);
    let (one, two) = (open()?, open()?);
    for db in [&one, &two] {
        assert_eq!(db.get(b"k")?.as_deref(), Some(&b"v"[..]));
    }
    drop((one, two));
    shelf.mood.locked.store(true, Ordering::Relaxed);
    let error = open()?.get(b"k").err().ok_or("read")?;
    assert!(error.is_busy(), "{error}");
    Ok(())
}

#[test]
fn a_storage_that_is_locked_elsewhere_is_busy() -> Result {
    let shelf = Shelf::default();
    shelf.mood.locked.store(true, Ordering::Relaxed);
    let env = Env::with_storage(shelf);
    let error = LsmDb::builder()
        .env(&env)
        .open(PATH)
        .err()
        .ok_or("opened")?;
    assert!(error.is_busy(), "{error}");
    Ok(())
}

#[test]
fn what_needs_mapped_files_is_refused() {
    let env = Env::with_storage(Shelf::default());
    let builder = || LsmDb::builder().env(&env);
    for builder in [builder().mmap(Mmap::All), builder().multi_process(true)] {
        let error = builder.open(PATH).err().unwrap();
        assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
        assert!(error.to_string().contains("no mapped files"), "{error}");
    }
}
