//! [`LiveInfo`]: what processes that share a database have in their shared memory.
//!
//! The file beside the database whose name ends in `-shm` is the memory itself, in the machine's own
//! byte order:
//!
//! | offset | content |
//! |---|---|
//! | 0, 4096 | the newest snapshot, twice: the numbers of a checkpoint |
//! | 8192 | 1 while a transaction is written to the log; header page with the newest checkpoint |
//! | 8200, 8352 | the state of the trees in memory, twice |
//!
//! The trees: 4 numbers (4 each); of the live tree root, height, bytes and transactions (4 each); 1
//! number; the same 4 of the tree that waits to be written; the end of that one's chunks, 0: there is
//! none (4); at 96, the log's three regions, begin and end (8 each).

use std::ffi::OsString;
use std::path::Path;

use super::info::{FileLayout, layout_of};
use crate::error::LsmError;
use crate::format::checkpoint::{Checkpoint, parse};
use crate::format::source::{FileSource, Source};
use crate::verify;

const SNAPSHOTS: [usize; 2] = [0, 4096];
const META_PAGE: usize = 8196;
const TREES: [usize; 2] = [8200, 8352];
const TREES_LEN: usize = 152;
const LEN: usize = TREES[1] + TREES_LEN;

/// Counters of a database that several processes share; from [`live_counters`].
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveCounters {
    /// Transactions that were begun on the tree that takes new writes.
    pub live_tree_transactions: u32,
    /// Bytes of memory of that tree.
    pub live_tree_bytes: u32,
    /// The same of the tree that waits to be written to the file, or was the last to be.
    pub waiting_tree_transactions: u32,
    /// Bytes of memory that wait to be written; 0: nothing does.
    pub waiting_tree_bytes: u32,
    /// Where the next commit goes in the log file.
    pub log_position: u64,
    /// Bytes of the log that recovery would read.
    pub log_bytes: u64,
    /// Header page with the newest checkpoint, 1 or 2: each checkpoint takes the other one.
    pub header_page: u32,
    /// Number of the newest snapshot: it grows with each piece of work on the file.
    pub snapshot: u64,
    /// Pages that were written to the file since it was made. Wraps round.
    pub pages_written: u32,
}

/// A database that several processes share, as of one moment; from [`live_info`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveInfo {
    /// What changes with every commit.
    pub counters: LiveCounters,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// The file as of the newest snapshot, which may be ahead of the last checkpoint.
    pub layout: FileLayout,
    /// Number of the last checkpoint; `None` if there is none yet.
    pub checkpoint: Option<u64>,
    /// Pages that were written since the last checkpoint.
    pub pages_since_checkpoint: u32,
}

/// Reads the counters that processes share which have opened a database with
/// [`multi_process(true)`](crate::LsmDbBuilder::multi_process). `None` if there is no shared memory:
/// nobody has the database open, or somebody has it to himself.
///
/// Nothing is locked: no process waits for this, or notices it. After a process was killed, the memory
/// is there until the next one opens the database.
///
/// # Errors
/// The shared memory can't be read, though it is there.
pub fn live_counters(path: impl AsRef<Path>) -> Result<Option<LiveCounters>, LsmError> {
    Ok(read(path.as_ref())?.map(|(counters, _)| counters))
}

/// Reads what [`live_counters`] does, and where the sorted runs lie in the file. `None` also if
/// processes are changing it too fast.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("demo.lsm");
/// use lsmlite_rs::LsmDb;
/// use lsmlite_rs::inspect::live_info;
///
/// let mut db = LsmDb::builder().multi_process(true).open(&path)?;
/// db.insert("key", "value")?;
/// db.flush()?;
/// db.insert("key", "another value")?;
/// let live = live_info(&path)?.unwrap();
/// assert!(live.counters.live_tree_bytes > 0);
/// assert_eq!(live.layout.levels.len(), 1);
/// assert_eq!(live.pages_since_checkpoint, 1);
/// db.close()?;
/// assert_eq!(live_info(&path)?, None);
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`live_counters`]; the database file can't be read.
pub fn live_info(path: impl AsRef<Path>) -> Result<Option<LiveInfo>, LsmError> {
    let path = path.as_ref();
    let Some((counters, Some(snapshot))) = read(path)? else {
        return Ok(None);
    };
    let source = FileSource::open(path).map_err(|error| verify::io_error(&error, path))?;
    let headers = verify::headers(&source);
    let saved = verify::newest(&headers);
    let written = saved.map_or(0, |saved| saved.pages_written);
    Ok(Some(LiveInfo {
        counters,
        file_bytes: source.len(),
        layout: layout_of(&source, &snapshot),
        checkpoint: saved.map(|saved| saved.id),
        pages_since_checkpoint: snapshot.pages_written.wrapping_sub(written),
    }))
}

