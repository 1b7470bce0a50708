//! Cursors and iterators: where they rest, what ends them, and what happens if they leak.

mod common;

use std::cmp::Ordering;
use std::mem;
use std::thread;

use common::{Result, connected, contents};
use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{Cursor, Disk, LsmCursorSeekOp, LsmDb, LsmErrorCode};

const LE: LsmCursorSeekOp = LsmCursorSeekOp::LsmCursorSeekLe;
const EQ: LsmCursorSeekOp = LsmCursorSeekOp::LsmCursorSeekEq;
const GE: LsmCursorSeekOp = LsmCursorSeekOp::LsmCursorSeekGe;
const MISUSE: LsmErrorCode = LsmErrorCode::LsmMisuse;
/// What a cursor answers that isn't on a record.
const NOWHERE: LsmErrorCode = LsmErrorCode::LsmError;

/// The keys 10, 20, .. 90, half of them in the file.
fn tens(dir: &std::path::Path) -> Result<LsmDb> {
    let mut db = connected(dir, "tens")?;
    for i in 1..10_u8 {
        db.persist(&[10 * i], &[i])?;
        if i == 5 {
            db.flush()?;
        }
    }
    Ok(db)
}

#[test]
fn a_seek_rests_where_its_mode_says() -> Result {
    let dir = tempfile::tempdir()?;
    let db = tens(dir.path())?;
    let mut cursor = db.cursor_open()?;
    for key in 0..=100_u8 {
        let hit = key % 10 == 0 && (10..=90).contains(&key);
        let below = (key >= 10).then(|| (key / 10 * 10).min(90));
        let above = (key <= 90).then(|| key.div_ceil(10).max(1) * 10);
        for (mode, expected) in [(LE, below), (EQ, hit.then_some(key)), (GE, above)] {
            cursor.seek(&[key], mode)?;
            assert_eq!(cursor.valid().is_ok(), expected.is_some(), "{key} {mode:?}");
            match expected {
                Some(expected) => {
                    assert_eq!(cursor.get_key()?, [expected], "{key} {mode:?}");
                    assert_eq!(cursor.get_value()?, [expected / 10]);
                    assert_eq!(cursor.compare(&[key])?, expected.cmp(&key));
                }
                None => {
                    assert_eq!(cursor.valid(), Err(NOWHERE));
                    assert_eq!(cursor.get_key(), Err(NOWHERE));
                    assert_eq!(cursor.get_value(), Err(NOWHERE));
                    assert_eq!(cursor.compare(&[key]), Err(NOWHERE));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_cursor_moves_only_the_way_it_was_placed() -> Result {
    let dir = tempfile::tempdir()?;
    let db = tens(dir.path())?;
    let mut cursor = db.cursor_open()?;
    assert_eq!(cursor.next(), Err(MISUSE), "before any move");
    assert_eq!(cursor.prev(), Err(MISUSE), "before any move");
    assert_eq!(cursor.valid(), Err(NOWHERE));

    cursor.first()?;
    assert_eq!(cursor.prev(), Err(MISUSE));
    assert_eq!(cursor.get_key()?, [10], "a refused step doesn't move");
    cursor.next()?;
    assert_eq!(cursor.get_key()?, [20]);

    cursor.last()?;
    assert_eq!(cursor.next(), Err(MISUSE));
    assert_eq!(cursor.get_key()?, [90]);
    cursor.prev()?;
    assert_eq!(cursor.get_key()?, [80]);

    cursor.seek(&[50], EQ)?;
    assert_eq!(cursor.next(), Err(MISUSE));
    assert_eq!(cursor.prev(), Err(MISUSE));
    assert_eq!(cursor.get_key()?, [50]);

    cursor.seek(&[55], GE)?;
    assert_eq!(cursor.prev(), Err(MISUSE));
    cursor.next()?;
    assert_eq!(cursor.get_key()?, [70]);

    cursor.seek(&[55], LE)?;
    assert_eq!(cursor.next(), Err(MISUSE));
    cursor.prev()?;
    assert_eq!(cursor.get_key()?, [40]);
    Ok(())
}

#[test]
fn the_end_of_the_data_isnt_an_error() -> Result {
    let dir = tempfile::tempdir()?;
    let db = tens(dir.path())?;
    let mut cursor = db.cursor_open()?;
    cursor.first()?;
    for i in 1..10_u8 {
        assert_eq!(cursor.get_key()?, [10 * i]);
        cursor.next()?;
    }
    assert_eq!(cursor.valid(), Err(NOWHERE));
    assert_eq!(cursor.get_key(), Err(NOWHERE));
    cursor.last()?;
    for i in (1..10_u8).rev() {
        assert_eq!(cursor.get_key()?, [10 * i]);
        cursor.prev()?;
    }
    assert_eq!(cursor.valid(), Err(NOWHERE));
    assert_eq!(cursor.get_value(), Err(NOWHERE));
    // And it can be placed again.
    cursor.seek(&[30], EQ)?;
    assert_eq!(cursor.get_value()?, [3]);
    Ok(())
}

#[test]
fn an_empty_database_has_nowhere_to_rest() -> Result {
    let dir = tempfile::tempdir()?;
    let db = connected(dir.path(), "empty")?;
    let mut cursor = db.cursor_open()?;
    cursor.first()?;
    assert_eq!(cursor.valid(), Err(NOWHERE));
    cursor.last()?;
    assert_eq!(cursor.valid(), Err(NOWHERE));
    for mode in [LE, EQ, GE] {
        cursor.seek(b"k", mode)?;
        assert_eq!(cursor.valid(), Err(NOWHERE));
    }
    assert!(db.iter().next().is_none());
    assert!(db.iter().next_back().is_none());
    Ok(())
}

#[test]
fn compare_orders_bytes_and_then_lengths() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "order")?;
    db.persist(b"mm", b"")?;
    let mut cursor = db.cursor_open()?;
    cursor.first()?;
    for (key, expected) in [
        (&b""[..], Ordering::Greater),
        (b"m", Ordering::Greater),
        (b"mlz", Ordering::Greater),
        (b"mm", Ordering::Equal),
        (b"mm\0", Ordering::Less),
        (b"n", Ordering::Less),
        (b"\xff", Ordering::Less),
    ] {
        assert_eq!(cursor.compare(key)?, expected, "{key:?}");
    }
    Ok(())
}

#[test]
fn a_closed_cursor_answers_misuse() -> Result {
    let dir = tempfile::tempdir()?;
    let db = tens(dir.path())?;
    let mut cursor = db.cursor_open()?;
    cursor.first()?;
    cursor.close()?;
    assert_eq!(cursor.close(), Err(MISUSE));
    assert_eq!(cursor.first(), Err(MISUSE));
    assert_eq!(cursor.next(), Err(MISUSE));
    assert_eq!(cursor.valid(), Err(MISUSE));
    assert_eq!(cursor.get_key(), Err(MISUSE));
    assert_eq!(cursor.seek(b"k", EQ), Err(MISUSE));
    Ok(())
}

#[test]
fn cursors_of_another_handle_keep_their_snapshot() -> Result {
    let dir = tempfile::tempdir()?;
    let mut writer = tens(dir.path())?;
    let reader = connected(dir.path(), "tens")?;
    let mut cursor = reader.cursor_open()?;
    cursor.first()?;
    for i in 0..200_u8 {
        writer.persist(&[i, i], b"new")?;
    }
    writer.delete_range(b"", &[255])?;
    writer.flush()?;
    let mut seen = 0;
    while cursor.valid().is_ok() {
        seen += 1;
        assert_eq!(cursor.get_key()?, [10 * seen]);
        assert_eq!(cursor.get_value()?, [seen]);
        cursor.next()?;
    }
    assert_eq!(seen, 9);
    drop(cursor);
    assert_eq!(reader.iter().count(), 0);
    Ok(())
}

/// `mem::forget` is safe: the borrow ends, C's cursor stays.
#[test]
fn leaked_cursors_are_in_nobodys_way() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = tens(dir.path())?;
    let leak = |db: &LsmDb| -> Result {
        let mut cursor = db.cursor_open()?;
        cursor.seek(&[40], GE)?;
        mem::forget(cursor);
        mem::forget(db.cursor_open()?);
        let mut records = db.iter();
        records.next().ok_or("empty")??;
        records.next_back().ok_or("empty")??;
        mem::forget(records);
        Ok(())
    };
    leak(&db)?;
    db.persist(&[41], b"")?;
    leak(&db)?;
    db.delete(&[41])?;
    leak(&db)?;
    db.delete_range(&[10], &[30])?;
    leak(&db)?;
    db.begin_transaction()?;
    db.persist(&[42], b"")?;
    leak(&db)?;
    db.commit_transaction()?;
    leak(&db)?;
    db.begin_transaction()?;
    leak(&db)?;
    db.rollback_transaction()?;
    leak(&db)?;
    db.optimize()?;
    leak(&db)?;
    db.flush()?;
    leak(&db)?;
    db.checkpoint()?;
    leak(&db)?;
    assert_eq!(db.iter().count(), 9);
    assert_eq!(contents(&db)?.len(), 9);
    leak(&db)?;
    db.disconnect()?;
    db.connect()?;
    leak(&db)?;
    drop(db);
    let db = connected(dir.path(), "tens")?;
    assert_eq!(db.iter().count(), 9);
    leak(&db)?;
    db.close()?;
    Ok(())
}

#[test]
fn a_database_with_a_leaked_cursor_can_be_dropped_in_another_thread() -> Result {
    let dir = tempfile::tempdir()?;
    for mode in [BackgroundMode::None, BackgroundMode::MergerAndCheckpointer] {
        let path = dir.path().join("leaks.lsm");
        let mut db = LsmDb::builder().background(mode).open(&path)?;
        db.insert(b"k", b"v")?;
        let mut cursor = db.cursor_open()?;
        cursor.first()?;
        mem::forget(cursor);
        mem::forget(db.iter());
        thread::spawn(move || drop(db)).join().expect("no panic");

        let mut db = LsmDb::open(&path)?;
        let mut records = db.iter();
        records.next().ok_or("empty")??;
        mem::forget(records);
        thread::spawn(move || -> Result {
            db.insert(b"l", b"v")?;
            Ok(db.close()?)
        })
        .join()
        .expect("no panic")?;
        let mut db = LsmDb::open(&path)?;
        assert_eq!(db.iter().count(), 2);
        db.remove(b"l")?;
    }
    Ok(())
}

/// A leaked cursor of a reader pins its snapshot, no more.
#[test]
fn a_cursor_leaked_by_one_handle_doesnt_stop_another() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("pinned.lsm");
    let mut writer = LsmDb::builder().autoflush_kib(64).open(&path)?;
    writer.insert(b"k", b"v")?;
    let reader = LsmDb::open(&path)?;
    let mut cursor = reader.cursor_open()?;
    cursor.first()?;
    mem::forget(cursor);
    for i in 0..5000_u32 {
        writer.insert(i.to_be_bytes(), [0; 100])?;
    }
    assert_eq!(writer.iter().count(), 5001);
    drop(reader);
    writer.compact()?;
    writer.close()?;
    assert_eq!(LsmDb::open(&path)?.iter().count(), 5001);
    Ok(())
}

#[test]
fn both_ends_of_an_iterator_meet_once() -> Result {
    let dir = tempfile::tempdir()?;
    let db = tens(dir.path())?;
    for from_the_back in 0..=9 {
        let mut records = db.iter();
        let mut keys = Vec::new();
        for _ in 0..from_the_back {
            keys.push(records.next_back().ok_or("too few")??.0[0]);
        }
        for record in records.by_ref() {
            keys.push(record?.0[0]);
        }
        assert!(records.next().is_none());
        assert!(records.next_back().is_none());
        keys.sort();
        assert_eq!(keys, [10, 20, 30, 40, 50, 60, 70, 80, 90]);
    }
    Ok(())
}

#[test]
fn a_range_backwards_is_empty() -> Result {
    use std::ops::Bound::{Excluded, Included};
    let dir = tempfile::tempdir()?;
    let db = tens(dir.path())?;
    assert_eq!(db.range([50]..[20]).count(), 0);
    assert_eq!(db.range([50]..[50]).count(), 0);
    assert_eq!(db.range([50]..=[50]).count(), 1);
    assert_eq!(db.range((Excluded([50]), Excluded([50]))).count(), 0);
    assert_eq!(db.range((Excluded([50]), Included([50]))).count(), 0);
    assert_eq!(db.range((Excluded([50]), Included([60]))).count(), 1);
    assert_eq!(db.range([50]..[20]).rev().count(), 0);
    Ok(())
}

/// On unpatched lsm1 a writer that opens the file while only a reader has it takes the reader's
/// blocks, and every record the reader sees is a foreign one.
#[test]
fn a_read_only_cursor_outlives_the_last_writer() -> Result {
    for multi_process in [false, true] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("outlives.lsm");
        let builder = || {
            LsmDb::builder()
                .multi_process(multi_process)
                .autoflush_kib(32)
                .autocheckpoint_kib(64)
                .page_size_bytes(512)
                .block_size_kib(64)
        };
        let write = |byte: u8| -> Result {
            let mut db = builder().open(&path)?;
            for i in 0..3000_u32 {
                db.insert(i.to_be_bytes(), [byte; 100])?;
            }
            db.compact()?;
            Ok(db.close()?)
        };
        write(0)?;
        let mut writer = builder().open(&path)?;
        writer.insert(3000_u32.to_be_bytes(), [0; 100])?;
        let reader = builder().read_only(true).open(&path)?;
        let mut cursor = reader.cursor_open()?;
        cursor.first()?;
        writer.close()?;
        for round in 1..4 {
            write(round)?;
        }
        for i in 0..=3000_u32 {
            assert_eq!(cursor.get_key()?, i.to_be_bytes(), "{multi_process}");
            assert_eq!(cursor.get_value()?, [0; 100], "{multi_process}, {i}");
            cursor.next()?;
        }
        assert!(cursor.valid().is_err());
        drop(cursor);
        let found = contents(&reader)?;
        assert_eq!(found.len(), 3001);
        assert_eq!(found[&0_u32.to_be_bytes()[..]], [3; 100]);
    }
    Ok(())
}
