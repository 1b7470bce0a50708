//! Filters for missing keys: what they spare, what they take, and who has none.
//!
//! That look-ups with filters find what those without find is shown by the histories of
//! tests/model, which compare every look-up with a cursor, as filters are not for cursors.

mod common;

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;

use common::{Result, SplitMix64};
use lsmlite_rs::config::{BackgroundMode, Mmap};
use lsmlite_rs::{DbStats, LsmDb, LsmDbBuilder};

const RECORDS: u64 = 6000;

/// The even numbers are there, in several runs; the odd ones are missing.
fn fill(builder: LsmDbBuilder, path: &std::path::Path) -> Result<LsmDb> {
    let mut db = builder.autoflush_kib(64).open(path)?;
    let step = 4001; // No divisor in common with RECORDS.
    for n in 0..RECORDS {
        db.insert((n * step % RECORDS * 2).to_be_bytes(), [7; 40])?;
    }
    Ok(db)
}

/// Looks up as many random numbers, even or odd ones; tells what that added to the statistics.
fn look_up(db: &LsmDb, count: u64, odd: u64) -> Result<DbStats> {
    let before = db.stats()?;
    let mut random = SplitMix64::new(count + odd);
    for _ in 0..count {
        let key = random.below(RECORDS);
        let found = db.get((key * 2 + odd).to_be_bytes())?;
        assert_eq!(found.is_some(), odd == 0);
    }
    let mut stats = db.stats()?;
    stats.runs_skipped -= before.runs_skipped;
    stats.runs_searched_in_vain -= before.runs_searched_in_vain;
    Ok(stats)
}

#[test]
fn missing_keys_are_hardly_searched_anywhere_and_present_ones_in_one_run() -> Result {
    let dir = tempfile::tempdir()?;
    for (name, builder) in [
        ("plain", LsmDb::builder()),
        ("mapped", LsmDb::builder().mmap(Mmap::All)),
        ("checked", LsmDb::builder().page_checksums(true)),
        (
            "threads",
            LsmDb::builder().background(BackgroundMode::Merger),
        ),
    ] {
        let mut db = fill(builder, &dir.path().join(name))?;
        let missing = look_up(&db, 5000, 1)?;
        assert!(missing.segments() >= 3, "{name}: {missing}");
        assert!(missing.runs_skipped >= 10_000, "{name}: {missing}");
        assert!(
            missing.runs_searched_in_vain < missing.runs_skipped / 20,
            "{name}: {missing}"
        );
        let present = look_up(&db, 5000, 0)?;
        assert!(present.runs_searched_in_vain < 1000, "{name}: {present}");

        db.compact()?;
        let missing = look_up(&db, 5000, 1)?;
        assert_eq!(missing.segments(), 1, "{name}: {missing}");
        assert!(missing.runs_skipped > 4800, "{name}: {missing}");
    }
    Ok(())
}

#[test]
fn a_run_that_was_there_before_gets_its_filter_from_look_ups() -> Result {
    let dir = tempfile::tempdir()?;
    for (name, builder) in [
        ("plain", LsmDb::builder()),
        ("checked", LsmDb::builder().page_checksums(true)),
    ] {
        let path = dir.path().join(name);
        fill(builder.clone(), &path)?.close()?;
        let db = builder.clone().open(&path)?;
        // Nothing is known of the runs yet, except where merges went on when it was closed.
        assert!(look_up(&db, 20, 1)?.runs_searched_in_vain > 0, "{name}");
        look_up(&db, 4000, 1)?;
        let stats = look_up(&db, 4000, 1)?;
        assert!(
            stats.runs_searched_in_vain < stats.runs_skipped / 20,
            "{name}: {stats}"
        );
        look_up(&db, 4000, 0)?;

        // So does one that was ingested.
        let path = dir.path().join(format!("{name}, ingested"));
        let mut db = builder.open(&path)?;
        db.ingest((0..RECORDS).map(|n| ((n * 2).to_be_bytes(), [7; 40])))?;
        look_up(&db, 4000, 1)?;
        let stats = look_up(&db, 4000, 1)?;
        assert!(stats.runs_skipped > 3800, "{name}: {stats}");
        look_up(&db, 4000, 0)?;
    }
    Ok(())
}

