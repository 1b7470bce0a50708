//! Files with page checksums, mangled: what is read is the last state, or an earlier one if the
//! newest checkpoint is damaged, or an error. Nothing else.
//!
//! `LSMLITE_CHECKSUM_MUTATIONS` says how many mutations in all, `LSMLITE_SEED` where the seeds
//! begin.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Model, Result, SplitMix64, setting};
#[cfg(any(feature = "lz4", feature = "zlib", feature = "zstd"))]
use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::Safety;
use lsmlite_rs::{LsmDb, LsmDbBuilder, LsmError, verify_file};

/// Where the two checkpoints are, and where the pages begin.
const CHECKPOINT: usize = 4096;
const PAGES: usize = 2 * CHECKPOINT;
const SECTOR: usize = 512;

type Counts = BTreeMap<String, u64>;
type Rows = Vec<(Vec<u8>, Vec<u8>)>;
type Change = (Vec<u8>, Option<Vec<u8>>);

/// A database with all that it went through.
struct Past {
    builder: LsmDbBuilder,
    /// Every commit, one key each, in order.
    changes: Vec<Change>,
    last: Model,
    /// The file each time that it was closed.
    files: Vec<Vec<u8>>,
}

impl Past {
    fn new(builder: LsmDbBuilder, random: &mut SplitMix64) -> Result<Past> {
        // Half of them end in the middle of work, without their log: then blocks that the newest
        // checkpoint freed, and the one before it needs, may be in use again.
        let is_cut = random.one_in(2);
        let builder = builder.autocheckpoint_kib(random.pick(&[64, 64, 400]));
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("past.lsm");
        let mut past = Past {
            builder,
            changes: Vec::new(),
            last: Model::new(),
            files: Vec::new(),
        };
        for round in 0..5 {
            let mut db = past.builder.clone().open(&path)?;
            for i in 0..400 {
                if is_cut && round == 4 && i == 350 {
                    let file = fs::read(&path)?;
                    drop(db);
                    return past.cut(file, &path);
                }
                let key = format!("key {:04}", random.below(700)).into_bytes();
                if random.one_in(5) {
                    db.remove(&key)?;
                    past.last.remove(&key);
                    past.changes.push((key, None));
                } else {
                    let len = if random.one_in(40) { 3000 } else { 150 };
                    let len = random.below(len) as usize;
                    // Half of it compresses.
                    let mut value = random.bytes(len / 2);
                    value.resize(len, b' ');
                    db.insert(&key, &value)?;
                    past.last.insert(key.clone(), value.clone());
                    past.changes.push((key, Some(value)));
                }
            }
            if round == 2 {
                db.compact()?;
            }
            db.close()?;
            past.files.push(fs::read(&path)?);
        }
        Ok(past)
    }

    /// Ends with this file: what its checkpoint says is the last state.
    fn cut(mut self, file: Vec<u8>, path: &Path) -> Result<Past> {
        fs::write(path, &file)?;
        self.files.push(file);
        let db = self.builder.clone().open(path)?;
        let seen = Seen::of(&db, std::iter::empty());
        assert!(
            seen.errors.is_empty() && self.ever(&seen),
            "{:?}",
            seen.errors
        );
        self.last = seen.forwards.into_iter().collect();
        Ok(self)
    }

    fn file(&self) -> &[u8] {
        self.files.last().map_or(&[], Vec::as_slice)
    }

    /// True if one of the states that were committed looks like this.
    fn ever(&self, seen: &Seen) -> bool {
        let mut state = Model::new();
        let is_empty = seen.fits(&state);
        is_empty
            || self.changes.iter().any(|(key, value)| {
                match value {
                    Some(value) => state.insert(key.clone(), value.clone()),
                    None => state.remove(key),
                };
                seen.fits(&state)
            })
    }
}

/// What a database answered.
struct Seen {
    forwards: Rows,
    backwards: Rows,
    gets: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    errors: Vec<LsmError>,
    whole: bool,
}

impl Seen {
    fn of(db: &LsmDb, keys: impl Iterator<Item = Vec<u8>>) -> Seen {
        let mut errors = Vec::new();
        let mut until_error = |records: &mut dyn Iterator<Item = _>| -> Rows {
            let mut rows = Rows::new();
            for record in records {
                match record {
                    Ok(row) => rows.push(row),
                    Err(error) => {
                        errors.push(error);
                        break;
                    }
                }
            }
            rows
        };
        let forwards = until_error(&mut db.iter());
        let backwards = until_error(&mut db.iter().rev());
        let whole = errors.is_empty();
        let mut gets = Vec::new();
        for key in keys {
            match db.get(&key) {
                Ok(value) => gets.push((key, value)),
                Err(error) => errors.push(error),
            }
        }
        Seen {
            forwards,
            backwards,
            gets,
            errors,
            whole,
        }
    }

