//! An ordered key/value store in one file, on SQLite's lsm1 engine.
//!
//! Keys and values are bytes. A [`LsmDb`] is a handle to one database file: it writes, reads
//! single records and ranges, and groups writes into transactions. What is written goes to
//! memory and to a log beside the file, and is merged into sorted runs in the file later.
//!
//! - [`LsmDb::transaction`] gives a guard that is rolled back unless it is committed;
//!   [`LsmDb::transact`] does so for a closure, [`WriteBatch`] for writes that are collected first,
//!   [`LsmDb::ingest`] for records that are sorted already.
//! - [`LsmDb::table`] is a key space of its own in the same file.
//! - [`LsmDb::reader`], [`LsmDb::reader_pool`] and [`LsmDb::snapshot`] read beside the writer,
//!   [`LsmDb::into_writer`] lets several threads write.
//! - [`LsmDb::backup`] copies a database that is in use; [`LsmDb::verify`] and [`salvage()`] are for
//!   damaged ones.
//! - [`compression`] has the codecs, dictionaries for Zstandard, and a table of what they cost.
//! - [`LsmDb::builder`] has every setting, [presets](config::Preset) for common purposes, and a
//!   [limit for memory](LsmDbBuilder::memory_limit_kib).
//!
//! The [`cookbook`] has complete programs for common tasks; [`migration`] is for those who come from
//! `lsmlite-rs` 0.2.2, sled or Python.
//!
//! ```
//! # fn main() -> Result<(), lsmlite_rs::LsmError> {
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("demo.lsm");
//! use lsmlite_rs::LsmDb;
//!
//! let mut db = LsmDb::open(&path)?;
//! db.insert("apple", "red")?;
//! db.insert("banana", "yellow")?;
//! assert_eq!(db.get("apple")?, Some(b"red".to_vec()));
//! for record in db.range("b"..) {
//!     let (key, value) = record?;
//!     println!("{key:?} {value:?}");
//! }
//! db.close()?;
//! # Ok(()) }
//! ```
//!
//! # Why this crate
//!
//! - **Writing is cheap**: it goes to memory and a log, and is sorted into the file later, on your
//!   thread or in the [background](config::BackgroundMode). Range deletions cost a handful of
//!   writes, however much they remove.
//! - **Write once, read many**: [`LsmDb::compact`] leaves one dense, sorted run, compressed if you
//!   like; see the recipe [`archive`](cookbook::archive).
//! - **One file**, in a format that SQLite's authors designed, and that other languages read.
//! - **Repaired**: lsm1 loses data on healthy files in several ways. Each known bug has a patch and
//!   a test that fails without it.
//! - **It says so when something fails**: after a write that failed a handle [only
//!   reads](LsmDb::failure), and a damaged file is an error, not a crash.
//! - **It builds** with a Rust toolchain and a C compiler.
//!
//! A store with b-trees finds a single record of a large database that changes all the time with
//! fewer looks at the disk. Take one of those if you mostly do that.
//!
//! There are two faces to one core. The methods of [`LsmDb`] and [`LsmDbBuilder`] are the ones to
//! start with; their errors are [`LsmError`]. The traits [`Disk`] and [`Cursor`], [`DbConf`] and the
//! enums `Lsm…` are the interface of `lsmlite-rs` 0.2.2, with [`LsmErrorCode`] for errors. Both work
//! on the same handle, so that a program can [move over](migration::from_0_2_2) call by call.
//!
//! # Durability
//!
//! A commit survives the death of the process as soon as it returns, at every
//! [`Safety`](config::Safety); what survives a power failure depends on it. The default,
//! [`Normal`](config::Safety::Normal), keeps the file intact but may lose the commits since
//! the last checkpoint. [`Full`](config::Safety::Full) loses none and syncs at each commit; a
//! [`Durability`] is for a single one.
//!
//! [`env::MemoryEnv`] holds databases without files. [`env::FaultEnv`] is a disk that loses its
//! power, fills up and fails as you plan it: see there how to crash-test an application.
//!
//! # Concurrency
//!
//! A handle is [`Send`], not [`Sync`]: it is the writer, in one thread at a time. Beside it other
//! threads read, and nobody waits for anybody: each with a [`Reader`], or all through one
//! [`ReaderPool`]. A [`Snapshot`] keeps one state readable for as long as it is wanted. Several
//! threads that write share a [`Writer`], which commits for all of them with one sync.
//!
//! Within a process several handles may be open on one file; one writes at a time. A writer that
//! finds another one at work gets [`LsmBusy`](LsmErrorCode::LsmBusy), at once or after its
//! [`busy_timeout`](LsmDbBuilder::busy_timeout). Another process
//! is kept out unless all open the file with
//! [`multi_process(true)`](LsmDbBuilder::multi_process), or only read it, with
//! [`read_only(true)`](LsmDbBuilder::read_only). A busy error names the process that is in the
//! way.
//!
//! A process that is forked from this one can't use the handles that it inherits, nor close
//! them, nor open a file that its parent had open at the fork. If the parent dies without
//! closing a file, that stays locked until such a process has ended or called `exec`.
//!
//! # Limits
//!
//! A key and its value take a little less than 1 GiB at most, a transaction 2 GiB. An open cursor or iterator
//! keeps the space it sees from being reused. Keys are ordered byte by byte (`memcmp`); an order of
//! your own is an encoding of your own. Keys that begin with the bytes `FF FE 4C 73 6D 54 62 01` are
//! kept for tables. Keep databases on local file systems.
//!
//! # Features
//!
//! `lz4`, `zlib`, `zstd`, `metrics` and `serde` are on by default; signatures don't change
//! without them. `typed` adds typed tables and records that expire, `tracing` spans, `tools` the
//! modules `archive` (folders in one file, on Unix), `dump`, `recompress` and `inspect`, `cli` the
//! command `lsmlite`. `lz4-hc` adds LZ4's high-compression levels, in C. `buildtime-bindgen` makes the
//! bindings in the build and needs libclang.
//!
//! ## Watching it
//!
//! [`LsmDb::stats`] says what a database looks like inside, [`DbMetrics`] shows that and what is
//! done to Prometheus, and [`LsmDbBuilder::on_recovery`] tells how far an opening is that replays a
//! log. With the feature `tracing` there are spans, of the target `lsmlite_rs` and with the path of
//! the database in `path`:
//!
//! | span | level | what | fields |
//! |---|---|---|---|
//! | `open` | info | opening for the caller, with its recovery; not that of readers | `read_only` |
//! | `commit` | trace | a transaction's commit, or a write without one, waiting included | `kind`: `commit`, `insert`, `remove`, `remove_range`; `written_kib` |
//! | `merge` | debug | flushing and merging on request, or by the background thread | `kind`: `flush`, `work`, `compact`, `ingest`, `background`; `written_kib` |
//! | `checkpoint` | debug | a checkpoint on request, or by the background thread | `written_kib` |
//!
//! `written_kib` is what went to the database file, the log not counted; for a checkpoint, what it
//! made durable. If it failed, `error` is the name of an [`LsmErrorCode`], and `busy` says whether
//! somebody was in the way. A span that nobody subscribes to costs next to nothing, and nothing at
//! all without the feature. `compact` has spans for its flush and its checkpoint within its own.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(unix, feature = "tools"))]
#[cfg_attr(docsrs, doc(cfg(feature = "tools")))]
pub mod archive;
mod background;
mod backup;
mod builder;
mod compact;
pub mod compression;
pub mod config;
#[cfg(any(doc, doctest))]
pub mod cookbook;
mod cursor;
mod db;
#[cfg(feature = "tools")]
#[cfg_attr(docsrs, doc(cfg(feature = "tools")))]
pub mod dump;
#[cfg(unix)]
#[allow(unsafe_code)]
pub mod env;
#[cfg(not(unix))]
#[path = "env/elsewhere.rs"]
mod env;
mod error;
mod failure;
#[allow(unsafe_code)]
mod ffi;
mod format;
#[cfg(feature = "tools")]
#[cfg_attr(docsrs, doc(cfg(feature = "tools")))]
pub mod inspect;
mod metrics;
#[cfg(any(doc, doctest))]
pub mod migration;
mod observe;
mod panic;
mod raw;
mod read;
mod reader;
mod reader_pool;
#[cfg(feature = "tools")]
#[cfg_attr(docsrs, doc(cfg(feature = "tools")))]
pub mod recompress;
#[cfg(unix)]
mod recovery;
mod salvage;
mod session;
mod snapshot;
mod stats;
mod tables;
mod train;
mod traits;
#[cfg(feature = "typed")]
#[cfg_attr(docsrs, doc(cfg(feature = "typed")))]
pub mod typed;
mod verify;
mod write;
mod writer;

pub use backup::{Backup, BackupProgress, BackupReport, BackupStep, Restore, restore};
pub use builder::LsmDbBuilder;
pub use compact::CompactProgress;
pub use compression::LsmCompressionLib;
pub use config::{DbConf, LsmHandleMode, LsmMode};
pub use cursor::LsmCursor;
pub use db::LsmDb;
pub use error::{LsmError, LsmErrorCode};
pub use metrics::LsmMetrics;
pub use observe::DbMetrics;
pub use read::{LsmKeys, LsmRange};
pub use reader::Reader;
pub use reader_pool::{PooledReader, ReaderPool};
#[cfg(unix)]
pub use recovery::RecoveryProgress;
pub use salvage::{Salvage, SalvageBasis, SalvageProgress, SalvageReport, salvage};
pub use snapshot::{Snapshot, SnapshotCost};
pub use stats::{DbStats, LevelStats};
pub use tables::{Table, TableReader, TableStats};
pub use traits::{Cursor, Disk, LsmCursorSeekOp};
pub use verify::{CheckpointState, Damage, Place, VerifyReport, verify_file};
pub use write::{Durability, Transaction, WriteBatch};
pub use writer::Writer;

/// The code in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
