//! Histories of operations, run against lsm1 and against an ordered map side by side.
//!
//! A history is a line of text, so that one that once went wrong can be kept in a test:
//!
//! | word | meaning |
//! |---|---|
//! | `i7.300` | insert key 7 with a value of 300 bytes |
//! | `d7` | delete key 7 |
//! | `r3-9` | delete the keys strictly between 3 and 9 |
//! | `b` `c` `u` | begin, commit, undo the innermost transaction |
//! | `C` `U` | commit, roll back all of them |
//! | `f` | flush the in-memory tree |
//! | `w2.8` | work: merge down to 2 segments, write at most 8 KiB (`w1` has no limit) |
//! | `k` | checkpoint |
//! | `o` | close and open again |
//! | `m4` `a64` | set AUTOMERGE, AUTOFLUSH (KiB) |
//! | `e7` | seek for exactly 7 and compare |
//! | `g7.5` `l7.5` | seek for 7 or the next larger (smaller), walk 5 steps on, compare all |
//! | `s` `z` | walk through everything forwards, backwards, and compare |

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use crate::harness::{BUSY, Code, Config, Db, MISUSE, Seek, within};

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

    /// A number below `n`.
    pub fn below(&mut self, n: u32) -> u32 {
        (self.next() % u64::from(n)) as u32
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    Insert(u32, u32),
    Delete(u32),
    DeleteRange(u32, u32),
    Begin,
    Commit,
    Undo,
    CommitAll,
    RollbackAll,
    Flush,
    Work(i32, i32),
    Checkpoint,
    Reopen,
    AutoMerge(i32),
    AutoFlush(i32),
    Exact(u32),
    From(u32, u32),
    UpTo(u32, u32),
    Forwards,
    Backwards,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Op::Insert(k, n) => write!(f, "i{k}.{n}"),
            Op::Delete(k) => write!(f, "d{k}"),
            Op::DeleteRange(a, b) => write!(f, "r{a}-{b}"),
            Op::Begin => f.write_str("b"),
            Op::Commit => f.write_str("c"),
            Op::Undo => f.write_str("u"),
            Op::CommitAll => f.write_str("C"),
            Op::RollbackAll => f.write_str("U"),
            Op::Flush => f.write_str("f"),
            Op::Work(n, -1) => write!(f, "w{n}"),
            Op::Work(n, kib) => write!(f, "w{n}.{kib}"),
            Op::Checkpoint => f.write_str("k"),
            Op::Reopen => f.write_str("o"),
            Op::AutoMerge(n) => write!(f, "m{n}"),
            Op::AutoFlush(n) => write!(f, "a{n}"),
            Op::Exact(k) => write!(f, "e{k}"),
            Op::From(k, n) => write!(f, "g{k}.{n}"),
            Op::UpTo(k, n) => write!(f, "l{k}.{n}"),
            Op::Forwards => f.write_str("s"),
            Op::Backwards => f.write_str("z"),
        }
    }
}

impl FromStr for Op {
    type Err = String;

    fn from_str(word: &str) -> Result<Op, String> {
        let bad = || format!("no such operation: {word}");
        let (name, rest) = word.split_at(1);
        let (a, b) = rest.split_once(['.', '-']).unwrap_or((rest, ""));
        let a = || a.parse::<u32>().map_err(|_| bad());
        let b = || b.parse::<u32>().map_err(|_| bad());
        Ok(match name {
            "i" => Op::Insert(a()?, b()?),
            "d" => Op::Delete(a()?),
            "r" => Op::DeleteRange(a()?, b()?),
            "b" => Op::Begin,
            "c" => Op::Commit,
            "u" => Op::Undo,
            "C" => Op::CommitAll,
            "U" => Op::RollbackAll,
            "f" => Op::Flush,
            "w" => Op::Work(a()? as i32, b().map_or(-1, |kib| kib as i32)),
            "k" => Op::Checkpoint,
            "o" => Op::Reopen,
            "m" => Op::AutoMerge(a()? as i32),
            "a" => Op::AutoFlush(a()? as i32),
            "e" => Op::Exact(a()?),
            "g" => Op::From(a()?, b()?),
            "l" => Op::UpTo(a()?, b()?),
            "s" => Op::Forwards,
            "z" => Op::Backwards,
            _ => return Err(bad()),
        })
    }
}

pub fn parse(text: &str) -> Vec<Op> {
    text.split_whitespace()
        .map(|word| word.parse().expect("operation"))
        .collect()
}

/// What a history runs on: lsm1's configuration and the shape of the keys.
#[derive(Clone, Debug)]
pub struct Ground {
    pub config: Config,
    /// Every fifth key is padded to this length, which puts some beyond a page.
    pub long_key: usize,
}

impl Ground {
    pub fn key(&self, k: u32) -> Vec<u8> {
        let mut key = format!("{k:05}").into_bytes();
        if k % 5 == 0 {
            key.resize(self.long_key.max(key.len()), b'k');
        }
        key
    }

