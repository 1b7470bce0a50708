//! The write-ahead log: its frames, and what may come back from a mutated one.

use std::path::Path;

use crate::bases::{Codec, End, Recipe, log_of};
use crate::common::{Model, Result, SplitMix64, setting};
use crate::image::{Checkpoint, Word};

/// The frames that recovery would read.
pub struct Log {
    /// Place and length of each record.
    pub records: Vec<(usize, usize)>,
    /// Places of the checksums, in order.
    sums: Vec<usize>,
    start: usize,
    seeds: (u32, u32),
}

/// The engine's numbers of one to nine bytes.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let head = *bytes.first()?;
    let big = |n: usize| {
        let tail = bytes.get(1..1 + n)?;
        Some(tail.iter().fold(0, |sum, &b| sum << 8 | u64::from(b)))
    };
    Some(match head {
        0..=240 => (head.into(), 1),
        241..=248 => (u64::from(head - 241) * 256 + big(1)? + 240, 2),
        249 => (2288 + big(2)?, 3),
        _ => (big(usize::from(head) - 247)?, usize::from(head) - 246),
    })
}

impl Log {
    pub fn parse(log: &[u8], checkpoint: &Checkpoint) -> Log {
        let seeds = checkpoint.places(Word::LogChecksum);
        let mut parsed = Log {
            records: Vec::new(),
            sums: Vec::new(),
            start: (checkpoint.wide(checkpoint.places(Word::LogOffset)[0]) >> 1) as usize,
            seeds: (checkpoint.words[seeds[0]], checkpoint.words[seeds[1]]),
        };
        parsed.walk(log);
        parsed
    }

    fn walk(&mut self, log: &[u8]) -> Option<()> {
        let mut at = self.start;
        loop {
            let begin = at;
            let kind = *log.get(at)?;
            at += 1;
            let number = |at: &mut usize| {
                let (value, length) = varint(log.get(*at..)?)?;
                *at += length;
                usize::try_from(value).ok().filter(|&n| n < 1 << 30)
            };
            match kind {
                1 => {}
                2 => at += number(&mut at)?,
                3 => {
                    self.sums.push(at);
                    at += 8;
                }
                4 => at = number(&mut at)?,
                6 | 7 | 10 | 11 => {
                    let length = number(&mut at)? + number(&mut at)?;
                    if kind & 1 == 1 {
                        self.sums.push(at);
                        at += 8;
                    }
                    at += length;
                }
                8 | 9 => {
                    let length = number(&mut at)?;
                    if kind == 9 {
                        self.sums.push(at);
                        at += 8;
                    }
                    at += length;
                }
                _ => return None,
            }
            if at <= begin || at > log.len() {
                return None;
            }
            self.records.push((begin, at - begin));
        }
    }

    /// Makes the checksums fit what is there now. Not across a jump.
    pub fn fix(&self, log: &mut [u8]) {
        let (mut one, mut two) = self.seeds;
        let mut from = self.start;
        for &at in &self.sums {
            if at < from || at + 8 > log.len() {
                return;
            }
            for chunk in log[from..at].chunks(8) {
                let mut eight = [0; 8];
                eight[..chunk.len()].copy_from_slice(chunk);
                let [a, b, c, d, e, f, g, h] = eight;
                one = one
                    .wrapping_add(u32::from_le_bytes([a, b, c, d]))
                    .wrapping_add(two);
                two = two
                    .wrapping_add(u32::from_le_bytes([e, f, g, h]))
                    .wrapping_add(one);
            }
            log[at..at + 4].copy_from_slice(&one.to_be_bytes());
            log[at + 4..at + 8].copy_from_slice(&two.to_be_bytes());
            from = at + 8;
        }
    }
}

const COMMITS: u64 = 120;

/// A database that crashed, and every state that was ever committed to it.
struct History {
    states: Vec<Model>,
    /// The earliest state that may come back: that of the checkpoint.
    least: usize,
    file: Vec<u8>,
    log: Vec<u8>,
}

fn recipe(wrapped: bool) -> Recipe {
    Recipe {
        name: if wrapped { "wrapped" } else { "logged" },
        page: 1024,
        block_kib: 64,
        codec: Codec::None,
        rows: 0,
        free_list: 24,
        end: End::Crashed,
    }
}

