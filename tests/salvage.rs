//! `salvage`: everything comes out of a healthy file, everything that isn't on a damaged page out
//! of a damaged one.
//!
//! `LSMLITE_HISTORIES` says how many random histories, `LSMLITE_SEED` where the seeds begin.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Model, Result, SplitMix64, assert_same, contents, setting};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder, SalvageBasis, SalvageReport, salvage};

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-log");
    name.into()
}

/// Copies a database that is open, as a crash of the process would leave it.
fn crash_copy(from: &Path, to: &Path) -> Result {
    fs::copy(from, to)?;
    let _ = fs::remove_file(log_of(to));
    if log_of(from).exists() {
        fs::copy(log_of(from), log_of(to))?;
    }
    Ok(())
}

/// What salvage makes of a file; the file itself must stay as it is.
fn salvaged(dir: &Path, path: &Path) -> Result<(Model, SalvageReport)> {
    let before = (fs::read(path)?, fs::read(log_of(path)).ok());
    let to = dir.join("salvaged.lsm");
    let _ = fs::remove_file(&to);
    let report = salvage(path, &to)?;
    assert!(before == (fs::read(path)?, fs::read(log_of(path)).ok()));
    assert!(!dir.join("salvaged.lsm-salvage").exists());
    let db = LsmDb::open(&to)?;
    let found = contents(&db)?;
    db.close()?;
    Ok((found, report))
}

fn any_settings(random: &mut SplitMix64) -> LsmDbBuilder {
    let page = random.pick(&[256, 256, 1024, 4096, 16_384]);
    let block = (page * 8 / 1024).max(random.pick(&[64, 64, 128]));
    let builder = LsmDb::builder()
        .page_size_bytes(page)
        .block_size_kib(block)
        .autoflush_kib(random.pick(&[0, 8, 16, 64]))
        .autocheckpoint_kib(random.pick(&[64, 64, 2048, 0]))
        .automerge_segments(random.pick(&[2, 3, 4]))
        .max_free_list(random.pick(&[2, 24]))
        .autowork(!random.one_in(8));
    let builder = builder.page_checksums(random.one_in(3));
    match random.below(6) {
        0 => builder.compression(Compression::LZ4),
        1 => builder.compression(Compression::ZSTD),
        _ => builder,
    }
}

fn key(random: &mut SplitMix64) -> Vec<u8> {
    let n = random.below(800) as u16;
    match random.below(30) {
        0 => [vec![b'k'; 400], n.to_be_bytes().to_vec()].concat(),
        1 => Vec::new(),
        _ => n.to_be_bytes().to_vec(),
    }
}

fn value(random: &mut SplitMix64) -> Vec<u8> {
    let len = match random.below(60) {
        0 => 9000,
        1..=4 => 1500,
        _ => random.below(150),
    };
    random.bytes(len as usize)
}

fn step(db: &mut LsmDb, model: &mut Model, random: &mut SplitMix64) -> Result {
    match random.below(100) {
        0..=64 => {
            let (key, value) = (key(random), value(random));
            db.insert(&key, &value)?;
            model.insert(key, value);
        }
        65..=84 => {
            let key = key(random);
            db.remove(&key)?;
            model.remove(&key);
        }
        85..=89 => {
            let (from, to) = (key(random), key(random));
            db.delete_range(&from, &to)?;
            model.retain(|key, _| !(*key > from && *key < to));
        }
        90 => db.flush()?,
        91 => drop(db.checkpoint()?),
        92..=95 => drop(db.work(random.below(30) as u32)?),
        96 if random.one_in(10) => db.compact()?,
        _ => {}
    }
    Ok(())
}

fn healthy_history(seed: u64) -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("healthy.lsm");
    let mut random = SplitMix64::new(seed);
    let builder = any_settings(&mut random);
    let mut db = builder.clone().open(&path)?;
    let mut model = Model::new();
    for round in 0..3 {
        for _ in 0..200 + random.below(800) {
            step(&mut db, &mut model, &mut random)?;
        }
        // What is in memory only is in the log.
        let copy = dir.path().join("copy.lsm");
        crash_copy(&path, &copy)?;
        let (found, report) = salvaged(dir.path(), &copy)?;
        assert_same(&found, &model, &format!("seed {seed}, round {round}, open"));
        if matches!(report.basis, SalvageBasis::Checkpoint(_)) {
            assert!(report.is_complete(), "seed {seed}, round {round}: {report}");
        }
        if random.one_in(2) {
            db.close()?;
            let (found, report) = salvaged(dir.path(), &path)?;
            assert!(report.is_complete(), "seed {seed}: {report}");
            assert_same(&found, &model, &format!("seed {seed}, round {round}"));
            db = builder.clone().open(&path)?;
        }
    }
    db.close()?;
    Ok(())
}

#[test]
fn everything_comes_out_of_a_healthy_file() -> Result {
    let first = setting("LSMLITE_SEED", 1);
    for seed in first..first + setting("LSMLITE_HISTORIES", 10) {
        healthy_history(seed).map_err(|error| format!("seed {seed}: {error}"))?;
    }
    Ok(())
}
