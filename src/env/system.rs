//! What an environment stands on: the calls of an operating system, replaceable.
//!
//! Everything that turns these calls into a reliable environment (complete writes, checked
//! reads, locks, directory syncs) is above them and the same for all systems: the real one,
//! the simulated one that loses power, and storage that a user wrote.

use std::io;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::time::Duration;

/// An operating system, or something that behaves like one.
pub(crate) trait System: Send + Sync + 'static {
    /// The absolute path, without links, of a file that may not exist yet.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;

    /// What is known of the file that this path leads to.
    fn status(&self, path: &Path) -> io::Result<Status>;

    /// Opens a file; nobody but [`Access::CreateNew`] creates one.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn SystemFile>>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes creations, renamings and removals in this directory durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    #[allow(dead_code)]
    /// The files and directories in this directory, as full paths, in any order.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// Time since the Unix epoch.
    #[allow(dead_code)]
    fn now(&self) -> Duration;

    fn sleep(&self, time: Duration);

    /// Asked before each allocation of the engine; a simulated system says no at times.
    /// Runs inside C functions that can't unwind: must not panic.
    fn may_allocate(&self, _bytes: usize) -> bool {
        true
    }

    /// The process that holds a lock on these bytes of the file, as far as can be found out.
    fn lock_holder(&self, _path: &Path, _bytes: Bytes, _lock: Lock) -> Option<u32> {
        None
    }

    /// False where [`SystemFile::map`] doesn't work: no mapping and no shared memory then, so
    /// one process only.
    fn can_map(&self) -> bool {
        true
    }
}

/// An open file. Dropping it closes it and drops its locks.
pub(crate) trait SystemFile: Send + Sync {
    fn status(&self) -> io::Result<Status>;

    /// Fills the front of the buffer; returns how much, 0 only at the end of the file.
    fn read_at(&self, buffer: &mut [MaybeUninit<u8>], offset: u64) -> io::Result<usize>;

    /// Writes a first part of the bytes, at least one; returns how many.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Makes the file at least as long as the end of these bytes, with zeros and with space on
    /// the disk, so that writing to them through a mapping can't fail.
    fn allocate(&self, bytes: Bytes) -> io::Result<()>;

    /// What was written should be on its way to the disk soon: nobody waits for it, and nothing
    /// becomes durable by it.
    fn start_writing(&self) {}

    /// Makes content, length and what was written through mappings durable.
    fn sync(&self) -> io::Result<()>;

    /// Sets this file's own lock on the bytes; false if another open file is in the way.
    /// Never waits.
    fn lock(&self, bytes: Bytes, lock: Lock) -> io::Result<bool>;

    /// True if [`lock`](Self::lock) would find another open file in the way.
    fn is_locked(&self, bytes: Bytes, lock: Lock) -> io::Result<bool>;

    /// Maps a part of the file, shared with all others that map it.
    ///
    /// # Safety
    /// Until it is unmapped, the caller keeps the file from being cut short within the
    /// mapping, and every access to the memory follows C's rules for shared memory: no Rust
    /// reference to it is made.
    unsafe fn map(&self, bytes: Bytes, writable: bool) -> io::Result<NonNull<u8>>;

    /// Finds so many free addresses and keeps them free, for [`map_at`](Self::map_at). A system
    /// need not have this.
    fn keep_addresses(&self, _length: usize) -> io::Result<NonNull<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What parts that are mapped beside each other begin at a multiple of.
    fn page_size(&self) -> usize {
        64 * 1024
    }

    /// As [`map`](Self::map), at this address, a multiple of the page size behind the one that
    /// [`keep_addresses`](Self::keep_addresses) returned.
    ///
    /// # Safety
    /// As there; and all these addresses were kept, and nothing is mapped at them yet.
    unsafe fn map_at(&self, _at: NonNull<u8>, _bytes: Bytes, _writable: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Ends a mapping, or all that are in kept addresses, and the keeping.
    ///
    /// # Safety
    /// `at` came from [`map`](Self::map) of this file, or from
    /// [`keep_addresses`](Self::keep_addresses), with this length, wasn't unmapped before, and
    /// nobody uses the memory any more.
    unsafe fn unmap(&self, at: NonNull<u8>, length: usize);
}

/// A stretch of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bytes {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// How a file is opened.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
    /// Fails if the file exists.
    CreateNew,
}

/// A lock on bytes of a file, held by the open file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    None,
    Shared,
    Exclusive,
}

/// What is known of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) identity: Identity,
    /// In bytes.
    pub(crate) length: u64,
    /// Names (hard links).
    pub(crate) names: u64,
    /// Last change of the content, since the Unix epoch; `None` if the system doesn't know.
    pub(crate) modified: Option<Duration>,
    pub(crate) is_file: bool,
}

/// Tells files apart, whatever they are called.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}
