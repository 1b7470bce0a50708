//! Reads of our own: how long they take beside the writer.

use std::path::Path;
use std::time::Instant;

use lsmlite_rs::{LsmDb, LsmError};

/// So many seeks at a time.
const SEEKS: u64 = 8;

/// How long it took, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Probe {
    pub open: u64,
    /// Of seeks to random places, with the record that is there; ascending. Empty: there are no plain
    /// keys.
    pub seeks: Vec<u64>,
}

impl Probe {
    pub fn median(&self) -> Option<u64> {
        self.seeks.get(self.seeks.len() / 2).copied()
    }

    pub fn longest(&self) -> Option<u64> {
        self.seeks.last().copied()
    }
}

/// Opens the database to read, seeks, and closes it: so that nothing is held afterwards.
///
/// # Errors
/// Busy, if processes open or close the database at this moment.
pub fn probe(file: &Path, seed: u64) -> Result<Probe, LsmError> {
    let start = Instant::now();
    let db = LsmDb::builder().read_only(true).open(file)?;
    let bounds = (db.first()?, db.last()?);
    let open = since(start);
    let mut seeks = Vec::new();
    if let (Some((first, _)), Some((last, _))) = bounds {
        for number in 0..SEEKS {
            let key = between(&first, &last, seed.wrapping_add(number));
            let start = Instant::now();
            db.range(key..).next_ref()?;
            seeks.push(since(start));
        }
    }
    seeks.sort_unstable();
    db.close()?;
    Ok(Probe { open, seeks })
}

fn since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// A key at a random place between two: what they have in common, and eight bytes.
fn between(first: &[u8], last: &[u8], seed: u64) -> Vec<u8> {
    let common = first.iter().zip(last).take_while(|(a, b)| a == b).count();
    let number = |key: &[u8]| {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(&key[common..]) {
            *to = *from;
        }
        u64::from_be_bytes(bytes)
    };
    let (low, high) = (number(first), number(last));
    let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let random = (random ^ (random >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let place = low + random % (high.saturating_sub(low)).max(1);
    [&first[..common], &place.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_between_the_first_and_the_last_key() {
        for (first, last) in [(&b"k0001"[..], &b"k9000"[..]), (b"", b"\xff\xff"), (b"a", b"a")] {
            for seed in 0..100 {
                let key = between(first, last, seed);
                let padded = [first, &[0; 8]].concat();
                assert!(key[..] >= padded[..first.len()] && (key[..] <= *last || first == last));
            }
        }
    }
}
