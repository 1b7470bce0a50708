//! Single records: lengths at both ends, and what is refused.

mod common;

use common::{Result, SplitMix64, connected, contents};
use lsmlite_rs::{Cursor, Disk, LsmCursorSeekOp, LsmDb, LsmErrorCode};

const TOO_LONG: LsmErrorCode = LsmErrorCode::LsmConversionErr;
const GIB: usize = 1 << 30;

/// Zeros that take no memory until somebody writes to them, and reading maps them to one page.
fn zeros(len: usize) -> Vec<u8> {
    vec![0; len]
}

/// lsm1 counts in `int`: 0.2.2 passes 2 GiB as a negative length, which deletes the key, and
/// 4 GiB and 3 bytes as 3 bytes.
#[test]
fn records_beyond_the_limit_are_refused_and_nothing_is_written() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "long")?;
    db.persist(b"key", b"old")?;
    db.flush()?;
    let sizes = |dir: &std::path::Path| -> Result<Vec<u64>> {
        common::files_in(dir)?
            .iter()
            .map(|name| Ok(std::fs::metadata(dir.join(name))?.len()))
            .collect()
    };
    let before = sizes(dir.path())?;
    let limit = GIB - b"key".len();
    for len in [
        limit + 1,
        GIB + 1,
        2 * GIB - 1,
        2 * GIB,
        2 * GIB + 1,
        4 * GIB - 1,
        4 * GIB,
        4 * GIB + 3,
    ] {
        let long = zeros(len);
        assert_eq!(db.persist(b"key", &long), Err(TOO_LONG), "{len}");
        assert_eq!(db.update(b"key", &long), Err(TOO_LONG), "{len}");
        assert_eq!(db.persist(&long, b"key"), Err(TOO_LONG), "{len}");
        assert_eq!(db.delete_range(&long, b"key"), Err(TOO_LONG), "{len}");
        assert_eq!(db.delete_range(b"key", &long), Err(TOO_LONG), "{len}");
        if len > GIB {
            assert_eq!(db.delete(&long), Err(TOO_LONG), "{len}");
        }
    }
    let half = zeros(GIB / 2 + 1);
    assert_eq!(db.persist(&half, &half), Err(TOO_LONG));
    assert_eq!(db.get(b"key")?.as_deref(), Some(&b"old"[..]));
    assert_eq!(db.iter().count(), 1);
    assert_eq!(sizes(dir.path())?, before);
    Ok(())
}

#[test]
fn a_refused_length_leaves_the_transaction_usable() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "long")?;
    db.begin_transaction()?;
    db.persist(b"a", b"1")?;
    assert_eq!(db.persist(b"b", &zeros(GIB)), Err(TOO_LONG));
    db.persist(b"c", b"3")?;
    db.commit_transaction()?;
    assert_eq!(db.iter().count(), 2);
    Ok(())
}

#[test]
fn seeking_a_key_of_two_gib_is_refused() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "long")?;
    db.persist(b"a", b"1")?;
    for len in [2 * GIB, 4 * GIB + 1] {
        let long = zeros(len);
        assert_eq!(db.get(&long).map_err(|e| e.code()), Err(TOO_LONG));
        let mut cursor = db.cursor_open()?;
        for op in [
            LsmCursorSeekOp::LsmCursorSeekLe,
            LsmCursorSeekOp::LsmCursorSeekEq,
            LsmCursorSeekOp::LsmCursorSeekGe,
        ] {
            assert_eq!(cursor.seek(&long, op), Err(TOO_LONG));
        }
        cursor.first()?;
        assert_eq!(cursor.compare(&long), Err(TOO_LONG));
        assert_eq!(cursor.get_key()?, b"a");
    }
    Ok(())
}

#[test]
fn empty_keys_and_values_are_records() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("empty.lsm");
    let mut db = LsmDb::open(&path)?;
    db.insert(b"", b"of nothing")?;
    db.insert(b"nothing", b"")?;
    for stage in ["in memory", "in the file", "reopened"] {
        match stage {
            "in the file" => db.compact()?,
            "reopened" => {
                db.close()?;
                db = LsmDb::open(&path)?;
            }
            _ => {}
        }
        assert_eq!(db.get(b"")?.as_deref(), Some(&b"of nothing"[..]), "{stage}");
        assert_eq!(db.get(b"nothing")?.as_deref(), Some(&b""[..]), "{stage}");
        let keys: Vec<_> = contents(&db)?.into_keys().collect();
        assert_eq!(keys, [b"".to_vec(), b"nothing".to_vec()], "{stage}");
        let mut cursor = db.cursor_open()?;
        cursor.seek(b"", LsmCursorSeekOp::LsmCursorSeekGe)?;
        assert_eq!(cursor.get_key()?, b"");
        assert_eq!(cursor.compare(b"")?, std::cmp::Ordering::Equal);
        cursor.seek(b"", LsmCursorSeekOp::LsmCursorSeekLe)?;
        assert_eq!(cursor.get_value()?, b"of nothing");
    }
    db.remove(b"")?;
    assert_eq!(db.get(b"")?, None);
    db.insert(b"", b"")?;
    assert_eq!(db.get(b"")?.as_deref(), Some(&b""[..]));
    db.remove_all_but_the_first()?;
    assert_eq!(db.iter().count(), 1);
    Ok(())
}

