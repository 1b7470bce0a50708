//! The thread that removes expired records.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lsmlite_rs::typed::{ManualClock, Sweeper, TtlTable};
use lsmlite_rs::{Disk, LsmDb, LsmErrorCode};

use crate::common::Result;
use crate::expiry::{Table, ms};

const HOUR: Duration = Duration::from_secs(3600);

struct Swept {
    _dir: tempfile::TempDir,
    db: Arc<Mutex<LsmDb>>,
    clock: ManualClock,
    table: Table<u32, u32>,
}

impl Swept {
    fn new(records: u32) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut db = LsmDb::open(dir.path().join("swept.lsm"))?;
        let clock = ManualClock::new(0);
        let table: Table<u32, u32> = TtlTable::new(b"ttl/").with_clock(clock.clone());
        for n in 0..records {
            table.insert(&mut db, n, n, ms(10))?;
        }
        Ok(Swept {
            _dir: dir,
            db: Arc::new(Mutex::new(db)),
            clock,
            table,
        })
    }

    fn start(&self, every: Duration) -> Result<Sweeper> {
        Ok(Sweeper::start(
            Arc::clone(&self.db),
            self.table.clone(),
            every,
        )?)
    }
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(ms(1));
    }
}

#[test]
fn expired_records_disappear_from_the_file() -> Result {
    let swept = Swept::new(1000)?;
    let sweeper = swept.start(ms(1))?;
    std::thread::sleep(ms(20));
    assert_eq!(sweeper.removed(), 0, "nothing has expired");
    swept.clock.advance(ms(10));
    eventually("removed", || sweeper.removed() == 1000);
    assert!(sweeper.is_running());
    assert_eq!(sweeper.stop()?, 1000);
    assert_eq!(swept.db.lock().unwrap().iter().count(), 0);
    Ok(())
}

#[test]
fn a_sweeper_looks_when_it_is_told_to() -> Result {
    let swept = Swept::new(5)?;
    let sweeper = swept.start(HOUR)?;
    swept.clock.advance(ms(10));
    sweeper.sweep_now();
    eventually("removed", || sweeper.removed() == 5);
    Ok(())
}

#[test]
fn dropping_a_sweeper_stops_it_and_lets_the_database_go() -> Result {
    let swept = Swept::new(5)?;
    let start = Instant::now();
    drop(swept.start(HOUR)?);
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(Arc::strong_count(&swept.db), 1);
    Ok(())
}

#[test]
fn a_busy_database_is_swept_later() -> Result {
    let swept = Swept::new(5)?;
    let mut other = LsmDb::open(swept._dir.path().join("swept.lsm"))?;
    other.begin_transaction()?;
    other.insert("mine", "")?;
    swept.clock.advance(ms(10));
    let sweeper = swept.start(ms(1))?;
    std::thread::sleep(ms(20));
    assert!(sweeper.is_running());
    assert_eq!(sweeper.removed(), 0);
    other.commit_transaction()?;
    eventually("removed", || sweeper.removed() == 5);
    Ok(())
}

#[test]
fn an_error_stops_a_sweeper_and_is_returned() -> Result {
    let swept = Swept::new(0)?;
    swept
        .db
        .lock()
        .unwrap()
        .insert(b"ttl/\x01\0\0\0\0\0\0\0\0short", "")?;
    let sweeper = swept.start(HOUR)?;
    eventually("stopped", || !sweeper.is_running());
    sweeper.sweep_now();
    assert!(sweeper.stop().unwrap_err().is_corrupt());
    Ok(())
}

#[test]
fn a_handle_whose_user_panicked_is_not_touched() -> Result {
    let swept = Swept::new(5)?;
    let db = Arc::clone(&swept.db);
    let panicked = std::thread::spawn(move || {
        let _held = db.lock();
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    swept.clock.advance(ms(10));
    let error = swept.start(HOUR)?.stop().unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmBgThreadUnavailable);
    assert!(error.to_string().contains("panicked"));
    Ok(())
}
