//! Failing writes, reads and syncs, through an environment that fails on demand.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::harness::{
    Code, Config, Db, Kind, Rc, after_a_crash, calls, fail_all, fail_nth, faults, heal, within,
};
use crate::history::Random;

fn failing() -> Config {
    Config {
        faults: true,
        safety: 0,
        ..Config::default()
    }
}

fn fill(db: &Db, prefix: &str, n: u32) -> Rc {
    (0..n).try_for_each(|i| db.insert(format!("{prefix}{i:04}").as_bytes(), &[b'v'; 100]))
}

// Flushing threw the rows away and said OK, although they had not been written.
#[test]
fn a_flush_that_fails_keeps_the_rows() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let db = Db::open(&dir.path().join("db"), &failing())?;
    fill(&db, "k", 1000)?;
    fail_all(Kind::Write);
    let result = db.flush();
    assert!(heal());
    assert!(result.is_err());
    assert_eq!(db.scan()?.len(), 1000);
    db.flush()?;
    assert_eq!(db.scan()?.len(), 1000);
    db.close()
}

// The rows of a commit that had failed stayed visible, and came back with the next one.
#[test]
fn a_commit_that_fails_is_not_visible() -> Rc {
    for (kind, safety) in [(Kind::Write, 1), (Kind::Sync, 2)] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("db");
        let db = Db::open(
            &path,
            &Config {
                safety,
                ..failing()
            },
        )?;
        db.insert(b"a", b"old")?;
        db.begin(1)?;
        db.insert(b"a", b"new")?;
        db.insert(b"b", b"new")?;
        fail_all(kind);
        let result = db.commit(0);
        assert!(heal());
        assert!(result.is_err());
        assert_eq!(db.get(b"a")?.as_deref(), Some(&b"old"[..]), "{kind:?}");
        assert_eq!(db.get(b"b")?, None, "{kind:?}");
        db.insert(b"c", b"next")?;
        let (_dir, copy) = after_a_crash(&path);
        assert_eq!(Db::open(&copy, &failing())?.scan()?.len(), 2);
    }
    Ok(())
}

// Without a log, closing writes all there is. It said OK although that had failed.
#[test]
fn close_reports_a_failed_flush() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let db = Db::open(
        &dir.path().join("db"),
        &Config {
            use_log: false,
            ..failing()
        },
    )?;
    fill(&db, "k", 100)?;
    fail_all(Kind::Write);
    let result = db.close();
    assert!(heal());
    assert!(result.is_err());
    Ok(())
}

// Closing a connection that is not the last one writes nothing, and that is no error.
#[test]
fn close_of_one_connection_among_several_is_ok() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let first = Db::open(&path, &Config::default())?;
    let second = Db::open(&path, &Config::default())?;
    fill(&first, "k", 10)?;
    second.close()?;
    first.close()
}

// Automatic work failed in a transaction. It had thrown away the connection's snapshot, and
// the next read crashed.
#[test]
fn work_that_fails_in_a_transaction_leaves_it_readable() -> Rc {
    for with_cursor in [false, true] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let config = Config {
            autoflush_kib: 16,
            page_size: 1024,
            block_kib: 64,
            ..failing()
        };
        let db = Db::open(&dir.path().join("db"), &config)?;
        fill(&db, "a", 500)?;
        let cursor = if with_cursor {
            Some(db.cursor()?)
        } else {
            None
        };
        db.begin(1)?;
        // Not the log's writes: those come first, and would fail the transaction.
        fail_all(Kind::Write);
        let result = fill(&db, "b", 500);
        assert!(heal());
        assert!(result.is_err());
        assert!(db.get(b"a0000")?.is_some());
        drop(cursor);
        db.rollback(0)?;
        assert_eq!(db.scan()?.len(), 500);
        db.close()?;
    }
    Ok(())
}

