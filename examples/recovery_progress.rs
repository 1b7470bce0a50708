//! A database that a process left behind when it died is opened, and says how far it is.

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::{self, Command};

use lsmlite_rs::LsmDb;

const ROWS: u32 = 50_000;

/// Writes, and dies without closing the database.
fn die(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut db = LsmDb::open(path)?;
    for n in 0..ROWS {
        db.insert(n.to_be_bytes(), [n as u8; 100])?;
    }
    process::abort()
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(path) = env::args_os().nth(1) {
        return die(Path::new(&path));
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("died.lsm");
    let status = Command::new(env::current_exe()?).arg(&path).status()?;
    println!("a process that wrote {ROWS} records ended with {status}");

    let db = LsmDb::builder()
        .on_recovery(|progress| {
            let percent = 100 * progress.read_bytes / progress.total_bytes;
            println!("{percent:>3} % of {} bytes", progress.total_bytes);
        })
        .open(&path)?;
    assert_eq!(db.iter().count() as u32, ROWS);
    Ok(())
}
