//! Readers, snapshots and pools beside a writer: what they see is what was committed.
//!
//! `LSMLITE_SECONDS` says how long the writer and its eight readers run, `LSMLITE_SEED` where the
//! seeds begin.

mod common;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{Model, Result, SplitMix64, alone, assert_same, contents, setting};
use lsmlite_rs::config::{BackgroundMode, Safety};
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder, LsmError, LsmErrorCode, LsmRange, Snapshot};

/// Small enough that every structure is used.
fn small() -> LsmDbBuilder {
    LsmDb::builder()
        .safety(Safety::Off)
        .autoflush_kib(32)
        .autocheckpoint_kib(64)
        .page_size_bytes(1024)
        .block_size_kib(64)
}

fn all(records: LsmRange<'_>) -> std::result::Result<Model, LsmError> {
    records.collect()
}

fn key(n: u64) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

#[test]
fn each_read_of_a_reader_sees_the_newest_commit() -> Result {
    let dir = tempfile::tempdir()?;
    for multi_process in [false, true] {
        let path = dir.path().join(format!("{multi_process}.lsm"));
        let mut db = small().multi_process(multi_process).open(&path)?;
        let reader = db.reader()?;
        assert_eq!(reader.get("key")?, None);
        for n in 0..300_u64 {
            db.insert("key", n.to_be_bytes())?;
            assert_eq!(reader.get("key")?, Some(key(n)));
            db.insert(key(n), vec![7; 500])?;
            assert!(reader.contains_key(key(n))?);
            assert!(!reader.contains_key(key(n + 1))?);
            assert_eq!(reader.range(key(0)..key(1000)).count() as u64, n + 1);
            match n % 50 {
                10 => db.flush()?,
                20 => db.compact()?,
                _ => {}
            }
        }
        // Nor does it see what isn't committed.
        db.begin_transaction()?;
        db.remove("key")?;
        assert!(db.get("key")?.is_none());
        assert!(reader.contains_key("key")?);
        db.commit_transaction()?;
        assert!(!reader.contains_key("key")?);
        assert_same(&all(reader.iter())?, &contents(&db)?, "at the end");
    }
    Ok(())
}

#[test]
fn an_iterator_of_a_reader_keeps_what_it_sees_and_goes_both_ways() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = small().open(dir.path().join("a.lsm"))?;
    for n in 0..100 {
        db.insert(key(n), "old")?;
    }
    let reader = db.reader()?;
    let mut records = reader.range(key(10)..=key(89));
    assert_eq!(records.next().ok_or("empty")??.0, key(10));
    for n in 0..200 {
        db.insert(key(n), "new")?;
    }
    db.compact()?;
    assert_eq!(records.next_back().ok_or("empty")??.0, key(89));
    let rest: Model = records.collect::<std::result::Result<_, _>>()?;
    assert_eq!(rest.len(), 78);
    assert!(rest.values().all(|value| value == b"old"));
    assert_eq!(reader.get(key(10))?, Some(b"new".to_vec()));
    Ok(())
}

/// More of them than the engine has places for readers.
#[test]
fn a_snapshot_stays_stable_while_the_writer_works() -> Result {
    let dir = tempfile::tempdir()?;
    let modes = [
        (BackgroundMode::None, false),
        (BackgroundMode::MergerAndCheckpointer, false),
        (BackgroundMode::None, true),
        (BackgroundMode::MergerAndCheckpointer, true),
    ];
    for (i, (mode, multi_process)) in modes.into_iter().enumerate() {
        let builder = small().background(mode).multi_process(multi_process);
        let mut db = builder.open(dir.path().join(format!("{i}.lsm")))?;
        let mut random = SplitMix64::new(setting("LSMLITE_SEED", 0) + i as u64);
        let mut model = Model::new();
        let mut snapshots: Vec<(Snapshot, Model)> = Vec::new();
        for step in 0..6000_u64 {
            let key = key(random.below(500));
            if random.one_in(4) {
                db.remove(&key)?;
                model.remove(&key);
            } else {
                let len = random.below(300) as usize;
                let value = random.bytes(len);
                db.insert(&key, &value)?;
                model.insert(key, value);
            }
            if step % 400 == 0 {
                match random.below(3) {
                    0 => snapshots.push((db.reader()?.snapshot()?, model.clone())),
                    _ => snapshots.push((db.snapshot()?, model.clone())),
                }
            }
            if step % 1000 == 999 {
                common::retry(|| db.compact())?;
            }
            if step % 500 == 250 {
                for (n, (snapshot, expected)) in snapshots.iter().enumerate() {
                    assert_same(&all(snapshot.iter())?, expected, &format!("snapshot {n}"));
                }
                // In no order, so that places of all ages come free.
                let n = random.below(snapshots.len() as u64) as usize;
                snapshots.swap_remove(n);
            }
        }
        assert!(snapshots.len() > 2);
        let (mut first, _) = snapshots.swap_remove(0);
        first.refresh()?;
        assert_same(&all(first.iter())?, &model, "refreshed");
        // Also beyond the end of the writer.
        db.close()?;
        for (snapshot, expected) in &snapshots {
            let mut backwards: Vec<_> = snapshot
                .iter()
                .rev()
                .collect::<std::result::Result<_, _>>()?;
            backwards.reverse();
            assert!(backwards.into_iter().eq(expected.clone()), "at the end");
        }
    }
    Ok(())
}

