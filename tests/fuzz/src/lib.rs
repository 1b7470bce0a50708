//! What the fuzz targets do with their bytes, as functions, so that an ordinary test can
//! replay the corpus.

pub mod history;
pub mod log;
pub mod open_file;

use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder, LsmError};

/// Small enough that little data uses every structure.
pub fn small() -> LsmDbBuilder {
    LsmDb::builder()
        .page_size_bytes(256)
        .block_size_kib(64)
        .autoflush_kib(1)
        .autocheckpoint_kib(64)
        .safety(lsmlite_rs::config::Safety::Off)
}

/// No file that comes from a fuzzer holds more records; a scan that finds more of them goes
/// round in circles.
const MOST_RECORDS: usize = 2_000_000;

/// Uses a database that may be damaged: errors are welcome, crashes and endless loops not.
pub fn exercise(mut db: LsmDb) {
    let scan = |db: &LsmDb| -> Result<(), LsmError> {
        for (count, record) in db.iter().enumerate() {
            record?;
            assert!(count < MOST_RECORDS, "a scan that doesn't end");
        }
        for (count, record) in db.iter().rev().enumerate() {
            record?;
            assert!(count < MOST_RECORDS, "a scan backwards that doesn't end");
        }
        for key in [&b""[..], b"key 0100", b"\xff"] {
            db.get(key)?;
            db.range(key..).next().transpose()?;
            db.range(..=key).next_back().transpose()?;
        }
        Ok(())
    };
    let _ = scan(&db);
    let _ = db.insert("key 0100", [7; 300]);
    let _ = db.remove("key 0101");
    let _ = db.delete_range(b"key 0102", b"key 0110");
    let _ = db.work(16);
    let _ = scan(&db);
    let _ = db.compact();
    let _ = scan(&db);
    let _ = db.close();
}
