//! The tree in memory: large, written to in batches, at its end, among long keys.

use std::collections::BTreeMap;
use std::error::Error;

use lsmlite_rs::{LsmDb, WriteBatch};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const RECORDS: u32 = 40_000;

/// Keys in an order that has nothing to do with theirs.
fn key(n: u32) -> [u8; 4] {
    n.wrapping_mul(0x9E37_79B9).to_be_bytes()
}

#[test]
fn a_tree_of_many_megabytes_holds_what_was_put_in() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("large.lsm");
    let mut expected = BTreeMap::new();
    // The second round meets the memory of the first one's trees.
    for round in 0..2_u8 {
        let mut db = LsmDb::open(&path)?;
        let mut batch = WriteBatch::new();
        for n in 0..RECORDS {
            let value = vec![round ^ n as u8; 150 + n as usize % 100];
            match n % 3 {
                0 => db.insert(key(n), &value)?,
                _ => batch.insert(key(n), &value),
            }
            if batch.len() == 700 {
                db.write(&batch)?;
                batch.clear();
            }
            expected.insert(key(n), value);
        }
        db.write(&batch)?;
        assert_eq!(
            db.stats()?.segments(),
            usize::from(round),
            "nothing is merged yet"
        );

        let reader = db.reader()?;
        for (key, value) in &expected {
            assert_eq!(db.get(key)?.as_ref(), Some(value));
        }
        let read = reader
            .snapshot()?
            .iter()
            .collect::<std::result::Result<Vec<_>, _>>()?;
        assert!(
            read.iter()
                .map(|(k, v)| (&k[..], v))
                .eq(expected.iter().map(|(k, v)| (&k[..], v)))
        );
        drop(reader);
        db.close()?;
    }
    Ok(())
}

/// A key of 20 KiB rarely lies in one chunk of 32 KiB: the walk ahead of a batch must leave it.
#[test]
fn a_batch_among_keys_that_lie_in_two_chunks_is_right() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("long.lsm"))?;
    let mut expected = BTreeMap::new();
    let mut batch = WriteBatch::new();
    for round in 0..20_u32 {
        batch.clear();
        for n in 0..40 {
            let mut key = key(round * 40 + n).to_vec();
            key.resize(if n % 2 == 0 { 20_000 } else { 6 }, n as u8);
            batch.insert(&key, [round as u8]);
            expected.insert(key, vec![round as u8]);
        }
        db.write(&batch)?;
    }
    let read = db
        .iter()
        .collect::<std::result::Result<BTreeMap<_, _>, _>>()?;
    assert_eq!(read, expected);
    Ok(())
}

/// Keys that ascend are put behind the last one without a search. Now and then one comes that
/// belongs elsewhere, is there already, or ends a range that was removed.
#[test]
fn ascending_keys_with_interruptions_are_all_there() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("ascending.lsm"))?;
    let mut expected = BTreeMap::new();
    for n in 0..30_000_u32 {
        let at = match n % 97 {
            5 => n / 2,
            11 => n.saturating_sub(1),
            17 => 2 * n,
            _ => n,
        };
        let key = at.to_be_bytes();
        match n % 1009 {
            1008 => {
                let range = (n - 40).to_be_bytes()..(n + 3).to_be_bytes();
                db.remove_range(range.clone())?;
                expected.retain(|key, _| !range.contains(key));
            }
            7 | 500 => {
                db.remove(key)?;
                expected.remove(&key);
            }
            300 => {
                // What is taken back was the end for a while.
                let mut transaction = db.transaction()?;
                transaction.insert(u32::MAX.to_be_bytes(), "gone")?;
                transaction.rollback()?;
            }
            _ => {
                db.insert(key, n.to_le_bytes())?;
                expected.insert(key, n.to_le_bytes().to_vec());
            }
        }
    }
    let read = db.iter().collect::<std::result::Result<Vec<_>, _>>()?;
    assert!(
        read.iter()
            .map(|(k, v)| (&k[..], v))
            .eq(expected.iter().map(|(k, v)| (&k[..], v)))
    );
    Ok(())
}
