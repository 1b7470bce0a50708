//! Storage of your own: a place for database files that isn't a file system.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::system::{Access, Bytes, Identity, Lock, Status, System, SystemFile};
use super::{Env, locks};

/// Stores files by name: for databases on something else than a file system.
///
/// One process uses such a database, and nothing is mapped:
/// [`multi_process`](crate::LsmDbBuilder::multi_process) and
/// [`mmap`](crate::LsmDbBuilder::mmap) are refused. Everything that could endanger memory
/// (allocation, mappings, locks within the process) isn't part of the trait, so an
/// implementation can lose data but can't break safe Rust. It is called from all threads that
/// use a database, in the middle of the engine's work, so it can't use databases of this crate
/// itself: that answers [`LsmMisuse`](crate::LsmErrorCode::LsmMisuse). Nor may it wait for a
/// thread that does: while a file is opened, locked or closed, no other database of the process
/// can be opened or closed. An error fails the operation and is part of its message; a panic
/// does too, and goes on when the engine has returned.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::collections::HashMap;
/// use std::io;
/// use std::path::{Path, PathBuf};
/// use std::sync::{Arc, Mutex};
///
/// use lsmlite_rs::LsmDb;
/// use lsmlite_rs::env::{Env, Storage, StorageFile};
///
/// /// Keeps files in memory.
/// #[derive(Default)]
/// struct Shelf(Mutex<HashMap<PathBuf, Arc<Mutex<Vec<u8>>>>>);
/// struct Paper(Arc<Mutex<Vec<u8>>>);
///
/// impl Storage for Shelf {
///     fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn StorageFile>> {
///         let mut files = self.0.lock().unwrap();
///         if !files.contains_key(path) && !create {
///             return Err(io::ErrorKind::NotFound.into());
///         }
///         let file = files.entry(path.to_owned()).or_default();
///         Ok(Box::new(Paper(Arc::clone(file))))
///     }
///     fn remove(&self, path: &Path) -> io::Result<()> {
///         let removed = self.0.lock().unwrap().remove(path);
///         removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
///     }
///     fn list(&self, _directory: &Path) -> io::Result<Vec<PathBuf>> {
///         Ok(self.0.lock().unwrap().keys().cloned().collect())
///     }
/// }
///
/// impl StorageFile for Paper {
///     fn len(&self) -> io::Result<u64> {
///         Ok(self.0.lock().unwrap().len() as u64)
///     }
///     fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
///         let bytes = self.0.lock().unwrap();
///         let rest = bytes.get(offset as usize..).unwrap_or(&[]);
///         let n = rest.len().min(buffer.len());
///         buffer[..n].copy_from_slice(&rest[..n]);
///         Ok(n)
///     }
///     fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
///         let mut content = self.0.lock().unwrap();
///         let end = offset as usize + bytes.len();
///         let longer = content.len().max(end);
///         content.resize(longer, 0);
///         content[offset as usize..end].copy_from_slice(bytes);
///         Ok(bytes.len())
///     }
///     fn truncate(&self, length: u64) -> io::Result<()> {
///         self.0.lock().unwrap().truncate(length as usize);
///         Ok(())
///     }
///     fn sync(&self) -> io::Result<()> {
///         Ok(()) // Memory is as durable as it gets.
///     }
/// }
///
/// let env = Env::with_storage(Shelf::default());
/// let mut db = LsmDb::builder().env(&env).open("/shelf/a.lsm")?;
/// db.insert(b"key", b"value")?;
/// db.close()?;
/// let db = LsmDb::builder().env(&env).create(false).open("/shelf/a.lsm")?;
/// assert_eq!(db.get(b"key")?.as_deref(), Some(&b"value"[..]));
/// # Ok(()) }
/// ```
pub trait Storage: Send + Sync + 'static {
    /// Opens a file for reading and writing; `create` makes it if there is none.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) if there is no such file and none was to be made.
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn StorageFile>>;

    /// Removes a file, durably. Files that are open stay usable.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) if there is no such file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The files in a directory, as full paths, in any order.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// The one path of a file that may have several; it must not depend on whether the file
    /// exists. The default takes the path as it is.
    ///
    /// # Errors
    /// Whatever keeps it from being found.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// Time since the Unix epoch. The default asks the operating system.
    fn now(&self) -> Duration {
        SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
    }

    /// Lets time pass: the engine waits for a lock. The default sleeps.
    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// An open file of a [`Storage`]. Dropping it closes it.
#[allow(clippy::len_without_is_empty)]
pub trait StorageFile: Send + Sync {
    /// Length in bytes.
    ///
    /// # Errors
    /// Whatever keeps it from being known.
    fn len(&self) -> io::Result<u64>;

    /// Fills the front of the buffer; returns how many bytes, 0 only at the end of the file.
    ///
    /// # Errors
    /// [`Interrupted`](io::ErrorKind::Interrupted) is tried again; others fail the read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes a first part of the bytes, at least one; returns how many. What is between the
    /// old end of the file and the offset becomes zeros.
    ///
    /// # Errors
    /// [`Interrupted`](io::ErrorKind::Interrupted) is tried again; others fail the write.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts the file to this length, which is never more than it has.
    ///
    /// # Errors
    /// Whatever keeps it from being cut.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Returns when everything that was written, and the existence of the file, survives a
    /// loss of power.
    ///
    /// # Errors
    /// After one, what was written since the last success may be lost.
    fn sync(&self) -> io::Result<()>;

