//! Four programs, each in a version for each store. What a program has to do stands in its
//! `mod.rs`, beside what is the same for all versions and knows nothing of stores.

mod bank;
mod listing;
mod time_series;
mod word_count;

use std::io::Write;
use std::path::Path;

use crate::Result;

pub use bank::{BANK, Bank, Transfer};
pub use listing::{LISTING, Listing};
pub use time_series::{SERIES, Series};
pub use word_count::{TEXT, words};

/// The stores, in the order of the versions.
pub const STORES: [&str; 4] = ["ours", "redb", "heed", "fjall"];

pub struct Program {
    pub name: &'static str,
    pub versions: [Version; STORES.len()],
}

/// A program for one store.
#[derive(Copy, Clone)]
pub struct Version {
    pub store: &'static str,
    pub source: &'static str,
    /// Works in this empty folder and prints.
    pub run: fn(&Path, &mut dyn Write) -> Result<()>,
}

pub fn all() -> [Program; 4] {
    [
        word_count::program(),
        bank::program(),
        time_series::program(),
        listing::program(),
    ]
}

/// The versions in the modules beside, which all get the same input.
macro_rules! versions {
    ($input:expr) => {
        versions!($input, ours, redb, heed, fjall)
    };
    ($input:expr, $($store:ident),*) => {
        [$($crate::programs::Version {
            store: stringify!($store),
            source: include_str!(concat!(stringify!($store), ".rs")),
            run: |dir, out| $store::run(dir, $input, out),
        }),*]
    };
}

use versions;