// As long as no checkpoint counted as synced, every free block could be used again. But one
// whose sync had failed may well be in the file, and a crash goes back to it.
#[test]
fn blocks_are_not_reused_before_the_first_checkpoint() -> Rc {
    let mut hits = 0;
    for nth in 1..=6 {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("db");
        let config = Config {
            autoflush_kib: 32,
            page_size: 1024,
            block_kib: 64,
            autocheckpoint_kib: 0,
            safety: 1,
            ..failing()
        };
        let db = Db::open(&path, &config)?;
        fill(&db, "a", 2000)?;
        db.flush()?;
        fail_nth(Kind::Sync, nth);
        let _ = db.checkpoint();
        hits += u32::from(heal());
        for _ in 0..4 {
            fill(&db, "a", 2000)?;
            db.flush()?;
            db.work(1, -1)?;
        }
        let (_dir, copy) = after_a_crash(&path);
        let rows = Db::open(&copy, &config)?.scan()?;
        assert_eq!(rows.len(), 2000, "sync {nth}");
        assert!(rows.iter().all(|(_, v)| v == &[b'v'; 100]), "sync {nth}");
    }
    assert!(hits > 0);
    Ok(())
}

/// What a workload does after an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    GoesOn,
    /// Abandons the connection and opens the database again.
    Abandons,
}

/// A workload that knows what is in the database, after errors too: a write that failed has
/// no effect, unless its code says that it was committed before.
struct Workload {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    errors: u32,
}

impl Workload {
    fn run(path: &Path, config: &Config, seed: u64, steps: u32, then: Then) -> Workload {
        let mut w = Workload {
            rows: BTreeMap::new(),
            errors: 0,
        };
        let mut random = Random::new(seed);
        let mut db = None;
        let mut step = 0;
        while step < steps {
            let Some(open) = db.as_mut() else {
                match Db::open(path, config) {
                    Ok(opened) => db = Some(opened),
                    Err(_) => w.errors += 1,
                }
                assert!(w.errors < 50, "can't open any more");
                continue;
            };
            step += 1;
            let result = match random.below(20) {
                0 => open.flush(),
                1 => open.work(1 + random.below(3) as i32, 8).map(drop),
                2 => open.work(2, -1).map(drop),
                3 => open.checkpoint(),
                4 => open.scan().map(|rows| w.compare(rows, "in between")),
                5 => match db.take() {
                    Some(closing) => closing.close(),
                    None => Ok(()),
                },
                6 | 7 => w.transaction(open, &mut random),
                8 => {
                    let key = Self::key(&mut random);
                    open.get(&key)
                        .map(|found| assert_eq!(found.as_ref(), w.rows.get(&key)))
                }
                9 => {
                    let key = Self::key(&mut random);
                    let result = open.delete(&key);
                    w.written(result, vec![(key, None)])
                }
                _ => {
                    let (key, value) = Self::record(&mut random);
                    let result = open.insert(&key, &value);
                    w.written(result, vec![(key, Some(value))])
                }
            };
            if result.is_err() {
                w.errors += 1;
                if then == Then::Abandons {
                    if let Some(failed) = db.take() {
                        failed.abandon();
                    }
                }
            }
        }
        if let Some(open) = db.take() {
            w.errors += u32::from(open.close().is_err());
        }
        w
    }

    fn key(random: &mut Random) -> Vec<u8> {
        let k = random.below(120);
        let mut key = format!("{k:04}").into_bytes();
        if k % 9 == 0 {
            key.resize(700, b'k');
        }
        key
    }

    fn record(random: &mut Random) -> (Vec<u8>, Vec<u8>) {
        let key = Self::key(random);
        let len = if random.below(8) == 0 { 3000 } else { 150 };
        let value = random
            .next()
            .to_le_bytes()
            .into_iter()
            .cycle()
            .take(len)
            .collect();
        (key, value)
    }

    /// A transaction with a savepoint that is rolled back.
    fn transaction(&mut self, db: &mut Db, random: &mut Random) -> Rc {
        let mut writes = Vec::new();
        let result = (|| {
            db.begin(1)?;
            for _ in 0..random.below(25) {
                let (key, value) = Self::record(random);
                writes.push((key.clone(), Some(value.clone())));
                db.insert(&key, &value)?;
            }
            db.begin(2)?;
            let (key, value) = Self::record(random);
            db.insert(&key, &value)?;
            db.rollback(2)?;
            if let Some((key, value)) = writes.last() {
                assert_eq!(&db.get(key)?, value);
            }
            db.commit(0)
        })();
        if result.is_err() && db.rollback(0).is_err() {
            self.errors += 1;
        }
        self.written(result, writes)
    }

