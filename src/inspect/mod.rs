//! What a file looks like inside, without opening it as a database.

mod info;
mod live;
mod map;
mod serialize;

use std::path::Path;

use crate::compression;
use crate::error::LsmError;
use crate::format::checkpoint::Header;
use crate::format::source::{FileSource, Source};
use crate::salvage;
use crate::verify;

pub use info::{FileInfo, FileLayout, LevelInfo, SegmentInfo, file_info};
pub use live::{LiveCounters, LiveInfo, live_counters, live_info};
pub use map::{
    FileMap, LogRegion, MapDepth, Owner, Region, SegmentContents, SegmentMap, SegmentRole, file_map,
};

/// What kind of file this is, by its header; from [`file_kind`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// An empty file: a database that nothing was written to, or any other empty file.
    Empty,
    /// A database.
    Database,
    /// A database whose header is damaged, but in which there are pages; see
    /// [`salvage`](crate::salvage()).
    DamagedDatabase,
    /// Something else.
    Other,
}

/// Tells databases from other files. Reads the header, and if that isn't sound up to 16 MiB more.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// use lsmlite_rs::inspect::{FileKind, file_kind};
///
/// let path = dir.path().join("notes.txt");
/// std::fs::write(&path, "milk, bread")?;
/// assert_eq!(file_kind(&path)?, FileKind::Other);
/// # Ok(()) }
/// ```
///
/// # Errors
/// The file can't be read.
pub fn file_kind(path: impl AsRef<Path>) -> Result<FileKind, LsmError> {
    let path = path.as_ref();
    let source = FileSource::open(path).map_err(|error| verify::io_error(&error, path))?;
    if source.len() == 0 {
        return Ok(FileKind::Empty);
    }
    let headers = verify::headers(&source);
    let is_valid = headers.iter().any(|header| header.checkpoint().is_some());
    let is_blank = headers.iter().all(|header| matches!(header, Header::Empty));
    if is_valid || is_blank {
        return Ok(FileKind::Database);
    }
    let pages = verify::header_pages(&source);
    let layout = salvage::find_layout(&source, &pages, &compression::all(&[]));
    Ok(match layout {
        Some(_) => FileKind::DamagedDatabase,
        None => FileKind::Other,
    })
}
