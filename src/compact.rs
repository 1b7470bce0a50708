//! [`LsmDb::compact_with`]: a compaction that shows how far it is and can be stopped.

use std::ops::ControlFlow;

use crate::db::LsmDb;
use crate::error::LsmError;
use crate::session::{NextStep, Session};
use crate::stats::{self, DbStats};

/// How much is merged between two reports.
const STEP_KIB: u32 = 4 * 1024;

/// A run beside which the others are this much smaller need not be merged with them. While a
/// compaction goes on, the engine adds small runs that list free blocks; to merge each of them would
/// be to begin anew.
const LARGE: u64 = 256;

/// How far a compaction has come; see [`LsmDb::compact_with`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactProgress {
    /// KiB of pages that this call has written to the file, before compression.
    pub written_kib: u64,
    /// KiB in the file that were to be merged when this call began.
    pub total_kib: u64,
    /// KiB in the file that are to be merged yet; goes down block by block, and up if other handles
    /// write, or if a merge was under way already and its result has to be merged again.
    pub remaining_kib: u64,
    /// Sorted runs that a reader has to look at now.
    pub segments: usize,
}

impl LsmDb {
    /// As [`compact`](Self::compact), but `progress` is called before each 4 MiB or so, and can
    /// end it with [`ControlFlow::Break`]. True if everything was merged, false if it was ended.
    ///
    /// What was merged until then stays, and the next compaction goes on from there, also after
    /// the file was closed: so a large one can be spread over several nights. Until it is done
    /// the file is larger than before, as the old runs are still there. Stopping has a price, as the
    /// next one begins with a flush, and what that adds is merged too: a few long rounds cost
    /// less than many short ones.
    ///
    /// In the end there is one sorted run, beside which others of less than 1/250 of its size may be
    /// left. Other handles can write between two steps, which they can't during
    /// [`compact`](Self::compact); one that writes without a pause keeps it busy for as long.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// # db.insert(b"key", b"value")?;
    /// use std::ops::ControlFlow;
    /// use std::time::{Duration, Instant};
    ///
    /// let start = Instant::now();
    /// let done = db.compact_with(|so_far| {
    ///     println!("{} of {} KiB to go", so_far.remaining_kib, so_far.total_kib);
    ///     match start.elapsed() < Duration::from_secs(60) {
    ///         true => ControlFlow::Continue(()),
    ///         false => ControlFlow::Break(()),
    ///     }
    /// })?;
    /// println!("{}", if done { "done" } else { "to be continued" });
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`compact`](Self::compact).
    pub fn compact_with(
        &mut self,
        mut progress: impl FnMut(&CompactProgress) -> ControlFlow<()>,
    ) -> Result<bool, LsmError> {
        compact_in_steps(self.session_mut("compact")?, &mut progress)
    }
}

/// Compacts, and asks before each step.
pub(crate) fn compact_in_steps(
    session: &mut Session,
    progress: &mut dyn FnMut(&CompactProgress) -> ControlFlow<()>,
) -> Result<bool, LsmError> {
    let mut total_kib = None;
    let (mut remaining_kib, mut segments) = (0, 0);
    session.compact_in_steps(|connection, written_kib| {
        let mut n_merge = 1;
        // Somebody else may be at work: what is known then is from the step before.
        let mut is_done = false;
        if let Ok(now) = stats::read(connection) {
            segments = now.segments();
            remaining_kib = to_merge(&now).div_ceil(1024);
            // With a single run the engine moves its last blocks forward, so that the file shrinks.
            is_done = remaining_kib == 0 && segments > 1;
            // Goes on with a merge, and when it is done looks at what there is before it begins the
            // next one. The engine by itself would begin it at once, with however small a run.
            let inputs = now.levels.iter().map(|level| level.merging_bytes.len());
            n_merge = inputs
                .max()
                .map_or(1, |n| u32::try_from(n).unwrap_or(1).max(1));
        }
        let so_far = CompactProgress {
            written_kib,
            total_kib: *total_kib.get_or_insert(remaining_kib),
            remaining_kib,
            segments,
        };
        match (progress(&so_far), is_done) {
            (ControlFlow::Break(()), false) => NextStep::Stop,
            (ControlFlow::Continue(()), false) => NextStep::Take {
                n_merge,
                kib: STEP_KIB,
            },
            (_, true) => NextStep::Done,
        }
    })
}

/// Bytes that a merge of everything has to read yet; 0 if there is one run, or nearly.
fn to_merge(stats: &DbStats) -> u64 {
    let all = stats.segment_bytes();
    let largest = stats.levels.iter().max_by_key(|level| level.bytes);
    match largest {
        None => 0,
        Some(largest) if stats.is_merging() => all - largest.bytes,
        Some(largest) if all - largest.bytes <= largest.bytes / LARGE => 0,
        Some(_) => all,
    }
}
