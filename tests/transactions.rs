//! Transactions, savepoints, batches, ranges removed, read-modify-write: against a map.
//!
//! `LSMLITE_SEED` says where the seeds begin.

mod common;

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use common::{KeyRange, Model, Result, SplitMix64, contents, is_in, setting};
use lsmlite_rs::config::Safety;
#[cfg(unix)]
use lsmlite_rs::env::{Call, FaultEnv};
use lsmlite_rs::{Disk, Durability, LsmDb, LsmError, LsmErrorCode, Transaction, WriteBatch};

fn key(random: &mut SplitMix64) -> Vec<u8> {
    let len = random.below(4) as usize;
    (0..len).map(|_| random.pick(b"abc\xff")).collect()
}

fn range(random: &mut SplitMix64) -> KeyRange {
    let mut bound = || match random.below(5) {
        0 => Bound::Unbounded,
        1 | 2 => Bound::Included(key(random)),
        _ => Bound::Excluded(key(random)),
    };
    (bound(), bound())
}

/// Some writes; the transaction must always show what they come to.
fn play(
    tx: &mut Transaction<'_>,
    model: &mut Model,
    random: &mut SplitMix64,
    depth: u32,
) -> std::result::Result<(), LsmError> {
    for _ in 0..random.below(12) {
        match random.below(12) {
            0..=3 => {
                let (key, value) = (key(random), random.bytes(5));
                tx.insert(&key, &value)?;
                model.insert(key, value);
            }
            4 => {
                let key = key(random);
                tx.remove(&key)?;
                model.remove(&key);
            }
            5 => {
                let range = range(random);
                tx.remove_range(range.clone())?;
                model.retain(|key, _| !is_in(key, &range));
            }
            6 => {
                let mut batch = WriteBatch::new();
                for _ in 0..random.below(5) {
                    let (key, value) = (key(random), random.bytes(3));
                    batch.insert(&key, &value);
                    model.insert(key, value);
                }
                let (key, range) = (key(random), range(random));
                batch.remove(&key);
                batch.remove_range(range.clone());
                model.remove(&key);
                model.retain(|key, _| !is_in(key, &range));
                tx.write(&batch)?;
            }
            7 if depth < 4 => {
                let before = model.clone();
                let mut inner = tx.savepoint()?;
                play(&mut inner, model, random, depth + 1)?;
                match random.below(3) {
                    0 => inner.commit()?,
                    1 => {
                        inner.rollback()?;
                        *model = before;
                    }
                    _ => {
                        drop(inner);
                        *model = before;
                    }
                }
            }
            8 => {
                // To a longer value, or to none.
                let (key, more) = (key(random), random.bytes(2));
                let is_kept = random.one_in(2);
                let new = tx.update_with(&key, |old| {
                    assert_eq!(old, model.get(&key).map(|value| &value[..]));
                    is_kept.then(|| [old.unwrap_or_default(), &more].concat())
                })?;
                model.remove(&key);
                model.extend(new.map(|value| (key, value)));
            }
            9 => {
                let (key, expected) = (key(random), random.bytes(1));
                let expected = match random.one_in(2) {
                    true => model.get(&key).cloned(),
                    false => Some(expected),
                };
                let is_expected = tx.compare_and_swap(&key, expected.as_deref(), Some(b"new"))?;
                assert_eq!(is_expected, model.get(&key) == expected.as_ref());
                if is_expected {
                    model.insert(key, b"new".to_vec());
                }
            }
            _ => {
                let key = key(random);
                assert_eq!(tx.get(&key)?.as_ref(), model.get(&key));
            }
        }
    }
    let found: std::result::Result<Model, _> = tx.iter().collect();
    assert_eq!(&found?, model);
    Ok(())
}

