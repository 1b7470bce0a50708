//! A write that fails is never silent, and nothing that was acknowledged is lost: on a real
//! file system that is full.
#![cfg(target_os = "linux")]

mod common;

use std::path::Path;

use common::disk::SmallDisk;
use common::{Model, Result, assert_same, child, child_argument, contents};
use lsmlite_rs::config::{BackgroundMode, Safety};
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder, LsmError, LsmErrorCode};

const MODES: [BackgroundMode; 4] = [
    BackgroundMode::None,
    BackgroundMode::Merger,
    BackgroundMode::Checkpointer,
    BackgroundMode::MergerAndCheckpointer,
];

type Call = fn(&mut LsmDb) -> std::result::Result<(), LsmError>;

fn builder(mode: BackgroundMode) -> LsmDbBuilder {
    LsmDb::builder()
        .background(mode)
        .safety(Safety::Full)
        .page_size_bytes(1024)
        .block_size_kib(64)
        .autoflush_kib(64)
        .autocheckpoint_kib(128)
}

fn row(i: u32) -> (Vec<u8>, Vec<u8>) {
    (i.to_be_bytes().to_vec(), vec![i as u8; 300])
}

/// Inserts until an insert fails; the others are in the model.
fn insert_until_it_fails(db: &mut LsmDb, model: &mut Model) -> LsmError {
    let first = model.len() as u32;
    for i in first..first + 100_000 {
        let (key, value) = row(i);
        if let Err(error) = db.insert(&key, &value) {
            return error;
        }
        model.insert(key, value);
    }
    panic!("the disk is never full");
}

