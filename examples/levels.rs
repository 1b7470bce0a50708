//! A database as writing leaves it: several levels, a merge under way, free blocks. Something to
//! look at:
//!
//! ```console
//! $ cargo run --release --example levels -- levels.lsm
//! $ lsmlite xray levels.lsm
//! ```

use std::error::Error;
use std::path::PathBuf;

use lsmlite_rs::{LsmDb, LsmError};

/// Always the same million names, in an order without sense.
fn names() -> impl Iterator<Item = String> {
    let mut state = 1u64;
    std::iter::from_fn(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        Some(format!("user/{:06}", (state >> 33) % 1_000_000))
    })
}

fn write_some(
    db: &mut LsmDb,
    names: &mut impl Iterator<Item = String>,
    count: usize,
) -> Result<(), LsmError> {
    for _ in 0..count / 1000 {
        db.transact(|tx| -> Result<(), LsmError> {
            for name in names.by_ref().take(900) {
                tx.insert(name, [b'.'; 64])?;
            }
            for name in names.by_ref().take(100) {
                tx.remove(&name)?;
                tx.table("deleted")?.insert(name, "today")?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let path = path.unwrap_or(dir.path().join("levels.lsm"));
    let settings = LsmDb::builder().block_size_kib(1024).autoflush_kib(2048);
    let mut names = names();

    let mut db = settings.clone().open(&path)?;
    write_some(&mut db, &mut names, 900_000)?;
    db.close()?;

    let mut db = settings.autowork(false).open(&path)?;
    db.work(12_000)?;
    write_some(&mut db, &mut names, 90_000)?;
    db.checkpoint()?;
    write_some(&mut db, &mut names, 4_000)?;
    println!("{}", db.stats()?);
    // Closing would put the rest into the file, and the log away.
    std::mem::forget(db);
    Ok(())
}
