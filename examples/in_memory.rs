//! A database without files: for tests, or as a cache that is sorted and compressed.

use std::error::Error;

use lsmlite_rs::LsmDb;
use lsmlite_rs::env::MemoryEnv;

fn main() -> Result<(), Box<dyn Error>> {
    let env = MemoryEnv::new();
    let mut db = LsmDb::builder().env(&env).open("readings.lsm")?;
    for hour in 0..24_u8 {
        db.insert([hour], format!("{} degrees", 12 + hour % 12))?;
    }
    db.close()?;

    // It lives as long as `env` and its clones do; another `MemoryEnv` is another disk.
    let db = LsmDb::builder().env(&env).open("readings.lsm")?;
    assert_eq!(db.range([6]..[12]).count(), 6);
    let elsewhere = LsmDb::builder().env(MemoryEnv::new()).create(false);
    assert!(elsewhere.open("readings.lsm").is_err());

    // To keep it, write its file to a real one while nobody has it open.
    drop(db);
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("readings.lsm");
    std::fs::write(&path, env.read_file("readings.lsm")?)?;
    assert_eq!(LsmDb::open(&path)?.iter().count(), 24);
    println!(
        "{} bytes in memory, kept in {}",
        env.used_bytes(),
        path.display()
    );
    Ok(())
}
