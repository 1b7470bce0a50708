//! A history as words, one for each operation, so that one that went wrong can be kept.

use std::fmt;
use std::str::FromStr;

use crate::random::{Random, mix};
use crate::settings::Settings;

macro_rules! operations {
    ($($(#[$doc:meta])* $word:literal $name:ident $(($($arg:ident),+))?,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Op {
            $($(#[$doc])* $name $({ $($arg: u32),+ })?,)*
        }

        impl fmt::Display for Op {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Op::$name $({ $($arg),+ })? => {
                        let numbers: &[u32] = &[$($($arg),+)?];
                        let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
                        write!(f, concat!($word, "{}"), numbers.join("."))
                    })*
                }
            }
        }

        impl FromStr for Op {
            type Err = String;

            fn from_str(text: &str) -> Result<Op, String> {
                let bad = || format!("no such operation: {text}");
                let digits = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
                let (word, numbers) = text.split_at(digits);
                let mut numbers = numbers.split('.').filter(|n| !n.is_empty());
                let mut number = || -> Result<u32, String> {
                    numbers.next().and_then(|n| n.parse().ok()).ok_or_else(bad)
                };
                match word {
                    $($word => Ok(Op::$name $({ $($arg: number()?),+ })?),)*
                    _ => { let _ = number; Err(bad()) }
                }
            }
        }
    };
}

operations! {
    /// Insert key `k` with a value of `len` bytes.
    "i" Insert(k, len),
    "d" Delete(k),
    /// Delete the keys strictly between the two.
    "r" DeleteRange(a, b),
    /// Begin a transaction, or one more in the innermost.
    "b" Begin,
    /// Commit the innermost transaction.
    "c" Commit,
    /// Roll the innermost transaction back.
    "u" Undo,
    /// Commit all of them, roll all of them back.
    "C" CommitAll,
    "U" UndoAll,
    "f" Flush,
    /// Merge down to `n` sorted runs until `kib` KiB were written.
    "w" Work(n, kib),
    "k" Checkpoint,
    "p" Compact,
    /// Close and open again.
    "o" Reopen,
    /// Drop the handle as it is, maybe in a transaction, and open again.
    "x" Abandon,
    /// Copy the files as they are: the copy is what a crash would leave, and must hold what
    /// was committed.
    "y" CrashCopy,
    /// The same, and go on with the copy.
    "Y" Crash,
    "m" AutoMerge(n),
    "a" AutoFlush(kib),
    /// Look for exactly this key.
    "e" Exact(k),
    /// Seek for the key or the next larger (smaller) one and go `n` steps on.
    "g" From(k, n),
    "l" UpTo(k, n),
    /// One cursor, three seeks.
    "j" Again(k, l, n),
    /// Read a range from both ends at once.
    "t" Range(a, b),
    /// Read everything forwards, backwards.
    "s" Forwards,
    "z" Backwards,
    /// Reader `r` takes a new snapshot; reads from key `k`, `n` steps forwards; the same
    /// backwards; reads everything; lets go of its snapshot; closes and opens again.
    "N" ReaderPin(r),
    "G" ReaderFrom(r, k, n),
    "L" ReaderUpTo(r, k, n),
    "S" ReaderScan(r),
    "R" ReaderRelease(r),
    "O" ReaderReopen(r),
}

pub fn parse(text: &str) -> Result<Vec<Op>, String> {
    text.split_whitespace().map(str::parse).collect()
}

pub fn text(ops: &[Op]) -> String {
    let words: Vec<_> = ops.iter().map(Op::to_string).collect();
    words.join(" ")
}

/// How often each kind of operation comes, by chance different in each history.
struct Weights {
    insert: u32,
    delete: u32,
    range: u32,
    transaction: u32,
    maintain: u32,
    open: u32,
    read: u32,
    reader: u32,
}

impl Weights {
    fn draw(settings: &Settings, random: &mut Random) -> Weights {
        let mut some = |usual: u32| usual * random.pick(&[1, 2, 4]) / 2;
        Weights {
            insert: some(380),
            delete: some(80),
            range: if settings.ranges > 0 { some(60) } else { 0 },
            transaction: some(60),
            maintain: some(130),
            open: some(14),
            read: some(180),
            reader: if settings.readers > 0 { some(80) } else { 0 },
        }
    }

    fn draw_class(&self, random: &mut Random) -> usize {
        let all = [
            self.insert,
            self.delete,
            self.range,
            self.transaction,
            self.maintain,
            self.open,
            self.read,
            self.reader,
        ];
        let mut at = random.below(all.iter().sum());
        for (class, weight) in all.into_iter().enumerate() {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return class,
            }
        }
        0
    }
}

