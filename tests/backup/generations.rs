//! Databases whose content tells how many transactions are in it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder, verify_file};

use crate::common::{Model, Result, SplitMix64, assert_same, contents};

pub fn small(mode: BackgroundMode) -> LsmDbBuilder {
    LsmDb::builder()
        .background(mode)
        .page_size_bytes(1024)
        .block_size_kib(64)
        .autoflush_kib(256)
        .autocheckpoint_kib(512)
}

/// How many rows each generation of [`write_generations`] knows.
pub const ROWS: u64 = 3000;

/// How many rows a transaction changes.
pub const CHANGES: u64 = 20;

/// The rows that generation `n` writes: number, and value or deletion.
pub fn changes(n: u64) -> impl Iterator<Item = (u64, Option<Vec<u8>>)> {
    let mut random = SplitMix64::new(n);
    (0..CHANGES).map(move |_| {
        let row = random.below(ROWS);
        let len = random.below(300) as usize;
        (row, (!random.one_in(5)).then(|| random.bytes(len)))
    })
}

pub fn key(row: u64) -> Vec<u8> {
    let spread = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [&b"row"[..], &spread.to_be_bytes()].concat()
}

/// What is in the database after generation `n`, the counter included.
pub fn state(n: u64) -> Model {
    let mut model = Model::new();
    for n in 1..=n {
        for (row, value) in changes(n) {
            match value {
                Some(value) => model.insert(key(row), value),
                None => model.remove(&key(row)),
            };
        }
    }
    if n > 0 {
        model.insert(b"generation".to_vec(), n.to_be_bytes().to_vec());
    }
    model
}

/// One transaction per generation, until told to stop. The last that was committed is told.
pub fn write_generations(db: &mut LsmDb, stop: &AtomicBool, committed: &AtomicU64) -> Result {
    while !stop.load(Ordering::SeqCst) {
        let n = committed.load(Ordering::SeqCst) + 1;
        write_generation(db, n)?;
        committed.store(n, Ordering::SeqCst);
    }
    Ok(())
}

pub fn write_generation(db: &mut LsmDb, n: u64) -> Result {
    db.begin_transaction()?;
    for (row, value) in changes(n) {
        match value {
            Some(value) => db.insert(key(row), value)?,
            None => db.remove(key(row))?,
        }
    }
    db.insert("generation", n.to_be_bytes())?;
    Ok(db.commit_transaction()?)
}

/// Rows that stay, between the others: so that a copy takes several transactions.
pub const FILLERS: u64 = 2000;

pub fn filler(n: u64) -> (Vec<u8>, Vec<u8>) {
    ([&key(n)[..], b"filler"].concat(), vec![n as u8; 2000])
}

/// Opens the copy in every way and says which generation is in it.
pub fn generation_of(copy: &Path) -> Result<u64> {
    let report = verify_file(copy)?;
    assert!(report.is_clean(), "{report}");
    let db = LsmDb::open(copy)?;
    let mut found = contents(&db)?;
    let fillers: Vec<_> = (0..FILLERS).map(filler).collect();
    let there = |row: &&(Vec<u8>, Vec<u8>)| found.get(&row.0) == Some(&row.1);
    let count = fillers.iter().filter(there).count() as u64;
    assert!(count == 0 || count == FILLERS, "{count} fillers");
    found.retain(|key, _| !key.ends_with(b"filler"));
    let n = match found.get(&b"generation"[..]) {
        Some(n) => u64::from_be_bytes(n[..].try_into()?),
        None => 0,
    };
    assert_same(&found, &state(n), &format!("generation {n}"));
    Ok(n)
}

/// A source of 200 generations and about 400 KiB, and the folder that it is in.
pub fn source() -> Result<(tempfile::TempDir, LsmDb)> {
    let dir = tempfile::tempdir()?;
    let mut db = small(BackgroundMode::None).open(dir.path().join("source.lsm"))?;
    for n in 1..=400 {
        write_generation(&mut db, n)?;
    }
    Ok((dir, db))
}