    fn value(n: u32, version: usize) -> Vec<u8> {
        let text = format!("v{version}.");
        text.bytes().cycle().take(n as usize).collect()
    }
}

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Runs a history in a directory of its own, under a time limit, and compares.
///
/// # Panics
/// At the first difference, with the operation that showed it.
pub fn check(ground: &Ground, text: &str) {
    let ground = ground.clone();
    let ops = parse(text);
    within(Duration::from_secs(20), move || {
        let dir = tempfile::tempdir().expect("temporary directory");
        if let Err(why) = run(&ground, &ops, &dir.path().join("db")) {
            panic!("{why}");
        }
    });
}

/// Runs a history; tells the first difference.
pub fn run(ground: &Ground, ops: &[Op], path: &Path) -> Result<(), String> {
    let mut db = Db::open(path, &ground.config).map_err(|code| format!("open: {code:?}"))?;
    let mut map = Map::new();
    let mut saved: Vec<Map> = Vec::new();
    let mut config = ground.config.clone();

    for (at, op) in ops.iter().enumerate() {
        let fail = |code: Code| format!("operation {at}, {op}: {code:?}");
        let wrong = |what: String| format!("operation {at}, {op}: {what}");
        let idle = saved.is_empty();
        match *op {
            Op::Insert(k, n) => {
                let (key, value) = (ground.key(k), Ground::value(n, at));
                db.insert(&key, &value).map_err(fail)?;
                map.insert(key, value);
            }
            Op::Delete(k) => {
                db.delete(&ground.key(k)).map_err(fail)?;
                map.remove(&ground.key(k));
            }
            Op::DeleteRange(a, b) => {
                let (a, b) = (ground.key(a), ground.key(b));
                db.delete_range(&a, &b).map_err(fail)?;
                map.retain(|k, _| k <= &a || k >= &b);
            }
            Op::Begin => {
                db.begin(-1).map_err(fail)?;
                saved.push(map.clone());
            }
            Op::Commit if !idle => {
                saved.pop();
                db.commit(saved.len() as i32).map_err(fail)?;
            }
            Op::Undo if !idle => {
                db.rollback(saved.len() as i32).map_err(fail)?;
                map = saved.pop().expect("a transaction");
                db.commit(saved.len() as i32).map_err(fail)?;
            }
            Op::CommitAll => {
                saved.clear();
                db.commit(0).map_err(fail)?;
            }
            Op::RollbackAll => {
                db.rollback(0).map_err(fail)?;
                if let Some(first) = saved.drain(..).next() {
                    map = first;
                }
            }
            Op::Flush if idle => db.flush().map_err(fail)?,
            Op::Work(n, kib) if idle => match db.work(n, kib) {
                Err(code) if code != BUSY => return Err(fail(code)),
                _ => {}
            },
            Op::Checkpoint => db.checkpoint().map_err(fail)?,
            Op::Reopen if idle => {
                db.close().map_err(fail)?;
                db = Db::open(path, &config).map_err(fail)?;
            }
            Op::AutoMerge(n) => {
                config.automerge = n;
                db.set(crate::ffi::LSM_CONFIG_AUTOMERGE, n).map_err(fail)?;
            }
            Op::AutoFlush(n) => {
                config.autoflush_kib = n;
                db.set(crate::ffi::LSM_CONFIG_AUTOFLUSH, n).map_err(fail)?;
            }
            Op::Exact(k) => {
                let key = ground.key(k);
                let found = db.get(&key).map_err(fail)?;
                if db.get_in_place(&key).map_err(fail)? != found {
                    return Err(wrong(String::from("lsmlite_get says something else")));
                }
                if found.as_ref() != map.get(&key) {
                    return Err(wrong(format!(
                        "got {}, expected {}",
                        show_value(found.as_ref()),
                        show_value(map.get(&key))
                    )));
                }
            }
            Op::From(k, n) => {
                let key = ground.key(k);
                let found =
                    walk(&db, Some((&key, Seek::Ge)), true, n as usize + 1).map_err(fail)?;
                compare(&found, map.range(key..).take(n as usize + 1)).map_err(wrong)?;
            }
            Op::UpTo(k, n) => {
                let key = ground.key(k);
                let found =
                    walk(&db, Some((&key, Seek::Le)), false, n as usize + 1).map_err(fail)?;
                compare(&found, map.range(..=key).rev().take(n as usize + 1)).map_err(wrong)?;
            }
            Op::Forwards => {
                let found = walk(&db, None, true, usize::MAX).map_err(fail)?;
                compare(&found, map.iter()).map_err(wrong)?;
            }
            Op::Backwards => {
                let found = walk(&db, None, false, usize::MAX).map_err(fail)?;
                compare(&found, map.iter().rev()).map_err(wrong)?;
            }
            Op::Commit | Op::Undo | Op::Flush | Op::Work(..) | Op::Reopen => {}
        }
    }
    if let Some(first) = saved.drain(..).next() {
        db.rollback(0)
            .map_err(|code| format!("last rollback: {code:?}"))?;
        map = first;
    }
    for forwards in [true, false] {
        let found =
            walk(&db, None, forwards, usize::MAX).map_err(|c| format!("last scan: {c:?}"))?;
        let result = if forwards {
            compare(&found, map.iter())
        } else {
            compare(&found, map.iter().rev())
        };
        result.map_err(|what| format!("last scan, forwards {forwards}: {what}"))?;
    }
    match db.close() {
        Ok(()) => Ok(()),
        Err(code) => Err(format!("close: {code:?} (misuse is {MISUSE:?})")),
    }
}

