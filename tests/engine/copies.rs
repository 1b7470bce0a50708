//! What readers and writers share is there in two copies: the tree's header and the newest
//! snapshot. The second copy is written first and read last.
#![cfg(target_os = "linux")]

use crate::harness::trap::Trap;
use crate::harness::{Config, Db, Rc};

/// Where the copies are, and how long one is.
const SNAPSHOT: usize = 4096;
const HEADERS: usize = 8200;
const HEADER: usize = 152;

fn shared() -> Config {
    Config {
        multi_process: true,
        trap: true,
        autowork: false,
        autoflush_kib: 16,
        page_size: 1024,
        block_kib: 64,
        ..Config::default()
    }
}

#[test]
fn a_header_that_is_ahead_of_a_whole_first_one_is_not_read() -> Rc {
    let trap = Trap::new(HEADERS + HEADER);
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let (writer, reader) = (Db::open(&path, &shared())?, Db::open(&path, &shared())?);
    writer.insert(b"key", b"1")?;
    let first = trap.read(HEADERS, HEADER);
    assert_eq!(first, trap.read(HEADERS + HEADER, HEADER), "the copies");
    writer.insert(b"key", b"2")?;
    let second = trap.read(HEADERS, HEADER);

    // The writer of 2 stands between the copies.
    trap.write(HEADERS, &first);
    assert_eq!(reader.get(b"key")?, Some(b"1".to_vec()));
    // Someone who came when 1 was being written, and looked at the second copy when 2 was.
    trap.set(HEADERS);
    let seen = reader.get(b"key")?;
    assert!(trap.sprang(), "the second copy wasn't looked at");
    assert_eq!(seen, Some(b"1".to_vec()), "2 now, and 1 the next time");

    trap.write(HEADERS, &second);
    assert_eq!(reader.get(b"key")?, Some(b"2".to_vec()));
    Ok(())
}

#[test]
fn a_snapshot_that_is_ahead_of_a_whole_first_one_is_not_read() -> Rc {
    let trap = Trap::new(SNAPSHOT);
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let worker = Db::open(&path, &shared())?;
    // More than the tree in memory may hold, so that it waits for being flushed.
    for i in 0..40_u8 {
        worker.insert(&[i], &[i; 1000])?;
    }
    let before = trap.read(0, SNAPSHOT);
    worker.work(2, 1000)?;
    let after = trap.read(0, SNAPSHOT);
    assert_ne!(before, after, "nothing was flushed");

    // The worker stands between the copies. A writer comes, and then a reader.
    trap.write(0, &before);
    let (writer, reader) = (Db::open(&path, &shared())?, Db::open(&path, &shared())?);
    trap.set(0);
    writer.insert(b"key", b"value")?;
    assert!(trap.sprang(), "the second copy wasn't looked at");
    assert_eq!(reader.scan()?.len(), 41, "what was flushed is missed");

    trap.write(0, &after);
    assert_eq!(reader.scan()?.len(), 41);
    Ok(())
}
