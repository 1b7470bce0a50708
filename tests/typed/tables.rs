//! Tables beside maps.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::{Duration, SystemTime};

use lsmlite_rs::typed::TypedTable;
use lsmlite_rs::{Disk, LsmDb, WriteBatch};

use crate::common::{Repeat, Result, SplitMix64};
use crate::for_every_key;
use crate::samples::{Ordered, Sample};

fn bound<K: Sample>(rng: &mut SplitMix64) -> Bound<K> {
    match rng.below(4) {
        0 => Bound::Unbounded,
        1 => Bound::Excluded(K::random(rng)),
        _ => Bound::Included(K::random(rng)),
    }
}

fn by_ref<K: Sample>(bound: &Bound<K>) -> Bound<K::Ref<'_>> {
    bound.as_ref().map(K::by_ref)
}

fn is_inside<K: Sample>(key: &K, start: &Bound<K>, end: &Bound<K>) -> bool {
    let after_start = match start {
        Bound::Unbounded => true,
        Bound::Included(start) => key.order(start).is_ge(),
        Bound::Excluded(start) => key.order(start).is_gt(),
    };
    after_start
        && match end {
            Bound::Unbounded => true,
            Bound::Included(end) => key.order(end).is_le(),
            Bound::Excluded(end) => key.order(end).is_lt(),
        }
}

/// Random operations on three tables side by side, the last behind a prefix after which nothing
/// comes.
fn agree_with_maps<K: Sample>(seed: u64) -> Result {
    let _repeat = Repeat(format!("{} with seed {seed}", std::any::type_name::<K>()));
    let mut rng = SplitMix64::new(seed);
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("tables.lsm"))?;
    let prefixes: [&'static [u8]; 3] = [b"a\xff", b"b", b"\xff\xff"];
    let tables = prefixes.map(TypedTable::<K, String>::new);
    let mut maps: [BTreeMap<Ordered<K>, String>; 3] = Default::default();
    for step in 0..400 {
        let n = rng.below(3) as usize;
        let (table, map) = (&tables[n], &mut maps[n]);
        let key = match map.keys().nth(rng.below(40) as usize) {
            Some(known) => known.0.clone(),
            None => K::random(&mut rng),
        };
        match rng.below(24) {
            0 => {
                let (start, end) = (K::random(&mut rng), K::random(&mut rng));
                let (start, end) = (Bound::Excluded(start), Bound::Included(end));
                table.remove_range(&mut db, (by_ref(&start), by_ref(&end)))?;
                map.retain(|key, _| !is_inside(&key.0, &start, &end));
            }
            1..=11 => {
                let key = K::random(&mut rng);
                let value = format!("value {step}");
                table.insert(&mut db, key.by_ref(), &value)?;
                map.insert(Ordered(key), value);
            }
            12..=14 => {
                table.remove(&mut db, key.by_ref())?;
                map.remove(&Ordered(key));
            }
            15..=17 => {
                let expected = map.get(&Ordered(key.clone()));
                assert_eq!(table.get(&db, key.by_ref())?.as_ref(), expected, "{key:?}");
                assert_eq!(table.contains_key(&db, key.by_ref())?, expected.is_some());
            }
            18..=20 => {
                let ends = [table.first(&db)?, table.last(&db)?];
                let ends = ends.map(|end| end.map(|(key, value)| (Ordered(key), value)));
                let expected = [map.first_key_value(), map.last_key_value()];
                assert_eq!(
                    ends,
                    expected.map(|end| end.map(|(k, v)| (k.clone(), v.clone())))
                );
            }
            _ => {
                let (start, end) = (bound::<K>(&mut rng), bound::<K>(&mut rng));
                let mut expected: Vec<_> = map
                    .iter()
                    .filter(|(key, _)| is_inside(&key.0, &start, &end))
                    .collect();
                let mut found = table.range(&db, (by_ref(&start), by_ref(&end)));
                while !expected.is_empty() {
                    let (record, (key, value)) = match rng.one_in(2) {
                        true => (found.next(), expected.remove(0)),
                        false => (found.next_back(), expected.pop().ok_or("none")?),
                    };
                    let record = record.ok_or("the table has too few")??;
                    assert_eq!((&Ordered(record.0), &record.1), (key, value));
                }
                assert!(found.next().is_none() && found.next_back().is_none());
            }
        }
    }
    for (table, map) in tables.iter().zip(&maps) {
        let records: Vec<_> = table.iter(&db).collect::<std::result::Result<_, _>>()?;
        let records: Vec<_> = records.into_iter().map(|(k, v)| (Ordered(k), v)).collect();
        assert!(records.iter().map(|(k, v)| (k, v)).eq(map.iter()));
    }
    let total: usize = maps.iter().map(BTreeMap::len).sum();
    assert_eq!(db.iter().count(), total, "records in none of the tables");
    Ok(())
}

#[test]
fn tables_agree_with_maps_for_every_kind_of_key() -> Result {
    for_every_key!(agree_with_maps);
    Ok(())
}

