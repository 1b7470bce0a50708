//! Phases that read. Each checks that it has read what was written.

use super::data::{MISSING, Order, Random, Values, glance};
use super::measure::Stopwatch;
use super::{Reader, Result, Store};

/// What is in the store.
#[derive(Copy, Clone)]
pub struct Contents<'v> {
    pub order: Order,
    pub records: u64,
    pub values: &'v Values,
}

/// Which method of the reader.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum How {
    Kept,
    Anew,
}

impl Contents<'_> {
    /// Random keys that are there; or that are not, between them.
    pub fn gets(&self, store: &impl Store, phase: &str, count: u64, missing: bool) -> Result<()> {
        let mut reader = store.reader()?;
        let mut random = Random(7);
        let mut sum = 0;
        let first = if missing { MISSING } else { 0 };
        let watch = Stopwatch::start()?;
        for _ in 0..count {
            let key = self.order.key(first + random.below(self.records));
            match reader.get(&key)? {
                Some(glance) => sum += glance,
                None => sum += u64::from(missing),
            }
        }
        watch.stop(phase, count)?;
        let expected = match missing {
            true => count,
            false => self.expected(7, count),
        };
        check(phase, sum, expected)
    }

    /// The same keys by threads of their own, all at once.
    pub fn threads(
        &self,
        store: &impl Store,
        phase: &str,
        count: u64,
        threads: u64,
        how: How,
    ) -> Result<()> {
        let readers = (0..threads).map(|_| store.reader());
        let readers = readers.collect::<Result<Vec<_>>>()?;
        let watch = Stopwatch::start()?;
        let sums = std::thread::scope(|scope| {
            let work = |(mut reader, seed): (_, u64)| {
                let (order, records) = (self.order, self.records);
                scope.spawn(move || -> std::result::Result<u64, String> {
                    let mut random = Random(seed << 32);
                    let mut sum = 0;
                    for _ in 0..count {
                        let key = order.key(random.below(records));
                        let found = match how {
                            How::Kept => Reader::get(&mut reader, &key),
                            How::Anew => Reader::get_anew(&mut reader, &key),
                        };
                        sum += found.map_err(|e| e.to_string())?.unwrap_or(0);
                    }
                    Ok(sum)
                })
            };
            let workers: Vec<_> = readers.into_iter().zip(1..).map(work).collect();
            let sums = workers.into_iter().map(|worker| worker.join());
            sums.map(|sum| sum.map_err(|_| "a reading thread panicked")?)
                .collect::<std::result::Result<Vec<_>, String>>()
        })?;
        watch.stop(phase, count * threads)?;
        let expected = (1..=threads).map(|seed| self.expected(seed << 32, count));
        check(phase, sums.iter().sum(), expected.sum())
    }

    /// What `count` random keys from this seed should show.
    fn expected(&self, seed: u64, count: u64) -> u64 {
        let mut random = Random(seed);
        (0..count)
            .map(|_| glance(self.values.get(random.below(self.records))))
            .sum()
    }

    /// All records, in the order of the keys or against it.
    pub fn scan(&self, store: &impl Store, phase: &str, backwards: bool) -> Result<()> {
        let mut reader = store.reader()?;
        let (mut count, mut sum) = (0, 0);
        let watch = Stopwatch::start()?;
        reader.scan(None, backwards, u64::MAX, |key, value| {
            count += 1;
            sum += u64::from(key[0]) + glance(value);
        })?;
        watch.stop(phase, count)?;
        check(phase, count, self.records)?;
        let key = |n| u64::from(self.order.key(n)[0]);
        let expected = (0..self.records).map(|n| key(n) + glance(self.values.get(n)));
        check(phase, sum, expected.sum())
    }

    /// Short scans, each from a random key that is there.
    pub fn ranges(&self, store: &impl Store, phase: &str, length: u64) -> Result<()> {
        let mut reader = store.reader()?;
        let mut random = Random(9);
        let ranges = (self.records.min(1_000_000) / length).max(1);
        let (mut count, mut first) = (0, 0);
        let watch = Stopwatch::start()?;
        for _ in 0..ranges {
            let start = self.order.key(random.below(self.records));
            reader.scan(Some(&start), false, length, |key, value| {
                first += u64::from(key == start);
                count += u64::from(!value.is_empty());
            })?;
        }
        watch.stop(phase, count)?;
        check(phase, first, ranges)?;
        // From the last keys on there are fewer than `length`, which is next to none if there are many.
        let most = ranges * length;
        let least = match self.records >= 1000 * length {
            true => most - most / 100,
            false => ranges,
        };
        match (least..=most).contains(&count) {
            true => Ok(()),
            false => Err(format!("{phase}: {count} records in {ranges} ranges").into()),
        }
    }
}

fn check(phase: &str, found: u64, expected: u64) -> Result<()> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{phase}: read {found}, and not {expected}, by its sum").into()),
    }
}
