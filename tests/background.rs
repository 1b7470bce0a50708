//! Background threads: they work, they stop, and when they fail the writer hears of it.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{COMPLAINT, Model, Mood, Moody, Result, SplitMix64, assert_same, contents};
use lsmlite_rs::compression::PageCodec;
use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder, LsmErrorCode};

const MODES: [BackgroundMode; 4] = [
    BackgroundMode::None,
    BackgroundMode::Merger,
    BackgroundMode::Checkpointer,
    BackgroundMode::MergerAndCheckpointer,
];
const THREADS: [&str; 2] = ["lsmlite-merger", "lsmlite-checkpointer"];

fn threads_of(mode: BackgroundMode) -> [usize; 2] {
    match mode {
        BackgroundMode::Merger => [1, 0],
        BackgroundMode::Checkpointer => [0, 1],
        BackgroundMode::MergerAndCheckpointer => [1, 1],
        _ => [0, 0],
    }
}

/// Small enough that the threads have work to do all the time.
fn builder(mode: BackgroundMode) -> LsmDbBuilder {
    LsmDb::builder()
        .background(mode)
        .autoflush_kib(256)
        .autocheckpoint_kib(512)
}

#[cfg(target_os = "linux")]
fn running() -> Result<[usize; 2]> {
    Ok([
        common::threads_named(THREADS[0])?,
        common::threads_named(THREADS[1])?,
    ])
}

