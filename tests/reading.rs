//! Everything that reads, against a map, also from both ends at once.

mod common;

use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{KeyRange, Model, Result, SplitMix64, is_in, setting};
use lsmlite_rs::config::Mmap;
use lsmlite_rs::{LsmDb, LsmErrorCode};

type Record = (Vec<u8>, Vec<u8>);

fn key(random: &mut SplitMix64) -> Vec<u8> {
    let len = random.below(5) as usize;
    (0..len).map(|_| random.pick(b"ab\xfe\xff")).collect()
}

/// Partly in memory, partly in runs; some with a table's keys between the others.
fn filled(db: &mut LsmDb, value_bytes: u64, random: &mut SplitMix64) -> Result<Model> {
    let mut model = Model::new();
    for i in 0..400 {
        let (key, len) = (key(random), random.below(value_bytes) as usize);
        let value = random.bytes(len);
        match random.one_in(4) {
            true => {
                db.remove(&key)?;
                model.remove(&key);
            }
            false => {
                db.insert(&key, &value)?;
                model.insert(key, value);
            }
        }
        if i % 90 == 50 {
            db.flush()?;
        }
        if i % 40 == 7 && random.one_in(2) {
            db.table("a table")?.insert([i as u8], "in between")?;
        }
    }
    Ok(model)
}