// The last word of a block says where the run goes on; look-ups go by the b-tree and don't need it.
#[test]
fn a_damaged_link_between_blocks_hides_no_key() -> Result {
    const BLOCK: usize = 64 * 1024;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("f");
    let builder = LsmDb::builder().block_size_kib(64);
    let mut db = builder.clone().open(&path)?;
    db.ingest((0..RECORDS).map(|n| ((n * 2).to_be_bytes(), [7; 40])))?;
    db.close()?;
    let mut bytes = std::fs::read(&path)?;
    let link = |bytes: &[u8], block: usize| -> usize {
        let at = (block + 1) * BLOCK - 4;
        u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
    };
    // From the first block that leads to another one straight to what comes after that. Blocks are
    // counted from 1 on.
    let blocks = bytes.len() / BLOCK;
    let is_link = |number: usize| (2..=blocks).contains(&number);
    let first = (0..blocks)
        .find(|block| {
            let number = link(&bytes, *block);
            is_link(number) && is_link(link(&bytes, number - 1))
        })
        .ok_or("no block leads to another one")?;
    let over = link(&bytes, link(&bytes, first) - 1) as u32;
    bytes[(first + 1) * BLOCK - 4..][..4].copy_from_slice(&over.to_be_bytes());
    std::fs::write(&path, bytes)?;

    let db = builder.open(&path)?;
    look_up(&db, 4000, 1)?;
    for n in 0..RECORDS {
        // After many that were found the oldest run isn't asked.
        assert!(db.get((n * 2 + 1).to_be_bytes())?.is_none(), "{n}");
        assert!(db.get((n * 2).to_be_bytes())?.is_some(), "{n}");
    }
    Ok(())
}

#[test]
fn filters_stay_within_their_memory() -> Result {
    let dir = tempfile::tempdir()?;
    for kib in [1, 4, 8, 16_384] {
        let builder = LsmDb::builder().filter_memory_kib(kib);
        let db = fill(builder, &dir.path().join(kib.to_string()))?;
        for _ in 0..4 {
            let stats = look_up(&db, 2000, 1)?;
            assert!(stats.filter_bytes <= u64::from(kib) * 1024, "{stats}");
            // Ten bits for each key, for what is merged and what it is merged into.
            assert!(
                stats.filter_bytes <= 2 * RECORDS * 10 / 8 + 16_384,
                "{stats}"
            );
            look_up(&db, 2000, 0)?;
        }
    }
    Ok(())
}

#[test]
fn there_are_none_without_memory_and_with_several_processes() -> Result {
    let dir = tempfile::tempdir()?;
    for (name, builder) in [
        ("none", LsmDb::builder().filter_memory_kib(0)),
        ("processes", LsmDb::builder().multi_process(true)),
    ] {
        let db = fill(builder, &dir.path().join(name))?;
        let stats = look_up(&db, 3000, 1)?;
        assert_eq!((stats.filter_bytes, stats.runs_skipped), (0, 0), "{name}");
        assert!(
            stats.runs_searched_in_vain >= 3000 || name == "none",
            "{name}: {stats}"
        );
    }
    Ok(())
}

#[test]
fn a_range_delete_hides_what_older_runs_hold() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = fill(LsmDb::builder(), &dir.path().join("f"))?;
    db.remove_range(1000_u64.to_be_bytes()..3000_u64.to_be_bytes())?;
    for flushed in [false, true] {
        if flushed {
            db.flush()?;
        }
        for n in 0..RECORDS {
            let found = db.get((n * 2).to_be_bytes())?.is_some();
            assert_eq!(found, !(500..1500).contains(&n), "{n}, flushed: {flushed}");
        }
    }
    // A newer record in the range, in memory and then in a run of its own.
    db.insert(1502_u64.to_be_bytes(), b"new")?;
    assert!(db.get(1502_u64.to_be_bytes())?.is_some());
    db.flush()?;
    assert!(db.get(1502_u64.to_be_bytes())?.is_some());
    assert!(db.get(1504_u64.to_be_bytes())?.is_none());
    Ok(())
}

// Trees are closed and runs merged while others read; what is committed is found from then on.
#[test]
fn readers_find_what_was_committed_before_they_look() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("f");
    let builder = LsmDb::builder()
        .autoflush_kib(16)
        .block_size_kib(64)
        .page_size_bytes(1024)
        .autocheckpoint_kib(64)
        .background(BackgroundMode::MergerAndCheckpointer);
    let mut db = builder.clone().open(&path)?;
    let committed = AtomicU64::new(0);
    const END: u64 = 30_000;
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|number| {
                let (db, committed) = (builder.clone().open(&path), &committed);
                scope.spawn(move || -> Result<u64> {
                    let (db, mut random) = (db?, SplitMix64::new(number));
                    let mut looked_up = 0;
                    loop {
                        let newest = committed.load(Acquire);
                        if newest == END {
                            return Ok(looked_up);
                        }
                        let back = random.below(2000);
                        let n = newest.saturating_sub(back);
                        let key = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes();
                        let found = db.get(key(n))?;
                        assert_eq!(found.is_some(), n > 0, "{n} of {newest}");
                        assert!(db.get(key(n + 2 * END))?.is_none());
                        looked_up += 1;
                    }
                })
            })
            .collect();
        for n in 1..END {
            let key = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            db.insert(key, [7; 30])?;
            committed.store(n, Release);
        }
        committed.store(END, Release);
        for reader in readers {
            assert!(reader.join().expect("no panic")? > 100);
        }
        Ok(())
    })
}
