//! Sorted records straight into the file, against a map.
//!
//! `LSMLITE_SEED` says where the seeds begin.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use common::{COMPLAINT, Model, Mood, Moody, Result, SplitMix64, contents, panic_text, setting};
use lsmlite_rs::compression::{Compression, PageCodec};
use lsmlite_rs::config::{BackgroundMode, Mmap, Safety};
use lsmlite_rs::env::MemoryEnv;
use lsmlite_rs::{Cursor, Disk, LsmDb, LsmDbBuilder, LsmError, LsmErrorCode, Snapshot};

fn records(n: u32) -> impl Iterator<Item = ([u8; 4], Vec<u8>)> {
    (0..n).map(|i| (i.to_be_bytes(), vec![i as u8; 100]))
}

fn model(n: u32) -> Model {
    records(n)
        .map(|(key, value)| (key.to_vec(), value))
        .collect()
}

fn small(random: &mut SplitMix64) -> LsmDbBuilder {
    let (page_bytes, block_kib) = random.pick(&[(256, 64), (1024, 64), (4096, 128), (65536, 512)]);
    let mut builder = LsmDb::builder()
        .page_size_bytes(page_bytes)
        .block_size_kib(block_kib)
        .autoflush_kib(random.pick(&[0, 16, 64]))
        .autocheckpoint_kib(random.pick(&[0, 64, 2048]))
        .automerge_segments(random.pick(&[2, 4, 8]))
        .max_free_list(random.pick(&[2, 24]))
        .multi_process(random.one_in(4))
        .use_log(!random.one_in(4))
        .safety(random.pick(&[Safety::Off, Safety::Off, Safety::Normal]))
        .mmap(random.pick(&[Mmap::Off, Mmap::All]))
        .background(random.pick(&[
            BackgroundMode::None,
            BackgroundMode::None,
            BackgroundMode::MergerAndCheckpointer,
        ]));
    if cfg!(feature = "lz4") && random.one_in(3) {
        builder = builder.compression(Compression::LZ4);
    }
    builder.page_checksums(random.one_in(3))
}

fn key(random: &mut SplitMix64) -> Vec<u8> {
    let mut key = format!("{:03}", random.below(300)).into_bytes();
    if random.one_in(20) {
        key.resize(1500, b'k');
    }
    key
}

// Between other writes, on levels of many shapes.
#[test]
fn ingested_records_replace_what_is_older_and_are_replaced_by_what_is_newer() -> Result {
    let first = setting("LSMLITE_SEED", 1);
    for seed in first..first + setting("LSMLITE_CASES", 40) {
        let mut random = SplitMix64::new(seed);
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("db.lsm");
        let builder = small(&mut random);
        let mut db = builder.clone().open(&path)?;
        let mut model = Model::new();
        let mut snapshot: Option<(Snapshot, Model)> = None;
        for _ in 0..60 {
            match random.below(12) {
                0..=2 => {
                    let new: Model = (0..random.below(200))
                        .map(|_| {
                            let len = random.pick(&[0, 10, 100, 3000]);
                            (key(&mut random), random.bytes(len))
                        })
                        .collect();
                    assert_eq!(db.ingest(&new)?, new.len() as u64);
                    model.extend(new);
                }
                3..=5 => {
                    let (key, value) = (key(&mut random), random.bytes(50));
                    db.insert(&key, &value)?;
                    model.insert(key, value);
                }
                6 => {
                    let (mut a, mut b) = (key(&mut random), key(&mut random));
                    if a > b {
                        std::mem::swap(&mut a, &mut b);
                    }
                    db.remove_range(a.clone()..b.clone())?;
                    model.retain(|key, _| *key < a || *key >= b);
                }
                7 => drop(db.work(random.below(100) as u32)?),
                8 if random.one_in(3) => db.compact()?,
                8 => db.flush()?,
                9 => {
                    // In vain: what was written is nobody's, and is written over.
                    let n = random.below(400);
                    let failing = (0..=n).map(|i| match i {
                        i if i == n => Err(""),
                        i => Ok((i.to_be_bytes(), [0xaa; 300])),
                    });
                    let failing = failing.map(|record| record.map_err(Box::from));
                    let result: Result<u64> = db.try_ingest(failing);
                    assert!(result.is_err());
                }
                10 => {
                    if let Some((snapshot, then)) = snapshot.take() {
                        let found: Vec<_> =
                            snapshot.iter().collect::<std::result::Result<_, _>>()?;
                        assert!(found.into_iter().eq(then), "seed {seed}, an old snapshot");
                    }
                    if random.one_in(2) {
                        snapshot = Some((db.snapshot()?, model.clone()));
                    }
                }
                _ => {
                    drop(snapshot.take());
                    drop(db);
                    db = builder.clone().open(&path)?;
                }
            }
            let key = key(&mut random);
            assert_eq!(db.get(&key)?.as_ref(), model.get(&key), "seed {seed}");
        }
        drop(snapshot);
        assert!(contents(&db)? == model, "seed {seed}");
        let backwards: Vec<_> = db.iter().rev().collect::<std::result::Result<_, _>>()?;
        assert!(backwards.into_iter().eq(model.clone().into_iter().rev()));
        assert!(db.verify()?.is_clean(), "seed {seed}");
        db.close()?;
        let db = LsmDb::open(&path)?;
        assert!(contents(&db)? == model, "seed {seed}, opened again");
    }
    Ok(())
}