    /// True if all that was answered is right for this state.
    fn fits(&self, state: &Model) -> bool {
        let enough = |rows: &Rows| !self.whole || rows.len() == state.len();
        enough(&self.forwards)
            && enough(&self.backwards)
            && self.forwards.len() <= state.len()
            && self.backwards.len() <= state.len()
            && self
                .forwards
                .iter()
                .map(|(k, v)| (k, v))
                .eq(state.iter().take(self.forwards.len()))
            && self
                .backwards
                .iter()
                .map(|(k, v)| (k, v))
                .eq(state.iter().rev().take(self.backwards.len()))
            && self
                .gets
                .iter()
                .all(|(key, value)| state.get(key) == value.as_ref())
    }
}

/// A record in the file: a page or a padding.
#[derive(Copy, Clone)]
struct Record {
    at: usize,
    len: usize,
}

/// Finds what looks like a record: its size is at both ends.
fn records(file: &[u8]) -> Vec<Record> {
    let mut found = Vec::new();
    let mut at = PAGES + 8;
    while at + 10 <= file.len() {
        let size = &file[at..at + 3];
        let body = (usize::from(size[0] & 0x7f) << 14)
            | (usize::from(size[1] & 0x7f) << 7)
            | usize::from(size[2] & 0x7f);
        let end = at + 3 + body;
        if size[0] & size[2] & 0x80 != 0 && body >= 4 && file.get(end..end + 3) == Some(size) {
            found.push(Record { at, len: body + 6 });
            at = end + 3;
        } else {
            at += 1;
        }
    }
    found
}

/// What was done to a file.
struct Mutation {
    kind: &'static str,
    /// It changed a checkpoint, so an earlier state may come back.
    checkpoint: bool,
    at: usize,
}

/// Kinds of mutation, one after the other so that none is left out.
const KINDS: [&str; 19] = [
    "bit of a page",
    "byte of a page",
    "bit of a size in front",
    "bit of a size behind",
    "size of another record",
    "bit of a checksum",
    "bit of a link",
    "link to another block",
    "two records swapped",
    "record over another",
    "sector zeroed",
    "sector of noise",
    "sectors swapped",
    "file cut",
    "stale record",
    "stale sector",
    "stale block",
    "newest checkpoint damaged",
    "stale checkpoint",
];

fn flip(file: &mut [u8], at: usize, random: &mut SplitMix64) {
    file[at] ^= 1 << random.below(8);
}