/// Each call says why; reading goes on; closing says it once more.
fn assert_poisoned(mut db: LsmDb, model: &Model, when: &str) -> Result {
    let cause = db.failure().ok_or("no failure")?;
    assert_eq!(cause.code(), LsmErrorCode::LsmFull, "{when}: {cause}");
    assert!(!cause.is_poisoned(), "{cause}");
    let text = cause.to_string();
    assert!(text.contains("No space left"), "{text}");
    let refusals: [(&str, Call); 6] = [
        ("insert", |db| db.insert("key", "value")),
        ("remove", |db| db.remove("key")),
        ("flush", LsmDb::flush),
        ("checkpoint", |db| db.checkpoint().map(drop)),
        ("work", |db| db.work(100).map(drop)),
        ("flush", LsmDb::compact),
    ];
    for (name, call) in refusals {
        let error = call(&mut db).expect_err(name);
        assert!(error.is_poisoned(), "{when}: {error}");
        assert_eq!(error.operation(), name);
        assert!(error.to_string().contains(&text), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
    assert_eq!(db.begin_transaction(), Err(LsmErrorCode::LsmFull));
    assert_eq!(db.commit_transaction(), Err(LsmErrorCode::LsmFull));
    assert_same(&contents(&db)?, model, when);
    let closed = db.close().expect_err("silently closed");
    assert_eq!(closed.to_string(), text);
    Ok(())
}

/// Opens the database, which has room again, in this process, goes on, and then in another.
fn assert_recovers(test: &str, path: &Path, mode: BackgroundMode, model: &mut Model) -> Result {
    let mut db = builder(mode).open(path)?;
    assert_same(&contents(&db)?, model, "reopened");
    for i in 0..500 {
        let (key, value) = row(1_000_000 + i);
        db.insert(&key, &value)?;
        model.insert(key, value);
    }
    assert!(db.failure().is_none());
    db.close()?;
    let output = child(test, path)?.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let expected = format!("{} rows", model.len());
    assert!(text.contains(&expected), "{text}");
    Ok(())
}

/// The other process.
fn count_rows(path: &Path) -> Result {
    println!("{} rows", contents(&LsmDb::open(path)?)?.len());
    Ok(())
}

/// True in the other process, which has counted the rows by then.
fn is_counted() -> Result<bool> {
    match child_argument() {
        Some(path) if !path.is_empty() => count_rows(Path::new(&path)).map(|()| true),
        _ => Ok(false),
    }
}

#[test]
fn a_full_disk_stops_the_writer_and_loses_nothing() -> Result {
    const NAME: &str = "a_full_disk_stops_the_writer_and_loses_nothing";
    if is_counted()? {
        return Ok(());
    }
    for mode in MODES {
        SmallDisk::with(NAME, 6 << 10, |disk| {
            disk.keep_free(3 << 10)?;
            let path = disk.path("full.lsm");
            let mut model = Model::new();
            let mut db = builder(mode).open(&path)?;
            let error = insert_until_it_fails(&mut db, &mut model);
            assert_eq!(error.code(), LsmErrorCode::LsmFull, "{error}");
            assert!(error.to_string().contains("full.lsm"), "{error}");
            assert!(model.len() > 1000, "{mode:?}: {} rows", model.len());
            assert_poisoned(db, &model, &format!("{mode:?}"))?;

            // Still full: what can be had without writing must be there.
            match builder(BackgroundMode::None).open(&path) {
                Ok(db) => assert_same(&contents(&db)?, &model, "still full"),
                Err(error) => assert_eq!(error.code(), LsmErrorCode::LsmFull, "{error}"),
            }
            disk.make_room()?;
            assert_recovers(NAME, &path, mode, &mut model)
        })?;
    }
    Ok(())
}

#[test]
fn a_disk_that_fills_up_in_a_transaction_takes_it_back() -> Result {
    const NAME: &str = "a_disk_that_fills_up_in_a_transaction_takes_it_back";
    if is_counted()? {
        return Ok(());
    }
    for mode in MODES {
        SmallDisk::with(NAME, 6 << 10, |disk| {
            disk.keep_free(3 << 10)?;
            let path = disk.path("transaction.lsm");
            let mut model = Model::new();
            let mut db = builder(mode).open(&path)?;
            for i in 0..2000 {
                let (key, value) = row(i);
                db.insert(&key, &value)?;
                model.insert(key, value);
            }
            db.begin_transaction()?;
            let error = insert_until_it_fails(&mut db, &mut model.clone());
            assert_eq!(error.code(), LsmErrorCode::LsmFull, "{error}");
            assert_eq!(db.commit_transaction(), Err(LsmErrorCode::LsmFull));
            assert_same(&contents(&db)?, &model, "before the rollback");
            db.rollback_transaction()?;
            assert_poisoned(db, &model, &format!("{mode:?}"))?;
            disk.make_room()?;
            assert_recovers(NAME, &path, mode, &mut model)
        })?;
    }
    Ok(())
}

#[test]
fn maintenance_on_a_full_disk_fails_and_loses_nothing() -> Result {
    const NAME: &str = "maintenance_on_a_full_disk_fails_and_loses_nothing";
    if is_counted()? {
        return Ok(());
    }
    let calls: [Call; 3] = [LsmDb::flush, LsmDb::compact, |db| {
        db.work(100_000).map(drop)
    }];
    for call in calls {
        SmallDisk::with(NAME, 8 << 10, |disk| {
            let path = disk.path("maintenance.lsm");
            let mode = BackgroundMode::None;
            let mut model = Model::new();
            let mut db = builder(mode).autowork(false).open(&path)?;
            for i in 0..3000 {
                let (key, value) = row(i);
                db.insert(&key, &value)?;
                model.insert(key, value);
            }
            disk.fill()?;
            let error = call(&mut db).expect_err("done without space");
            assert_eq!(error.code(), LsmErrorCode::LsmFull, "{error}");
            assert_poisoned(db, &model, "maintenance")?;
            disk.make_room()?;
            assert_recovers(NAME, &path, mode, &mut model)
        })?;
    }
    Ok(())
}

#[test]
fn closing_on_a_full_disk_says_so_and_loses_nothing() -> Result {
    const NAME: &str = "closing_on_a_full_disk_says_so_and_loses_nothing";
    if is_counted()? {
        return Ok(());
    }
    for mode in MODES {
        SmallDisk::with(NAME, 6 << 10, |disk| {
            let path = disk.path("close.lsm");
            let mut model = Model::new();
            let mut db = builder(mode).autoflush_kib(2048).open(&path)?;
            for i in 0..2000 {
                let (key, value) = row(i);
                db.insert(&key, &value)?;
                model.insert(key, value);
            }
            disk.fill()?;
            let error = db.close().expect_err("silently closed");
            assert_eq!(error.code(), LsmErrorCode::LsmFull, "{error}");
            disk.make_room()?;
            assert_recovers(NAME, &path, mode, &mut model)
        })?;
    }
    Ok(())
}

#[test]
fn another_handle_of_the_process_goes_on_when_there_is_room_again() -> Result {
    const NAME: &str = "another_handle_of_the_process_goes_on_when_there_is_room_again";
    if is_counted()? {
        return Ok(());
    }
    SmallDisk::with(NAME, 6 << 10, |disk| {
        let path = disk.path("two.lsm");
        let mode = BackgroundMode::None;
        let mut model = Model::new();
        let (mut db, mut other) = (builder(mode).open(&path)?, builder(mode).open(&path)?);
        for i in 0..100 {
            let (key, value) = row(i);
            db.insert(&key, &value)?;
            model.insert(key, value);
        }
        disk.fill()?;
        insert_until_it_fails(&mut db, &mut model);
        assert_same(&contents(&other)?, &model, "the other handle");
        disk.make_room()?;
        for i in 0..500 {
            let (key, value) = row(500_000 + i);
            other.insert(&key, &value)?;
            model.insert(key, value);
        }
        other.compact()?;
        assert_poisoned(db, &model, "beside the other")?;
        assert_same(&contents(&other)?, &model, "alone");
        other.close()?;
        assert_recovers(NAME, &path, mode, &mut model)
    })
}
