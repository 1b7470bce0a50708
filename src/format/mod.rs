//! A second reader of lsm1's file format, in safe Rust: for [`verify`](crate::LsmDb::verify) and
//! [`salvage`](crate::salvage()), which must not trust what they read.
//!
//! Nothing here panics or loops, whatever the bytes are: every access is checked, and every
//! chain is followed over a number of blocks that was counted beforehand.
//!
//! # The file
//!
//! All integers are big-endian. Two **header pages** of 4,096 bytes come first; each holds a
//! [`checkpoint`], written in turns: the valid one with the higher number counts. The rest is
//! divided into **blocks** of one size (64 KiB to 64 MiB), counted from 1; block 1 includes the
//! header pages. A block is free or holds pages of runs.
//!
//! A **run** (a "segment" of lsm1) is a sorted sequence of records. It takes a chain of blocks:
//! the last four bytes of a block name the next one, the first four (in block 1: the four behind
//! the header pages) the previous one. It may begin and end amid a block, so that a block can
//! hold the end of one run and the beginning of the next ([`chain`]).
//!
//! - Without a page codec, **pages** have one size (256 bytes to 64 KiB) and are numbered by
//!   position: page *n* begins at (*n* − 1) × size. The first and the last page of a block are
//!   four bytes shorter, for the block's links ([`layout`]).
//! - With a codec, a page's number is its offset in bytes. It is stored as a **page record**: a
//!   length in three bytes of seven bits each, the packed page, and the length again. Gaps are
//!   filled by similar records ([`pages`]).
//!
//! A **page** ends with a footer: the offsets of its cells (2 bytes each, the first cell's last),
//! a page number of the next older run (8), flags (2), the number of cells (2). A **cell** is a
//! record's head, and as much of its key and value as fits; the rest fills the beginnings of the
//! following pages ([`page`], [`run`]). Pages of the run's own **b-tree** lie between them
//! ([`btree`]).
//!
//! **Levels** are ordered from the newest to the oldest. A level is one run; or, while it is
//! being merged, several: the left one is the result so far, and the right ones, newest first,
//! count from the split key on. What they hold below it is stale.
//!
//! A record inserts, deletes its key, or marks a gap as deleted: "begin" says that whatever older
//! runs hold between its key and the next one of its own run is deleted, "end" the same of the gap
//! before its key. Both keys themselves are not concerned. Separators only carry page numbers.
//! Records of the engine itself sort after all others; they list free blocks ([`freelist`]).
//!
//! The **log** beside the file has its own format ([`log`]).

pub(crate) mod btree;
pub(crate) mod chain;
pub(crate) mod checkpoint;
#[cfg(feature = "tools")]
pub(crate) mod ends;
pub(crate) mod freelist;
pub(crate) mod layout;
pub(crate) mod log;
pub(crate) mod page;
pub(crate) mod pages;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod source;
mod varint;

use std::fmt;

/// A place in a database file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Place {
    /// One of the two header pages, 1 or 2: the first and the second 4,096 bytes of the file.
    HeaderPage(u8),
    /// A page. Without a page codec page *n* begins at offset (*n* − 1) × page size; with one,
    /// the number is the offset in bytes itself.
    Page(u64),
    /// A block. Block *n* begins at offset (*n* − 1) × block size.
    Block(u32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::HeaderPage(n) => write!(f, "header page {n}"),
            Place::Page(n) => write!(f, "page {n}"),
            Place::Block(n) => write!(f, "block {n}"),
        }
    }
}

/// Something wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) problem: String,
}

impl Fault {
    pub(crate) fn page(number: u64, problem: impl Into<String>) -> Fault {
        Fault {
            place: Place::Page(number),
            problem: problem.into(),
        }
    }

    pub(crate) fn block(number: u32, problem: impl Into<String>) -> Fault {
        Fault {
            place: Place::Block(number),
            problem: problem.into(),
        }
    }
}

/// The big-endian numbers that the format is made of; `None` beyond the end.
pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