#[test]
fn twenty_snapshots_of_different_commits_are_all_kept() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = small().open(dir.path().join("a.lsm"))?;
    let mut snapshots = Vec::new();
    for n in 0..20_u64 {
        for row in 0..200 {
            db.insert(key(row), vec![n as u8; 200])?;
        }
        snapshots.push(db.snapshot()?);
    }
    db.compact()?;
    for (n, snapshot) in snapshots.iter().enumerate() {
        let found = all(snapshot.iter())?;
        assert_eq!(found.len(), 200);
        assert!(found.values().all(|value| *value == vec![n as u8; 200]));
    }
    Ok(())
}

/// States by number, as hashes; a number is given before its commit.
#[derive(Default)]
struct States(Mutex<BTreeMap<u64, u64>>);

const NUMBER: &[u8] = b"\xffnumber";

fn hash(records: &Model) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(records)
}

impl States {
    /// The number of the state that these records are.
    fn check(&self, records: &Model, who: &str) -> u64 {
        let Some(number) = records.get(NUMBER) else {
            panic!("{who}: {} records without a number", records.len());
        };
        let number = u64::from_be_bytes(number[..].try_into().expect("eight bytes"));
        let states = self.0.lock().expect("no panic");
        let expected = states.get(&number).copied();
        assert_eq!(expected, Some(hash(records)), "{who}: no committed state");
        number
    }
}

