//! [`FileMap`]: what each part of a file is used for.

mod contents;
mod read;
mod regions;

pub use read::file_map;

use super::FileInfo;
use super::SegmentInfo;
use crate::verify::Damage;

/// How much of a file [`file_map`] reads.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapDepth {
    /// The header, the links between blocks, and a few pages at either end of each sorted run. The
    /// default.
    #[default]
    Ends,
    /// Every page, for [`SegmentMap::contents`].
    Pages,
}

/// What each part of a file is used for; from [`file_map`]. It can be serialised.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileMap {
    /// What the header says, and where the sorted runs lie.
    pub info: FileInfo,
    /// More on the segments of `info.layout`, in the same order: newest first, and the result of a
    /// merge before what goes into it.
    pub segments: Vec<SegmentMap>,
    /// The blocks that the file's own list says are free, in order.
    pub free_blocks: Vec<u32>,
    /// Blocks that were taken for pages to come; nothing is in them yet.
    pub reserved_blocks: Vec<u32>,
    /// Blocks of the file that belong to none of these. There are none in a sound file; where
    /// something is damaged, they are what it leads to. All that no segment uses, if pages can't be
    /// read for lack of their codec.
    pub unlisted_blocks: Vec<u32>,
    /// The file from its first byte to its last, without gaps; neighbours have different owners.
    pub regions: Vec<Region>,
    /// The log beside the file, likewise. Empty if there is none.
    pub log: Vec<LogRegion>,
    /// What is damaged, as far as it was met. [`verify_file`](crate::verify_file) finds more.
    pub problems: Vec<Damage>,
    /// False if there is no codec for the pages: keys and free blocks weren't read then.
    pub is_readable: bool,
}

impl FileMap {
    /// Where the segment lies that [`segments`](Self::segments) has at this index.
    pub fn segment(&self, index: usize) -> Option<&SegmentInfo> {
        let segment = self.segments.get(index)?;
        let level = self.info.layout.as_ref()?.levels.get(segment.level)?;
        level.segments.get(segment.segment)
    }
}

/// A segment: a sorted run of pages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentMap {
    /// Its level; 0 is the newest.
    pub level: usize,
    /// Its place in that level's [`segments`](super::LevelInfo::segments).
    pub segment: usize,
    /// Whether it is being merged.
    pub role: SegmentRole,
    /// Pages; `None` if they can't be found, or are packed by a codec and weren't read.
    pub pages: Option<u64>,
    /// True if it has a b-tree. Otherwise it is searched through the segment that is next newer.
    pub has_btree: bool,
    /// The smallest key, deleted ones included; of an input of a merge, the next one to be merged.
    /// `None` if there is none, or it can't be read.
    pub first_key: Option<Vec<u8>>,
    /// The largest key.
    pub last_key: Option<Vec<u8>>,
    /// Bytes that a merge hasn't read yet, of its inputs.
    pub unmerged_bytes: Option<u64>,
    /// What is on its pages; with [`MapDepth::Pages`].
    pub contents: Option<SegmentContents>,
}

/// What part a segment has in its level.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentRole {
    /// It is the whole level.
    Level,
    /// The result of a merge so far: the left-hand side.
    MergeOutput,
    /// It is being merged: on the right-hand side.
    MergeInput,
}

/// What is on the pages of a segment.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentContents {
    /// Pages with records.
    pub data_pages: u64,
    /// Pages of its b-tree.
    pub btree_pages: u64,
    /// Records with a value; tables and the engine's own included.
    pub records: u64,
    /// Records that mark a key, or the beginning or end of a gap, as deleted.
    pub deletions: u64,
    /// Bytes of all pages, before they are packed.
    pub page_bytes: u64,
    /// Bytes of these that hold something.
    pub used_bytes: u64,
}

/// A part of the file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Region {
    /// Offset of its first byte.
    pub start: u64,
    /// Offset behind its last byte.
    pub end: u64,
    /// What it is used for.
    pub owner: Owner,
}

/// What a part of a file is used for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Owner {
    /// The two header pages.
    HeaderPages,
    /// The segment at this index of [`FileMap::segments`], with the links of its blocks.
    Segment(usize),
    /// Blocks on the list of free ones.
    Free,
    /// Blocks that were taken for pages to come.
    Reserved,
    /// The rest of a block that a segment uses in part. New segments begin in such places, if
    /// they can.
    Unused,
    /// Blocks that nothing is known of; see [`FileMap::unlisted_blocks`].
    Unlisted,
    /// Behind the last block.
    Tail,
}

/// A part of the log.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRegion {
    /// Offset of its first byte in the log.
    pub start: u64,
    /// Offset behind its last byte.
    pub end: u64,
    /// True if it holds transactions that aren't in the file yet; otherwise it can be written anew.
    pub is_pending: bool,
}