fn databases(test: impl Fn(&LsmDb, &Model, &mut SplitMix64) -> Result) -> Result {
    let seed = setting("LSMLITE_SEED", 3);
    // Pages of a record or two, and of many, which are shown together.
    for (i, (mmap, page_size, value_bytes, compact)) in [
        (Mmap::Off, 256, 300, false),
        (Mmap::All, 256, 300, false),
        (Mmap::Off, 4096, 20, true),
        (Mmap::All, 4096, 20, false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut random = SplitMix64::new(seed + i as u64);
        let dir = tempfile::tempdir()?;
        let builder = LsmDb::builder().mmap(mmap).page_size_bytes(page_size);
        let mut db = builder.block_size_kib(64).open(dir.path().join("db"))?;
        let model = filled(&mut db, value_bytes, &mut random)?;
        if compact {
            db.compact()?;
        }
        test(&db, &model, &mut random)?;
    }
    Ok(())
}

#[test]
fn single_records_are_those_of_the_map() -> Result {
    databases(|db, model, random| {
        assert_eq!(db.first()?, model.first_key_value().map(owned));
        assert_eq!(db.last()?, model.last_key_value().map(owned));
        let keys: Vec<_> = (0..300).map(|_| key(random)).collect();
        for key in &keys {
            assert_eq!(db.get(key)?.as_ref(), model.get(key));
            assert_eq!(db.contains_key(key)?, model.contains_key(key));
            let length = db.get_with(key, <[u8]>::len)?;
            assert_eq!(length, model.get(key).map(Vec::len));
        }
        let many = db.multi_get(&keys)?;
        assert!(
            many.iter().eq(keys
                .iter()
                .map(|key| model.get(key))
                .map(Option::<&Vec<u8>>::cloned)
                .collect::<Vec<_>>()
                .iter())
        );
        Ok(())
    })
}

fn owned((key, value): (&Vec<u8>, &Vec<u8>)) -> Record {
    (key.clone(), value.clone())
}

/// Takes from both ends by chance, in every way there is, and returns what came in order.
fn drain(db: &LsmDb, range: KeyRange, random: &mut SplitMix64) -> Result<Vec<Record>> {
    let mut records = db.range(range);
    let (mut front, mut back) = (Vec::new(), Vec::new());
    loop {
        let is_front = random.one_in(2);
        if random.one_in(4) {
            // Broken off after a few, or never.
            let mut left = 1 + random.below(6);
            let mut keep = |records: &mut Vec<Record>, key: &[u8], value: &[u8]| {
                records.push((key.to_vec(), value.to_vec()));
                left -= 1;
                match left {
                    0 => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            };
            let is_done = match is_front {
                true => records.for_each_ref(|key, value| keep(&mut front, key, value))?,
                false => records.for_each_back_ref(|key, value| keep(&mut back, key, value))?,
            };
            if is_done {
                break;
            }
        }
        let record = match (is_front, random.one_in(2)) {
            (true, true) => records.next().transpose()?,
            (false, true) => records.next_back().transpose()?,
            (true, false) => records.next_ref()?.map(|(k, v)| (k.to_vec(), v.to_vec())),
            (false, false) => records
                .next_back_ref()?
                .map(|(k, v)| (k.to_vec(), v.to_vec())),
        };
        match record {
            Some(record) if is_front => front.push(record),
            Some(record) => back.push(record),
            None => break,
        }
    }
    assert!(records.next().is_none() && records.next_back_ref()?.is_none());
    front.extend(back.into_iter().rev());
    Ok(front)
}

#[test]
fn ranges_and_pages_are_those_of_the_map() -> Result {
    databases(|db, model, random| {
        for _ in 0..100 {
            let mut bound = || match random.below(3) {
                0 => Bound::Unbounded,
                1 => Bound::Included(key(random)),
                _ => Bound::Excluded(key(random)),
            };
            let range = (bound(), bound());
            let expected: Vec<_> = model
                .iter()
                .map(owned)
                .filter(|(key, _)| is_in(key, &range))
                .collect();
            assert_eq!(drain(db, range.clone(), random)?, expected, "{range:?}");
            let keys: std::result::Result<Vec<_>, _> = db.range(range.clone()).keys().collect();
            assert!(keys?.iter().eq(expected.iter().map(|(key, _)| key)));

            // In pages, forwards and backwards.
            let (mut pages, mut last) = (Vec::new(), None::<Vec<u8>>);
            loop {
                let records = db.range(range.clone());
                let records = match &last {
                    Some(last) => records.after(last),
                    None => records,
                };
                let page: std::result::Result<Vec<_>, _> = records.take(7).collect();
                let page = page?;
                let Some((key, _)) = page.last() else { break };
                last = Some(key.clone());
                pages.extend(page);
            }
            assert_eq!(pages, expected);
            if let Some((key, _)) = expected.last() {
                let before: std::result::Result<Vec<_>, _> =
                    db.range(range.clone()).before(key).rev().collect();
                assert!(before?.iter().eq(expected.iter().rev().skip(1)));
            }
        }
        Ok(())
    })
}

#[test]
fn a_prefix_finds_what_begins_like_it() -> Result {
    databases(|db, model, random| {
        for _ in 0..60 {
            let prefix = key(random);
            let expected: Vec<_> = model
                .iter()
                .map(owned)
                .filter(|(key, _)| key.starts_with(&prefix))
                .collect();
            let found: std::result::Result<Vec<_>, _> = db.prefix(&prefix).collect();
            assert_eq!(found?, expected, "{prefix:?}");
            assert_eq!(db.prefix(&prefix).rev().count(), expected.len());
        }
        Ok(())
    })
}

/// A run leads into the next one by keys without values. A look-up of just such a key went to the
/// wrong page of the next run.
#[test]
fn every_key_of_an_older_run_is_found() -> Result {
    let dir = tempfile::tempdir()?;
    let builder = LsmDb::builder().page_size_bytes(256).block_size_kib(64);
    let mut db = builder.open(dir.path().join("db"))?;
    for step in [1, 100, 150] {
        for i in (0..3000_u32).step_by(step) {
            db.insert(i.to_be_bytes(), i.to_le_bytes())?;
        }
        db.flush()?;
    }
    for i in 0..3000_u32 {
        assert_eq!(db.get(i.to_be_bytes())?, Some(i.to_le_bytes().to_vec()));
    }
    Ok(())
}

#[test]
fn a_scan_in_place_refuses_the_handle_and_survives_a_panic() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db"))?;
    for i in 0..10_u8 {
        db.insert([i], [i])?;
    }
    db.flush()?;
    let mut records = db.iter();
    let mut other = Some(db.iter());
    assert!(other.as_mut().is_some_and(|other| other.next().is_some()));
    let mut seen = Vec::new();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        records.for_each_ref(|key, _| {
            // Neither reading nor the end of another iterator gets at the engine now.
            let error = db.get(key).expect_err("refused");
            assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
            drop(other.take());
            seen.push(key[0]);
            assert!(seen.len() < 4, "on purpose");
            ControlFlow::Continue(())
        })
    }));
    assert!(caught.is_err());
    assert_eq!(seen, [0, 1, 2, 3]);
    assert_eq!(db.get([7])?, Some(vec![7]));
    // It rests on the record at which it panicked.
    assert_eq!(records.next().transpose()?, Some((vec![4], vec![4])));
    assert_eq!(records.next_back().transpose()?, Some((vec![9], vec![9])));
    drop((records, other));
    // Nothing that the iterators left behind is in the way.
    db.insert("new", "")?;
    db.compact()?;
    assert_eq!(db.iter().count(), 11);
    Ok(db.close()?)
}

#[test]
fn nothing_else_is_done_while_a_value_is_looked_at() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("db"))?;
    db.insert("key", "value")?;
    let refused = db.get_with("key", |_| db.get("key"))?.ok_or("no key")?;
    let error = refused.unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    assert!(error.to_string().contains("being looked at"), "{error}");
    let mut records = db.iter();
    assert!(records.next().is_some());
    let error = db
        .get_with("key", |_| records.next())
        .map(|next| next.flatten())?;
    assert!(error.is_some_and(|next| next.is_err()));
    drop(records);
    // A panic ends it, too.
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        db.get_with("key", |_| panic!("on purpose"))
    }));
    assert!(panicked.is_err());
    assert_eq!(db.get("key")?, Some(b"value".to_vec()));
    Ok(())
}
