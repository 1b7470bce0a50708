//! Several handles and threads at once: each with a connection of its own, on its own file and
//! on a shared one.
//!
//! `LSMLITE_ROUNDS` says how often, for runs under a sanitizer.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use common::{Result, SplitMix64, assert_same, contents, retry, setting};
use lsmlite_rs::config::{BackgroundMode, Safety};
use lsmlite_rs::{Cursor, Disk, LsmCursorSeekOp, LsmDb, LsmDbBuilder};

const THREADS: u64 = 12;

fn rounds(default: u64) -> u64 {
    setting("LSMLITE_ROUNDS", default)
}

/// Fast, and small enough that every structure is used.
fn small(mode: BackgroundMode) -> LsmDbBuilder {
    LsmDb::builder()
        .safety(Safety::Off)
        .background(mode)
        .autoflush_kib(32)
        .autocheckpoint_kib(64)
        .page_size_bytes(1024)
        .block_size_kib(64)
}

/// Runs `work` in twelve threads and returns the first error.
fn in_twelve_threads(work: impl Fn(u64) -> Result + Sync) -> Result {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|me| {
                let work = &work;
                scope.spawn(move || work(me))
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("no panic"))
    })
}

#[test]
fn twelve_threads_open_write_scan_and_close_databases_of_their_own() -> Result {
    let modes = [
        BackgroundMode::None,
        BackgroundMode::Merger,
        BackgroundMode::MergerAndCheckpointer,
    ];
    let dir = tempfile::tempdir()?;
    in_twelve_threads(|me| {
        let path = dir.path().join(format!("{me}.lsm"));
        let mut random = SplitMix64::new(me);
        let mut model = common::Model::new();
        for round in 0..rounds(10) {
            let mut db = small(modes[(me + round) as usize % modes.len()]).open(&path)?;
            assert_same(&contents(&db)?, &model, "opened");
            for _ in 0..300 {
                let key = random.below(1000).to_be_bytes().to_vec();
                if random.one_in(4) {
                    db.remove(&key)?;
                    model.remove(&key);
                } else {
                    let value = vec![me as u8; random.below(200) as usize];
                    db.insert(&key, &value)?;
                    model.insert(key, value);
                }
            }
            assert_same(&contents(&db)?, &model, "written");
            db.close()?;
        }
        Ok(())
    })
}