#[test]
fn nested_transactions_behave_like_copies_of_a_map() -> Result {
    let first = setting("LSMLITE_SEED", 1);
    for seed in first..first + 40 {
        let mut random = SplitMix64::new(seed);
        let dir = tempfile::tempdir()?;
        let mut db = LsmDb::builder()
            .autoflush_kib(random.pick(&[0, 1, 1024]))
            .page_size_bytes(256)
            .block_size_kib(64)
            .open(dir.path().join("db"))?;
        let mut model = Model::new();
        for _ in 0..30 {
            let before = model.clone();
            let mut tx = db.transaction()?;
            play(&mut tx, &mut model, &mut random, 1)?;
            match random.below(4) {
                0 => {
                    drop(tx);
                    model = before;
                }
                1 => {
                    tx.rollback()?;
                    model = before;
                }
                _ => tx.commit()?,
            }
            assert_eq!(contents(&db)?, model, "seed {seed}");
        }
    }
    Ok(())
}

#[test]
fn a_range_of_any_kind_is_removed_as_from_a_map() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db"))?;
    let mut random = SplitMix64::new(setting("LSMLITE_SEED", 7));
    let mut model = Model::new();
    for round in 0..600 {
        for _ in 0..random.below(9) {
            let (key, value) = (key(&mut random), random.bytes(2));
            db.insert(&key, &value)?;
            model.insert(key, value);
        }
        let range = range(&mut random);
        db.remove_range(range.clone())?;
        model.retain(|key, _| !is_in(key, &range));
        assert_eq!(contents(&db)?, model, "round {round}: {range:?}");
    }
    Ok(())
}

#[test]
fn a_panic_takes_everything_back() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db"))?;
    db.insert("before", "1")?;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        db.transact(|tx| -> std::result::Result<(), LsmError> {
            tx.insert("within", "2")?;
            let mut inner = tx.savepoint()?;
            inner.remove("before")?;
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(db.iter().count(), 1);
    db.insert("after", "3")?;
    assert_eq!(db.iter().count(), 2);
    Ok(())
}

#[test]
fn an_error_of_the_closure_takes_everything_back() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db"))?;
    let outcome: Result = db.transact(|tx| {
        tx.insert("within", "2")?;
        Err("too little money".into())
    });
    assert_eq!(outcome.unwrap_err().to_string(), "too little money");
    assert_eq!(db.iter().count(), 0);
    Ok(())
}

#[test]
fn a_second_writer_waits_as_long_as_it_was_told() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("db");
    let mut one = LsmDb::open(&path)?;
    let wait = Duration::from_millis(300);
    let mut two = LsmDb::builder().busy_timeout(wait).open(&path)?;
    let mut tx = one.transaction()?;
    tx.insert("key", "one")?;

    let start = Instant::now();
    assert!(two.insert("key", "two").unwrap_err().is_busy());
    assert!(start.elapsed() >= wait);
    assert!(two.transaction().unwrap_err().is_busy());

    std::thread::scope(|scope| -> Result {
        let waiting = scope.spawn(|| two.transact(|tx| tx.insert("other", "two")));
        std::thread::sleep(wait / 3);
        tx.commit()?;
        Ok(waiting.join().map_err(|_| "a panic")??)
    })?;
    assert_eq!(one.iter().count(), 2);
    // And without a timeout it doesn't wait.
    let _tx = two.transaction()?;
    let start = Instant::now();
    assert!(one.insert("key", "three").unwrap_err().is_busy());
    assert!(start.elapsed() < wait);
    Ok(())
}

#[test]
fn the_two_kinds_of_transactions_are_not_mixed() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db"))?;
    db.begin_transaction()?;
    let error = db.transaction().unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    assert!(error.to_string().contains("commit it or roll it back"));
    // What is several writes to the engine belongs to it.
    db.insert("a", "1")?;
    db.remove_range::<&str>(..)?;
    db.rollback_transaction()?;
    db.transaction()?.commit()?;
    Ok(())
}

