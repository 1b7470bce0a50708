//! What is written to a file, and in short what is read from it. The peer and the tests share
//! this, so that neither has to ask the other.

use std::fmt;

/// SplitMix64: small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

pub enum Change {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    /// Both bounds survive.
    DeleteRange(Vec<u8>, Vec<u8>),
}

/// Key number `n`: scattered over the order of keys, of 0 to 31 bytes.
fn key(n: u64) -> Vec<u8> {
    let mut random = Random::new(n);
    let mut key = vec![0; (n % 32) as usize];
    random.fill(&mut key);
    key
}

/// Mostly small, some empty, some longer than a page of 4 KiB; half of them compress well.
fn value(random: &mut Random) -> Vec<u8> {
    let length = match random.below(32) {
        0 => 0,
        1..=24 => random.below(200),
        25..=30 => random.below(2_000),
        _ => random.below(12_000),
    };
    let mut value = vec![random.next() as u8; length as usize];
    if random.below(2) == 0 {
        random.fill(&mut value);
    }
    value
}

/// `count` changes, one in eight a deletion. Two seeds touch overlapping sets of keys.
pub fn changes(seed: u64, count: u64) -> impl Iterator<Item = Change> {
    let mut random = Random::new(seed);
    (0..count).map(move |_| {
        let key = key(random.below(count));
        match random.below(8) {
            0 => Change::Delete(key),
            _ => Change::Put(key, value(&mut random)),
        }
    })
}

/// `count` range deletions, each over about a thousandth of the keys.
pub fn range_deletions(seed: u64, count: u64) -> impl Iterator<Item = Change> {
    let mut random = Random::new(seed);
    (0..count).map(move |_| {
        let begin = random.next();
        let end = begin.saturating_add(u64::MAX / 1_000);
        Change::DeleteRange(begin.to_be_bytes().to_vec(), end.to_be_bytes().to_vec())
    })
}

/// Keys to look for: some that `changes` may have written, and as many that it never writes.
pub fn probes(count: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..count).step_by(11).flat_map(|n| {
        let written = key(n);
        let mut absent = written.clone();
        absent.resize(40, 0x80);
        [written, absent]
    })
}

/// FNV-1a over byte strings, each with its length.
pub struct Digest(u64);

impl Digest {
    pub fn new() -> Self {
        Digest(0xcbf2_9ce4_8422_2325)
    }

    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.len().to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Nothing was found, which is not the same as something empty.
    pub fn add_nothing(&mut self) {
        self.0 = !self.0;
    }
}

/// All that can be read from a file, in short.
#[derive(PartialEq, Debug)]
pub struct Contents {
    pub rows: usize,
    pub forward: u64,
    pub backward: u64,
    /// The values at the probes.
    pub points: u64,
    /// The keys that lie at or next to the probes, above and below.
    pub neighbours: u64,
}

impl Contents {
    pub fn new(rows: usize, [forward, backward, points, neighbours]: [Digest; 4]) -> Self {
        Contents {
            rows,
            forward: forward.0,
            backward: backward.0,
            points: points.0,
            neighbours: neighbours.0,
        }
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contents {
            rows,
            forward,
            backward,
            points,
            neighbours,
        } = self;
        write!(
            f,
            "{rows} rows {forward:016x} {backward:016x} {points:016x} {neighbours:016x}"
        )
    }
}
