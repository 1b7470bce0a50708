//! `check` on damaged files: it never crashes, never calls a healthy file damaged, and with page
//! checksums misses nothing that changes what is read.
//!
//! 60 files; `LSMLITE_DAMAGED_FILES=1000` for more. What it finds without page checksums is
//! printed.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use lsmlite_rs::LsmDb;
use lsmlite_rs::compression::Compression;

use crate::common::{Model, Result, SplitMix64, contents, setting};
use crate::run::{Place, program};

/// A healthy file, and an earlier state of it.
struct Base {
    checksums: bool,
    now: Vec<u8>,
    before: Vec<u8>,
    records: Model,
}

/// Databases of several runs, with and without codec and page checksums.
fn bases(random: &mut SplitMix64) -> Result<Vec<Base>> {
    let mut bases = Vec::new();
    for number in 0..12_u64 {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("base.lsm");
        let codec = [Compression::None, Compression::LZ4, Compression::ZSTD][number as usize % 3];
        let checksums = number % 2 == 1;
        let builder = LsmDb::builder()
            .compression(codec)
            .page_checksums(checksums)
            .page_size_bytes([512, 1024, 4096][number as usize / 4])
            .block_size_kib(64)
            .autoflush_kib(16)
            .automerge_segments([2, 4, 8][random.below(3) as usize]);
        let mut db = builder.open(&path)?;
        let mut before = Vec::new();
        for round in 0..6 {
            for _ in 0..300 {
                let key = format!("key {:05}", random.below(3000));
                let len = [0, 10, 100, 100, 2000][random.below(5) as usize];
                db.insert(key, random.bytes(len))?;
            }
            let start = random.below(3000);
            db.remove_range(format!("key {start:05}")..format!("key {:05}", start + 50))?;
            if round == 4 {
                db.flush()?;
                db.checkpoint()?;
                before = fs::read(&path)?;
            }
        }
        if number % 4 == 3 {
            db.compact()?;
        }
        db.close()?;
        let records = contents(&LsmDb::open(&path)?)?;
        bases.push(Base {
            checksums,
            now: fs::read(&path)?,
            before,
            records,
        });
    }
    Ok(bases)
}

/// Damages the bytes; says how.
fn damage(random: &mut SplitMix64, base: &Base) -> (&'static str, Vec<u8>) {
    let mut bytes = base.now.clone();
    let len = bytes.len() as u64;
    // Also near the header, where there is more to break.
    let at = match random.below(5) {
        0 => random.below(8192.min(len)),
        _ => random.below(len),
    } as usize;
    let sector = at / 512 * 512;
    let end = (sector + 512).min(bytes.len());
    let how = match random.below(6) {
        0 => {
            bytes[at] ^= 1 << random.below(8);
            "a flipped bit"
        }
        1 => {
            let end = (at + 1 + random.below(200) as usize).min(bytes.len());
            bytes[at..end].copy_from_slice(&random.bytes(end - at));
            "random bytes"
        }
        2 => {
            bytes[sector..end].fill(0);
            "a sector of zeros"
        }
        3 => {
            bytes.truncate(at);
            "cut off"
        }
        4 => {
            let from = random.below(len / 512) as usize * 512;
            let sector_bytes = base.now[from..from + 512].to_vec();
            bytes[sector..end].copy_from_slice(&sector_bytes[..end - sector]);
            "a sector in a wrong place"
        }
        _ => {
            if let Some(old) = base.before.get(sector..end) {
                bytes[sector..end].copy_from_slice(old);
            }
            "a sector that wasn't written"
        }
    };
    (how, bytes)
}

/// What a full scan reads.
fn scan(path: &Path) -> std::result::Result<Model, lsmlite_rs::LsmError> {
    let db = LsmDb::builder().read_only(true).open(path)?;
    let mut records = Model::new();
    for record in db.iter() {
        let (key, value) = record?;
        records.insert(key, value);
    }
    Ok(records)
}

#[derive(Default)]
struct Tally {
    harmless: u64,
    harmless_reported: u64,
    /// A scan fails, or finds other keys.
    structural: u64,
    structural_reported: u64,
    /// A scan finds other values under the same keys.
    values: u64,
    values_reported: u64,
}

#[test]
fn no_damage_that_page_checksums_cover_is_missed_and_no_healthy_file_blamed() -> Result {
    let seed = setting("LSMLITE_SEED", 1);
    let mut random = SplitMix64::new(seed);
    let place = Place::new();
    let path = place.path("file.lsm");
    let check = || -> Result<i32> {
        let mut check = program();
        check
            .args(["check", "--quiet"])
            .arg(&path)
            .stdout(Stdio::null());
        Ok(check
            .output()?
            .status
            .code()
            .ok_or("check was killed by a signal")?)
    };
    let bases = bases(&mut random)?;
    for (number, base) in bases.iter().enumerate() {
        for bytes in [&base.now, &base.before] {
            fs::write(&path, bytes)?;
            assert_eq!(check()?, 0, "base {number} is healthy");
        }
    }
    let mut tallies = [Tally::default(), Tally::default()];
    for case in 0..setting("LSMLITE_DAMAGED_FILES", 60) {
        let base = &bases[random.below(bases.len() as u64) as usize];
        let (how, bytes) = damage(&mut random, base);
        let what = format!(
            "case {case}, {how}, checksums {}, seed {seed}",
            base.checksums
        );
        fs::write(&path, &bytes)?;
        let status = check()?;
        assert!([0, 3, 4, 8].contains(&status), "{what}: status {status}");
        assert_eq!(fs::read(&path)?, bytes, "{what}: check wrote to the file");
        if bytes == base.now {
            assert_eq!(status, 0, "{what}: nothing was changed");
            continue;
        }
        let tally = &mut tallies[usize::from(base.checksums)];
        let reported = u64::from(status != 0);
        let (count, found) = match scan(&path) {
            Ok(records) if records == base.records => {
                (&mut tally.harmless, &mut tally.harmless_reported)
            }
            Ok(records) if records.keys().eq(base.records.keys()) => {
                (&mut tally.values, &mut tally.values_reported)
            }
            _ => (&mut tally.structural, &mut tally.structural_reported),
        };
        *count += 1;
        *found += reported;
        let changed = tally.structural + tally.values;
        let changed_reported = tally.structural_reported + tally.values_reported;
        assert!(
            !base.checksums || changed == changed_reported,
            "{what}: missed"
        );
    }
    for (tally, name) in tallies
        .iter()
        .zip(["without page checksums", "with page checksums"])
    {
        println!(
            "{name}: reported {} of {} files whose scan fails or finds other keys, {} of {} in \
             which only values differ, {} of {} that read as before",
            tally.structural_reported,
            tally.structural,
            tally.values_reported,
            tally.values,
            tally.harmless_reported,
            tally.harmless,
        );
        assert!(tally.structural > 0 && tally.structural_reported > 0);
    }
    Ok(())
}