#[test]
fn counters_of_several_handles_miss_nothing() -> Result {
    const TIMES: u32 = 200;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("db");
    let count = || -> Result {
        let builder = LsmDb::builder().busy_timeout(Duration::from_secs(20));
        let mut db = builder.open(&path)?;
        for i in 0..TIMES {
            if i % 2 == 0 {
                db.update_with("count", |old| {
                    let old = old.map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
                    Some((old + 1).to_be_bytes())
                })?;
                continue;
            }
            loop {
                let old = db.get("count")?;
                let n = old.as_deref().map_or(0, |bytes| {
                    u32::from_be_bytes(bytes.try_into().expect("four bytes"))
                });
                if db.compare_and_swap("count", old.as_deref(), Some(&(n + 1).to_be_bytes()))? {
                    break;
                }
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| -> Result {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        for thread in threads {
            thread.join().map_err(|_| "a panic")??;
        }
        Ok(())
    })?;
    let db = LsmDb::open(&path)?;
    assert_eq!(db.get("count")?, Some((4 * TIMES).to_be_bytes().to_vec()));
    Ok(())
}

#[cfg(unix)]
#[test]
fn what_was_committed_with_a_sync_survives_a_power_loss() -> Result {
    for use_log in [true, false] {
        for seed in 0..30 {
            let env = FaultEnv::new(seed);
            let open = |safety| {
                let builder = LsmDb::builder().env(&env).use_log(use_log);
                builder.safety(safety).open("db.lsm")
            };
            let mut db = open(Safety::Normal)?;
            db.insert("before", "1")?;
            let mut batch = WriteBatch::new();
            batch.insert("synced", "2");
            db.write_with(&batch, Durability::Sync)?;
            db.insert("after", "3")?;
            env.lose_power();
            drop(db);
            env.restart();
            let db = open(Safety::Normal)?;
            assert!(
                db.contains_key("before")? && db.contains_key("synced")?,
                "seed {seed}"
            );
        }
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_commit_syncs_if_it_was_told_to() -> Result {
    let env = FaultEnv::new(1);
    let syncs = |db: &mut LsmDb, durability| -> std::result::Result<bool, LsmError> {
        let before = env.calls(Call::Sync);
        let mut tx = db.transaction()?;
        tx.insert("key", "value")?;
        tx.commit_with(durability)?;
        Ok(env.calls(Call::Sync) > before)
    };
    for (safety, default) in [(Safety::Normal, false), (Safety::Full, true)] {
        let builder = LsmDb::builder().env(&env).safety(safety);
        let mut db = builder.open(format!("{safety:?}.lsm"))?;
        for _ in 0..3 {
            assert_eq!(syncs(&mut db, Durability::Default)?, default, "{safety:?}");
            assert!(syncs(&mut db, Durability::Sync)?, "{safety:?}");
            assert!(!syncs(&mut db, Durability::None)?, "{safety:?}");
        }
    }
    let builder = LsmDb::builder().env(&env).safety(Safety::Off);
    let mut db = builder.open("off.lsm")?;
    let error = syncs(&mut db, Durability::Sync).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    assert_eq!(db.iter().count(), 0, "refused, and yet committed");
    Ok(())
}

// Large batches are made in the order of their keys.
#[test]
fn a_batch_of_any_size_leaves_what_its_last_writes_say() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db.lsm"))?;
    let mut random = SplitMix64::new(7);
    let mut model = Model::new();
    for round in 0..60 {
        let mut batch = WriteBatch::new();
        for _ in 0..random.below(200) {
            let key = vec![random.below(50) as u8];
            match random.below(if round % 3 == 0 { 40 } else { 36 }) {
                0..=9 => {
                    model.remove(&key);
                    batch.remove(key);
                }
                10..=35 => {
                    let value = random.bytes(20);
                    batch.insert(&key, &value);
                    model.insert(key, value);
                }
                _ => {
                    model.retain(|known, _| *known < key);
                    batch.remove_range(key..);
                }
            }
        }
        db.write(&batch)?;
        assert!(contents(&db)? == model, "{round}");
    }
    Ok(())
}
