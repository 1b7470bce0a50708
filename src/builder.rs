//! [`LsmDbBuilder`]: every setting by name.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::compression::{self, Compression, PageCodec, ZstdDictionary};
use crate::config::{BackgroundMode, Mmap, Preset, Safety, Settings};
use crate::db::LsmDb;
#[cfg(unix)]
use crate::env::Env;
use crate::error::LsmError;
use crate::metrics::LsmMetrics;
use crate::observe::DbMetrics;
use crate::verify::{self, VerifyReport};

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
    dictionary: Option<ZstdDictionary>,
    known_dictionaries: Vec<ZstdDictionary>,
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
            dictionary: None,
            known_dictionaries: Vec::new(),
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
        let codec = match (self.codec, &self.dictionary) {
            (Some(codec), _) => Some(compression::user_codec(codec)?),
            (None, Some(dictionary)) => self.compression.codec_with(dictionary)?,
            (None, None) => self.compression.codec()?,
        };
        let level = self.compression.zstd_level();
        let dictionaries = self.dictionary.iter().chain(&self.known_dictionaries);
        let others = dictionaries.map(|dictionary| dictionary.codec(level));
        settings.codecs = compression::choose(codec, self.page_checksums, others.collect());
        Ok(settings)
    }

    /// Verifies a file that nobody has open; as [`verify_file`](crate::verify_file), which knows
    /// neither the [codec](Self::codec) nor the [dictionaries](Self::zstd_dictionary) that were given
    /// here.
    ///
    /// # Errors
    /// As [`verify_file`](crate::verify_file), and a codec or level that is out of range.
    pub fn verify_file(self, path: impl AsRef<Path>) -> Result<VerifyReport, LsmError> {
        let codecs = self.into_settings()?.codecs;
        let known: Vec<_> = codecs.preferred.into_iter().chain(codecs.known).collect();
        verify::verify_with(path.as_ref(), &known)
    }

    /// Sets what a [`Preset`] stands for; its documentation has the table.
    ///
    /// It replaces what was set before. What is set afterwards counts:
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// use lsmlite_rs::LsmDb;
    /// use lsmlite_rs::config::Preset;
    ///
    /// let mut db = LsmDb::builder()
    ///     .preset(Preset::WriteHeavy)
    ///     .autocheckpoint_kib(32 * 1024)
    ///     .open(dir.path().join("events.lsm"))?;
    /// db.insert(b"key", b"value")?;
    /// # Ok(()) }
    /// ```
    pub fn preset(mut self, preset: Preset) -> Self {
        preset.apply(&mut self.settings);
        self
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
    /// An existing file keeps its codec, whatever is set here. Which one, at which level and with
    /// which page size: [a table](crate::compression#what-compression-costs) has sizes and times.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Compresses a new database with a codec of your own, and recognises files that were
    /// written with it.
    ///
    /// Its id must be from 20,000 to 99,999,999.
    pub fn codec(mut self, codec: Arc<dyn PageCodec>) -> Self {
        self.codec = Some(codec);
        self
    }

    /// Compresses a new database with this dictionary, if its codec is
    /// [Zstandard](Compression::Zstd), and recognises files that were written with it. Default: none.
    ///
    /// **It doesn't choose the codec**: without [`compression`](Self::compression) a new file has
    /// plain pages. See [`ZstdDictionary`] for an example, and for what becomes of a file without its
    /// dictionary. A second call is about another dictionary for new files; the one before stays
    /// known.
    pub fn zstd_dictionary(mut self, dictionary: ZstdDictionary) -> Self {
        self.known_dictionaries
            .extend(self.dictionary.replace(dictionary));
        self
    }

    /// Recognises files that were written with this dictionary, and doesn't use it for new ones.
    ///
    /// For any number of dictionaries, as those of old archives: the file says which it needs.
    /// What is written to such a file is compressed with the file's dictionary.
    pub fn known_zstd_dictionary(mut self, dictionary: ZstdDictionary) -> Self {
        self.known_dictionaries.push(dictionary);
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

    /// Keeps what one open database has in memory below so many KiB, however much is written.
    /// Default: no limit but that of [`autoflush_kib`](Self::autoflush_kib).
    ///
    /// **A transaction comes on top**: it is in memory as a whole until it is committed, and a
    /// large value several times while it is written, merged or read. Their memory is used again, and
    /// given back when the last handle of the file is closed.
    ///
    /// The limit covers the two in-memory trees, the filters, and for the handle and each of its
    /// background threads 2560 KiB: a page cache of 2 MiB, or for the handle
    /// [`page_cache_kib`](Self::page_cache_kib), and 512 KiB that belong to it. That is all that it does: [`filter_memory_kib`](Self::filter_memory_kib) is
    /// lowered to *(limit − 2560 × (1 + threads) − 512) / 8* if it is larger, and `autoflush_kib` to
    /// the half of what is left then. So the least limit is 3072, with one thread 5632, with two
    /// 8192; less memory means more merging.
    ///
    /// It doesn't cover:
    /// - readers and snapshots, as much as the handle's connection each, and what was written since a snapshot or an
    ///   iterator began;
    /// - pages of less than 1 KiB, which take up to 1 MiB more for each connection;
    /// - what a codec takes for itself, and [mapped](Self::mmap) parts of the file;
    /// - the recovery of a log: what was in memory when a process died is in memory again;
    /// - trees of other handles or processes on the same file that were opened with larger ones.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// use lsmlite_rs::LsmDb;
    ///
    /// let mut db = LsmDb::builder()
    ///     .memory_limit_kib(4 * 1024)
    ///     .open(dir.path().join("small.lsm"))?;
    /// for i in 0..10_000_u32 {
    ///     db.insert(i.to_be_bytes(), [7; 500])?;
    /// }
    /// let stats = db.stats()?;
    /// assert!(stats.live_tree_kib + stats.waiting_tree_kib <= 4 * 1024 - 2560);
    ///
    /// let error = LsmDb::builder()
    ///     .memory_limit_kib(1024)
    ///     .open(dir.path().join("tiny.lsm"));
    /// assert!(error.err().unwrap().to_string().contains("3072 at least"));
    /// # Ok(()) }
    /// ```
    ///
    /// [`open`](Self::open) refuses less than that, and a limit that nobody would keep: with
    /// [`autowork(false)`](Self::autowork) and no merger.
    pub fn memory_limit_kib(mut self, kib: u32) -> Self {
        self.settings.memory_limit_kib = Some(kib);
        self
    }

    /// How much memory filters for missing keys may take, in KiB; 0: there are none.
    /// Default: 16,384, room for 13 million keys.
    ///
    /// A look-up ([`get`](LsmDb::get)) doesn't search sorted runs, and trees in memory, whose filter
    /// says that they don't have its key. So it helps with keys that aren't there, and with all keys
    /// while there are several runs. What it costs is 10 bits for each key, and some time when a run
    /// is written.
    ///
    /// A run gets its filter when it is written. One that was in the file before the database was
    /// opened, or was [ingested](LsmDb::ingest), gets it from look-ups that search it in vain:
    /// after a few hundred, each reads two pages more until the filter is there. When the memory is
    /// used up, runs stay without. A run in which ranges were deleted is always searched, until a
    /// merge has dropped what was deleted. Cursors and iterators don't use filters.
    ///
    /// All handles of a file in this process share the filters: the one that opened it first
    /// decides. With [`multi_process`](Self::multi_process) there are none.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// use lsmlite_rs::LsmDb;
    ///
    /// let mut db = LsmDb::builder()
    ///     .filter_memory_kib(4 * 1024)
    ///     .open(dir.path().join("filtered.lsm"))?;
    /// db.insert(b"key", b"value")?;
    /// db.flush()?;
    /// assert_eq!(db.get(b"no such key")?, None);
    /// let stats = db.stats()?;
    /// assert!(stats.runs_skipped == 1 && stats.filter_bytes > 0);
    /// # Ok(()) }
    /// ```
    pub fn filter_memory_kib(mut self, kib: u32) -> Self {
        self.settings.filter_memory_kib = kib;
        self
    }

    /// How much memory the page cache of the handle may take, and that of each of its readers and
    /// snapshots, in KiB: 256 to 16,777,216. Default: 2048.
    ///
    /// Without a [mapping](Self::mmap), and with a codec, which rules one out, each page that isn't in
    /// the cache is read from the file and decompressed. The cache holds it as it is in memory.
    /// Pages that are mapped aren't in it. Background threads have 2 MiB each.
    ///
    /// When another connection, such as a background thread, has changed the file, the cache is
    /// emptied before the next read: it helps with files that are read more often than written.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// use lsmlite_rs::LsmDb;
    /// use lsmlite_rs::compression::Compression;
    ///
    /// let db = LsmDb::builder()
    ///     .compression(Compression::Zstd { level: 3 })
    ///     .page_cache_kib(64 * 1024)
    ///     .open(dir.path().join("read-often.lsm"))?;
    /// # Ok(()) }
    /// ```
    pub fn page_cache_kib(mut self, kib: u32) -> Self {
        self.settings.page_cache_kib = kib;
        self
    }

    /// Page size of a new database in bytes, a power of two from 256 to 65,536.
    /// Default: 4096. A block must hold at least eight pages.
    ///
    /// With a codec it decides what a single `get` costs, and how small the file is: see
    /// [the table](crate::compression#what-compression-costs).
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
    /// More makes writing cheaper and reading dearer. The file has room for 40 segments in all: when
    /// there are so many, fewer of one age are merged.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::Param;

    /// Names and numbers of what the engine can be told.
    fn engine_settings() -> Vec<(&'static str, i32)> {
        let lines = include_str!("lsm1/bindings.rs").lines();
        let settings = lines.filter_map(|line| {
            let (name, number) = line
                .strip_prefix("pub const LSM_CONFIG_")?
                .strip_suffix(';')?
                .split_once(": i32 = ")?;
            Some((name, number.parse().ok()?))
        });
        settings.collect()
    }

    #[test]
    fn every_setting_of_the_engine_can_be_set() {
        let number = |params: &[(Param, i32)], setting| {
            let mut found = params.iter().filter(|(param, _)| *param as i32 == setting);
            found.next().map(|(_, value)| *value)
        };
        let usual = LsmDbBuilder::new().into_settings().unwrap().params();
        let changed = LsmDbBuilder::new()
            .autoflush_kib(1)
            .page_size_bytes(256)
            .safety(Safety::Off)
            .block_size_kib(64)
            .autowork(false)
            .mmap(Mmap::All)
            .use_log(false)
            .automerge_segments(2)
            .max_free_list(2)
            .multi_process(true)
            .autocheckpoint_kib(64)
            .read_only(true)
            .into_settings()
            .unwrap()
            .params();
        let settings = engine_settings();
        assert_eq!(settings.len(), 15);
        for (name, setting) in settings {
            if name.contains("COMPRESSION") {
                // Codecs are handed over in another way; tests/codecs.rs shows that they work.
                continue;
            }
            let (before, after) = (number(&usual, setting), number(&changed, setting));
            assert!(before.is_some() && after.is_some(), "{name} can't be set");
            assert_ne!(before, after, "{name} stays as it is");
        }
    }
}
