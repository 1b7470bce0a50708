//! What runs in a process of its own: one store, one group of measurements, one round. It prints a
//! line for each number, `phase name number`.
//!
//! `published/` compiles this folder a second time, for lsmlite-rs 0.2.2, so it depends on nothing
//! but the standard library and libc.

pub mod data;
pub mod measure;
mod pace;
mod reads;
mod work;

use std::path::Path;

pub use data::Key;
pub use work::{Group, Plan, bare, idle, run};

/// Any error, passed on with `?`.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What a store is opened with.
#[derive(Copy, Clone, Debug)]
pub struct Settings {
    /// Each commit is synced before it returns. Otherwise it survives the process, no more.
    pub sync: bool,
    /// Compress with zstd at this level, or not at all.
    pub zstd: Option<u8>,
    /// For the cache of the store, if it has one.
    pub cache_bytes: usize,
    /// A bound for what will be written, for a store that has to know.
    pub most_bytes: usize,
    /// How long values are, for a store that lays them out accordingly.
    pub value_bytes: usize,
}

/// One of the peers, or ours.
pub trait Store: Sized {
    /// Whether several readers may be used at once, in threads of their own.
    const PARALLEL: bool = true;

    /// Reads in one thread, of one moment if the store has such a thing.
    type Reader<'a>: Reader + Send
    where
        Self: 'a;

    /// Opens or creates the store in this folder.
    fn open(dir: &Path, settings: &Settings) -> Result<Self>;

    /// Writes one record and commits it.
    fn put(&mut self, key: &Key, value: &[u8]) -> Result<()>;

    /// Writes records in one commit.
    fn put_batch(&mut self, records: &[(Key, &[u8])]) -> Result<()>;

    /// Writes records in the order of their keys, by the fastest way there is into an empty store.
    fn ingest<'v>(&mut self, records: impl Iterator<Item = (Key, &'v [u8])>) -> Result<()>;

    /// Makes it as compact as it gets.
    fn compact(self) -> Result<Self>;

    fn reader(&self) -> Result<Self::Reader<'_>>;

    fn close(self) -> Result<()>;
}

/// What all stores can read.
pub trait Reader {
    /// A [`glance`](data::glance) at the value, by the fastest way that the store's documentation
    /// has for many of them: a transaction, statement or cursor is kept.
    fn get(&mut self, key: &Key) -> Result<Option<u64>>;

    /// The same of the newest commit, with nothing kept but the handle of the thread.
    fn get_anew(&mut self, key: &Key) -> Result<Option<u64>>;

    /// Shows `limit` records from this key on, or from the first one. Backwards: from the last one.
    fn scan(
        &mut self,
        from: Option<&Key>,
        backwards: bool,
        limit: u64,
        show: impl FnMut(&[u8], &[u8]),
    ) -> Result<()>;
}
