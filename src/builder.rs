//! [`LsmDbBuilder`]: every setting by name.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::compression::{self, Compression, PageCodec};
use crate::config::{BackgroundMode, Mmap, Safety, Settings};
use crate::db::LsmDb;
#[cfg(unix)]
use crate::env::Env;
use crate::error::LsmError;
use crate::metrics::LsmMetrics;
use crate::observe::DbMetrics;

/// Opens a database with settings of your choice; made by [`LsmDb::builder`].
///
/// Page size, block size and codec are fixed when a file is created and ignored for one
/// that exists. Everything else holds for the handle that is opened.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// use lsmlite_rs::LsmDb;
/// use lsmlite_rs::compression::Compression;
/// use lsmlite_rs::config::{BackgroundMode, Safety};
///
/// let mut db = LsmDb::builder()
///     .compression(Compression::Zstd { level: 9 })
///     .background(BackgroundMode::MergerAndCheckpointer)
///     .safety(Safety::Full)
///     .autoflush_kib(4 * 1024)
///     .open(dir.path().join("events.lsm"))?;
/// db.insert(b"key", b"value")?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `open`"]
pub struct LsmDbBuilder {
    pub(crate) settings: Settings,
    compression: Compression,
    codec: Option<Arc<dyn PageCodec>>,
    page_checksums: bool,
    metrics: Option<LsmMetrics>,
}

/// As [`LsmDb::builder`].
impl Default for LsmDbBuilder {
    fn default() -> Self {
        LsmDbBuilder::new()
    }
}

impl LsmDbBuilder {
    pub(crate) fn new() -> Self {
        LsmDbBuilder {
            settings: Settings::default(),
            compression: Compression::None,
            codec: None,
            page_checksums: false,
            metrics: None,
        }
    }

    /// Opens the database at `path`.
    ///
    /// The log and, in multi-process mode, the shared memory are files beside it, with
    /// `-log` and `-shm` at the end of the name.
    ///
    /// # Errors
    /// A setting out of range, before anything is touched; a file that doesn't exist with
    /// `create(false)` or `read_only(true)`; a file that another process holds; whatever
    /// the operating system or the engine finds wrong.
    pub fn open(self, path: impl AsRef<Path>) -> Result<LsmDb, LsmError> {
        let metrics = self.metrics.clone();
        LsmDb::open_with(path.as_ref(), self.into_settings()?, metrics)
    }

    pub(crate) fn into_settings(self) -> Result<Settings, LsmError> {
        let mut settings = self.settings;
        let codec = match self.codec {
            Some(codec) => Some(compression::user_codec(codec)?),
            None => self.compression.codec()?,
        };
        settings.codecs = compression::choose(codec, self.page_checksums);
        Ok(settings)
    }

    /// The environment to open the database in. Default: [`UnixEnv`](crate::env::UnixEnv),
    /// real files.
    #[cfg(unix)]
    pub fn env(mut self, env: impl Into<Env>) -> Self {
        self.settings.env = env.into();
        self
    }

    /// Create the file if it doesn't exist. Default: true. Without effect if read-only.
    pub fn create(mut self, yes: bool) -> Self {
        self.settings.create = yes;
        self
    }

    /// Refuse writes. Default: false. The file must exist.
    ///
    /// Nothing is created, written or locked out: a file that nobody writes needs read
    /// permission only, also in a directory or on a file system that is read-only, and any
    /// number of processes may read it at once. The log of a process that crashed is read
    /// too, and left as it is.
    ///
    /// Beside a writer in this process the handle joins its database and sees each commit.
    /// Beside processes that write with [`multi_process(true)`](Self::multi_process) it does
    /// too, and then needs write permission for the file and for the shared memory beside it.
    /// A process that has the file to itself makes the opening busy; and such a process finds
    /// the file busy while a read-only handle is open (not if it uses `lsmlite-rs` 0.2.2,
    /// which looks only for handles that are reading at that moment).
    pub fn read_only(mut self, yes: bool) -> Self {
        self.settings.read_only = yes;
        self
    }

    /// Compresses a new database with a built-in codec. Default: [`Compression::None`].
    ///
    /// An existing file keeps its codec, whatever is set here.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Compresses a new database with a codec of your own, and recognises files that were
    /// written with it.
    ///
    /// Its id must be from 20,000 to 999,999,999.
    pub fn codec(mut self, codec: Arc<dyn PageCodec>) -> Self {
        self.codec = Some(codec);
        self
    }

