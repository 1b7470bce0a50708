//! [`DbStats`]: what a database looks like inside.

mod amplification;

use std::fmt;
use std::iter;

use crate::db::LsmDb;
use crate::error::{LsmError, LsmErrorCode};
use crate::format::checkpoint;
use crate::raw::Description;

/// What a database looks like inside at one moment; from [`LsmDb::stats`].
///
/// With `serde` it can be serialised.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DbStats {
    /// The sorted runs in the file, the newest level first.
    pub levels: Vec<LevelStats>,
    /// Page size in bytes, before compression.
    pub page_size_bytes: u32,
    /// True if the pages are stored through a codec, or with page checksums, and so with lengths of
    /// their own.
    pub is_packed: bool,
    /// Block size in KiB: the file grows, and is reused, in blocks.
    pub block_size_kib: u32,
    /// Blocks of the file, those that are free included. 0 while nothing was written to it.
    pub blocks: u32,
    /// Blocks of the file that hold nothing that is needed; some of them may have to wait for
    /// a checkpoint, or for a reader to end, before they are used again.
    pub free_blocks: u32,
    /// KiB of memory that take new writes.
    pub live_tree_kib: u32,
    /// KiB of memory that wait to be written to the file; 0 if nothing waits.
    pub waiting_tree_kib: u32,
    /// Bytes of the log that recovery would read after a crash.
    pub log_bytes: u64,
    /// The position in the log file, in bytes, at which the next commit is written.
    pub log_position: u64,
    /// True while the log has gone back to the beginning of its file, to use it again.
    pub log_wrapped: bool,
    /// KiB that were written to the file since the last checkpoint.
    pub checkpoint_debt_kib: u32,
    /// Pages that were written to the file since it was created, by all handles; the last few may
    /// not be counted yet. Wraps round.
    pub pages_written_in_total: u32,
    /// Pages that this handle has written to the file since it was opened, without those of
    /// its background threads. Wraps round.
    pub pages_written: u32,
    /// Bytes of keys and values that this handle was given to write since it was opened, also those
    /// that were rolled back; for a removal the keys. See
    /// [`write_amplification_since`](Self::write_amplification_since).
    pub bytes_given: u64,
    /// Pages that this handle has read from the file since it was opened. Wraps round.
    pub pages_read: u32,
    /// Pages that this handle has found in its [page cache](crate::LsmDbBuilder::page_cache_kib) instead. Mapped pages, with
    /// [`mmap`](crate::LsmDbBuilder::mmap), are neither read nor in the cache.
    pub cache_hits: u64,
    /// Bytes of the [filters for missing keys](crate::LsmDbBuilder::filter_memory_kib), which all
    /// handles of the file in this process share.
    pub filter_bytes: u64,
    /// Sorted runs that the filters told look-ups of this handle not to search.
    pub runs_skipped: u64,
    /// Sorted runs that look-ups of this handle have searched without finding their key: there was
    /// no filter, or it couldn't exclude the key.
    pub runs_searched_in_vain: u64,
}

/// One level of a [`DbStats`]: a sorted run, or several that are being merged into one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LevelStats {
    /// How many merges its content has been through, about.
    pub age: u32,
    /// Bytes of its pages: those of the run, or of what the merge under way has written so far.
    pub bytes: u64,
    /// Bytes of each run that a merge under way still reads; empty if there is none.
    pub merging_bytes: Vec<u64>,
}

impl LevelStats {
    /// True while the level is the result of a merge that isn't finished.
    pub fn is_merging(&self) -> bool {
        !self.merging_bytes.is_empty()
    }

    /// How many sorted runs a reader has to look at here.
    pub fn segments(&self) -> usize {
        usize::from(self.bytes > 0) + self.merging_bytes.len()
    }
}

impl DbStats {
    /// Bytes of the file, at most: its last block may be shorter.
    pub fn file_bytes(&self) -> u64 {
        u64::from(self.blocks) * u64::from(self.block_size_kib) * 1024
    }

    /// How many sorted runs a reader has to look at in the file.
    pub fn segments(&self) -> usize {
        self.levels.iter().map(LevelStats::segments).sum()
    }

    /// Bytes of all sorted runs, with what a merge has copied and what it still reads.
    pub fn segment_bytes(&self) -> u64 {
        let segments = |level: &LevelStats| level.bytes + level.merging_bytes.iter().sum::<u64>();
        self.levels.iter().map(segments).sum()
    }