trait Few {
    fn remove_all_but_the_first(&mut self) -> Result;
}

impl Few for LsmDb {
    /// The empty key is the smallest there is, and a bound is never deleted.
    fn remove_all_but_the_first(&mut self) -> Result {
        Ok(self.delete_range(b"", b"zzz")?)
    }
}

#[test]
fn a_value_of_100_mib_comes_back_as_it_was() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("large.lsm");
    let mut random = SplitMix64::new(100);
    // Random, but made quickly: the pattern's length is no multiple of a page.
    let pattern = random.bytes(100_003);
    let large: Vec<u8> = pattern.iter().copied().cycle().take(100 << 20).collect();
    let mut db = LsmDb::open(&path)?;
    db.insert(b"before", b"1")?;
    db.insert(b"large", &large)?;
    db.insert(b"later", b"2")?;
    assert!(
        db.get(b"large")?.as_deref() == Some(&large[..]),
        "in memory"
    );
    db.flush()?;
    assert!(
        db.get(b"large")?.as_deref() == Some(&large[..]),
        "in the file"
    );
    db.close()?;
    let mut db = LsmDb::open(&path)?;
    assert!(db.get(b"large")?.as_deref() == Some(&large[..]), "reopened");
    assert_eq!(db.iter().count(), 3);
    db.remove(b"large")?;
    assert_eq!(db.get(b"large")?, None);
    assert_eq!(db.iter().count(), 2);
    Ok(())
}

#[test]
fn a_key_larger_than_a_page_is_found() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("keys.lsm");
    let mut db = LsmDb::builder().page_size_bytes(256).open(&path)?;
    let mut random = SplitMix64::new(7);
    let mut keys: Vec<_> = (1..40).map(|i| random.bytes(i * 100)).collect();
    for key in &keys {
        db.insert(key, key)?;
    }
    db.compact()?;
    for key in &keys {
        assert_eq!(db.get(key)?.as_ref(), Some(key));
    }
    keys.sort();
    let found: Vec<_> = contents(&db)?.into_keys().collect();
    assert!(found == keys);
    Ok(())
}

#[test]
fn a_range_delete_spares_both_bounds() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "ranges")?;
    let fill = |db: &mut LsmDb| (0..10_u8).try_for_each(|i| db.persist(&[i], &[i]));
    let keys = |db: &LsmDb| -> Result<Vec<u8>> {
        Ok(contents(db)?.into_keys().map(|key| key[0]).collect())
    };
    fill(&mut db)?;
    db.delete_range(&[2], &[6])?;
    assert_eq!(keys(&db)?, [0, 1, 2, 6, 7, 8, 9]);
    assert_eq!(db.get([2])?, Some(vec![2]), "the value at a bound");
    assert_eq!(db.get([6])?, Some(vec![6]), "the value at a bound");
    fill(&mut db)?;
    // Bounds that aren't keys.
    db.delete_range(&[2, 0], &[5, 0])?;
    assert_eq!(keys(&db)?, [0, 1, 2, 6, 7, 8, 9]);
    fill(&mut db)?;
    for (begin, end) in [(3, 3), (6, 2), (4, 5)] {
        db.delete_range(&[begin], &[end])?;
        assert_eq!(keys(&db)?.len(), 10, "{begin} to {end}");
    }
    Ok(())
}

/// Where key and value don't fit into one piece of memory, unpatched lsm1 returns another value
/// for a bound and reads beyond the end of a buffer.
#[test]
fn the_values_at_the_bounds_of_a_range_delete_stay_as_they_are() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "bounds")?;
    let mut random = SplitMix64::new(3);
    for len in (0..12_000).step_by(61) {
        let (first, last) = (random.bytes(len), random.bytes(len / 2));
        db.persist(b"a", &first)?;
        db.persist(b"b", b"between")?;
        db.persist(b"c", &last)?;
        db.delete_range(b"a", b"c")?;
        assert!(db.get(b"a")?.as_ref() == Some(&first), "{len}");
        assert!(db.get(b"c")?.as_ref() == Some(&last), "{len}");
        assert_eq!(db.get(b"b")?, None);
        if random.one_in(5) {
            db.flush()?;
            assert!(db.get(b"a")?.as_ref() == Some(&first), "{len}");
            assert!(db.get(b"c")?.as_ref() == Some(&last), "{len}");
        }
    }
    Ok(())
}
