//! Counts durations in buckets of 3 % or less, so that millions of them take no memory and the
//! rarest are still told apart.

use std::fmt;
use std::time::Duration;

/// Buckets for each doubling.
const FINE: u64 = 32;

#[derive(Clone, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max_ns: u64,
}

impl Histogram {
    pub fn record(&mut self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket(ns);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// The time that this share of all durations doesn't exceed, in µs.
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        let ns = found.map_or(0, |bucket| ceiling(bucket).min(self.max_ns));
        ns as f64 / 1000.0
    }
}

/// Below [`FINE`] each number has a bucket; then each doubling has as many.
fn bucket(ns: u64) -> usize {
    let doublings = u64::from((ns / FINE).checked_ilog2().map_or(0, |log| log + 1));
    let bucket = match doublings {
        0 => ns,
        n => n * FINE + (ns >> (n - 1)) - FINE,
    };
    bucket as usize
}

/// The largest number in a bucket.
fn ceiling(bucket: usize) -> u64 {
    let (doublings, rest) = (bucket as u64 / FINE, bucket as u64 % FINE);
    match doublings {
        0 => rest,
        n => ((FINE + rest + 1) << (n - 1)) - 1,
    }
}

/// `p50 p99 p99.9 p99.99 max`, in µs.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for share in [0.5, 0.99, 0.999, 0.9999, 1.0] {
            write!(f, "{:>10.1}", self.quantile(share))?;
        }
        Ok(())
    }
}