    /// Pages of all sorted runs; `None` with a codec or page checksums, because the engine doesn't
    /// count them then.
    pub fn pages(&self) -> Option<u64> {
        match self.is_packed {
            true => None,
            false => self
                .segment_bytes()
                .checked_div(self.page_size_bytes.into()),
        }
    }

    /// True if a merge is under way in any level.
    pub fn is_merging(&self) -> bool {
        self.levels.iter().any(LevelStats::is_merging)
    }
}

/// Looking inside.
impl LsmDb {
    /// What the database looks like at this moment: its sorted runs, its memory, its log.
    ///
    /// Cheap as long as the list of free blocks is short: it reads no data.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// db.insert(b"key", b"value")?;
    /// assert_eq!(db.stats()?.segments(), 0); // still in memory and in the log
    /// db.flush()?;
    /// assert_eq!(db.stats()?.segments(), 1);
    /// println!("{}", db.stats()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `LsmReadOnly` on a read-only handle; `LsmBusy` if another connection works on the file
    /// for ten seconds; `LsmCorrupt` if the engine's answer makes no sense.
    pub fn stats(&self) -> Result<DbStats, LsmError> {
        self.session("stats")?.stats()
    }
}

/// Puts the engine's answers together.
pub(crate) fn read(connection: &crate::raw::Connection) -> Result<DbStats, LsmError> {
    let describe = |what| connection.description(what);
    let nonsense = |text: &str| nonsense(connection, text);
    let text = describe(Description::Levels)?;
    let mut levels = parse_levels(&text).ok_or_else(|| nonsense(&text))?;
    let text = describe(Description::FreeBlocks)?;
    let free_blocks = parse_lists(&text).ok_or_else(|| nonsense(&text))?.len();
    let text = describe(Description::Log)?;
    let log = Log::parse(&text).ok_or_else(|| nonsense(&text))?;
    let trees = connection.tree_size()?;
    let words = connection.pin()?.checkpoint()?;
    let checkpoint = checkpoint::parse(&words).map_err(|problem| {
        LsmError::new("stats", LsmErrorCode::LsmCorrupt)
            .with_path(connection.path())
            .with_message(format!("the checkpoint in use {problem}"))
    })?;
    let page_size_bytes = connection.page_size_bytes()?;
    let filters = connection.filters()?;
    if !checkpoint.layout.packed {
        // With a codec the engine counts bytes, without it counts pages.
        for level in &mut levels {
            for count in iter::once(&mut level.bytes).chain(&mut level.merging_bytes) {
                *count = count.saturating_mul(page_size_bytes.into());
            }
        }
    }
    Ok(DbStats {
        levels,
        block_size_kib: u32::try_from(checkpoint.layout.block / 1024).unwrap_or(0),
        blocks: checkpoint.blocks,
        pages_written_in_total: checkpoint.pages_written,
        page_size_bytes,
        is_packed: checkpoint.layout.packed,
        free_blocks: u32::try_from(free_blocks).unwrap_or(u32::MAX),
        live_tree_kib: trees.live_kib,
        waiting_tree_kib: trees.old_kib,
        log_bytes: log.bytes,
        log_position: log.position,
        log_wrapped: log.wrapped,
        checkpoint_debt_kib: connection.checkpoint_debt_kib()?,
        pages_written: connection.pages_written()?,
        // The session knows.
        bytes_given: 0,
        pages_read: connection.pages_read()?,
        cache_hits: connection.cache_hits()?,
        filter_bytes: filters.bytes,
        runs_skipped: filters.runs_skipped,
        runs_searched_in_vain: filters.runs_in_vain,
    })
}

/// Bytes of the log that recovery would read, or has just read.
#[cfg(unix)]
pub(crate) fn log_bytes(connection: &crate::raw::Connection) -> Result<u64, LsmError> {
    let text = connection.description(Description::Log)?;
    let log = Log::parse(&text).ok_or_else(|| nonsense(connection, &text))?;
    Ok(log.bytes)
}

/// How many blocks have been freed by this snapshot or later ones, and wait to be used again.
pub(crate) fn blocks_freed_since(
    connection: &crate::raw::Connection,
    snapshot: u64,
) -> Result<u64, LsmError> {
    let text = connection.description(Description::FreeBlocks)?;
    count_freed_since(&text, snapshot).ok_or_else(|| nonsense(connection, &text))
}

