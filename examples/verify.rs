//! Checks a database for damage, and copies what is readable out of a damaged file.

use std::error::Error;
use std::fs;

use lsmlite_rs::{LsmDb, salvage, verify_file};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("fleet.lsm");
    let mut db = LsmDb::builder().page_checksums(true).open(&path)?;
    for n in 0..50_000u32 {
        db.insert(n.to_be_bytes(), format!("position of vehicle {n}"))?;
    }
    db.flush()?;

    // The database may be in use meanwhile, by other handles and threads too.
    println!("open:    {}", db.verify()?);
    db.close()?;

    // A disk, a cable or another program changes a byte.
    let mut content = fs::read(&path)?;
    let middle = content.len() / 2;
    content[middle] ^= 0x20;
    fs::write(&path, content)?;

    // A file that nobody has open is checked without opening it as a database.
    let report = verify_file(&path)?;
    println!("damaged: {report}");
    assert!(!report.is_clean());

    // Best is a backup. Without one, everything that isn't on a damaged page comes out.
    let rescued = dir.path().join("rescued.lsm");
    println!("rescue:  {}", salvage(&path, &rescued)?);
    let count = LsmDb::open(&rescued)?.iter().count();
    println!("{count} of 50000 records are in {}", rescued.display());
    assert!(count > 49_000);
    Ok(())
}
