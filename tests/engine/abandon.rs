//! Tearing down a connection that failed, without writing anything.

use std::fs;
use std::path::{Path, PathBuf};

use crate::faults::small;
use crate::harness::{Config, Db, Kind, Rc, calls, fail_nth, heal};

fn log_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-log", path.display()))
}

#[test]
fn abandoning_writes_cuts_and_deletes_nothing() -> Rc {
    for multi_process in [false, true] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("db");
        let config = Config {
            multi_process,
            ..small()
        };
        let db = Db::open(&path, &config)?;
        for i in 0..300 {
            db.insert(format!("{i:04}").as_bytes(), &[b'v'; 200])?;
        }
        db.begin(2)?;
        db.insert(b"open", b"transaction")?;
        let before = (fs::read(&path).ok(), fs::read(log_of(&path)).ok());
        let written = [Kind::Write, Kind::Sync, Kind::Truncate].map(calls);
        db.abandon();
        assert_eq!(
            written,
            [Kind::Write, Kind::Sync, Kind::Truncate].map(calls)
        );
        assert!(before == (fs::read(&path).ok(), fs::read(log_of(&path)).ok()));

        let db = Db::open(&path, &config)?;
        assert_eq!(db.scan()?.len(), 300);
        db.close()?;
    }
    Ok(())
}

// Recovery found the record of a commit whose sync had failed complete, and brought it back.
#[test]
fn a_commit_whose_sync_failed_does_not_come_back() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let config = Config {
        safety: 2,
        ..small()
    };
    let db = Db::open(&path, &config)?;
    db.insert(b"before", b"1")?;
    fail_nth(Kind::Sync, 1);
    let failed = db.insert(b"failed", b"2");
    assert!(heal() && failed.is_err());
    assert_eq!(db.scan()?.len(), 1);
    db.abandon();

    let db = Db::open(&path, &config)?;
    assert_eq!(db.scan()?.len(), 1);
    db.insert(b"after", b"3")?;
    db.abandon();
    assert_eq!(Db::open(&path, &config)?.scan()?.len(), 2);
    Ok(())
}

// The second sync of a file says OK, and the pages that the first one lost are lost.
#[test]
fn a_failed_sync_is_not_made_good_by_a_second_one() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let (db, other) = (Db::open(&path, &small())?, Db::open(&path, &small())?);
    db.insert(b"key", b"value")?;
    db.flush()?;
    fail_nth(Kind::Sync, 1);
    let failed = db.checkpoint();
    assert!(heal() && failed.is_err());
    assert!(db.checkpoint().is_err());
    assert!(other.checkpoint().is_err());
    assert_eq!(other.scan()?.len(), 1);
    db.abandon();
    assert!(other.checkpoint().is_err());
    other.abandon();

    let db = Db::open(&path, &small())?;
    assert_eq!(db.scan()?.len(), 1);
    db.flush()?;
    db.checkpoint()?;
    db.close()
}

// An insert whose row is there for good was reported as failed, like one that is not there.
#[test]
fn work_that_fails_after_a_commit_leaves_the_commit() -> Rc {
    let mut after_the_commit = 0;
    for n in 1..60 {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("db");
        let db = Db::open(&path, &small())?;
        fail_nth(Kind::Write, 2 * n);
        let (i, code) = (0..1000)
            .find_map(|i| {
                let result = db.insert(format!("{i:04}").as_bytes(), &[b'v'; 200]);
                Some(i).zip(result.err())
            })
            .expect("no insert failed");
        assert!(heal());
        let rows = if code.is_committed() { i + 1 } else { i };
        after_the_commit += u32::from(code.is_committed());
        assert_eq!(db.scan()?.len(), rows, "write {n}");
        db.abandon();
        assert_eq!(Db::open(&path, &small())?.scan()?.len(), rows, "write {n}");
    }
    assert!(after_the_commit > 0);
    Ok(())
}