fn write_and_read(builder: LsmDbBuilder, seed: u64, time: Duration) -> Result<u64> {
    let dir = tempfile::tempdir()?;
    let mut db = builder.open(dir.path().join("shared.lsm"))?;
    let states = States::default();
    let (done, committed, reads) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let mut model = Model::new();
    let mut random = SplitMix64::new(seed);
    let mut commit = |db: &mut LsmDb| -> Result {
        let number = committed.load(Ordering::SeqCst) + 1;
        db.begin_transaction()?;
        for _ in 0..1 + random.below(30) {
            let key = key(random.below(300));
            if random.one_in(4) {
                db.remove(&key)?;
                model.remove(&key);
            } else {
                let len = random.below(200) as usize;
                let value = random.bytes(len);
                db.insert(&key, &value)?;
                model.insert(key, value);
            }
        }
        db.insert(NUMBER, number.to_be_bytes())?;
        model.insert(NUMBER.to_vec(), number.to_be_bytes().to_vec());
        states
            .0
            .lock()
            .expect("no panic")
            .insert(number, hash(&model));
        db.commit_transaction()?;
        committed.store(number, Ordering::SeqCst);
        if random.one_in(200) {
            common::retry(|| db.compact())?;
        }
        Ok(())
    };
    commit(&mut db)?;
    let pool = db.reader_pool(2)?;
    let readers = (0..3)
        .map(|_| db.reader())
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let snapshots = (0..2)
        .map(|_| db.snapshot())
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let (states, done, committed, reads) = (&states, &done, &committed, &reads);
    thread::scope(|scope| -> Result {
        let mut threads = Vec::new();
        // Each read is at least as new as the last acknowledged commit before it.
        let look = move |read: &dyn Fn() -> Result<Model>, who: &str| -> Result<u64> {
            let least = committed.load(Ordering::SeqCst);
            let number = states.check(&read()?, who);
            assert!(number >= least, "{who}: {number} after {least}");
            reads.fetch_add(1, Ordering::Relaxed);
            Ok(number)
        };
        for (n, reader) in readers.into_iter().enumerate() {
            threads.push(scope.spawn(move || -> Result {
                while !done.load(Ordering::Relaxed) {
                    look(
                        &|| match n % 2 {
                            0 => Ok(all(reader.iter())?),
                            _ => Ok(reader.iter().rev().collect::<std::result::Result<_, _>>()?),
                        },
                        "a reader",
                    )?;
                }
                Ok(())
            }));
        }
        for _ in 0..3 {
            let pool = pool.clone();
            threads.push(scope.spawn(move || -> Result {
                while !done.load(Ordering::Relaxed) {
                    look(&|| Ok(all(pool.reader()?.iter())?), "the pool")?;
                }
                Ok(())
            }));
        }
        for mut snapshot in snapshots {
            threads.push(scope.spawn(move || -> Result {
                for turn in 0.. {
                    let least = committed.load(Ordering::SeqCst);
                    snapshot.refresh()?;
                    let first = all(snapshot.iter())?;
                    let number = states.check(&first, "a snapshot");
                    assert!(number >= least, "a snapshot: {number} after {least}");
                    for _ in 0..turn % 30 {
                        if done.load(Ordering::Relaxed) {
                            return Ok(());
                        }
                        assert_same(&all(snapshot.iter())?, &first, "a snapshot, again");
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Ok(())
            }));
        }
        let start = Instant::now();
        let mut result = Ok(());
        while start.elapsed() < time && result.is_ok() && !threads.iter().any(|t| t.is_finished()) {
            result = commit(&mut db);
        }
        done.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().expect("no panic")?;
        }
        result
    })?;
    let commits = committed.load(Ordering::SeqCst);
    let reads = reads.load(Ordering::Relaxed);
    println!("{commits} commits beside {reads} reads of everything");
    assert!(
        commits > 20 && reads > 20,
        "{commits} commits, {reads} reads"
    );
    Ok(commits)
}

#[test]
fn one_writer_and_eight_readers_see_committed_states_only() -> Result {
    let seconds = setting("LSMLITE_SECONDS", 8);
    let seed = setting("LSMLITE_SEED", 0);
    let builders = [
        small(),
        small().background(BackgroundMode::MergerAndCheckpointer),
        small().multi_process(true),
        small()
            .multi_process(true)
            .background(BackgroundMode::Merger),
    ];
    for (builder, n) in builders.into_iter().zip(0..) {
        let time = Duration::from_millis(seconds * 250);
        write_and_read(builder, seed + n, time)?;
    }
    Ok(())
}

/// The file grows while old blocks must stay, and no more when they needn't.
#[test]
fn a_snapshot_says_what_it_keeps_and_gives_it_back() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let mut db = small().open(&path)?;
    let rewrite = |db: &mut LsmDb, fill| -> Result {
        for n in 0..2000 {
            db.insert(key(n), [fill; 200])?;
        }
        db.compact()?;
        Ok(())
    };
    rewrite(&mut db, 0)?;
    let snapshot = db.snapshot()?;
    let cost = db.snapshot_cost(&snapshot)?;
    assert_eq!((cost.blocks, cost.file_kib), (0, 0));
    let mut before = 0;
    for fill in 1..5 {
        rewrite(&mut db, fill)?;
        let cost = db.snapshot_cost(&snapshot)?;
        // Each rewrite replaces 400 KiB.
        assert!(cost.file_kib >= before + 400, "{cost:?} after {before}");
        assert_eq!(cost.file_kib, 64 * cost.blocks);
        before = cost.file_kib;
    }
    // A newer one keeps less.
    let newer = db.snapshot()?;
    assert_eq!(db.snapshot_cost(&newer)?.blocks, 0);
    let grown = std::fs::metadata(&path)?.len() / 1024;
    assert!(grown >= before, "{grown} KiB");
    drop((snapshot, newer));
    for fill in 5..15 {
        rewrite(&mut db, fill)?;
    }
    let after = std::fs::metadata(&path)?.len() / 1024;
    assert!(after <= grown + 512, "{after} KiB after {grown}");

    let other = LsmDb::open(dir.path().join("b.lsm"))?;
    let error = db
        .snapshot_cost(&other.snapshot()?)
        .err()
        .ok_or("accepted")?;
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    assert!(error.to_string().contains("b.lsm"), "{error}");
    Ok(())
}