impl History {
    fn new(dir: &Path, wrapped: bool) -> Result<History> {
        let recipe = recipe(wrapped);
        let path = recipe.path(dir);
        let mut db = recipe.builder().autocheckpoint_kib(0).open(&path)?;
        let mut random = SplitMix64::new(11);
        let mut states = vec![Model::new()];
        let mut least = 0;
        let size = if wrapped { 6000 } else { 60 };
        for commit in 0..COMMITS {
            let mut now = states.last().cloned().unwrap_or_default();
            let mut batch = Vec::new();
            for _ in 0..1 + random.below(3) {
                let key = random.below(40).to_be_bytes().to_vec();
                let length = random.below(size) as usize;
                batch.push((key, (!random.one_in(5)).then(|| random.bytes(length))));
            }
            // Each state differs from all others.
            batch.push((b"commit".to_vec(), Some(commit.to_string().into_bytes())));
            lsmlite_rs::Disk::begin_transaction(&mut db).map_err(|e| e.to_string())?;
            for (key, value) in batch {
                match &value {
                    Some(value) => db.insert(&key, value)?,
                    None => db.remove(&key)?,
                }
                match value {
                    Some(value) => now.insert(key, value),
                    None => now.remove(&key),
                };
            }
            lsmlite_rs::Disk::commit_transaction(&mut db).map_err(|e| e.to_string())?;
            states.push(now);
            if commit == 20 || commit == 70 {
                db.flush()?;
                db.checkpoint()?;
                least = states.len() - 1;
            }
        }
        let (file, log) = (std::fs::read(&path)?, std::fs::read(log_of(&path))?);
        db.close()?;
        std::fs::remove_file(&path)?;
        Ok(History {
            states,
            least,
            file,
            log,
        })
    }

    /// What comes back must be a state that was committed, or an error.
    fn check(&self, dir: &Path, seed: u64, wrapped: bool) -> Result<bool> {
        let mut random = SplitMix64::new(seed);
        let mut log = self.log.clone();
        let nothing = log.iter().rposition(|&byte| byte != 0).map_or(0, |n| n + 1);
        for _ in 0..1 + random.below(3) {
            let at = random.below(nothing.max(1) as u64) as usize;
            match random.below(8) {
                0 => log.truncate(at),
                1 => {
                    let from = random.below(nothing as u64) as usize;
                    let length = (1 + random.below(600) as usize)
                        .min(log.len().saturating_sub(at.max(from)));
                    let piece = log[from.min(log.len())..][..length].to_vec();
                    let at = at.min(log.len());
                    log[at..at + length].copy_from_slice(&piece);
                }
                2 => {
                    let end = (at + 512).min(log.len());
                    if let Some(sector) = log.get_mut(at..end) {
                        sector.fill(0);
                    }
                }
                3 => log.extend(random.bytes(100)),
                4 => {
                    let end = (at + 9).min(log.len());
                    if let Some(piece) = log.get_mut(at..end) {
                        piece.fill(0xff);
                    }
                }
                _ => {
                    if let Some(byte) = log.get_mut(at) {
                        *byte ^= 1 << random.below(8);
                    }
                }
            }
        }
        let recipe = recipe(wrapped);
        let path = recipe.path(dir);
        std::fs::write(&path, &self.file)?;
        std::fs::write(log_of(&path), &log)?;
        let found = match recipe.builder().open(&path) {
            Ok(db) => crate::common::contents(&db)?,
            Err(_) => return Ok(false),
        };
        let state = self.states.iter().position(|state| *state == found);
        let state = state.ok_or_else(|| format!("seed {seed}: content that no one committed"))?;
        if state < self.least {
            return Err(format!("seed {seed}: commit {state}, before the checkpoint").into());
        }
        Ok(true)
    }
}

#[test]
fn a_mutated_log_gives_back_a_state_that_was_committed() -> Result {
    let first = setting("LSMLITE_SEED", 1);
    let mut opened = 0;
    let count = setting("LSMLITE_LOG_MUTATIONS", 150);
    for wrapped in [false, true] {
        let dir = tempfile::tempdir()?;
        let history = History::new(dir.path(), wrapped)?;
        for seed in first..first + count.div_ceil(2) {
            opened += u64::from(history.check(dir.path(), seed, wrapped)?);
        }
    }
    println!("{opened} of {count} opened");
    assert!(opened > 0);
    Ok(())
}
