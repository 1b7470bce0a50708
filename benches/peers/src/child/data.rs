//! Keys and values, which can be made again from their number: nobody has to remember them.

/// All keys have 16 bytes.
pub type Key = [u8; 16];

/// Numbers from here on are keys that nobody writes.
pub const MISSING: u64 = 1 << 40;

/// In which order numbers become keys.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// The next key is larger than the last one.
    Sequential,
    /// Scattered over all keys.
    Random,
}

impl Order {
    /// Key number `n`. No two numbers have the same one.
    pub fn key(self, n: u64) -> Key {
        let (first, second) = match self {
            Order::Sequential => (n, mix(n)),
            Order::Random => (mix(n), n),
        };
        let mut key = [0; 16];
        key[..8].copy_from_slice(&first.to_be_bytes());
        key[8..].copy_from_slice(&second.to_be_bytes());
        key
    }
}

/// The finaliser of SplitMix64: turns each number into another one, and no two into the same.
pub fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A generator of random numbers.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0 << 20) % n
    }
}

/// Values of one length.
pub struct Values {
    bytes: Vec<u8>,
    len: usize,
}

/// Where a value begins among the random bytes: one of so many places.
const PLACES: u64 = 1 << 20;

impl Values {
    /// Values that can't be compressed, or that shrink to about half.
    pub fn new(len: usize, compressible: bool) -> Values {
        let places = PLACES as usize;
        let words = (0..).map(|n| mix(n ^ 0x5eed));
        let mut bytes: Vec<u8> = words
            .flat_map(u64::to_le_bytes)
            .take(places + len)
            .collect();
        if compressible {
            // Every other run of half a value is one that occurs everywhere.
            let run = (len / 2).max(1);
            let again = bytes[..run].to_vec();
            for chunk in bytes.chunks_mut(2 * run) {
                let from = run.min(chunk.len());
                let rest = chunk.len() - from;
                chunk[from..].copy_from_slice(&again[..rest]);
            }
        }
        Values { bytes, len }
    }

    /// Value number `n`.
    pub fn get(&self, n: u64) -> &[u8] {
        let at = (mix(n ^ MISSING) % PLACES) as usize;
        &self.bytes[at..at + self.len]
    }
}

/// What a reader makes of a value: cheap, and different for most values.
pub fn glance(value: &[u8]) -> u64 {
    value.len() as u64 + value.first().map_or(0, |byte| u64::from(*byte))
}