#[test]
fn a_snapshot_has_an_age() -> Result {
    let dir = tempfile::tempdir()?;
    let db = LsmDb::open(dir.path().join("a.lsm"))?;
    let mut snapshot = db.snapshot()?;
    thread::sleep(Duration::from_millis(30));
    let age = snapshot.age();
    assert!(age >= Duration::from_millis(30) && age < Duration::from_secs(20));
    let start = Instant::now();
    snapshot.refresh()?;
    assert!(snapshot.age() <= start.elapsed());
    Ok(())
}

#[test]
fn a_pool_gives_out_no_more_than_its_limit() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("a.lsm"))?;
    db.insert("key", "value")?;
    let error = db.reader_pool(0).err().ok_or("a pool without readers")?;
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);

    let pool = db.reader_pool(2)?.with_wait(Duration::from_millis(20));
    let (a, b) = (pool.reader()?, pool.reader()?);
    let error = pool.clone().get("key").err().ok_or("a third one")?;
    assert!(error.is_busy());
    let text = error.to_string();
    assert!(
        text.contains("all 2 readers") && text.contains("a.lsm"),
        "{text}"
    );
    drop(a);
    assert!(pool.contains_key("key")?);

    // Whoever waits gets the next one that comes back.
    let patient = pool.clone().with_wait(Duration::from_secs(20));
    let c = pool.reader()?;
    let waiting = thread::spawn(move || patient.get("key"));
    thread::sleep(Duration::from_millis(30));
    assert!(!waiting.is_finished());
    drop(b);
    let found = waiting.join().expect("no panic")?;
    assert_eq!(found, Some(b"value".to_vec()));
    assert_eq!(c.get("key")?, found);
    Ok(())
}

#[test]
fn threads_that_share_a_pool_just_read() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = small().open(dir.path().join("a.lsm"))?;
    let pool = Arc::new(db.reader_pool(3)?);
    for n in 0..100 {
        db.insert(key(n), key(n))?;
    }
    let threads: Vec<_> = (0..8)
        .map(|me| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || -> Result {
                for n in 0..300 {
                    let key = key((me * n) % 100);
                    assert_eq!(pool.get(&key)?.as_ref(), Some(&key));
                }
                Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic")?;
    }
    Ok(())
}

/// The next one to have the reader would see what the forgotten iterator saw.
#[test]
fn a_forgotten_iterator_does_not_follow_a_reader_into_its_pool() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("a.lsm"))?;
    db.insert("key", "old")?;
    let pool = db.reader_pool(1)?;
    let reader = pool.reader()?;
    let mut records = reader.iter();
    assert!(records.next().is_some());
    std::mem::forget(records);
    db.insert("key", "new")?;
    assert_eq!(reader.get("key")?, Some(b"old".to_vec()));
    drop(reader);
    assert_eq!(pool.get("key")?, Some(b"new".to_vec()));
    Ok(())
}

#[test]
fn readers_outlive_the_writer_and_see_the_next_one() -> Result {
    let dir = tempfile::tempdir()?;
    for multi_process in [false, true] {
        let path = dir.path().join(format!("{multi_process}.lsm"));
        let open = || small().multi_process(multi_process).open(&path);
        let mut db = open()?;
        for n in 0..1000 {
            db.insert(key(n), [1; 100])?;
        }
        let (reader, pool, snapshot) = (db.reader()?, db.reader_pool(2)?, db.snapshot()?);
        db.close()?;
        assert_eq!(reader.iter().count(), 1000);
        assert_eq!(pool.reader()?.iter().count(), 1000);
        let mut db = open()?;
        for n in 0..1000 {
            db.insert(key(n), [2; 100])?;
        }
        assert_eq!(reader.get(key(500))?, Some(vec![2; 100]));
        assert_eq!(pool.get(key(500))?, Some(vec![2; 100]));
        assert_eq!(snapshot.get(key(500))?, Some(vec![1; 100]));
        drop((reader, pool, snapshot));
        db.close()?;
        assert_eq!(contents(&open()?)?.len(), 1000);
    }
    Ok(())
}

