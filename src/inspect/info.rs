//! [`FileInfo`]: what the header of a file says, and where its sorted runs lie.

use std::collections::HashSet;
use std::path::Path;

use crate::compression::{self, split_id};
use crate::error::{LsmError, LsmErrorCode};
use crate::format::checkpoint::{Checkpoint, Header};
use crate::format::log::{self, Found};
use crate::format::pages::Pages;
use crate::format::plan::{Run, plan};
use crate::format::source::{FileSource, Source};
use crate::verify::{self, CheckpointState};

const OPERATION: &str = "read the file's header";

/// What a database file looks like; from [`file_info`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileInfo {
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of the log beside it; `None` if there is none, or it is empty.
    pub log_bytes: Option<u64>,
    /// Whole transactions in the log that aren't in the file yet.
    pub log_transactions: u64,
    /// The two header pages.
    pub checkpoints: [CheckpointState; 2],
    /// What the newer of them says; `None` if nothing was written to the file yet.
    pub layout: Option<FileLayout>,
}

/// What a checkpoint says of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileLayout {
    /// The checkpoint's number.
    pub checkpoint: u64,
    /// The id of the page codec; 1: none.
    pub codec_id: u32,
    /// Its name: `none`, `lz4`, `zlib`, `zstd`, `zstd-dictionary`, or `unknown`.
    pub codec: &'static str,
    /// True if every page carries a checksum.
    pub page_checksums: bool,
    /// Page size in bytes, before compression.
    pub page_size_bytes: u32,
    /// Block size in KiB.
    pub block_size_kib: u32,
    /// Blocks of the file.
    pub blocks: u32,
    /// Blocks that no sorted run uses.
    pub free_blocks: u32,
    /// Pages that were written since the file was made. Wraps round.
    pub pages_written: u32,
    /// The levels, newest first.
    pub levels: Vec<LevelInfo>,
}

/// A level: a sorted run, or several that are being merged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LevelInfo {
    /// Its runs: a single one; or, while it is being merged, the result so far and those that go
    /// into it.
    pub segments: Vec<SegmentInfo>,
}

/// A sorted run of pages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentInfo {
    /// Its first page; see [`Place::Page`](crate::Place::Page) for where that is.
    pub first_page: u64,
    /// Its last page; with a codec, the offset of its last byte.
    pub last_page: u64,
    /// Bytes in the file; `None` if the links of its blocks are damaged.
    pub bytes: Option<u64>,
    /// The blocks that it lies on, in its order; a block may hold the end of one and the beginning
    /// of another. Empty if their links are damaged.
    pub blocks: Vec<u32>,
}

/// Reads the header of a file, and follows the blocks of its sorted runs. Nothing is locked or
/// written; of a database that is being written to, it is what the last checkpoint says.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("demo.lsm");
/// # let mut db = lsmlite_rs::LsmDb::open(&path)?;
/// # db.insert("key", "value")?;
/// # db.close()?;
/// use lsmlite_rs::inspect::file_info;
///
/// let info = file_info(&path)?;
/// let layout = info.layout.unwrap();
/// assert_eq!((layout.codec, layout.page_size_bytes), ("none", 4096));
/// assert_eq!(layout.levels[0].segments[0].bytes, Some(4096));
/// # Ok(()) }
/// ```
///
/// # Errors
/// The file can't be read, or isn't a database (`LsmCorrupt`). Damage elsewhere than in the header is
/// no error.
pub fn file_info(path: impl AsRef<Path>) -> Result<FileInfo, LsmError> {
    let path = path.as_ref();
    let source = FileSource::open(path).map_err(|error| verify::io_error(&error, path))?;
    let headers = verify::headers(&source);
    let checkpoint = checkpoint_of(&headers, OPERATION, path)?;
    let layout = checkpoint.map(|checkpoint| layout_of(&source, checkpoint));
    let (log, found) = log_of(path, checkpoint);
    Ok(info_of(source.len(), &headers, log.as_ref(), found, layout))
}

