//! Folders in one file: [`Pack`] writes archives, [`Archive`] reads single members of them,
//! [`Verify`] checks them and [`Extract`] gives the folders back. Needs the feature `tools`, on Unix.
//!
//! An archive is a database that is written once, with `ingest`, and then only read. It takes less
//! space than `tar` with Zstandard at the same level, because contents that are alike are compressed
//! together and equal ones are stored once; each member has a hash and can be read by itself.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let (folder, file) = (dir.path().join("notes"), dir.path().join("notes.lsm"));
//! use lsmlite_rs::archive::{Archive, Extract, Pack, Verify};
//!
//! # std::fs::create_dir(&folder)?;
//! std::fs::write(folder.join("today.txt"), "rain")?;
//! let report = Pack::new(&folder).run(&file)?;
//! assert!(report.skipped.is_empty());
//!
//! let archive = Archive::open(&file)?;
//! assert_eq!(archive.read("today.txt")?, b"rain");
//! assert!(Verify::new(&archive).run()?.is_sound());
//! Extract::new(&archive).run(dir.path().join("copy"))?;
//! # Ok(()) }
//! ```
//!
//! # What is kept
//!
//! Regular files, folders (also empty ones) and symbolic links, with names of any bytes, permissions
//! and times of change to the nanosecond. Hard links become files of their own, whose content is
//! stored once. Owners, access control lists, extended attributes and holes aren't kept; pipes,
//! sockets and devices are left out and reported.
//!
//! # The format
//!
//! Plain pages, no log. The first byte of a key says what its record is:
//!
//! | key | value |
//! |---|---|
//! | `g`, number (u32, big-endian) | a group: 256 KiB of contents at most, packed |
//! | `i`, path of the first entry | up to 256 entries in the order of their paths, packed |
//! | `z` | `lsmlite-archive`, version 2, seven numbers, BLAKE3 of the index |
//!
//! *Packed* is a byte (0: as it is, 1: a Zstandard frame), the unpacked size (u32, big-endian), and
//! the bytes. Numbers without a size have seven bits in a byte, the lowest first; signed ones are
//! doubled, with the sign in the lowest bit. The seven numbers are those of files, folders and
//! links, the bytes of all files, the bytes that are stored, the groups and the records of the index.
//! The hash covers key and value of each record of the index, each after its length (u64,
//! big-endian).
//!
//! An entry is: how many bytes its path shares with the one before, the number of the others and
//! they themselves; a byte for the kind (0 folder, 1 file, 2 link; 128 more if the file may have
//! changed after it was read without its time showing it); the mode; seconds since 1970, as the
//! signed difference to the entry before; nanoseconds. A file goes on with its size, the BLAKE3 of
//! its content and the number of its pieces; each piece is a group (the signed difference to the
//! piece before), where it begins in the unpacked group, and how long it is. A link goes on with
//! the length of its target and the target. The folder that was packed is the first entry, with an
//! empty path.
//!
//! Files up to 256 KiB share groups, ordered by extension, name and path; larger ones are cut into
//! groups of 256 KiB and a rest. Equal small files, and equal parts of large ones, are stored once.
//! Groups are compressed by several threads before the engine sees them: its own codecs compress
//! page by page, which is slower and makes larger files. To read a small member, one group is
//! unpacked.

mod decide;
mod draft;
mod entry;
mod error;
mod extract;
mod find;
mod format;
mod groups;
#[cfg(test)]
mod hostile;
mod index;
mod jobs;
mod load;
mod pack;
mod place;
mod plan;
mod progress;
mod reader;
mod tree;
mod verify;
mod workers;

pub use entry::{Entry, EntryKind};
pub use error::ArchiveError;
pub use extract::{Extract, ExtractReport};
pub use find::{SkipCause, Skipped};
pub use pack::{Pack, PackReport};
pub use progress::ArchiveProgress;
pub use reader::{Archive, ArchiveSummary, Entries};
pub use verify::{ArchiveCheck, ArchiveProblem, Verify};