    /// Keeps other processes from opening the file for as long as this one has it open: asked
    /// for once, for the database file. False if another process has it. The default grants
    /// it, which is right where no other process can get at the file.
    ///
    /// # Errors
    /// Whatever keeps it from being locked.
    fn lock(&self) -> io::Result<bool> {
        Ok(true)
    }
}

impl Env {
    /// An environment whose files are in this storage. What is open in it is found under the
    /// path alone, so two environments must not share one storage.
    pub fn with_storage(storage: impl Storage) -> Env {
        Env::over(Arc::new(StorageSystem {
            storage,
            names: Names::default(),
        }))
    }
}

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// True while code of a storage, or a report of a recovery, runs on this thread, with the engine in
/// the middle of a call.
pub(crate) fn is_running() -> bool {
    BUSY.try_with(Cell::get).unwrap_or(true)
}

/// Runs code that must not use databases.
pub(super) fn run<T>(work: impl FnOnce() -> T) -> T {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            let _ = BUSY.try_with(|busy| busy.set(self.0));
        }
    }
    let _reset = Reset(BUSY.try_with(|busy| busy.replace(true)).unwrap_or(true));
    work()
}

struct StorageSystem<S> {
    storage: S,
    names: Names,
}

/// Numbers in place of inodes: a file that is made under an old name gets a new one.
#[derive(Default)]
struct Names {
    numbers: Mutex<HashMap<PathBuf, u64>>,
    last: AtomicU64,
}

impl Names {
    fn number(&self, path: &Path) -> u64 {
        let mut numbers = self.lock();
        let next = || self.last.fetch_add(1, Ordering::Relaxed) + 1;
        *numbers.entry(path.to_owned()).or_insert_with(next)
    }

    fn forget(&self, path: &Path) {
        self.lock().remove(path);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, u64>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct File {
    /// `None` while it is dropped.
    inner: Option<Box<dyn StorageFile>>,
    number: u64,
    /// The engine has several locks; the storage is asked for one.
    is_locked: AtomicBool,
}

impl<S: Storage> StorageSystem<S> {
    fn file(&self, path: &Path, create: bool) -> io::Result<File> {
        Ok(File {
            inner: Some(run(|| self.storage.open(path, create))?),
            number: self.names.number(path),
            is_locked: AtomicBool::new(false),
        })
    }
}

impl<S: Storage> System for StorageSystem<S> {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        run(|| self.storage.resolve(path))
    }

    fn status(&self, path: &Path) -> io::Result<Status> {
        match self.file(path, false) {
            Ok(file) => file.status(),
            Err(error) => {
                if error.kind() == io::ErrorKind::NotFound {
                    self.names.forget(path);
                }
                Err(error)
            }
        }
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn SystemFile>> {
        Ok(Box::new(self.file(path, access == Access::CreateNew)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.names.forget(path);
        run(|| self.storage.remove(path))
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        // `StorageFile::sync` and `Storage::remove` vouch for the names too.
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        run(|| self.storage.list(directory))
    }

    fn now(&self) -> Duration {
        run(|| self.storage.now())
    }

    fn sleep(&self, time: Duration) {
        run(|| self.storage.sleep(time));
    }

    fn can_map(&self) -> bool {
        false
    }
}

impl File {
    fn run<T>(&self, work: impl FnOnce(&dyn StorageFile) -> io::Result<T>) -> io::Result<T> {
        let inner = self.inner.as_deref();
        run(|| work(inner.ok_or(io::ErrorKind::NotConnected)?))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let inner = self.inner.take();
        run(|| drop(inner));
    }
}

impl SystemFile for File {
    fn status(&self) -> io::Result<Status> {
        Ok(Status {
            identity: Identity {
                device: 0,
                inode: self.number,
            },
            length: self.run(|inner| inner.len())?,
            names: 1,
            modified: None,
            is_file: true,
        })
    }

    fn read_at(&self, buffer: &mut [MaybeUninit<u8>], offset: u64) -> io::Result<usize> {
        // Safe code must not see memory that was never written.
        buffer.fill(MaybeUninit::new(0));
        // SAFETY: every byte was just written.
        let buffer = unsafe { &mut *(std::ptr::from_mut(buffer) as *mut [u8]) };
        self.run(|inner| inner.read_at(buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.run(|inner| inner.write_at(bytes, offset))
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.run(|inner| inner.truncate(length))
    }

    fn allocate(&self, _: Bytes) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        self.run(|inner| inner.sync())
    }

    fn lock(&self, bytes: Bytes, lock: Lock) -> io::Result<bool> {
        // It ends with the file. That there are readers is of no use to know: they lock, too.
        let is_nothing = lock == Lock::None || bytes == locks::READERS;
        if is_nothing || self.is_locked.load(Ordering::Acquire) {
            return Ok(true);
        }
        let granted = self.run(|inner| inner.lock())?;
        self.is_locked.store(granted, Ordering::Release);
        Ok(granted)
    }

    fn is_locked(&self, _: Bytes, _: Lock) -> io::Result<bool> {
        // The one lock of such a file is taken, not asked for.
        Ok(false)
    }

    unsafe fn map(&self, _: Bytes, _: bool) -> io::Result<NonNull<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    unsafe fn unmap(&self, _: NonNull<u8>, _: usize) {}
}
