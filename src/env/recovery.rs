//! Watches the engine read a log when it opens a database.
//!
//! It reads the log in pieces of 512 bytes, twice: to find the last commit, from the place that the
//! checkpoint names and then, if nothing is there, from 0; and to put what was committed into
//! memory. A log may jump to another place, twice at most. So where a read comes back to a place
//! at which the reading had begun or jumped to, the second time begins.

use std::cell::RefCell;
use std::sync::Arc;

use super::storage;

/// What the engine reads at once.
const PIECE: u64 = 512;

/// How much is replayed between two reports.
const STEP: u64 = 128 * 1024;

/// Is told how many bytes of the log are replayed, and of how many.
pub(crate) type Report = Arc<dyn Fn(u64, u64) + Send + Sync>;

thread_local! {
    /// On the thread that opens a database: who wants to know.
    static WATCH: RefCell<Option<(Reads, Report)>> = const { RefCell::new(None) };
}

/// A log that was read.
pub(crate) struct Found {
    pub(crate) bytes: u64,
    /// Somebody was told of its replay. Otherwise it was a short one, or there was nothing in it.
    pub(crate) was_told: bool,
}

/// Reports while `work` opens a database. Also returns what log was read for it.
///
/// The report is called in the middle of the engine's work, so it can't use databases itself. If it
/// panics, the opening fails, and the panic goes on then.
pub(crate) fn watch<T>(report: Report, work: impl FnOnce() -> T) -> (T, Option<Found>) {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            let _ = WATCH.try_with(|watch| watch.take());
        }
    }
    let _ = WATCH.try_with(|watch| watch.replace(Some((Reads::default(), report))));
    let _end = End;
    let done = work();
    let reads = WATCH.try_with(|watch| watch.take().map(|(reads, _)| reads));
    (done, reads.ok().flatten().and_then(|reads| reads.found()))
}

/// The engine has read this of a log.
pub(super) fn saw(offset: u64, length: u64) {
    let due = WATCH.try_with(|watch| {
        let mut watch = watch.try_borrow_mut().ok()?;
        let (reads, report) = watch.as_mut()?;
        let (read, total) = reads.next(offset, length)?;
        Some((Arc::clone(report), read, total))
    });
    if let Ok(Some((report, read, total))) = due {
        tell(&report, read, total);
    }
}

/// Calls it as code that must not use databases.
pub(crate) fn tell(report: &Report, read: u64, total: u64) {
    storage::run(|| report(read, total));
}

/// Follows the reads.
#[derive(Default)]
struct Reads {
    /// Where the reading began or jumped to, and how much had been read by then.
    begins: Vec<(u64, u64)>,
    /// Where the next read will be, if nothing jumps.
    next: u64,
    bytes: u64,
    replay: Option<Replay>,
}

#[derive(Copy, Clone)]
struct Replay {
    total: u64,
    read: u64,
    told: u64,
}

impl Reads {
    /// A report, if one is due: how much is replayed, and of how much.
    fn next(&mut self, offset: u64, length: u64) -> Option<(u64, u64)> {
        if length != PIECE {
            // The engine makes sure that the log is durable.
            return None;
        }
        if let Some(replay) = &mut self.replay {
            replay.read += length;
            if replay.read < replay.told + STEP || replay.read >= replay.total {
                return None;
            }
            replay.told = replay.read;
            return Some((replay.read, replay.total));
        }
        if let Some((_, before)) = self.begins.iter().find(|(begin, _)| *begin == offset) {
            self.replay = Some(Replay {
                total: self.bytes - before,
                read: length,
                told: 0,
            });
            return None;
        }
        // A log that jumps more often isn't followed, and this isn't meant to grow.
        if (offset != self.next || self.bytes == 0) && self.begins.len() < 8 {
            self.begins.push((offset, self.bytes));
        }
        self.next = offset.saturating_add(length);
        self.bytes += length;
        None
    }

    fn found(&self) -> Option<Found> {
        let bytes = self.replay.map_or(self.bytes, |replay| replay.total);
        (bytes > 0).then_some(Found {
            bytes,
            was_told: self.replay.is_some_and(|replay| replay.told > 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(reads: &Reads) -> Option<(u64, bool)> {
        reads.found().map(|found| (found.bytes, found.was_told))
    }

    /// Reads this many KiB from an offset.
    fn read(reads: &mut Reads, offset: u64, kib: u64) -> Vec<(u64, u64)> {
        let offsets = (offset..offset + kib * 1024).step_by(PIECE as usize);
        offsets
            .filter_map(|offset| reads.next(offset, PIECE))
            .collect()
    }

    #[test]
    fn the_first_look_at_a_log_is_not_reported_and_counts_it() {
        let mut reads = Reads::default();
        assert_eq!(found(&reads), None);
        assert_eq!(read(&mut reads, 700, 1024), []);
        assert_eq!(found(&reads), Some((1024 * 1024, false)));
        let told = read(&mut reads, 700, 1024);
        assert_eq!(told.len(), 7);
        assert_eq!(told[0], (STEP, 1024 * 1024));
        assert!(told.is_sorted() && told.iter().all(|(read, total)| read < total));
        // A look at its beginning, and its last bytes: the engine makes it durable.
        assert_eq!(reads.next(0, PIECE), None);
        assert_eq!(reads.next(700, 65_536), None);
        assert_eq!(found(&reads), Some((1024 * 1024, true)));
    }

    #[test]
    fn a_log_that_jumps_counts_as_one() {
        let mut reads = Reads::default();
        for _ in 0..2 {
            assert_eq!(reads.replay.map(|replay| replay.read), None);
            read(&mut reads, 1_000_000, 300);
            read(&mut reads, 8, 500);
        }
        assert_eq!(found(&reads), Some((800 * 1024, true)));
        assert_eq!(reads.replay.map(|replay| replay.read), Some(800 * 1024));
    }

    #[test]
    fn a_place_without_a_commit_is_not_counted() {
        let mut reads = Reads::default();
        read(&mut reads, 1_000_000, 1);
        read(&mut reads, 0, 500);
        let told = read(&mut reads, 0, 500);
        assert_eq!(told.last(), Some(&(3 * STEP, 500 * 1024)));
        assert_eq!(found(&reads), Some((500 * 1024, true)));
    }
}
