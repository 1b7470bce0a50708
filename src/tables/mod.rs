//! Tables: named key spaces in one file.
//!
//! The engine has one space of keys. A table's records lie in a part of it that is kept for
//! tables: the keys that begin with [`RESERVED`], then four bytes for the table's number, then
//! its own keys. Number 0 is the catalog, with names for keys and numbers for values; what it
//! has for the empty name is the number that was given last. Numbers are not used again.

mod catalog;
mod reader;
mod stats;
mod table;

pub use reader::TableReader;
pub use stats::TableStats;
pub use table::Table;

use crate::read::RESERVED;

/// What the keys of this table begin with.
fn prefix(number: u32) -> Vec<u8> {
    [&RESERVED[..], &number.to_be_bytes()].concat()
}