/// A thread's name appears when it has started to run.
#[cfg(target_os = "linux")]
fn wait_for_threads(expected: [usize; 2]) -> Result {
    let start = Instant::now();
    while running()? != expected {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{:?} instead of {expected:?}",
            running()?
        );
        std::thread::yield_now();
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn threads_have_their_names_and_are_gone_after_the_handle() -> Result {
    if !common::alone("threads_have_their_names_and_are_gone_after_the_handle")? {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    for mode in MODES {
        for how in ["close", "drop", "disconnect", "in the middle of work"] {
            let mut db = builder(mode).open(dir.path().join("t.lsm"))?;
            wait_for_threads(threads_of(mode))?;
            let rows = match how {
                "in the middle of work" => 20_000,
                _ => 10,
            };
            for i in 0..rows {
                db.insert(u32::to_be_bytes(i), [0; 100])?;
            }
            match how {
                "close" => db.close()?,
                "disconnect" => db.disconnect()?,
                _ => drop(db),
            }
            assert_eq!(running()?, [0, 0], "{mode:?}, {how}");
        }
    }
    // A read-only handle starts none.
    let db = builder(BackgroundMode::MergerAndCheckpointer)
        .read_only(true)
        .open(dir.path().join("t.lsm"))?;
    assert_eq!(db.iter().count(), 20_000);
    assert_eq!(running()?, [0, 0]);
    // Nor does one that can't open its file.
    let missing = dir.path().join("missing/t.lsm");
    for _ in 0..100 {
        let failed = builder(BackgroundMode::MergerAndCheckpointer).open(&missing);
        assert!(failed.is_err());
    }
    assert_eq!(running()?, [0, 0]);
    Ok(())
}

/// 200,000 writes and deletes in the shape of a log with corrections: new keys, rewritten and
/// deleted ones, and some ranges.
#[test]
fn in_every_mode_many_small_writes_give_what_a_map_gives() -> Result {
    for mode in MODES {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("many.lsm");
        let mut random = SplitMix64::new(200);
        let mut model = Model::new();
        let mut db = builder(mode).open(&path)?;
        let key = |n: u64| n.to_be_bytes()[3..].to_vec();
        for step in 0..200_000_u64 {
            match random.below(1000) {
                0..=699 => {
                    let (key, value) = (key(random.below(100_000)), step.to_le_bytes().to_vec());
                    db.insert(&key, &value)?;
                    model.insert(key, value);
                }
                700..=998 => {
                    let key = key(random.below(100_000));
                    db.remove(&key)?;
                    model.remove(&key);
                }
                _ => {
                    let begin = random.below(100_000);
                    let (begin, end) = (key(begin), key(begin + random.below(20)));
                    db.delete_range(&begin, &end)?;
                    if begin < end {
                        use std::ops::Bound::Excluded;
                        let range = (Excluded(begin), Excluded(end));
                        let gone: Vec<_> = model.range(range).map(|(k, _)| k.clone()).collect();
                        gone.iter().for_each(|key| drop(model.remove(key)));
                    }
                }
            }
        }
        let name = format!("{mode:?}");
        assert_same(&contents(&db)?, &model, &name);
        db.close()?;
        let mut db = builder(mode).open(&path)?;
        assert_same(&contents(&db)?, &model, &name);
        db.compact()?;
        assert_same(&contents(&db)?, &model, &name);
        db.close()?;
    }
    Ok(())
}

/// Without back-pressure a fast writer fills the memory with trees that nobody has written yet.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_bounded_however_fast_the_writer_is() -> Result {
    if !common::alone("memory_stays_bounded_however_fast_the_writer_is")? {
        return Ok(());
    }
    for mode in MODES {
        let dir = tempfile::tempdir()?;
        let mut db = builder(mode).open(dir.path().join("b.lsm"))?;
        let value = [7; 1000];
        let mut before = 0;
        // 80 MB, through trees of 256 KiB.
        for i in 0..80_000_u32 {
            if i == 8_000 {
                before = common::resident_kib()?;
            }
            db.insert(i.wrapping_mul(2_654_435_761).to_be_bytes(), value)?;
        }
        let grown = common::resident_kib()?.saturating_sub(before);
        assert!(grown < 16 * 1024, "{mode:?}: {grown} KiB more");
        db.close()?;
    }
    Ok(())
}

#[test]
fn a_stop_in_the_middle_of_work_loses_nothing() -> Result {
    for mode in MODES {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("stop.lsm");
        let mut expected = 0_u32;
        for round in 0..12_u32 {
            let mut db = builder(mode).open(&path)?;
            assert_eq!(db.iter().count(), expected as usize, "{mode:?}, {round}");
            for _ in 0..1000 + 500 * round {
                db.insert(expected.wrapping_mul(2_654_435_761).to_be_bytes(), [1; 200])?;
                expected += 1;
            }
            if round % 2 == 0 {
                drop(db);
            } else {
                db.close()?;
            }
        }
        assert_eq!(contents(&LsmDb::open(&path)?)?.len(), expected as usize);
    }
    Ok(())
}

#[test]
fn a_transaction_open_at_drop_is_rolled_back_in_every_mode() -> Result {
    for mode in MODES {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("t.lsm");
        let mut db = builder(mode).open(&path)?;
        for i in 0..3_000_u32 {
            db.insert(i.to_be_bytes(), [1; 200])?;
        }
        db.begin_transaction()?;
        // Several times what a tree holds, so that work happens meanwhile.
        for i in 0..10_000_u32 {
            db.insert(i.to_be_bytes(), [2; 200])?;
        }
        drop(db);
        let found = contents(&builder(mode).open(&path)?)?;
        assert_eq!(found.len(), 3_000, "{mode:?}");
        assert!(found.values().all(|value| value[0] == 1), "{mode:?}");
    }
    Ok(())
}

#[test]
fn maintenance_waits_for_the_threads_instead_of_failing() -> Result {
    for mode in MODES {
        let dir = tempfile::tempdir()?;
        let mut db = builder(mode).open(dir.path().join("m.lsm"))?;
        for round in 0..20_u32 {
            for i in 0..500_u32 {
                db.insert((i * 31 % 500).to_be_bytes(), [round as u8; 300])?;
            }
            match round % 3 {
                0 => db.flush()?,
                1 => drop(db.checkpoint()?),
                _ => db.compact()?,
            }
        }
        let found = contents(&db)?;
        assert_eq!(found.len(), 500);
        assert!(found.values().all(|value| value == &[19; 300]));
        db.close()?;
    }
    Ok(())
}

/// A failed merge mustn't leave the writer waiting for memory that nobody frees, nor let it go
/// on into it.
#[test]
fn a_failure_in_the_background_reaches_the_writer() -> Result {
    for mode in [
        BackgroundMode::Merger,
        BackgroundMode::MergerAndCheckpointer,
    ] {
        for mood in [Mood::RefusesToCompress, Mood::PanicsCompressing] {
            let dir = tempfile::tempdir()?;
            let path = dir.path().join("poison.lsm");
            let codec = Moody::new(20_500);
            let builder = builder(mode).codec(Arc::clone(&codec) as Arc<dyn PageCodec>);
            let mut model = Model::new();
            let mut db = builder.clone().open(&path)?;
            let mut row = 0_u32;
            let mut write = |db: &mut LsmDb, model: &mut Model| {
                let (key, value) = (row.to_be_bytes().to_vec(), vec![row as u8; 100]);
                row += 1;
                // Inserted before the background is asked, so count it whatever the answer.
                let result = db.insert(&key, &value);
                if result.is_ok() {
                    model.insert(key, value);
                }
                result
            };
            for _ in 0..20_000 {
                write(&mut db, &mut model)?;
            }
            codec.be(mood);
            let error = (0..200_000)
                .find_map(|_| write(&mut db, &mut model).err())
                .ok_or("the writer never heard of it")?;
            let expected = match mood {
                Mood::PanicsCompressing => LsmErrorCode::LsmBgThreadUnavailable,
                _ => LsmErrorCode::LsmError,
            };
            assert_eq!(error.code(), expected, "{error}");
            assert!(error.to_string().contains(COMPLAINT), "{error}");
            assert!(error.to_string().contains("poison.lsm"), "{error}");

            // It stays, also when the reason is gone.
            codec.be(Mood::Well);
            assert!(error.is_poisoned());
            let cause = db.failure().ok_or("no failure")?;
            assert!(!cause.is_poisoned());
            let text = cause.to_string();
            let error = write(&mut db, &mut model).expect_err("still");
            assert!(error.is_poisoned() && error.to_string().contains(&text));
            assert_eq!(db.delete(b"k"), Err(expected));
            assert_eq!(db.delete_range(b"k", b"l"), Err(expected));
            assert_eq!(db.begin_transaction(), Err(expected));
            assert_eq!(db.optimize(), Err(expected));
            let error = db.flush().expect_err("this too");
            assert!(error.is_poisoned() && error.to_string().contains(&text));
            assert!(db.checkpoint().is_err());

            // Reads go on.
            assert_same(&contents(&db)?, &model, "poisoned");
            assert_eq!(db.get(5_u32.to_be_bytes())?, Some(vec![5; 100]));

            // Closing says so again, closes nevertheless, and nothing is lost.
            assert_eq!(db.close().map_err(|e| e.to_string()), Err(text));
            let mut db = builder.open(&path)?;
            assert_same(&contents(&db)?, &model, "reopened");
            for _ in 0..5_000 {
                write(&mut db, &mut model)?;
            }
            db.compact()?;
            assert_same(&contents(&db)?, &model, "and goes on");
            db.close()?;
        }
    }
    Ok(())
}

#[test]
fn a_failure_in_the_background_lets_an_open_transaction_be_rolled_back() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("poison.lsm");
    let codec = Moody::new(20_500);
    let builder = builder(BackgroundMode::Merger).codec(Arc::clone(&codec) as Arc<dyn PageCodec>);
    let mut db = builder.clone().open(&path)?;
    codec.be(Mood::RefusesToCompress);
    let mut acknowledged = 0_u32;
    let deadline = Instant::now() + Duration::from_secs(30);
    let error = loop {
        assert!(Instant::now() < deadline, "the writer never heard of it");
        let mut transaction = || {
            db.begin_transaction()?;
            for i in 0..100 {
                db.persist(&(acknowledged + i).to_be_bytes(), &[1; 100])?;
            }
            db.commit_transaction()
        };
        match transaction() {
            Ok(()) => acknowledged += 100,
            Err(error) => break error,
        }
    };
    assert_eq!(error, LsmErrorCode::LsmError);
    db.rollback_transaction()?;
    assert_eq!(db.disconnect(), Err(LsmErrorCode::LsmError));
    assert!(!db.is_connected());
    codec.be(Mood::Well);
    db.connect()?;
    assert_eq!(db.iter().count(), acknowledged as usize);
    db.begin_transaction()?;
    db.persist(b"more", b"")?;
    db.commit_transaction()?;
    Ok(())
}
