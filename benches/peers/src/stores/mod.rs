//! The stores. Each file begins with what was chosen for the store, and why.

pub mod fjall;
pub mod heed;
pub mod ours;
pub mod redb;
#[cfg(feature = "rocksdb")]
pub mod rocksdb;
#[cfg(feature = "sled")]
pub mod sled;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use crate::child::{Plan, Result, bare, idle, run};

/// A store by its name on the command line, and how to carry out a plan with it.
pub struct Entry {
    pub name: &'static str,
    pub run: fn(&Plan) -> Result<()>,
}

/// The stores that are compiled in, ours first; without 0.2.2, which is a program of its own. The
/// last two are none: they are what others are measured by.
pub fn all() -> Vec<Entry> {
    let entry = |name, run| Entry { name, run };
    vec![
        entry("ours", run::<ours::Ours>),
        #[cfg(feature = "rocksdb")]
        entry("rocksdb", run::<rocksdb::RocksDb>),
        entry("fjall", run::<fjall::Fjall>),
        entry("lmdb", run::<heed::Lmdb<false>>),
        entry("redb", run::<redb::Redb>),
        #[cfg(feature = "sqlite")]
        entry("sqlite", run::<sqlite::Sqlite>),
        #[cfg(feature = "sled")]
        entry("sled", run::<sled::Sled>),
        entry("lmdb-map", run::<heed::Lmdb<true>>),
        entry("idle", idle),
        entry("bare", bare),
    ]
}
