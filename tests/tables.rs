//! Tables: spaces of their own in one file, against a map of maps.
//!
//! `LSMLITE_SEED` says where the seeds begin.

mod common;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use common::{KeyRange, Model, Result, SplitMix64, is_in, setting};
use lsmlite_rs::{Disk, LsmDb, LsmErrorCode, LsmRange, Transaction, WriteBatch};

type Outcome<T = ()> = std::result::Result<T, lsmlite_rs::LsmError>;

/// All tables, and under the empty name the plain keys.
type Models = BTreeMap<String, Model>;

/// Keys on both sides of those that are kept for tables, too.
fn key(random: &mut SplitMix64) -> Vec<u8> {
    let mut key = match random.below(6) {
        0 => b"\xff".to_vec(),
        1 => b"\xff\xfe".to_vec(),
        2 => b"\xff\xfeLsmTb".to_vec(),
        3 => b"\xff\xfeLsmTc".to_vec(),
        _ => Vec::new(),
    };
    key.extend((0..random.below(3)).map(|_| random.pick(b"\x00ab\xff")));
    if key.starts_with(b"\xff\xfeLsmTb\x01") {
        key.clear();
    }
    key
}

fn range(random: &mut SplitMix64) -> KeyRange {
    let mut bound = || match random.below(3) {
        0 => Bound::Unbounded,
        1 => Bound::Included(key(random)),
        _ => Bound::Excluded(key(random)),
    };
    (bound(), bound())
}

fn name(random: &mut SplitMix64) -> String {
    random.pick(&["users", "orders", "日本", "a"]).to_owned()
}

fn records(range: LsmRange<'_>) -> Outcome<Vec<(Vec<u8>, Vec<u8>)>> {
    range.collect()
}

fn check(tx: &Transaction<'_>, models: &Models, random: &mut SplitMix64) -> Result {
    let names: Vec<_> = models.keys().filter(|name| !name.is_empty()).collect();
    assert!(tx.tables()?.iter().eq(names), "{:?}", tx.tables()?);
    for name in ["", "users", "orders", "日本", "a"] {
        let empty = Model::new();
        let model = models.get(name).unwrap_or(&empty);
        let range = range(random);
        let expected: Vec<_> = model.iter().filter(|(key, _)| is_in(key, &range)).collect();
        let (forwards, mut backwards) = match name {
            "" => (
                records(tx.range(range.clone()))?,
                tx.range(range.clone()).rev().collect::<Outcome<Vec<_>>>()?,
            ),
            name => {
                let table = tx.read_table(name)?;
                assert_eq!(table.stats()?.records, model.len() as u64);
                assert_eq!(
                    table.last()?.map(|(key, _)| key).as_ref(),
                    model.keys().last()
                );
                (
                    records(table.range(range.clone()))?,
                    table
                        .range(range.clone())
                        .rev()
                        .collect::<Outcome<Vec<_>>>()?,
                )
            }
        };
        backwards.reverse();
        assert!(
            forwards
                .iter()
                .map(|(k, v)| (k, v))
                .eq(expected.iter().copied()),
            "{name} {range:?}"
        );
        assert_eq!(forwards, backwards, "{name} {range:?}");
    }
    Ok(())
}

fn change(tx: &mut Transaction<'_>, models: &mut Models, random: &mut SplitMix64) -> Result {
    let name = name(random);
    match random.below(12) {
        0 => {
            assert_eq!(tx.drop_table(&name)?, models.remove(&name).is_some());
        }
        1 => {
            let new = self::name(random);
            let renamed = tx.rename_table(&name, &new);
            if models.contains_key(&name) && (name == new || !models.contains_key(&new)) {
                renamed?;
                if let Some(model) = models.remove(&name) {
                    models.insert(new, model);
                }
            } else {
                assert_eq!(renamed.unwrap_err().code(), LsmErrorCode::LsmMisuse);
            }
        }
        2 => {
            let range = range(random);
            tx.table(&name)?.remove_range(range.clone())?;
            let model = models.entry(name).or_default();
            model.retain(|key, _| !is_in(key, &range));
        }
        3 => {
            let range = range(random);
            tx.remove_range(range.clone())?;
            let model = models.entry(String::new()).or_default();
            model.retain(|key, _| !is_in(key, &range));
        }
        4 => {
            let (mut batch, model) = (WriteBatch::new(), models.entry(name.clone()).or_default());
            for _ in 0..random.below(5) {
                let (key, value) = (key(random), random.bytes(4));
                batch.insert(&key, &value);
                model.insert(key, value);
            }
            let range = range(random);
            batch.remove_range(range.clone());
            model.retain(|key, _| !is_in(key, &range));
            tx.table(&name)?.write(&batch)?;
        }
        5 => {
            let key = key(random);
            tx.table(&name)?.remove(&key)?;
            models.entry(name).or_default().remove(&key);
        }
        6 => {
            let (key, more) = (key(random), random.bytes(1));
            let model = models.entry(name.clone()).or_default();
            let new = tx.table(&name)?.update_with(&key, |old| {
                assert_eq!(old, model.get(&key).map(|value| &value[..]));
                Some([old.unwrap_or_default(), &more].concat())
            })?;
            model.extend(new.map(|value| (key, value)));
        }
        7 => {
            let (key, value) = (key(random), random.bytes(4));
            tx.insert(&key, &value)?;
            models.entry(String::new()).or_default().insert(key, value);
        }
        _ => {
            let (key, value) = (key(random), random.bytes(4));
            let mut table = tx.table(&name)?;
            table.insert(&key, &value)?;
            assert_eq!(table.get(&key)?.as_ref(), Some(&value));
            models.entry(name).or_default().insert(key, value);
        }
    }
    Ok(())
}

