//! How fast to merge: by what there is to do, and by when it has to be done.
//!
//! The writer waits for the merger only when its tree is full and the one before it isn't in the
//! file yet. Until then there is as much time as the tree takes to fill. Work that would fit into
//! that several times over is done in small pieces with pauses between them, and leaves processor
//! and disk to others; the less time there is, the shorter the pauses.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::raw::TreeSize;

/// So many trees are looked back upon: after some flushes, more is merged than after others.
const TREES: usize = 16;
/// Of the time that is left, this share is planned for.
const PLANNED: f64 = 0.5;
/// The longest pause, and how much longer than the work before it.
const LONGEST: Duration = Duration::from_millis(20);
const TIMES: f64 = 9.0;

pub(super) struct Pace {
    tree_kib: u32,
    /// When the tree that is filled now was begun, and how large it was last.
    begun: Instant,
    live_kib: u32,
    /// How long the last tree took to fill; `None` before the first one.
    fills_in: Option<Duration>,
    /// Time spent on work since the tree was begun, and for those before.
    spent: Duration,
    spent_before: VecDeque<Duration>,
}

impl Pace {
    pub(super) fn new(tree_kib: u32, now: Instant) -> Pace {
        Pace {
            tree_kib: tree_kib.max(1),
            begun: now,
            live_kib: 0,
            fills_in: None,
            spent: Duration::ZERO,
            spent_before: VecDeque::new(),
        }
    }

    /// Work took this long: how long to wait before more of it.
    pub(super) fn pause(&mut self, worked: Duration, size: TreeSize, now: Instant) -> Duration {
        if size.live_kib < self.live_kib {
            self.next_tree(now);
        }
        self.live_kib = size.live_kib;
        self.spent += worked;
        let Some(fills_in) = self.fills_in.filter(|_| size.old_kib == 0) else {
            return Duration::ZERO;
        };
        // The tree may fill faster or slower than the last one did: what has become of it tells.
        let share = f64::from(size.live_kib) / f64::from(self.tree_kib);
        let elapsed = now.duration_since(self.begun).as_secs_f64();
        let expected = match share {
            0.0 => fills_in.as_secs_f64(),
            _ => fills_in.as_secs_f64().min(elapsed / share),
        };
        let left = (expected * (1.0 - share)).max(0.0) * PLANNED;
        let most = self.spent_before.iter().max().copied().unwrap_or_default();
        let needed = most.saturating_sub(self.spent).max(worked).as_secs_f64();
        let times = ((left - needed) / needed.max(1e-9)).clamp(0.0, TIMES);
        worked.mul_f64(times).min(LONGEST)
    }

    fn next_tree(&mut self, now: Instant) {
        self.fills_in = Some(now.duration_since(self.begun));
        self.begun = now;
        self.spent_before.push_back(self.spent);
        if self.spent_before.len() > TREES {
            self.spent_before.pop_front();
        }
        self.spent = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(3);

    fn size(old_kib: u32, live_kib: u32) -> TreeSize {
        TreeSize { old_kib, live_kib }
    }

    /// After one tree of 1000 KiB that took this long to fill, and this long to merge.
    fn after_a_tree(filled_in: Duration, merged_in: Duration) -> (Pace, Instant) {
        let start = Instant::now();
        let mut pace = Pace::new(1000, start);
        assert_eq!(pace.pause(merged_in, size(0, 999), start), Duration::ZERO);
        let begun = start + filled_in;
        pace.pause(Duration::ZERO, size(1000, 0), begun);
        (pace, begun)
    }

    #[test]
    fn with_time_to_spare_pauses_are_long_and_bounded() {
        let (mut pace, begun) = after_a_tree(Duration::from_secs(10), Duration::from_millis(300));
        let now = begun + Duration::from_secs(1);
        assert_eq!(pace.pause(STEP, size(0, 100), now), LONGEST);
        let short = Duration::from_micros(100);
        assert_eq!(pace.pause(short, size(0, 100), now), short.mul_f64(TIMES));
    }

    #[test]
    fn a_tree_that_waits_for_the_file_is_never_kept_waiting() {
        let (mut pace, begun) = after_a_tree(Duration::from_secs(10), Duration::from_millis(300));
        assert_eq!(pace.pause(STEP, size(1000, 100), begun), Duration::ZERO);
    }

    #[test]
    fn without_time_to_spare_there_are_no_pauses() {
        let (mut pace, begun) =
            after_a_tree(Duration::from_millis(400), Duration::from_millis(300));
        let now = begun + Duration::from_millis(40);
        assert_eq!(pace.pause(STEP, size(0, 100), now), Duration::ZERO);
        // Neither when the writer has become faster since.
        let (mut pace, begun) = after_a_tree(Duration::from_secs(10), Duration::from_millis(300));
        let now = begun + Duration::from_millis(40);
        assert_eq!(pace.pause(STEP, size(0, 100), now), Duration::ZERO);
    }

    #[test]
    fn pauses_become_shorter_as_the_tree_fills() {
        let (mut pace, begun) = after_a_tree(Duration::from_secs(4), Duration::from_millis(300));
        let mut last = LONGEST + STEP;
        for tenth in [5, 7, 8, 9] {
            let now = begun + Duration::from_millis(400) * tenth;
            let pause = pace.pause(STEP, size(0, 100 * tenth), now);
            assert!(pause < last, "{tenth}: {pause:?}");
            last = pause;
        }
        assert_eq!(last, Duration::ZERO);
    }
}