fn read(path: &Path) -> Result<Option<(LiveCounters, Option<Checkpoint>)>, LsmError> {
    let mut name = OsString::from(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    name.push("-shm");
    let name = Path::new(&name);
    // Whoever writes it may be in the middle of it.
    for _ in 0..100 {
        let memory = match FileSource::open(name) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            memory => memory.map_err(|error| verify::io_error(&error, name))?,
        };
        let mut bytes = vec![0; LEN];
        if memory.len() < LEN as u64 || memory.read_at(0, &mut bytes).is_err() {
            // Somebody has just begun to make it.
            return Ok(None);
        }
        if let Some(found) = decode(&bytes) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// `None` if the two copies of the trees' state differ.
fn decode(bytes: &[u8]) -> Option<(LiveCounters, Option<Checkpoint>)> {
    let [trees, copy] = TREES.map(|at| bytes.get(at..at + TREES_LEN));
    let (trees, copy) = (trees?, copy?);
    if trees != copy {
        return None;
    }
    let snapshot = SNAPSHOTS.iter().find_map(|&at| {
        let words = bytes.get(at..at + 4096)?.chunks_exact(4);
        let words = words.map(|word| word.try_into().map(u32::from_ne_bytes));
        parse(&words.collect::<Result<Vec<_>, _>>().ok()?).ok()
    });
    let waits = number(trees, 52)? != 0;
    let regions = [96, 112, 128].map(|at| Some((long(trees, at)?, long(trees, at + 8)?)));
    let mut log_bytes = 0;
    let mut log_position = 0;
    for region in regions {
        let (begin, end) = region?;
        log_bytes += end.saturating_sub(begin);
        log_position = end;
    }
    let counters = LiveCounters {
        live_tree_transactions: number(trees, 28)?,
        live_tree_bytes: number(trees, 24)?,
        waiting_tree_transactions: number(trees, 48)?,
        waiting_tree_bytes: if waits { number(trees, 44)? } else { 0 },
        log_position,
        log_bytes,
        header_page: number(bytes, META_PAGE)?,
        snapshot: snapshot.as_ref().map_or(0, |snapshot| snapshot.id),
        pages_written: snapshot
            .as_ref()
            .map_or(0, |snapshot| snapshot.pages_written),
    };
    Some((counters, snapshot))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::db::LsmDb;

    #[test]
    fn the_counters_are_those_of_the_engine() -> Result<(), LsmError> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.lsm");
        assert_eq!(live_counters(&path)?, None);
        let builder = LsmDb::builder().multi_process(true).autoflush_kib(64);
        let mut db = builder.block_size_kib(64).open(&path)?;
        let mut swaps = 0;
        let mut before = LiveCounters::default();
        for i in 0..3000_u32 {
            db.insert(i.wrapping_mul(0x9e37_79b9).to_be_bytes(), [7; 90])?;
            let now = live_counters(&path)?.expect("counters");
            match now
                .live_tree_transactions
                .checked_sub(before.live_tree_transactions)
            {
                Some(more) => assert!(more == 1 || i == 0, "{more} at {i}"),
                None => {
                    swaps += 1;
                    assert_eq!(
                        now.waiting_tree_transactions,
                        before.live_tree_transactions + 1
                    );
                    assert_eq!(now.live_tree_transactions, 1);
                }
            }
            before = now;
            if i % 100 == 0 {
                let stats = db.stats()?;
                let live = live_info(&path)?.expect("a state");
                assert_eq!(live.counters.log_bytes, stats.log_bytes);
                assert_eq!(live.counters.log_position, stats.log_position);
                assert_eq!(
                    live.counters.live_tree_bytes.div_ceil(1024),
                    stats.live_tree_kib
                );
                assert_eq!(live.layout.levels.len(), stats.levels.len());
                assert_eq!(live.layout.pages_written, stats.pages_written_in_total);
                assert_eq!(
                    live.pages_since_checkpoint * stats.page_size_bytes / 1024,
                    stats.checkpoint_debt_kib
                );
            }
        }
        assert!(swaps > 2, "{swaps}");
        db.close()?;
        assert_eq!(live_counters(&path)?, None);
        Ok(())
    }

    #[test]
    fn half_written_memory_is_not_believed() {
        assert!(decode(&[]).is_none());
        let mut bytes = vec![0; LEN];
        assert!(decode(&bytes).is_some_and(|(_, snapshot)| snapshot.is_none()));
        bytes[TREES[1] + 24] = 1;
        assert!(decode(&bytes).is_none());
    }
}