fn count_freed_since(text: &str, snapshot: u64) -> Option<u64> {
    parse_lists(text)?.iter().try_fold(0, |count, block| {
        let Item::List(numbers) = block else {
            return None;
        };
        match numbers[..] {
            [_, Item::Number(id)] => Some(count + u64::from(u64::try_from(id).ok()? >= snapshot)),
            _ => None,
        }
    })
}

fn nonsense(connection: &crate::raw::Connection, text: &str) -> LsmError {
    LsmError::new("stats", LsmErrorCode::LsmCorrupt)
        .with_path(connection.path())
        .with_message(format!("the engine describes itself as {text:?}"))
}

/// A list in the engine's notation: numbers and lists, in braces, between spaces.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    Number(i64),
    List(Vec<Item>),
}

/// No description nests deeper.
const DEEPEST: u32 = 8;

fn parse_lists(text: &str) -> Option<Vec<Item>> {
    let mut rest = text;
    let items = parse_items(&mut rest, 0)?;
    rest.is_empty().then_some(items)
}

/// The items up to a closing brace or the end.
fn parse_items(rest: &mut &str, depth: u32) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    loop {
        *rest = rest.trim_start_matches(' ');
        if rest.is_empty() || rest.starts_with('}') {
            return Some(items);
        }
        if let Some(inside) = rest.strip_prefix('{') {
            if depth == DEEPEST {
                return None;
            }
            *rest = inside;
            items.push(Item::List(parse_items(rest, depth + 1)?));
            *rest = rest.strip_prefix('}')?;
        } else {
            let end = rest.find([' ', '{', '}']).unwrap_or(rest.len());
            let (number, after) = rest.split_at(end);
            items.push(Item::Number(number.parse().ok()?));
            *rest = after;
        }
    }
}

/// With the engine's counts, of pages or bytes, for bytes.
fn parse_levels(text: &str) -> Option<Vec<LevelStats>> {
    parse_lists(text)?
        .iter()
        .map(|item| {
            let Item::List(level) = item else { return None };
            let (Item::Number(age), segments) = level.split_first()? else {
                return None;
            };
            let mut counts = segments.iter().map(|segment| match segment {
                Item::List(numbers) => match numbers[..] {
                    // First, last, root, size.
                    [_, _, _, Item::Number(count)] => u64::try_from(count).ok(),
                    _ => None,
                },
                Item::Number(_) => None,
            });
            Some(LevelStats {
                age: u32::try_from(*age).ok()?,
                bytes: counts.next()??,
                merging_bytes: counts.collect::<Option<_>>()?,
            })
        })
        .collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Log {
    bytes: u64,
    position: u64,
    wrapped: bool,
}

impl Log {
    /// Three regions, in the order in which recovery reads them; the last one is being
    /// written.
    fn parse(text: &str) -> Option<Log> {
        let mut positions = Vec::new();
        for item in parse_lists(text)? {
            let Item::Number(position) = item else {
                return None;
            };
            positions.push(u64::try_from(position).ok()?);
        }
        let [a, b, c, d, e, f] = positions[..] else {
            return None;
        };
        let len = |begin: u64, end: u64| end.saturating_sub(begin);
        Some(Log {
            bytes: len(a, b) + len(c, d) + len(e, f),
            position: f,
            wrapped: b > a || d > c,
        })
    }
}

impl fmt::Display for DbStats {
    /// A few lines of text, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, level) in self.levels.iter().enumerate() {
            write!(f, "level {i}: age {}, {} bytes", level.age, level.bytes)?;
            if level.is_merging() {
                write!(f, ", being merged from {:?} bytes", level.merging_bytes)?;
            }
            writeln!(f)?;
        }
        writeln!(
            f,
            "file: {} levels, {} sorted runs, {} bytes in pages of {}, {} blocks of {} KiB, {} free",
            self.levels.len(),
            self.segments(),
            self.segment_bytes(),
            self.page_size_bytes,
            self.blocks,
            self.block_size_kib,
            self.free_blocks
        )?;
        writeln!(
            f,
            "memory: {} KiB, and {} KiB waiting to be written",
            self.live_tree_kib, self.waiting_tree_kib
        )?;
        writeln!(
            f,
            "log: {} bytes, at position {}{}",
            self.log_bytes,
            self.log_position,
            if self.log_wrapped { ", wrapped" } else { "" }
        )?;
        writeln!(
            f,
            "filters: {} bytes, {} runs skipped, {} searched in vain by this handle",
            self.filter_bytes, self.runs_skipped, self.runs_searched_in_vain
        )?;
        write!(
            f,
            "{} KiB since the last checkpoint; {} pages written in all, {} by this handle, which was \
             given {} bytes to write; it has read {}, and found {} in its cache",
            self.checkpoint_debt_kib,
            self.pages_written_in_total,
            self.pages_written,
            self.bytes_given,
            self.pages_read,
            self.cache_hits
        )
    }
}