#[test]
fn tables_and_plain_keys_behave_like_maps() -> Result {
    let first = setting("LSMLITE_SEED", 1);
    for seed in first..first + 15 {
        let mut random = SplitMix64::new(seed);
        let dir = tempfile::tempdir()?;
        let open = || {
            let builder = LsmDb::builder().autoflush_kib(1).page_size_bytes(256);
            builder.block_size_kib(64).open(dir.path().join("db"))
        };
        let mut db = open()?;
        let mut models = Models::new();
        for round in 0..60 {
            let before = models.clone();
            let mut tx = db.transaction()?;
            for _ in 0..random.below(8) {
                change(&mut tx, &mut models, &mut random)?;
            }
            check(&tx, &models, &mut random).map_err(|e| format!("seed {seed}, {round}: {e}"))?;
            match random.one_in(4) {
                true => {
                    drop(tx);
                    models = before;
                }
                false => tx.commit()?,
            }
            if random.one_in(10) {
                db.close()?;
                db = open()?;
            }
            check(&db.transaction()?, &models, &mut random)?;
        }
    }
    Ok(())
}

#[test]
fn readers_and_snapshots_see_tables() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db"))?;
    db.table("t")?.insert("key", "1")?;
    let (reader, snapshot) = (db.reader()?, db.snapshot()?);
    db.table("t")?.insert("key", "2")?;
    assert_eq!(reader.read_table("t")?.get("key")?, Some(b"2".to_vec()));
    assert_eq!(snapshot.read_table("t")?.get("key")?, Some(b"1".to_vec()));
    assert_eq!(db.read_table("t")?.get_with("key", <[u8]>::len)?, Some(1));
    db.table("later")?.insert("key", "3")?;
    assert_eq!(reader.tables()?, ["later", "t"]);
    assert_eq!(snapshot.tables()?, ["t"]);
    assert_eq!(db.read_table("none")?.iter().count(), 0);
    assert_eq!(db.iter().count(), 0);
    let stats = db.table("t")?.stats()?;
    assert_eq!(
        stats.to_string(),
        "1 records, 3 bytes of keys, 1 bytes of values"
    );
    Ok(())
}

#[test]
fn a_table_is_read_and_written_in_one_transaction() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db"))?;
    let mut stock = db.table("stock")?;
    assert!(!stock.compare_and_swap("nails", Some(b"1"), Some(b"2"))?);
    assert!(stock.compare_and_swap("nails", None, Some(b"1"))?);
    assert_eq!(stock.get("nails")?, Some(b"1".to_vec()));
    // A panic takes back what was done, and leaves no transaction behind.
    let caught = catch_unwind(AssertUnwindSafe(|| {
        stock.update_with("nails", |_| -> Option<&[u8]> { panic!("on purpose") })
    }));
    assert!(caught.is_err());
    assert_eq!(
        stock.update_with("nails", |old| Some([old.unwrap(), b"2"].concat()))?,
        Some(b"12".to_vec())
    );
    assert_eq!(stock.update_with("nails", |_| None::<&[u8]>)?, None);
    assert_eq!(stock.iter().count(), 0);
    db.transaction()?.commit()?;
    assert!(db.iter().next().is_none(), "plain keys are left alone");
    Ok(())
}

#[test]
fn two_handles_that_make_the_same_table_make_one() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("db");
    std::thread::scope(|scope| -> Result {
        let threads: Vec<_> = (0..4_u8)
            .map(|me| {
                let path = &path;
                scope.spawn(move || -> Outcome {
                    let wait = Duration::from_secs(20);
                    let mut db = LsmDb::builder().busy_timeout(wait).open(path)?;
                    for i in 0..50_u8 {
                        db.table(&format!("table {}", i / 10))?
                            .insert([me, i], "")?;
                    }
                    Ok(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a panic")??;
        }
        Ok(())
    })?;
    let db = LsmDb::open(&path)?;
    assert_eq!(db.tables()?.len(), 5);
    for name in db.tables()? {
        assert_eq!(db.read_table(&name)?.iter().count(), 40);
    }
    Ok(())
}

#[test]
fn a_backup_has_the_tables() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db"))?;
    db.insert("plain", "1")?;
    db.table("t")?.insert("key", "2")?;
    db.backup(dir.path().join("copy"))?;
    let copy = LsmDb::open(dir.path().join("copy"))?;
    assert_eq!(copy.tables()?, ["t"]);
    assert_eq!(copy.read_table("t")?.get("key")?, Some(b"2".to_vec()));
    assert_eq!(copy.iter().count(), 1);
    Ok(())
}

#[test]
fn a_table_needs_a_name() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db"))?;
    assert_eq!(db.table("").unwrap_err().code(), LsmErrorCode::LsmMisuse);
    assert!(db.read_table("").is_err());
    db.table("t")?.insert("key", "value")?;
    assert!(db.rename_table("t", "").is_err());
    assert!(!db.drop_table("none")?);
    assert!(db.drop_table("t")?);
    assert!(db.tables()?.is_empty());
    Ok(())
}

#[test]
fn a_damaged_catalog_is_an_error() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db"))?;
    db.table("t")?.insert("key", "value")?;
    // As a program that doesn't know tables might.
    db.persist(b"\xff\xfeLsmTb\x01\0\0\0\0t", b"broken")?;
    let error = db.read_table("t").map(|_| ()).unwrap_err();
    assert!(error.is_corrupt(), "{error}");
    assert!(error.to_string().contains("\"t\""), "{error}");
    Ok(())
}