/// The history of this seed.
pub fn draw(seed: u64, settings: &Settings, n: usize) -> Vec<Op> {
    let random = &mut Random::new(mix(seed ^ 0x5eed));
    let weights = Weights::draw(settings, random);
    let keys = settings.all_keys().len() as u32;
    let mut depth = 0;
    let mut ops = Vec::with_capacity(n);
    // Some stay in one region for a while, as real programs do.
    let mut near = 0;
    while ops.len() < n {
        if random.one_in(30) {
            near = random.below(keys);
        }
        let k = match random.below(3) {
            0 => (near + random.below(8)) % keys,
            _ => random.below(keys),
        };
        let class = weights.draw_class(random);
        ops.push(match class {
            0 => Op::Insert {
                k,
                len: length(settings, random),
            },
            1 => Op::Delete { k },
            2 => {
                let span = random.pick(&[1, 2, 4, keys / 4 + 2, keys]);
                let b = k + random.below(span + 1);
                Op::DeleteRange {
                    a: k,
                    b: b.min(keys - 1),
                }
            }
            3 => transaction(settings.nesting, &mut depth, random),
            4 => maintain(&mut depth, settings, random),
            5 => match random.below(6) {
                0 | 1 => Op::Reopen,
                2 => Op::Abandon,
                3 | 4 => Op::CrashCopy,
                _ => Op::Crash,
            },
            6 => read(k, keys, random),
            _ => reader(k, settings.readers, random),
        });
        if matches!(ops.last(), Some(Op::Abandon | Op::Crash)) {
            depth = 0;
        }
    }
    ops
}

fn length(settings: &Settings, random: &mut Random) -> u32 {
    match random.below(60) {
        0..4 => 0,
        4 => 2 * settings.page_bytes.min(4096) + random.below(500),
        5 => 300,
        _ => random.below(settings.value_bytes),
    }
}

fn transaction(nesting: u32, depth: &mut u32, random: &mut Random) -> Op {
    if *depth < nesting && (*depth == 0 || random.one_in(2)) {
        *depth += 1;
        return Op::Begin;
    }
    match random.below(8) {
        0 => {
            *depth = 0;
            Op::CommitAll
        }
        1 => {
            *depth = 0;
            Op::UndoAll
        }
        2..5 => {
            *depth -= 1;
            Op::Undo
        }
        _ => {
            *depth -= 1;
            Op::Commit
        }
    }
}

/// Work on the file isn't allowed in a transaction: end it first, most of the time.
fn maintain(depth: &mut u32, settings: &Settings, random: &mut Random) -> Op {
    if *depth > 0 && !random.one_in(4) {
        *depth = 0;
        return random.pick(&[Op::CommitAll, Op::CommitAll, Op::UndoAll]);
    }
    match random.below(40) {
        0..8 => Op::Flush,
        8..30 => Op::Work {
            n: random.pick(&[0, 1, 1, 2, 2, 3, 4]),
            kib: match random.below(8) {
                0 => 1 << 20,
                _ => 1 + random.below(12 + 2 * settings.page_bytes / 1024),
            },
        },
        30..36 => Op::Checkpoint,
        36 => Op::Compact,
        37..39 => Op::AutoMerge {
            n: 2 + random.below(5),
        },
        _ => Op::AutoFlush {
            kib: random.pick(&[1, 4, 16, 64]),
        },
    }
}

fn read(k: u32, keys: u32, random: &mut Random) -> Op {
    let n = random.pick(&[0, 1, 3, 10]);
    match random.below(48) {
        0..10 => Op::Exact { k },
        10..22 => Op::From { k, n },
        22..34 => Op::UpTo { k, n },
        34..39 => Op::Again {
            k,
            l: random.below(keys),
            n,
        },
        39..44 => Op::Range {
            a: k,
            b: random.below(keys),
        },
        44 | 45 => Op::Forwards,
        _ => Op::Backwards,
    }
}

fn reader(k: u32, readers: u32, random: &mut Random) -> Op {
    let r = random.below(readers);
    let n = random.pick(&[0, 1, 3, 10]);
    match random.below(16) {
        0..3 => Op::ReaderPin { r },
        3..7 => Op::ReaderFrom { r, k, n },
        7..11 => Op::ReaderUpTo { r, k, n },
        11..13 => Op::ReaderScan { r },
        13 | 14 => Op::ReaderRelease { r },
        _ => Op::ReaderReopen { r },
    }
}
