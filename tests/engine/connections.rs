//! Several connections to one database: locks, shared memory, opening and closing.

use std::time::Duration;

use crate::harness::{
    BUSY, Config, Db, Kind, Rc, fail_nth, faults, heal, remap_shared_memory, within,
};

fn shared() -> Config {
    Config {
        multi_process: true,
        safety: 0,
        ..Config::default()
    }
}

// The last writer closed under an open read-only cursor and another one opened. It took the
// database for one at rest and reset the shared memory under the cursor, whose records
// were all foreign from then on.
#[test]
fn a_read_only_cursor_survives_a_change_of_writer() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let rows = |db: &Db, mark: u8| -> Rc {
        (0..500).try_for_each(|i| db.insert(format!("{i:04}").as_bytes(), &[mark; 100]))
    };
    let writer = Db::open(&path, &shared())?;
    rows(&writer, b'1')?;
    let reader = Db::open(
        &path,
        &Config {
            read_only: true,
            ..shared()
        },
    )?;
    let mut cursor = reader.cursor()?;
    cursor.first()?;
    writer.close()?;
    let writer = Db::open(&path, &shared())?;
    rows(&writer, b'2')?;

    for i in 0..500 {
        assert!(cursor.valid(), "ended at {i}");
        assert_eq!(cursor.key()?, format!("{i:04}").as_bytes());
        assert_eq!(cursor.value()?, [b'1'; 100], "at {i}");
        cursor.next()?;
    }
    assert!(!cursor.valid());
    Ok(())
}

// A read-only connection looked at 6 of the 16 places where a writer can register. The
// writer here sits in the seventh.
#[test]
fn a_read_only_connection_sees_a_writer_in_any_slot() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let config = Config {
        use_log: false,
        ..shared()
    };
    let mut writers = (0..7)
        .map(|_| Db::open(&path, &config))
        .collect::<Rc<Vec<_>>>()?;
    let writer = writers.pop().expect("seven");
    for other in writers {
        other.close()?;
    }
    writer.insert(b"key", b"only in memory")?;

    let reader = Db::open(
        &path,
        &Config {
            read_only: true,
            ..config
        },
    )?;
    assert_eq!(reader.get(b"key")?.as_deref(), Some(&b"only in memory"[..]));
    Ok(())
}

// The list of mapped chunks outlived the mapping: a crash within milliseconds.
#[test]
fn threads_can_open_and_close_one_database() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let path = &path;
            scope.spawn(move || {
                for round in 0..150_u32 {
                    let db = Db::open(path, &shared()).expect("open");
                    // Only one connection at a time can write; the others are busy.
                    let _ = db.insert(&thread.to_be_bytes(), &round.to_be_bytes());
                    assert!(db.scan().is_ok());
                }
            });
        }
    });
}

// Unmapping closed the shared memory's file but kept the number of its chunks, so the next
// request mapped descriptor 0 instead.
#[cfg(unix)]
#[test]
fn shared_memory_can_be_mapped_again_after_unmapping() {
    let dir = tempfile::tempdir().expect("temporary directory");
    assert_eq!(remap_shared_memory(&dir.path().join("db")), Ok(()));
}

// A connection that could not be opened kept the lock that every opening and closing needs.
#[test]
fn an_open_that_fails_can_be_repeated() {
    within(Duration::from_secs(20), || {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("db");
        let config = Config {
            faults: true,
            ..shared()
        };
        let first = Db::open(&path, &config).expect("first");
        first.insert(b"key", b"value").expect("insert");

        let mut failures = 0;
        for n in 1.. {
            let mut second = Db::unopened(&config).expect("handle");
            fail_nth(Kind::Alloc, n);
            let result = second.attach(&path);
            if !heal() {
                assert_eq!(result, Ok(()));
                break;
            }
            failures += usize::from(result.is_err());
            let third = Db::open(&path, &config).expect("third");
            assert_eq!(
                third.get(b"key").expect("get").as_deref(),
                Some(&b"value"[..])
            );
        }
        assert!(failures > 3, "{failures}");
        drop(first);
        assert_eq!(faults(|f| f.live), 0);
    });
}

