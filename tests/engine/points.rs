//! Each call that an operation makes fails once: nothing is lost, leaked or left locked. What
//! `faults` does with long workloads, done with short ones and at every point.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::faults::{compressed, small};
use crate::harness::{Config, Db, Kind, Rc, Seek, fail_nth, faults, heal};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Some keys are longer than a page, some values take many.
fn row(i: u32) -> (Vec<u8>, Vec<u8>) {
    let mut key = format!("{:05}", i.wrapping_mul(7919) % 10_007).into_bytes();
    if i % 7 == 0 {
        key.resize(700, b'k');
    }
    let len = if i % 11 == 0 { 1500 } else { 150 };
    (key, vec![i as u8; len])
}

fn insert(db: &Db, rows: &mut Rows, range: std::ops::Range<u32>) -> Rc {
    for i in range {
        let (key, value) = row(i);
        let result = db.insert(&key, &value);
        if result.is_ok() || result.is_err_and(|code| code.is_committed()) {
            rows.insert(key, value);
        }
        result?;
    }
    Ok(())
}

/// A file with several levels, one of them merged half-way.
struct Prepared {
    dir: tempfile::TempDir,
    config: Config,
    rows: Rows,
}

impl Prepared {
    fn new(config: Config) -> Rc<Prepared> {
        let config = Config {
            autowork: false,
            autoflush_kib: 1024,
            autocheckpoint_kib: 0,
            automerge: 3,
            ..config
        };
        let dir = tempfile::tempdir().expect("temporary directory");
        let mut rows = Rows::new();
        let db = Db::open(&dir.path().join("db"), &config)?;
        for part in 0..5 {
            insert(&db, &mut rows, part * 40..part * 40 + 40)?;
            db.flush()?;
            if part == 2 {
                db.work(3, 16)?;
            }
        }
        db.work(3, 24)?;
        db.checkpoint()?;
        db.close()?;
        Ok(Prepared { dir, config, rows })
    }

    fn copy(&self, to: &Path) -> PathBuf {
        let path = to.join("db");
        fs::copy(self.dir.path().join("db"), &path).expect("copy");
        path
    }

    /// Lets each call of the kind in `operation` fail once. Before it comes `setting`, where
    /// nothing fails.
    fn each(
        &self,
        kind: Kind,
        setting: impl Fn(&Db, &mut Rows) -> Rc,
        operation: impl Fn(&Db, &mut Rows) -> Rc,
    ) -> Rc {
        for n in 1.. {
            let point = format!("{kind:?} {n}");
            let dir = tempfile::tempdir().expect("temporary directory");
            let path = self.copy(dir.path());
            faults(|f| f.live = 0);
            let mut rows = self.rows.clone();
            let db = Db::open(&path, &self.config)?;
            setting(&db, &mut rows)?;
            fail_nth(kind, n);
            let result = operation(&db, &mut rows);
            let hit = heal();
            assert!(hit || result.is_ok(), "{point}: {result:?}");
            let same = |db: &Db, when| {
                let found: Rows = db.scan()?.into_iter().collect();
                assert!(found == rows, "{point}: rows differ {when}");
                Ok(())
            };
            same(&db, "afterwards")?;
            let other = Db::open(&path, &self.config)?;
            // It isn't locked out, and uses the pages again that came to nothing.
            other.work(2, 16)?;
            other.work(1, -1)?;
            same(&db, "after more work")?;
            db.abandon();
            other.checkpoint()?;
            other.abandon();
            assert_eq!(faults(|f| f.live), 0, "{point}: memory leaked");
            let db = Db::open(&path, &self.config)?;
            same(&db, "at the end")?;
            db.close()?;
            if !hit {
                assert!(n > 3, "{n} calls only");
                break;
            }
        }
        Ok(())
    }
}

fn nothing(_: &Db, _: &mut Rows) -> Rc {
    Ok(())
}

fn merge(db: &Db, _: &mut Rows) -> Rc {
    db.work(3, 48).map(drop)
}

fn merge_all(db: &Db, _: &mut Rows) -> Rc {
    db.work(1, -1).map(drop)
}

fn flush(db: &Db, _: &mut Rows) -> Rc {
    db.flush()
}

fn more_rows(db: &Db, rows: &mut Rows) -> Rc {
    insert(db, rows, 190..250)
}

/// Old rows are overwritten, and automatic work flushes the old tree before the end.
fn transaction(db: &Db, rows: &mut Rows) -> Rc {
    db.set(crate::ffi::LSM_CONFIG_AUTOWORK, 1)?;
    db.set(crate::ffi::LSM_CONFIG_AUTOFLUSH, 16)?;
    let mut written = rows.clone();
    let result = db
        .begin(1)
        .and_then(|()| insert(db, &mut written, 230..290))
        .and_then(|()| db.commit(0));
    if result.is_ok() || result.is_err_and(|code| code.is_committed()) {
        *rows = written;
    }
    db.rollback(0)?;
    result
}

fn read(db: &Db, rows: &mut Rows) -> Rc {
    let mut cursor = db.cursor()?;
    for (key, value) in rows.iter().step_by(9) {
        for how in [Seek::Eq, Seek::Ge, Seek::Le] {
            cursor.seek(key, how)?;
            assert!(cursor.valid(), "not found");
            assert!(&cursor.key()? == key && &cursor.value()? == value);
        }
    }
    cursor.first()?;
    for (key, value) in rows.iter() {
        assert!(&cursor.key()? == key && &cursor.value()? == value);
        cursor.next()?;
    }
    cursor.last()?;
    for (key, value) in rows.iter().rev() {
        assert!(&cursor.key()? == key && &cursor.value()? == value);
        cursor.prev()?;
    }
    Ok(())
}

#[test]
fn memory_runs_out_in_a_merge() -> Rc {
    Prepared::new(small())?.each(Kind::Alloc, nothing, merge)
}

#[test]
fn memory_runs_out_in_a_merge_with_compression() -> Rc {
    Prepared::new(compressed())?.each(Kind::Alloc, nothing, merge)
}

#[test]
fn memory_runs_out_in_a_flush_with_compression() -> Rc {
    Prepared::new(compressed())?.each(Kind::Alloc, more_rows, flush)
}

#[test]
fn memory_runs_out_in_a_transaction() -> Rc {
    Prepared::new(small())?.each(Kind::Alloc, more_rows, transaction)
}

#[test]
fn memory_runs_out_in_reads() -> Rc {
    Prepared::new(small())?.each(Kind::Alloc, more_rows, read)
}

#[test]
fn a_read_fails_in_a_merge() -> Rc {
    Prepared::new(small())?.each(Kind::Read, nothing, merge_all)
}

#[test]
fn a_read_fails_in_a_merge_with_compression() -> Rc {
    Prepared::new(compressed())?.each(Kind::Read, nothing, merge)
}

#[test]
fn a_read_fails_in_reads() -> Rc {
    Prepared::new(small())?.each(Kind::Read, nothing, read)
}

#[test]
fn a_write_fails_in_a_merge() -> Rc {
    Prepared::new(small())?.each(Kind::Write, nothing, merge_all)
}

#[test]
fn a_write_fails_in_a_transaction() -> Rc {
    Prepared::new(small())?.each(Kind::Write, more_rows, transaction)
}
