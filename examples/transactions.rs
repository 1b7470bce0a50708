//! A transfer between two accounts: both records change, or neither does.

use std::error::Error;

use lsmlite_rs::{Disk, LsmDb};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("accounts.lsm"))?;
    db.insert("ada", 100u32.to_be_bytes())?;
    db.insert("bob", 20u32.to_be_bytes())?;

    println!("start:            {}", balances(&db)?);
    assert!(transfer(&mut db, "ada", "bob", 30)?);
    println!("30 transferred:   {}", balances(&db)?);
    assert_eq!(balances(&db)?, "ada 70, bob 50");

    assert!(!transfer(&mut db, "ada", "bob", 500)?);
    println!("500 rolled back:  {}", balances(&db)?);
    assert_eq!(balances(&db)?, "ada 70, bob 50");

    db.disconnect()?;
    Ok(())
}

/// False, and nothing has happened, if there isn't enough money.
fn transfer(db: &mut LsmDb, from: &str, to: &str, amount: u32) -> Result<bool, Box<dyn Error>> {
    db.begin_transaction()?;
    // A transaction reads its own writes.
    let credit = balance(db, to)? + amount;
    db.persist(to.as_bytes(), &credit.to_be_bytes())?;
    let Some(rest) = balance(db, from)?.checked_sub(amount) else {
        db.rollback_transaction()?;
        return Ok(false);
    };
    db.persist(from.as_bytes(), &rest.to_be_bytes())?;
    db.commit_transaction()?;
    Ok(true)
}

fn balance(db: &LsmDb, name: &str) -> Result<u32, Box<dyn Error>> {
    let value = db.get(name)?.ok_or("no such account")?;
    Ok(u32::from_be_bytes(value[..].try_into()?))
}

fn balances(db: &LsmDb) -> Result<String, Box<dyn Error>> {
    Ok(format!(
        "ada {}, bob {}",
        balance(db, "ada")?,
        balance(db, "bob")?
    ))
}
