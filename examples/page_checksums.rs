//! A checksum on every page: a byte that went bad on the disk is an error, not an answer.
//!
//! `cargo run --example page_checksums`

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};

use lsmlite_rs::{LsmDb, LsmErrorCode};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("only_copy.lsm");

    // Chosen when the file is created; every handle that opens it later recognises it.
    let mut db = LsmDb::builder().page_checksums(true).open(&path)?;
    for i in 0..10_000_u32 {
        db.insert(i.to_be_bytes(), format!("value {i}"))?;
    }
    db.compact()?;
    db.close()?;

    // One bit flips, somewhere among the pages.
    let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(100_000))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(100_000))?;
    file.write_all(&[byte[0] ^ 1])?;

    let db = LsmDb::open(&path)?;
    let error = db
        .iter()
        .find_map(|record| record.err())
        .ok_or("not noticed")?;
    assert_eq!(error.code(), LsmErrorCode::LsmCorrupt);
    println!("{error}");

    // The rest is as it was.
    let readable = (0..10_000_u32).filter(|i| db.get(i.to_be_bytes()).is_ok());
    println!("{} of 10000 records can be read", readable.count());
    Ok(())
}
