//! Open a database, write, read, iterate, remove, close.

use std::error::Error;

use lsmlite_rs::LsmDb;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("peaks.lsm"))?;

    // Keys and values are bytes; strings and arrays do as well.
    db.insert("Aconcagua", "6961 m")?;
    db.insert("Denali", "6190 m")?;
    db.insert("Mont Blanc", "4806 m")?;
    db.insert("Mont Blanc", "4808 m")?; // replaces

    let height = db.get("Denali")?;
    assert_eq!(height.as_deref(), Some(&b"6190 m"[..]));
    assert_eq!(db.get("Olympus Mons")?, None);

    db.remove("Aconcagua")?;

    for record in db.iter() {
        let (name, height) = record?;
        let (name, height) = (String::from_utf8(name)?, String::from_utf8(height)?);
        println!("{name:<12} {height}");
    }
    assert_eq!(db.iter().count(), 2);

    // Dropping closes, too, but can't say if something failed.
    db.close()?;
    Ok(())
}