    fn written(&mut self, result: Rc, writes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Rc {
        if result.is_ok() || result.is_err_and(Code::is_committed) {
            for (key, value) in writes {
                match value {
                    Some(value) => self.rows.insert(key, value),
                    None => self.rows.remove(&key),
                };
            }
        }
        result
    }

    fn compare(&self, found: Vec<(Vec<u8>, Vec<u8>)>, when: &str) {
        let show = |key: &[u8]| String::from_utf8_lossy(&key[..4]).into_owned();
        let found: BTreeMap<_, _> = found.into_iter().collect();
        for (key, value) in &self.rows {
            assert!(found.get(key) == Some(value), "{when}: {} lost", show(key));
        }
        for key in found.keys() {
            let known = self.rows.contains_key(key);
            assert!(known, "{when}: {} came back", show(key));
        }
    }
}

/// Which calls are to fail, in what.
pub struct Sweep {
    pub kind: Kind,
    pub config: Config,
    pub seed: u64,
    pub steps: u32,
    /// How many of the calls fail, each in a run of its own and spread evenly;
    /// `LSMLITE_EVERY_POINT=1` is for all of them.
    pub points: u64,
}

impl Sweep {
    /// Runs the workload with one call failing, again and again; then looks at the file with a
    /// healthy connection.
    pub fn run(self) {
        let all = std::env::var("LSMLITE_EVERY_POINT").is_ok_and(|value| value == "1");
        let minutes = if all { 60 } else { 2 };
        within(Duration::from_secs(60 * minutes), move || {
            let before = calls(self.kind);
            assert!(!self.is_survived(u64::MAX, Then::GoesOn));
            let calls = calls(self.kind) - before;
            assert!(calls >= self.points, "{calls} calls only");
            println!("{calls} calls of {:?}", self.kind);
            let stride = if all { 1 } else { calls / self.points };
            for n in (1..=calls).step_by(stride as usize) {
                for then in [Then::GoesOn, Then::Abandons] {
                    assert!(self.is_survived(n, then), "call {n} never came");
                }
            }
        });
    }

    /// One point; false if there are not so many calls.
    fn is_survived(&self, n: u64, then: Then) -> bool {
        let point = format!("{:?} {n}, {then:?}", self.kind);
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("db");
        faults(|f| f.live = 0);
        fail_nth(self.kind, n);
        let workload = Workload::run(&path, &self.config, self.seed, self.steps, then);
        let hit = heal();
        assert_eq!(faults(|f| f.live), 0, "{point}: memory leaked");
        let config = Config {
            faults: false,
            ..self.config.clone()
        };
        let rows = Db::open(&path, &config)
            .and_then(|db| db.scan())
            .unwrap_or_else(|code| panic!("{point}: {code:?}"));
        workload.compare(rows, &format!("{point}, at the end"));
        assert!(hit || workload.errors == 0, "{point}");
        hit
    }
}

pub fn small() -> Config {
    Config {
        faults: true,
        safety: 1,
        page_size: 512,
        block_kib: 64,
        autoflush_kib: 16,
        autocheckpoint_kib: 64,
        automerge: 2,
        max_freelist: 2,
        ..Config::default()
    }
}

pub fn compressed() -> Config {
    Config {
        compression: true,
        ..small()
    }
}

#[test]
fn every_single_write_error_is_survived() {
    Sweep {
        kind: Kind::Write,
        config: small(),
        seed: 1,
        steps: 120,
        points: 30,
    }
    .run();
}

#[test]
fn every_single_write_error_is_survived_with_compression() {
    Sweep {
        kind: Kind::Write,
        config: compressed(),
        seed: 2,
        steps: 120,
        points: 30,
    }
    .run();
}

#[test]
fn every_single_read_error_is_survived() {
    Sweep {
        kind: Kind::Read,
        config: small(),
        seed: 3,
        steps: 120,
        points: 30,
    }
    .run();
}

#[test]
fn every_single_read_error_is_survived_with_compression() {
    Sweep {
        kind: Kind::Read,
        config: compressed(),
        seed: 4,
        steps: 120,
        points: 30,
    }
    .run();
}

#[test]
fn every_single_sync_error_is_survived() {
    Sweep {
        kind: Kind::Sync,
        config: small(),
        seed: 5,
        steps: 300,
        points: 30,
    }
    .run();
}