#[test]
fn a_read_only_handle_has_readers_too() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let mut db = LsmDb::open(&path)?;
    db.insert("key", "value")?;
    db.close()?;
    let db = LsmDb::builder().read_only(true).open(&path)?;
    let value = Some(b"value".to_vec());
    assert_eq!(db.reader()?.get("key")?, value);
    assert_eq!(db.snapshot()?.get("key")?, value);
    assert_eq!(db.reader_pool(1)?.get("key")?, value);
    Ok(())
}

#[cfg(feature = "zstd")]
#[test]
fn a_reader_has_the_codec_of_its_writer() -> Result {
    use lsmlite_rs::compression::Compression;
    let dir = tempfile::tempdir()?;
    let builder = small().compression(Compression::Zstd { level: 3 });
    let mut db = builder
        .page_checksums(true)
        .open(dir.path().join("a.lsm"))?;
    // Before anything has a codec.
    let reader = db.reader()?;
    assert_eq!(reader.iter().count(), 0);
    let snapshot = db.snapshot()?;
    for n in 0..2000 {
        db.insert(key(n), [n as u8; 100])?;
    }
    db.compact()?;
    assert_eq!(reader.iter().count(), 2000);
    assert_eq!(reader.get(key(7))?, Some(vec![7; 100]));
    assert_eq!(snapshot.iter().count(), 0);
    Ok(())
}

#[cfg(unix)]
#[test]
fn readers_stay_in_the_environment_of_their_writer() -> Result {
    use lsmlite_rs::env::MemoryEnv;
    let (one, two) = (MemoryEnv::new(), MemoryEnv::new());
    let mut a = LsmDb::builder().env(&one).open("a.lsm")?;
    let b = LsmDb::builder().env(&two).open("a.lsm")?;
    a.insert("key", "value")?;
    assert!(a.reader()?.contains_key("key")?);
    assert!(a.reader_pool(1)?.contains_key("key")?);
    assert!(!b.reader()?.contains_key("key")?);
    // The same path, and yet another database.
    assert!(b.snapshot_cost(&a.snapshot()?).is_err());
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_snapshot_that_cannot_be_refreshed_stays_what_it_was() -> Result {
    use lsmlite_rs::env::{Call, Failure, FaultEnv};
    let env = FaultEnv::new(0);
    let mut db = small().env(&env).open("a.lsm")?;
    db.insert("key", "old")?;
    let mut snapshot = db.snapshot()?;
    db.insert("key", "new")?;
    env.fail_from(Call::Any, 1, Failure::Io);
    snapshot.refresh().expect_err("nothing works");
    env.heal();
    assert_eq!(snapshot.get("key")?, Some(b"old".to_vec()));
    snapshot.refresh()?;
    assert_eq!(snapshot.get("key")?, Some(b"new".to_vec()));
    Ok(())
}

#[test]
fn the_compatible_face_has_readers_when_it_is_connected() -> Result {
    let dir = tempfile::tempdir()?;
    let error = LsmDb::default().reader().err().ok_or("from nowhere")?;
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    let mut db = common::connected(dir.path(), "a")?;
    db.persist(b"key", b"value")?;
    assert_eq!(db.reader()?.get("key")?, Some(b"value".to_vec()));
    Ok(())
}

/// A relative path is looked up each time, and leads elsewhere by then.
#[cfg(unix)]
#[test]
fn a_reader_never_opens_another_file() -> Result {
    if !alone("a_reader_never_opens_another_file")? {
        return Ok(());
    }
    let (one, two) = (tempfile::tempdir()?, tempfile::tempdir()?);
    std::env::set_current_dir(&one)?;
    let db = LsmDb::open("a.lsm")?;
    db.reader()?;
    std::env::set_current_dir(&two)?;
    assert!(db.reader().is_err_and(|error| error.is_not_found()));
    LsmDb::open("a.lsm")?.close()?;
    let error = db.reader().err().ok_or("it was opened")?;
    assert!(error.to_string().contains("current directory"), "{error}");
    std::env::set_current_dir(&one)?;
    db.reader()?;
    std::env::set_current_dir("/")?;
    Ok(())
}