// A transaction that reuses the tree's memory looks whether another connection reads it. It
// found its own place among the readers, took it for an abandoned one and cleared it; from
// then on nobody knew that the transaction still read its snapshot, whose blocks a merge in
// another connection then gave out again.
#[test]
fn a_long_transaction_keeps_its_snapshot() -> Rc {
    // Unpatched, the scan in the transaction never ends.
    within(Duration::from_secs(60), || {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("db");
        let config = Config {
            page_size: 1024,
            block_kib: 64,
            autoflush_kib: 64,
            automerge: 8,
            autowork: false,
            safety: 0,
            ..Config::default()
        };
        let writer = Db::open(&path, &config)?;
        let worker = Db::open(&path, &config)?;
        let key = |i: u32| format!("{:06}", i * 7919 % 100_003).into_bytes();
        let mut rows = 0..;
        for _ in 0..6 {
            writer.begin(1)?;
            for i in rows.by_ref().take(2_000) {
                writer.insert(&key(i), &[b'1'; 100])?;
            }
            // The tree is full: now it is the old one, and the worker writes it to the file.
            writer.commit(0)?;
            worker.work(0, 1)?;
        }
        worker.checkpoint()?;
        let before = worker.scan()?;
        assert_eq!(before.len(), 12_000);

        writer.begin(1)?;
        for i in rows.by_ref().take(2_000) {
            writer.insert(&key(i), &[b'2'; 100])?;
        }
        for _ in 0..200 {
            worker.work(2, 64)?;
            worker.checkpoint()?;
        }
        let mut seen = writer.scan()?;
        assert_eq!(seen.len(), before.len() + 2_000);
        seen.retain(|(_, value)| value[0] == b'1');
        assert!(seen == before, "other records than before");
        Ok(())
    })
}

// Row 13, beneath what the crate's own environment sees to: a reader of another process keeps a
// single-process writer out.
#[test]
fn a_single_process_writer_asks_for_readers_of_other_processes() {
    const READERS: [i32; 2] = [3, 7]; // DMS3 and ROTRANS
    let config = Config {
        faults: true,
        ..Config::default()
    };
    for lock in READERS {
        let dir = tempfile::tempdir().expect("temporary directory");
        faults(|f| f.held = Some(lock));
        let opened = Db::open(&dir.path().join("db"), &config).map(|_| ());
        faults(|f| f.held = None);
        assert_eq!(opened, Err(BUSY), "lock {lock}");
    }
}

// Closing the last connection wrote what was in memory to the file, and led there by pages that
// it had in its cache since their blocks belonged to a run that is gone.
#[test]
fn the_last_connection_to_close_knows_nothing_of_old_pages() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let config = Config {
        page_size: 1024,
        block_kib: 64,
        automerge: 8,
        autowork: false,
        safety: 0,
        ..Config::default()
    };
    let key = |k: u32| format!("{k:04}").into_bytes();
    let fill = |db: &Db, mark: u8, keys: u32| -> Rc {
        (0..keys).try_for_each(|k| db.insert(&key(k), &[mark; 400]))
    };
    let last = Db::open(&path, &config)?;
    let first = Db::open(&path, &config)?;
    fill(&first, 1, 1000)?;
    first.flush()?;
    first.checkpoint()?;
    // Now all its pages are in the cache of the one that closes last.
    assert_eq!(last.scan()?.len(), 1000);
    // The other one writes runs over runs, until blocks have been used several times.
    for mark in 2..8 {
        fill(&first, mark, 1000)?;
        first.flush()?;
        first.work(1, -1)?;
        first.checkpoint()?;
        first.checkpoint()?;
    }
    // In memory, to be written by the one that closes last.
    fill(&first, 8, 500)?;
    first.close()?;
    last.close()?;

    let db = Db::open(&path, &config)?;
    for (k, (found, value)) in (0..).zip(db.scan()?) {
        assert_eq!(found, key(k));
        assert_eq!(value, [if k < 500 { 8 } else { 7 }; 400], "{k}");
    }
    (0..1000).try_for_each(|k| db.get(&key(k)).map(|value| assert!(value.is_some(), "{k}")))
}

// Automatic work took over the newest snapshot and kept the pages that it had cached under an
// older one. By the next transaction the other connection had used their blocks again.
#[test]
fn automatic_work_forgets_the_pages_of_other_snapshots() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let config = Config {
        page_size: 1024,
        block_kib: 64,
        autoflush_kib: 64,
        automerge: 8,
        safety: 0,
        ..Config::default()
    };
    let writer = Db::open(&path, &config)?;
    let worker = Db::open(&path, &config)?;
    let key = |k: u32| format!("{k:04}").into_bytes();
    let mut expected = vec![0; 1000];
    let mut fill = |db: &Db, mark: u8, keys: std::ops::Range<u32>| -> Rc {
        keys.into_iter().try_for_each(|k| {
            expected[k as usize] = mark;
            db.insert(&key(k), &[mark; 400])
        })
    };
    fill(&writer, 1, 0..1000)?;
    for round in 2..10 {
        writer.begin(1)?;
        fill(&writer, round, 0..1)?;
        writer.scan()?;
        // Frees blocks whose pages the writer knows, and uses others again.
        worker.work(1, -1)?;
        worker.checkpoint()?;
        // More than fits into memory: the writer does work of its own.
        fill(&writer, round, 1..400)?;
        writer.scan()?;
        writer.commit(0)?;
        worker.checkpoint()?;
    }
    for db in [&writer, &worker] {
        for (k, (found, value)) in (0..).zip(db.scan()?) {
            assert_eq!(found, key(k));
            assert_eq!(value, [expected[k as usize]; 400], "{k}");
        }
        (0..1000).try_for_each(|k| db.get(&key(k)).map(|value| assert!(value.is_some(), "{k}")))?;
    }
    Ok(())
}
