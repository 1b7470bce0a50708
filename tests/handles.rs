//! Handles: their states, their threads, and what is refused when.

mod common;

use std::sync::Mutex;
use std::thread;

use common::{Model, Result, assert_same, connected, contents};
use lsmlite_rs::{
    Cursor, DbConf, Disk, LsmCompressionLib, LsmCursor, LsmCursorSeekOp, LsmDb, LsmDbBuilder,
    LsmError, LsmErrorCode, LsmMetrics,
};

const MISUSE: LsmErrorCode = LsmErrorCode::LsmMisuse;

/// In 0.2.2 a handle is also `Sync`, and cursors in two threads race. That ours isn't is a
/// `compile_fail` example in the documentation of [`LsmDb`].
#[test]
fn handles_and_errors_can_move_between_threads() {
    fn send<T: Send>() {}
    fn send_and_sync<T: Send + Sync>() {}
    send::<LsmDb>();
    send_and_sync::<LsmDbBuilder>();
    send_and_sync::<LsmError>();
    send_and_sync::<LsmErrorCode>();
    send_and_sync::<LsmMetrics>();
    send_and_sync::<DbConf>();
}

#[test]
fn a_handle_works_in_whatever_thread_it_is_moved_to() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "moves")?;
    db.begin_transaction()?;
    for round in 0..20_u8 {
        db = thread::spawn(move || -> Result<LsmDb> {
            db.persist(&[round], b"here")?;
            assert_eq!(db.iter().count(), usize::from(round) + 1);
            Ok(db)
        })
        .join()
        .expect("no panic")?;
    }
    db.commit_transaction()?;
    thread::spawn(move || drop(db)).join().expect("no panic");
    assert_eq!(connected(dir.path(), "moves")?.iter().count(), 20);
    Ok(())
}

#[test]
fn twelve_threads_share_a_handle_through_a_mutex() -> Result {
    const ROWS: u32 = 400;
    let dir = tempfile::tempdir()?;
    let db = Mutex::new(connected(dir.path(), "shared")?);
    let lock = || db.lock().expect("no thread panicked");
    thread::scope(|scope| {
        let threads: Vec<_> = (0..12_u32)
            .map(|me| {
                scope.spawn(move || -> Result {
                    for row in 0..ROWS {
                        let key = [me.to_be_bytes(), row.to_be_bytes()].concat();
                        lock().persist(&key, &row.to_le_bytes())?;
                        let db = lock();
                        let mut cursor = db.cursor_open()?;
                        cursor.seek(&key, LsmCursorSeekOp::LsmCursorSeekGe)?;
                        assert_eq!(cursor.get_key()?, key);
                        assert_eq!(cursor.get_value()?, row.to_le_bytes());
                        cursor.next()?;
                        if cursor.valid().is_ok() {
                            assert!(cursor.get_key()? > key);
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    let mut expected = Model::new();
    for me in 0..12_u32 {
        for row in 0..ROWS {
            let key = [me.to_be_bytes(), row.to_be_bytes()].concat();
            expected.insert(key, row.to_le_bytes().to_vec());
        }
    }
    assert_same(&contents(&lock())?, &expected, "after all threads");
    Ok(())
}

#[test]
fn every_method_is_misuse_before_connect() -> Result {
    let dir = tempfile::tempdir()?;
    for initialized in [false, true] {
        let mut db = LsmDb::default();
        if initialized {
            db.initialize(DbConf::new(dir.path(), "later".into()))?;
        }
        assert_eq!(db.persist(b"k", b"v"), Err(MISUSE));
        assert_eq!(db.update(b"k", b"v"), Err(MISUSE));
        assert_eq!(db.delete(b"k"), Err(MISUSE));
        assert_eq!(db.delete_range(b"a", b"z"), Err(MISUSE));
        assert_eq!(db.optimize(), Err(MISUSE));
        assert_eq!(db.begin_transaction(), Err(MISUSE));
        assert_eq!(db.commit_transaction(), Err(MISUSE));
        assert_eq!(db.rollback_transaction(), Err(MISUSE));
        assert_eq!(db.cursor_open().err(), Some(MISUSE));
        assert_eq!(db.get_compression_id(), Err(MISUSE));
        assert_eq!(db.disconnect(), Ok(()));

        let code = |error: LsmError| error.code();
        assert_eq!(db.insert(b"k", b"v").map_err(code), Err(MISUSE));
        assert_eq!(db.remove(b"k").map_err(code), Err(MISUSE));
        assert_eq!(db.get(b"k").map_err(code), Err(MISUSE));
        assert_eq!(db.contains_key(b"k").map_err(code), Err(MISUSE));
        assert_eq!(db.flush().map_err(code), Err(MISUSE));
        assert_eq!(db.checkpoint().map_err(code), Err(MISUSE));
        assert_eq!(db.compact().map_err(code), Err(MISUSE));
        let mut records = db.iter();
        assert_eq!(records.next().map(|r| r.map_err(code)), Some(Err(MISUSE)));
        assert!(records.next().is_none());
        assert!(records.next_back().is_none());
        drop(records);

        assert_eq!(db.is_initialized(), initialized);
        assert!(!db.is_connected());
        assert_eq!(db.get_full_db_path().is_ok(), initialized);
        if !initialized {
            assert_eq!(db.get_full_db_path(), Err(MISUSE));
            assert_eq!(db.connect(), Err(MISUSE));
        }
        db.close()?;
    }
    assert!(common::files_in(dir.path())?.is_empty());
    Ok(())
}

#[test]
fn a_second_initialize_or_connect_is_misuse_and_changes_nothing() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::default();
    db.initialize(DbConf::new(dir.path(), "first".into()))?;
    assert_eq!(
        db.initialize(DbConf::new(dir.path(), "second".into())),
        Err(MISUSE)
    );
    db.connect()?;
    db.persist(b"k", b"v")?;
    assert_eq!(db.connect(), Err(MISUSE));
    assert_eq!(
        db.initialize(DbConf::new(dir.path(), "second".into())),
        Err(MISUSE)
    );
    assert!(db.is_connected());
    assert_eq!(db.get(b"k")?.as_deref(), Some(&b"v"[..]));
    let path = db.get_full_db_path()?;
    assert_eq!(path, format!("{}/first.lsm", dir.path().display()));
    Ok(())
}

#[test]
fn a_handle_can_disconnect_and_connect_again() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "again")?;
    for round in 0..5_u8 {
        db.persist(&[round], b"v")?;
        db.disconnect()?;
        assert!(!db.is_connected());
        assert!(db.is_initialized());
        assert_eq!(db.persist(b"k", b"v"), Err(MISUSE));
        assert_eq!(db.disconnect(), Ok(()));
        db.connect()?;
        assert_eq!(db.iter().count(), usize::from(round) + 1);
    }
    Ok(())
}

#[test]
fn a_built_handle_can_disconnect_and_connect_again() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("built.lsm"))?;
    db.insert(b"k", b"v")?;
    assert_eq!(db.connect(), Err(MISUSE));
    db.disconnect()?;
    db.connect()?;
    assert_eq!(db.get(b"k")?.as_deref(), Some(&b"v"[..]));
    Ok(())
}

#[test]
fn disconnect_refuses_while_a_transaction_is_open() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "open")?;
    db.begin_transaction()?;
    db.persist(b"k", b"v")?;
    assert_eq!(db.disconnect(), Err(MISUSE));
    assert!(db.is_connected());
    db.commit_transaction()?;
    db.disconnect()?;
    db.connect()?;
    assert_eq!(db.iter().count(), 1);
    Ok(())
}

#[test]
fn close_and_drop_roll_an_open_transaction_back() -> Result {
    let dir = tempfile::tempdir()?;
    for dropped in [false, true] {
        let mut db = connected(dir.path(), "rolls")?;
        db.persist(b"kept", b"v")?;
        db.begin_transaction()?;
        db.persist(b"lost", b"v")?;
        if dropped {
            drop(db);
        } else {
            db.close()?;
        }
        let db = connected(dir.path(), "rolls")?;
        assert!(db.contains_key(b"kept")?);
        assert!(!db.contains_key(b"lost")?);
    }
    Ok(())
}

#[test]
fn transactions_nest_in_name_only() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "nest")?;
    assert_eq!(db.commit_transaction(), Ok(()));
    assert_eq!(db.rollback_transaction(), Ok(()));
    db.begin_transaction()?;
    db.persist(b"a", b"")?;
    db.begin_transaction()?;
    db.persist(b"b", b"")?;
    db.rollback_transaction()?;
    assert_eq!(db.iter().count(), 0);
    assert_eq!(db.commit_transaction(), Ok(()));
    assert_eq!(db.iter().count(), 0);
    db.begin_transaction()?;
    db.persist(b"a", b"")?;
    db.begin_transaction()?;
    db.persist(b"b", b"")?;
    db.commit_transaction()?;
    db.rollback_transaction()?;
    assert_eq!(db.iter().count(), 2);
    Ok(())
}

