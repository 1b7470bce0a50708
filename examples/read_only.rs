//! A database that is written once and from then on only read.

use std::error::Error;

use lsmlite_rs::{LsmDb, LsmErrorCode};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("catalogue.lsm");

    // Opening to read never makes a file.
    let missing = LsmDb::builder().read_only(true).open(&path);
    let error = missing.err().ok_or("it was created")?;
    assert!(error.is_not_found());
    println!("before writing: {error}\n");

    let mut db = LsmDb::open(&path)?;
    for n in 0..10_000u32 {
        db.insert(n.to_be_bytes(), format!("article {n}"))?;
    }
    // One sorted run: the smallest file, and the fastest to read.
    db.compact()?;
    db.close()?;

    let mut db = LsmDb::builder().read_only(true).open(&path)?;
    let article = db.get(4711u32.to_be_bytes())?.ok_or("it is gone")?;
    println!("reading: {}\n", String::from_utf8(article)?);

    let error = db.insert("key", "value").err().ok_or("it was written")?;
    assert_eq!(error.code(), LsmErrorCode::LsmReadOnly);
    println!("writing: {error}");
    assert_eq!(db.iter().count(), 10_000);
    Ok(())
}
