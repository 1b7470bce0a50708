//! What a crash leaves: the log and its position in the checkpoint.

use crate::harness::{Config, Db, Rc, after_a_crash};

// A checkpoint after a flush named log position 0, so recovery ignored the log that came
// after it: 10 of 20 rows were back, at every safety level.
#[test]
fn commits_after_a_flush_survive_a_crash() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let db = Db::open(
        &path,
        &Config {
            safety: 2,
            ..Config::default()
        },
    )?;
    for i in 0..10 {
        db.insert(format!("a{i}").as_bytes(), b"before the flush")?;
    }
    db.flush()?;
    for i in 0..10 {
        db.insert(format!("b{i}").as_bytes(), b"after the flush")?;
    }
    db.checkpoint()?;

    let (_dir, copy) = after_a_crash(&path);
    let rows = Db::open(&copy, &Config::default())?.scan()?;
    assert_eq!(rows.len(), 20);
    Ok(())
}

// When the log begins again at the start of its file, a record that points there is written
// first. Rolling back that transaction forgot its checksum, and nothing that was committed
// afterwards could be recovered.
#[test]
fn commits_after_a_rolled_back_wrap_survive_a_crash() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let config = Config {
        safety: 0,
        autoflush_kib: 256,
        ..Config::default()
    };
    let db = Db::open(&path, &config)?;
    let value = vec![b'v'; 9000];
    for i in 0..120_usize {
        db.begin(1)?;
        db.insert(b"undone", &value)?;
        db.rollback(0)?;
        db.insert(format!("{i:04}").as_bytes(), &value)?;
        if i % 10 == 9 {
            db.work(2, 1_000_000)?;
            db.checkpoint()?;
        }
        if i % 4 == 3 {
            let (_dir, copy) = after_a_crash(&path);
            assert_eq!(Db::open(&copy, &config)?.scan()?.len(), i + 1);
        }
    }
    Ok(())
}

// A null pointer for an empty key, as C programs may pass it and recovery did, stood for "nothing
// more to copy": the value was what happened to be in memory.
#[test]
fn the_empty_key_keeps_its_value_also_in_recovery() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let db = Db::open(&path, &Config::default())?;
    db.insert(b"", b"the value of the empty key")?;
    assert_eq!(
        db.get(b"")?.as_deref(),
        Some(&b"the value of the empty key"[..])
    );

    let (_dir, copy) = after_a_crash(&path);
    let rows = Db::open(&copy, &Config::default())?.scan()?;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].1, b"the value of the empty key");
    Ok(())
}

// Only the first connection had the log open, and a commit synced it all the same.
#[test]
fn a_second_connection_commits_at_safety_full_without_a_log() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let config = Config {
        safety: 2,
        use_log: false,
        ..Config::default()
    };
    let _first = Db::open(&path, &config)?;
    let second = Db::open(&path, &config)?;
    second.insert(b"key", b"value")?;
    assert_eq!(second.get(b"key")?, Some(b"value".to_vec()));
    Ok(())
}

// The last writer deleted the log; a reader kept the shared memory alive, and the next writer
// went on in the middle of a new log, whose beginning was missing.
#[test]
fn a_writer_that_comes_back_beside_a_reader_has_a_whole_log() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    for multi_process in [false, true] {
        let config = Config {
            multi_process,
            ..Config::default()
        };
        let reader = Config {
            read_only: true,
            ..config.clone()
        };
        let db = Db::open(&path, &config)?;
        let reader = Db::open(&path, &reader)?;
        let held = reader.cursor()?;
        db.begin(1)?;
        db.commit(0)?;
        db.close()?;
        let db = Db::open(&path, &config)?;
        db.insert(b"key", b"value")?;

        let (_dir, copy) = after_a_crash(&path);
        let found = Db::open(&copy, &config)?.get(b"key")?;
        assert_eq!(found, Some(b"value".to_vec()));
        drop(held);
    }
    Ok(())
}
