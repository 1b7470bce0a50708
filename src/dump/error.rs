//! [`DumpError`].

use std::io;

use thiserror::Error;

use crate::error::LsmError;

/// What can go wrong with a stream of records, or with the database at its other end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DumpError {
    /// The stream can't be read or written.
    #[error("the stream of records can't be read or written: {0}")]
    Io(#[from] io::Error),
    /// It begins neither like a binary dump nor like JSON.
    #[error("this is no dump: it begins neither like a binary one nor like JSON lines")]
    NotADump,
    /// The binary form is of a later version.
    #[error("the dump is of version {0}, and this program reads version 1: use a newer one")]
    Version(u8),
    /// Bytes have changed, or are missing in the middle.
    #[error("the dump is damaged in its frame at byte {offset}: {problem}")]
    Damaged {
        /// Where the frame begins.
        offset: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// The end is missing.
    #[error("the dump is cut off after byte {offset}: its end is missing")]
    CutOff {
        /// How many bytes belong to whole frames.
        offset: u64,
    },
    /// A line or a row that isn't a record.
    #[error("line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A load can't go on from where another one was interrupted.
    #[error("the load can't go on: {0}")]
    Resume(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] LsmError),
}
