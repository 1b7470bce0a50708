//! What the suites share: data from a fixed seed, a database of known content, and short
//! measurements.

#![allow(dead_code)] // Each suite uses a part.

pub mod by_hand;
pub mod clock;
pub mod histogram;

use std::thread;
use std::time::{Duration, Instant};

use criterion::Criterion;
use histogram::Histogram;
use lsmlite_rs::{LsmDb, LsmDbBuilder};
use tempfile::TempDir;

/// A generator of random numbers: fast, seeded, and ours.
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Incompressible bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.take(len.div_ceil(8)).flatten().take(len).collect()
    }
}

/// The key of record `n`: 16 bytes in the order of the numbers.
pub fn key(n: u64) -> [u8; 16] {
    let mut key = *b"record: ........";
    key[8..].copy_from_slice(&n.to_be_bytes());
    key
}

/// A value of 100 bytes, half of it text that compresses.
pub fn value(random: &mut SplitMix64) -> Vec<u8> {
    let mut value = random.bytes(50);
    value.extend(b"and fifty bytes that are the same in every record.");
    value
}

/// A database in a folder of its own, with records 0, 2, 4 … below `2 * records`, so that
/// every odd key is missing.
pub fn filled(builder: LsmDbBuilder, records: u64, compact: bool) -> (LsmDb, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut db = builder.open(dir.path().join("bench.lsm")).unwrap();
    let mut random = SplitMix64(1);
    // Far jumps that meet every record once: `step` has no divisor in common with `records`,
    // as long as that is a number like 200,000.
    let step = records / 3 * 2 + 1;
    for n in 0..records {
        let n = n * step % records;
        db.insert(key(2 * n), value(&mut random)).unwrap();
    }
    if compact {
        db.compact().unwrap();
    }
    (db, dir)
}

/// Ten samples in about a second for each figure: enough to see a change of some percent.
pub fn short() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1200))
        .configure_from_args()
}

/// Does something so many times a second, and tells how long after it was due each was done.
pub fn paced(rate: u64, time: Duration, mut work: impl FnMut()) -> Histogram {
    let mut times = Histogram::default();
    let start = Instant::now();
    let mut due = Duration::ZERO;
    while due < time {
        if let Some(early) = due.checked_sub(start.elapsed()) {
            thread::sleep(early);
        }
        work();
        times.record(start.elapsed() - due);
        due += Duration::from_secs(1) / rate as u32;
    }
    times
}