#[test]
fn records_out_of_order_are_refused_and_leave_nothing() -> Result {
    let mut db = LsmDb::builder().env(MemoryEnv::new()).open("db.lsm")?;
    db.insert("m", "before")?;
    for keys in [["b", "a"], ["a", "a"], ["", ""]] {
        let error = db.ingest(keys.map(|key| (key, "v"))).expect_err("refused");
        assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
        assert!(error.to_string().contains("record 2"), "{error}");
        assert!(error.to_string().contains("db.lsm"), "{error}");
        assert_eq!(db.iter().count(), 1);
    }
    // The handle works, and what was written for nothing is in nobody's way.
    assert_eq!(db.ingest([("", "empty"), ("a", "")])?, 2);
    assert_eq!(db.get("")?, Some(b"empty".to_vec()));
    assert_eq!(db.iter().count(), 3);
    assert!(db.verify()?.is_clean());
    Ok(())
}

#[test]
fn a_source_that_fails_or_panics_leaves_nothing() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db.lsm"))?;
    db.insert("kept", "")?;
    let failing = records(50_000).enumerate().map(|(i, record)| match i {
        40_000 => Err("the file ends too early".into()),
        _ => Ok(record),
    });
    let result: Result<u64> = db.try_ingest(failing);
    let error = result.expect_err("failed");
    assert_eq!(error.to_string(), "the file ends too early");
    let panicking = records(50_000).inspect(|(key, _)| assert_ne!(*key, 40_000_u32.to_be_bytes()));
    let caught = catch_unwind(AssertUnwindSafe(|| db.ingest(panicking)));
    assert!(caught.is_err());

    assert_eq!(db.iter().count(), 1);
    assert_eq!(db.ingest(records(1000))?, 1000);
    assert_eq!(db.iter().count(), 1001);
    assert!(db.verify()?.is_clean());
    Ok(())
}

#[test]
fn a_codec_that_fails_or_panics_ends_it_and_leaves_nothing() -> Result {
    for mood in [Mood::RefusesToCompress, Mood::PanicsCompressing] {
        let codec = Moody::new(20_700);
        let mut db = LsmDb::builder()
            .env(MemoryEnv::new())
            .codec(Arc::clone(&codec) as Arc<dyn PageCodec>)
            .open("db.lsm")?;
        db.insert("kept", "")?;
        let moody = records(30_000).inspect(|(key, _)| {
            if *key == 20_000_u32.to_be_bytes() {
                codec.be(mood);
            }
        });
        match catch_unwind(AssertUnwindSafe(|| db.ingest(moody))) {
            Ok(result) => assert!(result.expect_err("failed").to_string().contains(COMPLAINT)),
            Err(payload) => assert_eq!(panic_text(&*payload), COMPLAINT),
        }
        assert!(codec.misdeeds() > 0);
        codec.be(Mood::Well);
        assert_eq!(db.iter().count(), 1);
        assert_eq!(db.ingest(records(1000))?, 1000);
        assert_eq!(db.iter().count(), 1001);
        assert!(db.verify()?.is_clean());
    }
    Ok(())
}

#[test]
fn a_record_that_is_too_large_is_refused() -> Result {
    let mut db = LsmDb::builder().env(MemoryEnv::new()).open("db.lsm")?;
    let large = vec![0; 1 << 30];
    let error = db.ingest([("a", &large)]).expect_err("too large");
    assert_eq!(error.code(), LsmErrorCode::LsmConversionErr);
    assert_eq!(db.iter().count(), 0);
    Ok(db.insert("a", "")?)
}

#[test]
fn neither_nothing_nor_one_record_is_too_little() -> Result {
    let mut db = LsmDb::builder().env(MemoryEnv::new()).open("db.lsm")?;
    assert_eq!(db.ingest(records(0))?, 0);
    assert_eq!(db.ingest(records(1))?, 1);
    assert!(contents(&db)? == model(1));
    Ok(())
}

