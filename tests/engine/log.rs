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