#[test]
fn maintenance_is_misuse_in_a_transaction_and_leaves_it_open() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "busy")?;
    db.begin_transaction()?;
    db.persist(b"k", b"v")?;
    assert_eq!(db.optimize(), Err(MISUSE));
    assert_eq!(db.flush().map_err(|e| e.code()), Err(MISUSE));
    assert_eq!(db.checkpoint().map_err(|e| e.code()), Err(MISUSE));
    db.commit_transaction()?;
    db.optimize()?;
    assert_eq!(db.get(b"k")?.as_deref(), Some(&b"v"[..]));
    Ok(())
}

/// `lsm_info` and `lsm_config` write through their arguments; 0.2.2 passes them pointers
/// made from shared references.
#[test]
fn asking_for_the_compression_id_a_thousand_times_gives_the_same_answer() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "asked")?;
    db.persist(b"k", b"v")?;
    db.optimize()?;
    let shared = &db;
    for _ in 0..1000 {
        assert_eq!(
            shared.get_compression_id(),
            Ok(LsmCompressionLib::NoCompression)
        );
    }
    Ok(())
}

#[test]
fn a_default_cursor_belongs_to_no_database() {
    let mut cursor = LsmCursor::default();
    assert_eq!(cursor.first(), Err(MISUSE));
    assert_eq!(cursor.last(), Err(MISUSE));
    assert_eq!(cursor.next(), Err(MISUSE));
    assert_eq!(cursor.prev(), Err(MISUSE));
    assert_eq!(
        cursor.seek(b"k", LsmCursorSeekOp::LsmCursorSeekEq),
        Err(MISUSE)
    );
    assert_eq!(cursor.valid(), Err(MISUSE));
    assert_eq!(cursor.get_key(), Err(MISUSE));
    assert_eq!(cursor.get_value(), Err(MISUSE));
    assert_eq!(cursor.compare(b"k"), Err(MISUSE));
    assert_eq!(cursor.close(), Err(MISUSE));
}
