//! The modes that a database can be opened in, as enums.

use crate::error::LsmErrorCode;

/// Whether a handle may write, in the interface of 0.2.2.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum LsmHandleMode {
    /// Writes are refused with [`LsmErrorCode::LsmReadOnly`]. The file must exist.
    ReadOnly = 0,
    /// Reads and writes; the file is created if it doesn't exist. The default.
    #[default]
    ReadWrite,
}

/// Which background thread a handle starts, in the interface of 0.2.2.
///
/// [`BackgroundMode`] is its counterpart for the builder and also knows both threads at once.
#[repr(C)]
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum LsmMode {
    /// The writing thread does everything. The default.
    #[default]
    LsmNoBackgroundThreads = 0,
    /// A thread writes memory to the file, merges segments and checkpoints.
    LsmBackgroundMerger,
    /// A thread checkpoints; the writing thread does the rest.
    LsmBackgroundCheckpointer,
}

impl TryFrom<i32> for LsmMode {
    type Error = LsmErrorCode;

    /// Reads a discriminant; an unknown one is [`LsmErrorCode::LsmUnknownCode`].
    fn try_from(value: i32) -> Result<Self, LsmErrorCode> {
        match value {
            0 => Ok(LsmMode::LsmNoBackgroundThreads),
            1 => Ok(LsmMode::LsmBackgroundMerger),
            2 => Ok(LsmMode::LsmBackgroundCheckpointer),
            _ => Err(LsmErrorCode::LsmUnknownCode),
        }
    }
}

/// Which background threads a database starts.
///
/// Each thread has a connection of its own and a name (`lsmlite-merger`,
/// `lsmlite-checkpointer`). A thread that fails stops; from then on every write returns its
/// error, reads go on, and the handle can be closed and opened again.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BackgroundMode {
    /// No threads: the writer flushes, merges and checkpoints in between. The default.
    #[default]
    None,
    /// One thread flushes, merges and checkpoints.
    Merger,
    /// One thread checkpoints; the writer flushes and merges.
    Checkpointer,
    /// One thread flushes and merges while another checkpoints: the writer is held up least.
    MergerAndCheckpointer,
}

impl From<LsmMode> for BackgroundMode {
    fn from(mode: LsmMode) -> Self {
        match mode {
            LsmMode::LsmNoBackgroundThreads => BackgroundMode::None,
            LsmMode::LsmBackgroundMerger => BackgroundMode::Merger,
            LsmMode::LsmBackgroundCheckpointer => BackgroundMode::Checkpointer,
        }
    }
}

/// What survives a power failure or a crash of the operating system.
///
/// A crash of the process alone loses nothing that was committed, at any level, as long as
/// the log is on.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Safety {
    /// Nothing is synced. After a power failure the file may be damaged.
    Off,
    /// Synced around checkpoints. After a power failure the file is intact, but commits since
    /// the last checkpoint may be lost. The default.
    #[default]
    Normal,
    /// Every commit is synced before it returns. After a power failure all of them are there.
    Full,
}

/// How much of the database file is mapped into memory for reading.
///
/// Mapping makes reads faster, but an I/O error on a mapped page, or another program that
/// shortens the file, ends the process with a signal instead of an error. A page codec
/// turns mapping off.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Mmap {
    /// Nothing: pages are read into the [page cache](crate::LsmDbBuilder::page_cache_kib). The default.
    #[default]
    Off,
    /// The first so many KiB, at least 2; the rest is read.
    UpToKib(u32),
    /// The whole file.
    All,
}