#[test]
fn a_prefix_finds_the_keys_that_begin_with_it_and_no_others() -> Result {
    type Key = (String, Vec<u8>, Option<bool>);
    let table = TypedTable::<Key, u32>::with_prefix("t/");
    let words = TypedTable::<String, u32>::with_prefix("w/");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("prefix.lsm"))?;
    let mut rng = SplitMix64::new(7);
    let mut keys = BTreeMap::new();
    let mut texts = BTreeMap::new();
    for n in 0..300 {
        let key = Key::random(&mut rng);
        table.insert(&mut db, (&*key.0, &*key.1, key.2), n)?;
        words.insert(&mut db, &key.0, n)?;
        texts.insert(key.0.clone(), n);
        keys.insert(key, n);
    }
    let mut found = 0;
    for (text, bytes, _) in keys.keys() {
        let one: Vec<_> = table
            .prefix(&db, (&**text,))
            .collect::<std::result::Result<_, _>>()?;
        let expected = keys.iter().filter(|(key, _)| key.0 == *text);
        assert!(one.iter().map(|(k, v)| (k, v)).eq(expected), "{text:?}");

        let two = table.prefix(&db, (&**text, &**bytes)).rev();
        let two: Vec<_> = two.collect::<std::result::Result<_, _>>()?;
        let expected = keys
            .iter()
            .filter(|(key, _)| key.0 == *text && key.1 == *bytes);
        assert!(
            two.iter().map(|(k, v)| (k, v)).eq(expected.rev()),
            "{text:?} {bytes:?}"
        );

        let begun: Vec<_> = words
            .prefix(&db, text)
            .collect::<std::result::Result<_, _>>()?;
        let expected = texts.iter().filter(|(key, _)| key.starts_with(text));
        assert!(begun.iter().map(|(k, v)| (k, v)).eq(expected), "{text:?}");
        found += one.len() + two.len() + begun.len();
    }
    assert!(found > 3 * keys.len(), "{found}");
    Ok(())
}

#[test]
fn keys_are_those_of_the_records_and_values_are_not_looked_at() -> Result {
    const TABLE: TypedTable<(i8, String), u32> = TypedTable::new(b"t/");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("keys.lsm"))?;
    for n in [3, -1, 2] {
        TABLE.insert(&mut db, (n, "x"), 1)?;
    }
    db.insert(TABLE.raw_key((2, "x")), b"")?;
    let mut keys = TABLE.iter(&db).keys();
    assert_eq!(keys.next_back().transpose()?, Some((3, "x".into())));
    assert_eq!(keys.next().transpose()?, Some((-1, "x".into())));
    assert_eq!(keys.next_back().transpose()?, Some((2, "x".into())));
    assert!(keys.next().is_none());
    drop(keys);
    db.insert(b"t/", b"")?;
    let mut keys = TABLE.iter(&db).keys();
    assert!(keys.next().unwrap().unwrap_err().is_corrupt());
    assert!(keys.next().is_none() && keys.next_back().is_none());
    Ok(())
}

#[test]
fn an_update_is_made_of_what_was_there() -> Result {
    const TABLE: TypedTable<u8, u32> = TypedTable::new(b"t/");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("update.lsm"))?;
    let add = |old: Option<u32>| Some(old.unwrap_or(10) + 1);
    TABLE.update_with(&mut db, 1, add)?;
    let mut tx = db.transaction()?;
    TABLE.update_with(&mut tx, 1, add)?;
    tx.commit()?;
    assert_eq!(TABLE.get(&db, 1)?, Some(12));
    TABLE.update_with(&mut db, 1, |_| None)?;
    assert!(!TABLE.contains_key(&db, 1)?);
    TABLE.update_with(&mut db, 1, |old| old)?;
    assert!(!TABLE.contains_key(&db, 1)?);

    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        TABLE.update_with(&mut db, 1, |_| panic!("on purpose"))
    }));
    assert!(panicked.is_err());
    db.transaction()?.commit()?;
    Ok(())
}

#[test]
fn tables_work_on_everything_that_reads_or_writes() -> Result {
    const TABLE: TypedTable<u8, u32> = TypedTable::new(b"t/");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("all.lsm"))?;
    let empty = db.snapshot()?;

    let mut batch = WriteBatch::new();
    for n in 0..10 {
        TABLE.insert(&mut batch, n, u32::from(n))?;
    }
    TABLE.remove(&mut batch, 9)?;
    TABLE.remove_range(&mut batch, 5..)?;
    db.write(&batch)?;
    assert_eq!(TABLE.last(&db)?, Some((4, 4)));

    let reader = db.reader()?;
    assert_eq!(TABLE.get(&reader, 3)?, Some(3));
    let pool = db.reader_pool(1)?;
    assert_eq!(TABLE.range(&pool.reader()?, 1..3).count(), 2);
    assert_eq!(TABLE.first(&empty)?, None);

    let mut tx = db.transaction()?;
    TABLE.remove_range(&mut tx, ..2)?;
    let mut inner = tx.savepoint()?;
    TABLE.insert(&mut inner, 77, 7)?;
    assert_eq!(TABLE.iter(&inner).count(), 4);
    inner.rollback()?;
    assert_eq!(TABLE.first(&tx)?, Some((2, 2)));
    assert_eq!(TABLE.first(&reader)?, Some((0, 0)));
    tx.commit()?;
    assert_eq!(TABLE.iter(&reader).count(), 3);
    Ok(())
}

#[test]
fn writes_of_several_tables_are_one_transaction() -> Result {
    const A: TypedTable<u8, u8> = TypedTable::new(b"a/");
    const B: TypedTable<String, u8> = TypedTable::new(b"b/");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("both.lsm"))?;
    db.begin_transaction()?;
    A.insert(&mut db, 1, 1)?;
    B.insert(&mut db, "one", 1)?;
    assert_eq!(A.get(&db, 1)?, Some(1));
    db.rollback_transaction()?;
    assert_eq!((A.first(&db)?, B.first(&db)?), (None, None));
    Ok(())
}