    /// Puts a checksum on every page of a new database. Default: false.
    ///
    /// A page that was damaged, written to a wrong place, or not written at all is then an
    /// error, [`LsmCorrupt`](crate::LsmErrorCode::LsmCorrupt), that names its position in the
    /// file; reads that don't need the page go on working. Works with plain pages and with every
    /// codec. An existing file stays with or without them, whatever is set here.
    ///
    /// See [`compression`](crate::compression#page-checksums) for what they cover and cost.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// use lsmlite_rs::LsmDb;
    ///
    /// let mut db = LsmDb::builder()
    ///     .page_checksums(true)
    ///     .open(dir.path().join("only_copy.lsm"))?;
    /// db.insert(b"key", b"value")?;
    /// db.flush()?;
    /// assert_eq!(db.has_page_checksums()?, Some(true));
    /// # Ok(()) }
    /// ```
    pub fn page_checksums(mut self, yes: bool) -> Self {
        self.page_checksums = yes;
        self
    }

    /// Which background threads to start. Default: [`BackgroundMode::None`].
    pub fn background(mut self, mode: BackgroundMode) -> Self {
        self.settings.background = mode;
        self
    }

    /// What survives a power failure. Default: [`Safety::Normal`].
    pub fn safety(mut self, safety: Safety) -> Self {
        self.settings.safety = safety;
        self
    }

    /// Observe these histograms. Default: none. [`db_metrics`](Self::db_metrics) shows more.
    pub fn metrics(mut self, metrics: LsmMetrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Show what the handle does, and how the database is, in these metrics. Default: none.
    pub fn db_metrics(mut self, metrics: DbMetrics) -> Self {
        self.settings.db_metrics = Some(metrics);
        self
    }

    /// Size at which the in-memory tree is closed and written to the file, in KiB: 0 (after
    /// each transaction) to 1,048,576. Default: 16,384.
    ///
    /// Up to two such trees are in memory. One transaction may exceed it.
    pub fn autoflush_kib(mut self, kib: u32) -> Self {
        self.settings.autoflush_kib = kib;
        self
    }

    /// Page size of a new database in bytes, a power of two from 256 to 65,536.
    /// Default: 4096. A block must hold at least eight pages.
    pub fn page_size_bytes(mut self, bytes: u32) -> Self {
        self.settings.page_size_bytes = bytes;
        self
    }

    /// Block size of a new database in KiB, a power of two from 64 to 65,536. Default: 8192.
    ///
    /// Space is freed and reused in blocks: smaller ones make small files smaller. A block must hold at least eight pages: with
    /// fewer the engine destroys data, so opening is refused.
    pub fn block_size_kib(mut self, kib: u32) -> Self {
        self.settings.block_size_kib = kib;
        self
    }

    /// Let writes merge segments in between. Default: true.
    ///
    /// Without it, and without a background merger, memory grows until
    /// [`LsmDb::compact`] is called or the database is closed.
    pub fn autowork(mut self, yes: bool) -> Self {
        self.settings.autowork = yes;
        self
    }

    /// Checkpoint after so many KiB written to the file, at least 64. Default: 4096; 0: only
    /// on request and at close.
    ///
    /// Space that merges free is reused only after a checkpoint, so a large value makes the
    /// file larger; a small one costs syncs.
    pub fn autocheckpoint_kib(mut self, kib: u32) -> Self {
        self.settings.autocheckpoint_kib = kib;
        self
    }

    /// Merge when so many segments of one age exist, 2 to 32. Default: 4.
    ///
    /// More makes writing cheaper and reading dearer.
    pub fn automerge_segments(mut self, segments: u32) -> Self {
        self.settings.automerge_segments = segments;
        self
    }

    /// How many free blocks the checkpoint itself lists, 2 to 24 (the default); more are
    /// listed in the database. Only tests of the engine have a use for less.
    pub fn max_free_list(mut self, blocks: u32) -> Self {
        self.settings.max_free_list = blocks;
        self
    }

    /// How much of the file is mapped into memory. Default: [`Mmap::Off`].
    pub fn mmap(mut self, mmap: Mmap) -> Self {
        self.settings.mmap = mmap;
        self
    }

    /// Keep a write-ahead log. Default: true.
    ///
    /// Without it, a crash of the process loses what hasn't been checkpointed.
    pub fn use_log(mut self, yes: bool) -> Self {
        self.settings.use_log = yes;
        self
    }

    /// Let other processes open the database at the same time. Default: false.
    ///
    /// It costs speed: memory is then shared through a file, and every operation takes file
    /// locks. All processes must choose the same. At most 16 handles can be open.
    pub fn multi_process(mut self, yes: bool) -> Self {
        self.settings.multi_process = yes;
        self
    }

    /// How long a write or [`transaction`](LsmDb::transaction) waits for another writer before
    /// it is `LsmBusy`. Default: not at all.
    ///
    /// Maintenance (`flush`, `checkpoint`, `work`, `compact`) always waits up to ten seconds.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.settings.busy_timeout = timeout;
        self
    }
}