type Records = Vec<(Vec<u8>, Vec<u8>)>;

fn walk(db: &Db, from: Option<(&[u8], Seek)>, forwards: bool, n: usize) -> Result<Records, Code> {
    let mut cursor = db.cursor()?;
    match from {
        Some((key, how)) => cursor.seek(key, how)?,
        None if forwards => cursor.first()?,
        None => cursor.last()?,
    }
    let mut found = Vec::new();
    while cursor.valid() && found.len() < n {
        let record = (cursor.key()?, cursor.value()?);
        assert_eq!(cursor.record_in_place()?.as_ref(), Some(&record));
        found.push(record);
        if found.len() > 100_000 {
            break; // A cursor that goes round in circles.
        }
        if forwards {
            cursor.next()?
        } else {
            cursor.prev()?
        }
    }
    Ok(found)
}

fn compare<'a>(
    found: &Records,
    expected: impl Iterator<Item = (&'a Vec<u8>, &'a Vec<u8>)>,
) -> Result<(), String> {
    let mut found = found.iter();
    for (i, (key, value)) in expected.enumerate() {
        match found.next() {
            None => return Err(format!("record {i}: nothing, expected {}", show(key))),
            Some((k, v)) if k != key => {
                return Err(format!("record {i}: {}, expected {}", show(k), show(key)));
            }
            Some((_, v)) if v != value => {
                return Err(format!(
                    "record {i}, {}: value {}, expected {}",
                    show(key),
                    show_value(Some(v)),
                    show_value(Some(value))
                ));
            }
            Some(_) => {}
        }
    }
    match found.next() {
        Some((key, _)) => Err(format!("one too many: {}", show(key))),
        None => Ok(()),
    }
}

fn show(key: &[u8]) -> String {
    format!("key {}", String::from_utf8_lossy(&key[..key.len().min(8)]))
}

fn show_value(value: Option<&Vec<u8>>) -> String {
    match value {
        None => String::from("nothing"),
        Some(v) => format!(
            "{} ({} bytes)",
            String::from_utf8_lossy(&v[..v.len().min(8)]),
            v.len()
        ),
    }
}

/// How a random history is made up.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    pub keys: u32,
    pub value: u32,
    pub ranges: bool,
    pub transactions: bool,
    pub flush: bool,
}

/// A random history of `n` operations.
pub fn random(random: &mut Random, profile: &Profile, n: usize) -> Vec<Op> {
    let mut ops = Vec::with_capacity(n);
    let mut depth = 0;
    while ops.len() < n {
        let k = random.below(profile.keys);
        let op = match random.below(100) {
            0..38 => Op::Insert(k, random.below(profile.value)),
            38..46 => Op::Delete(k),
            46..52 if profile.ranges => {
                Op::DeleteRange(k, k + 1 + random.below(profile.keys / 4 + 2))
            }
            52..58 if profile.transactions => {
                if depth > 0 && random.below(3) > 0 {
                    depth -= 1;
                    if random.below(3) == 0 {
                        Op::Undo
                    } else {
                        Op::Commit
                    }
                } else if depth < 3 {
                    depth += 1;
                    Op::Begin
                } else {
                    depth = 0;
                    if random.below(2) == 0 {
                        Op::CommitAll
                    } else {
                        Op::RollbackAll
                    }
                }
            }
            58..62 if profile.flush => Op::Flush,
            62..72 => Op::Work(
                1 + random.below(4) as i32,
                if random.below(4) == 0 {
                    -1
                } else {
                    1 + random.below(12) as i32
                },
            ),
            72..75 => Op::Checkpoint,
            75..76 => Op::Reopen,
            76..77 => Op::AutoMerge(2 + random.below(4) as i32),
            77..82 => Op::Exact(k),
            82..90 => Op::From(k, random.below(8)),
            90..96 => Op::UpTo(k, random.below(8)),
            96..98 => Op::Forwards,
            98..99 => Op::Backwards,
            _ => Op::Insert(k, random.below(profile.value)),
        };
        ops.push(op);
    }
    ops
}