#[test]
fn it_is_refused_in_a_transaction() -> Result {
    let mut db = LsmDb::builder().env(MemoryEnv::new()).open("db.lsm")?;
    db.begin_transaction()?;
    let error = db.ingest(records(3)).expect_err("in a transaction");
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    db.rollback_transaction()?;
    assert_eq!(db.ingest(records(3))?, 3);
    Ok(())
}

#[test]
fn others_see_all_of_it_or_nothing_and_cannot_write_meanwhile() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("db.lsm");
    let open = || LsmDb::builder().busy_timeout(Duration::ZERO).open(&path);
    let (mut db, mut other) = (open()?, open()?);
    db.insert("old", "")?;
    let reader = db.reader()?;
    let snapshot = db.snapshot()?;
    let mut seen = 0;
    let watched = records(20_000).inspect(|_| {
        seen += 1;
        if seen % 5000 == 0 {
            assert_eq!(reader.iter().count(), 1);
            assert!(other.insert("new", "").expect_err("busy").is_busy());
        }
    });
    db.ingest(watched)?;
    assert_eq!(seen, 20_000);
    assert_eq!(snapshot.iter().count(), 1, "a snapshot stays");
    assert_eq!(reader.iter().count(), 20_001);
    other.insert("new", "")?;
    assert_eq!(db.iter().count(), 20_002);
    Ok(())
}

#[test]
fn it_waits_for_a_worker_and_takes_nothing_twice() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::builder()
        .autoflush_kib(64)
        .background(BackgroundMode::MergerAndCheckpointer)
        .open(dir.path().join("db.lsm"))?;
    let mut taken = 0;
    for round in 0..10_u32 {
        for i in 0..2000_u32 {
            db.insert([&[1], &i.to_be_bytes()[..]].concat(), [0; 100])?;
        }
        taken += db.ingest(records(500 * (round + 1)))?;
    }
    assert_eq!(taken, 500 * 55);
    assert_eq!(db.iter().count(), 7000);
    Ok(())
}

#[test]
fn it_is_there_after_the_process_dies_and_so_is_what_came_before() -> Result {
    let dir = tempfile::tempdir()?;
    let (path, copy) = (dir.path().join("db.lsm"), dir.path().join("copy.lsm"));
    let mut db = LsmDb::builder().safety(Safety::Full).open(&path)?;
    db.insert("before", "")?;
    db.ingest(records(3000))?;
    db.insert("after", "")?;
    // What a process leaves that is killed now.
    std::fs::copy(&path, &copy)?;
    std::fs::copy(
        path.with_extension("lsm-log"),
        copy.with_extension("lsm-log"),
    )?;
    let db = LsmDb::open(&copy)?;
    assert_eq!(db.iter().count(), 3002);
    assert!(db.verify()?.is_clean());
    Ok(())
}

#[test]
fn a_table_takes_them_under_its_own_keys() -> Result {
    let mut db = LsmDb::builder().env(MemoryEnv::new()).open("db.lsm")?;
    db.insert("plain", "")?;
    db.table("a")?.insert([0; 4], "replaced")?;
    assert_eq!(db.table("a")?.ingest(records(1000))?, 1000);
    assert_eq!(db.table("b")?.ingest(records(10))?, 10);
    assert_eq!(db.table("a")?.iter().count(), 1000);
    assert_eq!(db.table("a")?.get([0; 4])?, Some(vec![0; 100]));
    assert_eq!(db.table("b")?.iter().count(), 10);
    assert_eq!(db.iter().count(), 1);
    let mut tx = db.transaction()?;
    assert!(tx.table("a")?.ingest(records(1)).is_err());
    Ok(())
}

/// Drops a table when it is asked for its records.
struct Dropping<'a>(&'a mut LsmDb);

impl IntoIterator for Dropping<'_> {
    type Item = std::result::Result<([u8; 4], Vec<u8>), LsmError>;
    type IntoIter = Box<dyn Iterator<Item = Self::Item>>;

    fn into_iter(self) -> Self::IntoIter {
        assert!(self.0.drop_table("a").unwrap());
        Box::new(records(100).map(Ok))
    }
}

#[test]
fn a_table_that_is_dropped_before_its_records_come_leaves_none() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("db.lsm");
    let (mut db, mut other) = (LsmDb::open(&path)?, LsmDb::open(&path)?);
    db.table("a")?.insert("k", "v")?;
    assert_eq!(db.table("a")?.try_ingest(Dropping(&mut other))?, 100);
    assert!(db.tables()?.is_empty());
    // Not even where no table leads to; the catalogue has a record of its own.
    let mut cursor = db.cursor_open()?;
    cursor.first()?;
    let mut keys = 0;
    while cursor.valid().is_ok() {
        keys += u32::from(cursor.get_key()?.len() > 11);
        cursor.next()?;
    }
    assert!(keys < 10, "{keys}");
    Ok(())
}
