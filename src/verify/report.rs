//! What verification found.

use std::fmt;

use crate::format::{Fault, Place};

/// So many damaged places are listed; the rest is counted.
const LISTED: usize = 1000;

/// What is in one of the two header pages.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckpointState {
    /// Nothing was ever written there.
    Empty,
    /// A checkpoint with this number; the higher one of the two counts.
    Valid(u64),
    /// What is there can't be used: it was damaged, or power failed while it was being written.
    Invalid,
}

/// One damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// Where.
    pub place: Place,
    /// The level that it belongs to, if it belongs to one; 0 is the newest.
    pub level: Option<usize>,
    /// The segment of that level: 0, or, while the level is being merged, 0 for the result so far
    /// and 1 and up for the segments that go into it.
    pub segment: Option<usize>,
    /// What is wrong, in words.
    pub problem: String,
}

impl Damage {
    /// A fault in a run, which is given by its level and its place there.
    pub(crate) fn of(run: Option<(usize, usize)>, fault: Fault) -> Damage {
        Damage {
            place: fault.place,
            level: run.map(|run| run.0),
            segment: run.map(|run| run.1),
            problem: fault.problem,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        if let (Some(level), Some(segment)) = (self.level, self.segment) {
            write!(f, " (level {level}, segment {segment})")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// What [`LsmDb::verify`](crate::LsmDb::verify) or [`verify_file`](crate::verify_file) read, and
/// what is damaged. With `serde` it can be serialised.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Pages that were read in the order of their segments.
    pub pages: u64,
    /// Bytes that were read, some of them twice.
    pub bytes: u64,
    /// Levels of the database.
    pub levels: usize,
    /// Segments: sorted runs of pages. A level has one, or several while they are being merged.
    pub segments: usize,
    /// Records with a value. More than the database has keys: a key may have been overwritten, and
    /// what a merge has copied is there twice until it ends.
    pub records: u64,
    /// Records that mark keys, or the beginning or end of gaps, as deleted.
    pub tombstones: u64,
    /// Blocks that are free for reuse.
    pub free_blocks: usize,
    /// The two header pages.
    pub checkpoints: [CheckpointState; 2],
    /// Whole transactions in the log that the next open recovers; `None` if there is no log, or it
    /// wasn't read because the database is open.
    pub log_transactions: Option<u64>,
    /// Damaged places, the first thousand of them.
    pub damage: Vec<Damage>,
    /// How many damaged places there are.
    pub damage_count: u64,
}

impl VerifyReport {
    pub(super) fn new(checkpoints: [CheckpointState; 2]) -> VerifyReport {
        VerifyReport {
            pages: 0,
            bytes: 0,
            levels: 0,
            segments: 0,
            records: 0,
            tombstones: 0,
            free_blocks: 0,
            checkpoints,
            log_transactions: None,
            damage: Vec::new(),
            damage_count: 0,
        }
    }

    pub(super) fn add(&mut self, damage: Damage) {
        self.damage_count += 1;
        if self.damage.len() < LISTED && !self.damage.contains(&damage) {
            self.damage.push(damage);
        }
    }

    /// True if nothing is damaged.
    pub fn is_clean(&self) -> bool {
        self.damage_count == 0
    }
}

/// One line with the figures, and one for each damaged place.
impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} pages and {} records in {} segments of {} levels, {} bytes read: ",
            self.pages, self.records, self.segments, self.levels, self.bytes
        )?;
        match self.damage_count {
            0 => write!(f, "no damage found"),
            n => {
                match n {
                    1 => write!(f, "one place is damaged")?,
                    n => write!(f, "{n} places are damaged")?,
                }
                for damage in &self.damage {
                    write!(f, "\n{damage}")?;
                }
                match n - self.damage.len() as u64 {
                    0 => Ok(()),
                    more => write!(f, "\nand {more} more"),
                }
            }
        }
    }
}