/// One thread rewrites all records in each transaction; the others, with handles of their own,
/// must see all of one transaction or all of another.
fn readers_see_whole_transactions(
    builder: &(impl Fn() -> LsmDbBuilder + Sync),
    path: &Path,
    keep_open: bool,
) -> Result {
    const ROWS: u64 = 200;
    let write =
        |db: &mut LsmDb, generation: u64| -> std::result::Result<(), lsmlite_rs::LsmErrorCode> {
            db.begin_transaction()?;
            for row in 0..ROWS {
                db.persist(&row.to_be_bytes(), &generation.to_be_bytes().repeat(8))?;
            }
            db.commit_transaction()
        };
    let mut first = builder().open(path)?;
    write(&mut first, 0)?;
    first.close()?;

    let done = AtomicBool::new(false);
    let scans = AtomicU64::new(0);
    thread::scope(|scope| -> Result {
        let readers: Vec<_> = (0..6_u64)
            .map(|me| {
                let (done, scans) = (&done, &scans);
                scope.spawn(move || -> Result {
                    let mut kept = None;
                    let mut newest = 0;
                    while !done.load(Ordering::Relaxed) {
                        let db = match kept.take() {
                            Some(db) => db,
                            None => retry(|| builder().read_only(me % 2 == 0).open(path))?,
                        };
                        let records: Vec<_> = retry(|| match me % 3 {
                            0 => db.iter().rev().collect::<std::result::Result<Vec<_>, _>>(),
                            _ => db.iter().collect(),
                        })?;
                        assert_eq!(records.len() as u64, ROWS);
                        let value = &records[0].1;
                        assert!(records.iter().all(|record| record.1 == *value), "torn");
                        let generation = u64::from_be_bytes(value[..8].try_into()?);
                        assert!(generation >= newest, "{generation} after {newest}");
                        newest = generation;
                        scans.fetch_add(1, Ordering::Relaxed);
                        if keep_open {
                            kept = Some(db);
                        } else {
                            db.close()?;
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        let writing = || -> Result {
            let mut generation = 0;
            for round in 0..rounds(12) {
                let mut db = retry(|| builder().open(path))?;
                // Until the readers have had a look at it.
                let enough = scans.load(Ordering::Relaxed) + 3;
                let mut written = 0;
                while written < 5 || scans.load(Ordering::Relaxed) < enough {
                    if readers.iter().any(|reader| reader.is_finished()) {
                        return Ok(());
                    }
                    generation += 1;
                    written += 1;
                    loop {
                        match write(&mut db, generation) {
                            Err(lsmlite_rs::LsmErrorCode::LsmBusy) => db.rollback_transaction()?,
                            other => break other?,
                        }
                    }
                }
                if round % 3 == 0 {
                    retry(|| db.compact())?;
                }
                db.close()?;
            }
            Ok(())
        };
        let result = writing();
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().expect("no panic")?;
        }
        result
    })?;
    assert!(scans.load(Ordering::Relaxed) >= 3 * rounds(12));
    Ok(())
}

#[test]
fn readers_with_handles_of_their_own_see_whole_transactions() -> Result {
    let dir = tempfile::tempdir()?;
    for (i, mode) in [BackgroundMode::None, BackgroundMode::MergerAndCheckpointer]
        .into_iter()
        .enumerate()
    {
        let path = dir.path().join(format!("{i}.lsm"));
        readers_see_whole_transactions(&|| small(mode), &path, true)?;
    }
    Ok(())
}

/// On unpatched lsm1 this ends in a crash (with several processes allowed) or with foreign
/// records (a read-only handle outlives the last writer).
#[test]
fn readers_that_open_and_close_all_the_time_see_whole_transactions() -> Result {
    let dir = tempfile::tempdir()?;
    for multi_process in [false, true] {
        let path = dir.path().join(format!("{multi_process}.lsm"));
        let builder = || small(BackgroundMode::None).multi_process(multi_process);
        readers_see_whole_transactions(&builder, &path, false)?;
    }
    Ok(())
}

/// The engine has one writer at a time: the others are told to come again.
#[test]
fn twelve_writers_of_one_file_lose_nothing() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("one.lsm");
    let rows = rounds(10) * 10;
    in_twelve_threads(|me| {
        let mut db = retry(|| small(BackgroundMode::None).open(&path))?;
        for row in 0..rows {
            let key = [me.to_be_bytes(), row.to_be_bytes()].concat();
            retry(|| db.insert(&key, [me as u8; 50]))?;
            // What one has written oneself is there.
            assert_eq!(retry(|| db.get(&key))?, Some(vec![me as u8; 50]));
            let mut cursor = db.cursor_open()?;
            cursor.seek(&key, LsmCursorSeekOp::LsmCursorSeekLe)?;
            assert_eq!(cursor.get_key()?, key);
        }
        db.close()?;
        Ok(())
    })?;
    let db = LsmDb::open(&path)?;
    assert_eq!(contents(&db)?.len() as u64, THREADS * rows);
    Ok(())
}

#[test]
fn handles_are_opened_and_closed_on_one_file_by_twelve_threads() -> Result {
    let dir = tempfile::tempdir()?;
    for multi_process in [false, true] {
        let path = dir.path().join(format!("{multi_process}.lsm"));
        let builder = || small(BackgroundMode::None).multi_process(multi_process);
        let rounds = rounds(20);
        in_twelve_threads(|me| {
            for round in 0..rounds {
                let mut db = retry(|| builder().open(&path))?;
                retry(|| db.insert(me.to_be_bytes(), round.to_be_bytes()))?;
                let found = retry(|| db.get(me.to_be_bytes()))?;
                assert_eq!(found, Some(round.to_be_bytes().to_vec()));
                drop(db);
            }
            Ok(())
        })?;
        let found = contents(&builder().open(&path)?)?;
        assert_eq!(found.len() as u64, THREADS);
        let last = (rounds - 1).to_be_bytes();
        assert!(found.values().all(|value| value == &last));
    }
    Ok(())
}
