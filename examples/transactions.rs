//! A transfer between two accounts: both records change, or neither does.

use std::error::Error;

use lsmlite_rs::LsmDb;

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

    Ok(db.close()?)
}

/// False, and nothing has happened, if there isn't enough money.
fn transfer(db: &mut LsmDb, from: &str, to: &str, amount: u32) -> Result<bool, Box<dyn Error>> {
    let mut tx = db.transaction()?;
    // A transaction reads its own writes.
    let credit = balance(tx.get(to)?)? + amount;
    tx.insert(to, credit.to_be_bytes())?;
    let Some(rest) = balance(tx.get(from)?)?.checked_sub(amount) else {
        // Dropped, it takes back what it did.
        return Ok(false);
    };
    tx.insert(from, rest.to_be_bytes())?;
    tx.commit()?;
    Ok(true)
}

fn balance(account: Option<Vec<u8>>) -> Result<u32, Box<dyn Error>> {
    let value = account.ok_or("no such account")?;
    Ok(u32::from_be_bytes(value[..].try_into()?))
}

fn balances(db: &LsmDb) -> Result<String, Box<dyn Error>> {
    Ok(format!(
        "ada {}, bob {}",
        balance(db.get("ada")?)?,
        balance(db.get("bob")?)?
    ))
}
