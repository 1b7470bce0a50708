//! What happens between two looks.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lsmlite_rs::inspect::{FileLayout, LiveCounters, file_info, live_counters, live_info};

use super::locks::{Locks, locks};
use super::probe::{Probe, probe};
use crate::database::{explain, size_of};
use crate::exit::Failure;
use crate::interrupt;

/// How often the counters are looked at, at most: trees are exchanged and logs wrap in between.
const SAMPLE: Duration = Duration::from_millis(25);

/// Who has the database.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Processes share it, or did until they were killed.
    Shared,
    /// Nobody has it open.
    Idle,
    /// A process has it to itself.
    Exclusive,
    /// There is no such file any more.
    Gone,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Shared => "shared",
            State::Idle => "idle",
            State::Exclusive => "exclusive",
            State::Gone => "gone",
        }
    }
}

/// What happened.
#[derive(Copy, Clone, Debug, Default)]
pub struct Sums {
    pub transactions: u64,
    pub log_bytes: u64,
    pub pages_written: u64,
    pub checkpoints: u64,
}

impl Sums {
    fn add(&mut self, before: &LiveCounters, now: &LiveCounters) {
        let transactions = |from: u32, to: u32| u64::from(to.saturating_sub(from));
        self.transactions += match now.live_tree_transactions >= before.live_tree_transactions {
            true => transactions(before.live_tree_transactions, now.live_tree_transactions),
            // The tree that took writes has been exchanged for a new one, which begins with 1.
            false => {
                transactions(before.live_tree_transactions, now.waiting_tree_transactions)
                    + transactions(1, now.live_tree_transactions)
            }
        };
        self.log_bytes += match now.log_position.checked_sub(before.log_position) {
            Some(more) => more,
            // It has begun again at the front of its file.
            None => now.log_position,
        };
        // As a number with a sign: another database may have taken the place of this one.
        let pages = now.pages_written.wrapping_sub(before.pages_written);
        self.pages_written += u64::from(if pages < 1 << 31 { pages } else { 0 });
        self.checkpoints += u64::from(now.header_page != before.header_page);
    }
}

/// What is seen after an interval.
pub struct Tick {
    pub state: State,
    pub interval: Duration,
    pub sums: Sums,
    pub counters: Option<LiveCounters>,
    pub layout: Option<FileLayout>,
    pub pages_since_checkpoint: Option<u32>,
    pub file_bytes: u64,
    pub locks: Option<Locks>,
    pub probe: Option<Probe>,
}

impl Tick {
    /// A count per second.
    pub fn rate(&self, count: u64) -> f64 {
        count as f64 / self.interval.as_secs_f64().max(1e-3)
    }

    fn page_bytes(&self) -> u64 {
        self.layout.as_ref().map_or(0, |layout| layout.page_size_bytes.into())
    }

    /// Pages that were written, in bytes before compression.
    pub fn written_bytes(&self) -> u64 {
        self.sums.pages_written * self.page_bytes()
    }

    /// The same since the last checkpoint.
    pub fn debt_bytes(&self) -> Option<u64> {
        Some(u64::from(self.pages_since_checkpoint?) * self.page_bytes())
    }

    /// Sorted runs, levels, and levels that are being merged.
    pub fn runs(&self) -> Option<[usize; 3]> {
        let levels = &self.layout.as_ref()?.levels;
        let runs = levels.iter().map(|level| level.segments.len()).sum();
        let merging = levels.iter().filter(|level| level.segments.len() > 1).count();
        Some([runs, levels.len(), merging])
    }
}

pub struct Watch {
    file: PathBuf,
    probes: bool,
    before: Option<LiveCounters>,
    ticks: u64,
}

impl Watch {
    pub fn new(file: &Path, probes: bool) -> Watch {
        Watch {
            file: file.to_owned(),
            probes,
            before: None,
            ticks: 0,
        }
    }

    /// Who has the database now.
    pub fn state(&self) -> Result<State, Failure> {
        match live_counters(&self.file).map_err(|error| explain(error, &self.file))? {
            Some(_) => Ok(State::Shared),
            None if !self.file.exists() => Ok(State::Gone),
            None => match locks(&self.file) {
                Some(locks) if locks.is_exclusive => Ok(State::Exclusive),
                Some(_) => Ok(State::Idle),
                // Only an attempt to open it tells.
                None => match probe(&self.file, 0) {
                    Err(error) if error.is_busy() => Ok(State::Exclusive),
                    _ => Ok(State::Idle),
                },
            },
        }
    }

    /// Waits for the end of the interval, and looks. `None` if the user wants to leave.
    pub fn tick(
        &mut self,
        interval: Duration,
        wants_to_leave: &dyn Fn() -> bool,
    ) -> Result<Option<Tick>, Failure> {
        let start = Instant::now();
        let mut sums = Sums::default();
        loop {
            let left = interval.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            thread::sleep(left.min(SAMPLE));
            interrupt::check()?;
            if wants_to_leave() {
                return Ok(None);
            }
            // What can't be read now may be readable the next time, and is told at the end.
            let now = live_counters(&self.file).ok().flatten();
            if let (Some(before), Some(now)) = (&self.before, &now) {
                sums.add(before, now);
            }
            self.before = now;
        }
        self.ticks += 1;
        let mut tick = Tick {
            state: self.state()?,
            interval: start.elapsed(),
            sums,
            counters: None,
            layout: None,
            pages_since_checkpoint: None,
            file_bytes: size_of(&self.file),
            locks: locks(&self.file),
            probe: None,
        };
        // The file may go at any moment, and the next look will say so.
        match tick.state {
            State::Shared => {
                if let Ok(Some(live)) = live_info(&self.file) {
                    tick.counters = Some(live.counters);
                    tick.layout = Some(live.layout);
                    tick.pages_since_checkpoint = Some(live.pages_since_checkpoint);
                } else {
                    // Nothing was written to the file yet.
                    tick.counters = self.before;
                }
                // If all were killed, the next one may want to have it to itself.
                let is_open = tick.locks.as_ref().is_none_or(|locks| locks.writers > 0);
                if self.probes && is_open {
                    tick.probe = probe(&self.file, self.ticks << 8).ok();
                }
            }
            State::Idle | State::Exclusive => {
                tick.layout = file_info(&self.file).ok().and_then(|info| info.layout);
            }
            State::Gone => {}
        }
        Ok(Some(tick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_anew_is_not_lost() {
        let counters = |live, waiting, position, pages, header| {
            let mut counters = LiveCounters::default();
            counters.live_tree_transactions = live;
            counters.waiting_tree_transactions = waiting;
            counters.log_position = position;
            counters.pages_written = pages;
            counters.header_page = header;
            counters
        };
        let mut sums = Sums::default();
        sums.add(&counters(10, 0, 100, 5, 1), &counters(15, 0, 180, 5, 1));
        assert_eq!((sums.transactions, sums.log_bytes, sums.checkpoints), (5, 80, 0));
        // 7 more in the tree that was full, 3 in the new one; the log wraps.
        sums.add(&counters(15, 0, 180, u32::MAX, 1), &counters(4, 22, 30, 1, 2));
        assert_eq!((sums.transactions, sums.log_bytes), (15, 110));
        assert_eq!((sums.pages_written, sums.checkpoints), (2, 1));
        // Another database under the same name.
        sums.add(&counters(4, 22, 30, 1000, 2), &counters(1, 0, 0, 0, 0));
        assert_eq!((sums.transactions, sums.pages_written), (15, 2));
    }
}
