//! The bytes are the log beside a database.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::{exercise, small};
use lsmlite_rs::{LsmDb, LsmError};

/// A database whose last changes are in the log only, and that log.
pub struct Crashed {
    pub file: Vec<u8>,
    pub log: Vec<u8>,
}

/// What a crash of the process would leave, the same each time.
pub fn crashed() -> Result<Crashed, Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("base.lsm");
    let mut db = small().open(&path)?;
    let rows = |db: &mut LsmDb, mark: u8| -> Result<(), LsmError> {
        (0..40).try_for_each(|i| db.insert(format!("key {:04}", i * 5), [mark; 20]))
    };
    rows(&mut db, 1)?;
    db.close()?;
    let mut db = small().autoflush_kib(1024).open(&path)?;
    rows(&mut db, 2)?;
    db.remove("key 0100")?;
    let file = fs::read(&path)?;
    let mut log = fs::read(beside(&path))?;
    // The environment keeps space ready behind the last record.
    let end = log
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |at| at + 1);
    log.truncate(end);
    db.close()?;
    Ok(Crashed { file, log })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-log");
    name.into()
}

/// Recovers the database with these bytes as its log, and uses it.
pub fn run(bytes: &[u8]) {
    static BASE: OnceLock<Crashed> = OnceLock::new();
    let base = BASE.get_or_init(|| crashed().expect("the database to begin with"));
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("fuzz.lsm");
    fs::write(&path, &base.file).expect("a full disk ends the run");
    fs::write(beside(&path), bytes).expect("a full disk ends the run");
    if let Ok(db) = small().open(&path) {
        exercise(db);
    }
}