#[cfg(feature = "serde")]
mod serde {
    use serde_core::ser::{Serialize, SerializeStruct, Serializer};

    use super::{DbStats, LevelStats};

    impl Serialize for DbStats {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut out = serializer.serialize_struct("DbStats", 20)?;
            out.serialize_field("levels", &self.levels)?;
            out.serialize_field("page_size_bytes", &self.page_size_bytes)?;
            out.serialize_field("is_packed", &self.is_packed)?;
            out.serialize_field("block_size_kib", &self.block_size_kib)?;
            out.serialize_field("blocks", &self.blocks)?;
            out.serialize_field("free_blocks", &self.free_blocks)?;
            out.serialize_field("live_tree_kib", &self.live_tree_kib)?;
            out.serialize_field("waiting_tree_kib", &self.waiting_tree_kib)?;
            out.serialize_field("log_bytes", &self.log_bytes)?;
            out.serialize_field("log_position", &self.log_position)?;
            out.serialize_field("log_wrapped", &self.log_wrapped)?;
            out.serialize_field("checkpoint_debt_kib", &self.checkpoint_debt_kib)?;
            out.serialize_field("pages_written_in_total", &self.pages_written_in_total)?;
            out.serialize_field("pages_written", &self.pages_written)?;
            out.serialize_field("bytes_given", &self.bytes_given)?;
            out.serialize_field("pages_read", &self.pages_read)?;
            out.serialize_field("cache_hits", &self.cache_hits)?;
            out.serialize_field("filter_bytes", &self.filter_bytes)?;
            out.serialize_field("runs_skipped", &self.runs_skipped)?;
            out.serialize_field("runs_searched_in_vain", &self.runs_searched_in_vain)?;
            out.end()
        }
    }

    impl Serialize for LevelStats {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut out = serializer.serialize_struct("LevelStats", 3)?;
            out.serialize_field("age", &self.age)?;
            out.serialize_field("bytes", &self.bytes)?;
            out.serialize_field("merging_bytes", &self.merging_bytes)?;
            out.end()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_their_merges_are_read() {
        let levels = parse_levels("{0 {1 4 5 4}} {1 {9 12 0 3} {20 30 31 11} {40 41 0 2}}");
        let level = |age, bytes, merging: &[u64]| LevelStats {
            age,
            bytes,
            merging_bytes: merging.to_vec(),
        };
        assert_eq!(levels, Some(vec![level(0, 4, &[]), level(1, 3, &[11, 2])]));
        assert_eq!(parse_levels(""), Some(Vec::new()));
    }

    #[test]
    fn blocks_are_counted_by_who_freed_them() {
        assert_eq!(count_freed_since("{3 7} {5 8} {9 12}", 8), Some(2));
        assert_eq!(count_freed_since("", 8), Some(0));
        assert_eq!(count_freed_since("{3 7 1}", 8), None);
        assert_eq!(count_freed_since("3", 8), None);
    }

    #[test]
    fn a_description_that_makes_no_sense_is_none() {
        for text in [
            "{",
            "}",
            "{0}",
            "{0 {1 2 3}}",
            "{0 7}",
            "{x}",
            "7",
            "{0 {1 2 3 -4}}",
            "{} {}",
        ] {
            assert_eq!(parse_levels(text), None, "{text}");
        }
        assert_eq!(parse_lists(&"{".repeat(100_000)), None);
        assert_eq!(Log::parse("1 2 3"), None);
        assert_eq!(Log::parse("0 0 0 0 0 -1"), None);
    }

    #[test]
    fn the_log_is_as_long_as_its_regions() {
        let log = |bytes, position, wrapped| {
            Some(Log {
                bytes,
                position,
                wrapped,
            })
        };
        assert_eq!(Log::parse("0 0 0 0 0 512"), log(512, 512, false));
        assert_eq!(Log::parse("0 0 600 900 8 24"), log(316, 24, true));
    }
}