/// The checkpoint that counts, if something was written to the file.
pub(super) fn checkpoint_of<'h>(
    headers: &'h [Header; 2],
    operation: &'static str,
    path: &Path,
) -> Result<Option<&'h Checkpoint>, LsmError> {
    let checkpoint = verify::newest(headers);
    let is_blank = headers.iter().all(|header| matches!(header, Header::Empty));
    if checkpoint.is_none() && !is_blank {
        let error = LsmError::new(operation, LsmErrorCode::LsmCorrupt).with_path(path);
        return Err(error.with_message("neither of its header pages has a checkpoint"));
    }
    Ok(checkpoint)
}

/// The log beside a file, and what in it isn't in the file yet.
pub(super) fn log_of(
    path: &Path,
    checkpoint: Option<&Checkpoint>,
) -> (Option<FileSource>, Option<Found>) {
    let log = log::source_beside(path);
    let found = log.as_ref().and_then(|log| log::find(log, checkpoint));
    (log, found)
}

pub(super) fn info_of(
    file_bytes: u64,
    headers: &[Header; 2],
    log: Option<&FileSource>,
    found: Option<Found>,
    layout: Option<FileLayout>,
) -> FileInfo {
    FileInfo {
        file_bytes,
        log_bytes: log.map(Source::len),
        log_transactions: found.map_or(0, |found| found.transactions),
        checkpoints: verify::states(headers),
        layout,
    }
}

/// The pages that a checkpoint knows, with the codec, if that comes with the crate.
pub(super) fn pages_of<'a>(source: &'a dyn Source, checkpoint: &Checkpoint) -> Pages<'a> {
    let known = compression::all(&[]);
    let codec = known.iter().find(|known| known.id == checkpoint.codec);
    let codec = codec.map(|known| std::sync::Arc::clone(&known.codec));
    Pages::new(source, checkpoint.layout, codec)
}

/// The layout of a file as this checkpoint has it.
pub(super) fn layout_of(source: &dyn Source, checkpoint: &Checkpoint) -> FileLayout {
    let pages = pages_of(source, checkpoint);
    layout(checkpoint, &plan(&pages, checkpoint).runs)
}

pub(super) fn layout(checkpoint: &Checkpoint, runs: &[Run]) -> FileLayout {
    let (codec_id, page_checksums) = split_id(checkpoint.codec);
    let used: HashSet<u32> = runs
        .iter()
        .flat_map(|run| run.chain.blocks.clone())
        .collect();
    let used = used
        .iter()
        .filter(|block| (1..=checkpoint.blocks).contains(block));
    let levels = checkpoint.levels.iter().enumerate().map(|(l, level)| {
        let segments = std::iter::once(&level.left).chain(&level.right);
        let segments = segments.enumerate().map(|(place, segment)| {
            let run = runs.iter().find(|run| (run.level, run.place) == (l, place));
            SegmentInfo {
                first_page: segment.first,
                last_page: segment.last,
                bytes: run.map(bytes),
                blocks: run.map_or(Vec::new(), |run| run.chain.blocks.clone()),
            }
        });
        LevelInfo {
            segments: segments.collect(),
        }
    });
    let used = u32::try_from(used.count()).unwrap_or(u32::MAX);
    FileLayout {
        checkpoint: checkpoint.id,
        codec_id: codec_id.max(1),
        codec: match codec_id {
            0 | 1 => "none",
            10_001 => "lz4",
            10_002 => "zlib",
            10_003 => "zstd",
            _ if compression::number_in(codec_id).is_some() => "zstd-dictionary",
            _ => "unknown",
        },
        page_checksums,
        page_size_bytes: u32::try_from(checkpoint.layout.page).unwrap_or(u32::MAX),
        block_size_kib: u32::try_from(checkpoint.layout.block / 1024).unwrap_or(u32::MAX),
        blocks: checkpoint.blocks,
        free_blocks: checkpoint.blocks.saturating_sub(used),
        pages_written: checkpoint.pages_written,
        levels: levels.collect(),
    }
}

/// Bytes from the beginning of a run's first page to the end of its last, links of blocks left out.
pub(super) fn bytes(run: &Run) -> u64 {
    let chain = &run.chain;
    let unit = match chain.layout.packed {
        true => 1,
        false => chain.layout.page,
    };
    let spans = (0..chain.blocks.len()).filter_map(|place| chain.span(place));
    spans
        .map(|(from, to)| (to + 1).saturating_sub(from) * unit)
        .sum()
}
