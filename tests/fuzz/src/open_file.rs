//! The bytes are a database file.

use crate::{exercise, small};

/// The engine fills files up to whole blocks; seeds come without that.
const BLOCK: usize = 64 * 1024;

/// Opens the file, read-only and to write, and uses it. A file of even length is filled up
/// with zeros.
pub fn run(bytes: &[u8]) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("fuzz.lsm");
    let mut file = bytes.to_vec();
    if file.len().is_multiple_of(2) {
        file.resize(file.len().next_multiple_of(BLOCK), 0);
    }
    std::fs::write(&path, file).expect("a full disk ends the run");
    if let Ok(db) = small().read_only(true).open(&path) {
        let _ = db.iter().take(10_000).last();
        let _ = db.close();
    }
    if let Ok(db) = small().open(&path) {
        exercise(db);
    }
}