fn mutate(
    past: &Past,
    block: usize,
    kind: &'static str,
    random: &mut SplitMix64,
) -> (Vec<u8>, Mutation) {
    let mut file = past.file().to_vec();
    let records = records(&file);
    let pick = |random: &mut SplitMix64| random.pick(&records);
    let older = &past.files[random.below(past.files.len() as u64 - 1) as usize];
    let record = pick(random);
    let sectors = (file.len() / SECTOR - PAGES / SECTOR) as u64;
    let sector = |random: &mut SplitMix64| PAGES + random.below(sectors) as usize * SECTOR;
    let mut at = record.at;
    let mut checkpoint = false;
    match kind {
        "bit of a page" => {
            at += 3 + random.below(record.len as u64 - 6) as usize;
            flip(&mut file, at, random);
        }
        "byte of a page" => {
            at += 3 + random.below(record.len as u64 - 6) as usize;
            file[at] = file[at].wrapping_add(1 + random.below(255) as u8);
        }
        "bit of a size in front" => {
            at += random.below(3) as usize;
            flip(&mut file, at, random);
        }
        "bit of a size behind" => {
            at += record.len - 1 - random.below(3) as usize;
            flip(&mut file, at, random);
        }
        "size of another record" => {
            // So that the record seems to end where a later one does, or to begin where an
            // earlier one does: those in between would be left out.
            let i = random.below(records.len() as u64 - 4) as usize;
            let (first, last) = (records[i], records[i + 1 + random.below(3) as usize]);
            let size = last.at + last.len - first.at - 6;
            let size = [
                0x80 | (size >> 14) as u8,
                0x80 | (size >> 7) as u8,
                0x80 | size as u8,
            ];
            at = if random.one_in(2) {
                first.at
            } else {
                last.at + last.len - 3
            };
            file[at..at + 3].copy_from_slice(&size);
        }
        "bit of a checksum" => {
            at += record.len - 7 + random.below(4) as usize;
            flip(&mut file, at, random);
        }
        "bit of a link" | "link to another block" => {
            let blocks = file.len() / block;
            let end = block * (1 + random.below(blocks as u64) as usize);
            at = if end < file.len() && random.one_in(2) {
                end
            } else {
                end - 8
            };
            if kind == "bit of a link" {
                at += random.below(8) as usize;
                flip(&mut file, at, random);
            } else {
                at += 3;
                file[at] = 1 + random.below(blocks as u64) as u8;
            }
        }
        "two records swapped" | "record over another" => {
            let other = *records
                .iter()
                .filter(|other| other.at != record.at)
                .min_by_key(|other| (other.len.abs_diff(record.len), other.at ^ at))
                .unwrap_or(&record);
            let len = record.len.min(other.len);
            let (a, b) = (at..at + len, other.at..other.at + len);
            let (one, two) = (file[a.clone()].to_vec(), file[b.clone()].to_vec());
            file[a].copy_from_slice(&two);
            if kind == "two records swapped" {
                file[b].copy_from_slice(&one);
            }
        }
        "sector zeroed" => {
            at = sector(random);
            file[at..at + SECTOR].fill(0);
        }
        "sector of noise" => {
            at = sector(random);
            file[at..at + SECTOR].copy_from_slice(&random.bytes(SECTOR));
        }
        "sectors swapped" => {
            at = sector(random);
            let other = sector(random);
            let (one, two) = (
                file[at..at + SECTOR].to_vec(),
                file[other..other + SECTOR].to_vec(),
            );
            file[at..at + SECTOR].copy_from_slice(&two);
            file[other..other + SECTOR].copy_from_slice(&one);
        }
        "file cut" => {
            at = sector(random) + random.below(SECTOR as u64) as usize;
            file.truncate(at);
        }
        "stale record" | "stale sector" | "stale block" => {
            let (from, len) = match kind {
                "stale record" => (at, record.len),
                "stale sector" => (sector(random), SECTOR),
                _ => {
                    let n = random.below((file.len() / block) as u64) as usize;
                    let from = (n * block).max(PAGES);
                    (from, (n + 1) * block - from)
                }
            };
            at = from;
            let end = (from + len).min(older.len()).min(file.len()).max(from);
            if from < end {
                file[from..end].copy_from_slice(&older[from..end]);
            }
        }
        "newest checkpoint damaged" | "stale checkpoint" => {
            checkpoint = true;
            let id = |page: usize| file[page..page + 8].to_vec();
            at = if id(0) > id(CHECKPOINT) {
                0
            } else {
                CHECKPOINT
            };
            if kind == "stale checkpoint" {
                file[at..at + CHECKPOINT].copy_from_slice(&older[at..at + CHECKPOINT]);
            } else {
                at += random.below(200) as usize;
                flip(&mut file, at, random);
            }
        }
        _ => unreachable!("{kind}"),
    }
    (
        file,
        Mutation {
            kind,
            checkpoint,
            at,
        },
    )
}

/// Opens and reads, writes to and compacts one mangled file.
fn try_one(
    past: &Past,
    file: &[u8],
    mutation: &Mutation,
    path: &Path,
    counts: &mut Counts,
) -> Result {
    fs::write(path, file)?;
    let _ = fs::remove_file(path.with_extension("lsm-log"));
    let mut count = |what: &str| {
        *counts
            .entry(format!("{what}: {}", mutation.kind))
            .or_default() += 1
    };
    count("tried");
    let some_keys = || past.changes.iter().step_by(7).map(|(key, _)| key.clone());
    let right = |seen: &Seen, state: &Model| {
        if seen.fits(state) {
            Ok(true)
        } else if mutation.checkpoint && past.ever(seen) {
            Ok(false)
        } else {
            Err(format!("what no one committed; errors {:?}", seen.errors))
        }
    };
    // `None`: it can't look into the file, or not without the codec.
    let verified = verify_file(path).ok().map(|report| report.is_clean());
    let mut db = match past.builder.clone().open(path) {
        Ok(db) => db,
        Err(_) => {
            count("refused");
            return Ok(());
        }
    };
    let seen = Seen::of(&db, some_keys());
    let is_last = right(&seen, &past.last)?;
    count(match (seen.errors.is_empty(), is_last) {
        (true, true) => "last state",
        (true, false) => "earlier state",
        (false, true) => "error",
        (false, false) => "error of an earlier state",
    });
    // What reads go wrong on, `verify` finds; and that there was a newer checkpoint, unless
    // that one was replaced by an older one that is whole.
    let is_silent = is_last && seen.errors.is_empty() || mutation.kind == "stale checkpoint";
    if verified == Some(true) && !is_silent {
        return Err("verify_file finds nothing".into());
    }
    // Work on a damaged file fails, or leaves what is there as it is.
    let mut state = past.last.clone();
    let mut unsure = Vec::new();
    for (key, value) in [(b"key 0350", b"new"), (b"zzzzzzzz", b"end")] {
        match db.insert(key, value) {
            Ok(()) => drop(state.insert(key.to_vec(), value.to_vec())),
            Err(_) => unsure.push(key.to_vec()),
        }
    }
    let _ = db.compact();
    let _ = db.close();
    if mutation.checkpoint || !unsure.is_empty() {
        return Ok(());
    }
    let Ok(db) = past.builder.clone().open(path) else {
        return Ok(());
    };
    let seen = Seen::of(&db, some_keys());
    right(&seen, &state).map_err(|error| format!("after more work: {error}"))?;
    Ok(())
}

fn mutations(name: &str, block_kib: u32, builder: LsmDbBuilder) -> Result {
    let seed = setting("LSMLITE_SEED", 1);
    // Eight settings share what was asked for.
    let rounds = setting("LSMLITE_CHECKSUM_MUTATIONS", 1500) / 8 / KINDS.len() as u64 + 1;
    let dir = tempfile::tempdir()?;
    let mut counts = Counts::new();
    let builder = builder
        .page_checksums(true)
        .block_size_kib(block_kib)
        .safety(Safety::Off)
        .autoflush_kib(8)
        .max_free_list(4);
    for round in 0..rounds {
        let mut random = SplitMix64::new(seed.wrapping_add(round));
        let past = Past::new(builder.clone(), &mut random)?;
        let path = dir.path().join("mangled.lsm");
        fs::write(&path, past.file())?;
        if let Ok(report) = verify_file(&path) {
            assert!(
                report.is_clean(),
                "{name}, LSMLITE_SEED={seed}+{round}: {report}"
            );
        }
        for kind in KINDS {
            // Some change nothing: a sector that is put back may never have been another.
            let different = (0..50).find_map(|_| {
                let changed = mutate(&past, block_kib as usize * 1024, kind, &mut random);
                (changed.0 != past.file()).then_some(changed)
            });
            let Some((file, mutation)) = different else {
                continue;
            };
            if let Err(error) = try_one(&past, &file, &mutation, &path, &mut counts) {
                let (seed, at) = (seed.wrapping_add(round), mutation.at);
                panic!("{name}, LSMLITE_SEED={seed}, {kind} at byte {at}: {error}");
            }
        }
    }
    let total = |what: &str| -> u64 {
        let of_what = counts.iter().filter(|(name, _)| name.starts_with(what));
        of_what.map(|(_, count)| count).sum()
    };
    for (what, count) in &counts {
        println!("{name}: {count:6} {what}");
    }
    for kind in KINDS {
        assert!(
            counts.contains_key(&format!("tried: {kind}")),
            "{name}: never {kind}"
        );
    }
    for outcome in ["error: ", "last state: ", "earlier state: "] {
        assert!(total(outcome) > 0, "{name}: never {outcome}");
    }
    Ok(())
}

#[test]
fn plain_pages() -> Result {
    mutations("plain", 64, LsmDb::builder())
}

#[test]
fn small_plain_pages() -> Result {
    mutations("small plain", 64, LsmDb::builder().page_size_bytes(256))
}

#[test]
fn plain_pages_and_many_segments() -> Result {
    let builder = LsmDb::builder().page_size_bytes(1024).automerge_segments(8);
    mutations("segments", 64, builder)
}

#[cfg(feature = "lz4")]
#[test]
fn lz4_pages() -> Result {
    mutations("lz4", 64, LsmDb::builder().compression(Compression::LZ4))
}

#[cfg(feature = "zlib")]
#[test]
fn zlib_pages() -> Result {
    mutations("zlib", 64, LsmDb::builder().compression(Compression::ZLIB))
}

#[cfg(feature = "zstd")]
#[test]
fn zstd_pages() -> Result {
    mutations("zstd", 64, LsmDb::builder().compression(Compression::ZSTD))
}

#[cfg(feature = "zstd")]
#[test]
fn small_zstd_pages() -> Result {
    let builder = LsmDb::builder().compression(Compression::ZSTD);
    mutations("small zstd", 64, builder.page_size_bytes(512))
}

#[test]
fn pages_of_a_codec_of_ones_own() -> Result {
    let codec = common::Moody::new(20_007);
    mutations(
        "own codec",
        64,
        LsmDb::builder().codec(codec).page_size_bytes(1024),
    )
}
