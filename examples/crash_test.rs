//! Crash-tests an application: the power goes at a hundred different moments, and after each
//! of them the invariant holds that the application relies on.

use std::error::Error;

use lsmlite_rs::config::Safety;
use lsmlite_rs::env::{Call, FaultEnv};
use lsmlite_rs::{Disk, LsmDb, LsmError};

fn open(env: &FaultEnv) -> Result<LsmDb, LsmError> {
    let builder = LsmDb::builder().env(env).safety(Safety::Full);
    builder.open("bank.lsm")
}

fn balance(db: &LsmDb, account: &str) -> Result<u64, Box<dyn Error>> {
    let bytes = db.get(account)?.unwrap_or_default();
    Ok(String::from_utf8(bytes)?.parse().unwrap_or(0))
}

/// The application: moves one coin from Ada to Bob.
fn pay(db: &mut LsmDb) -> Result<(), Box<dyn Error>> {
    let (ada, bob) = (balance(db, "Ada")?, balance(db, "Bob")?);
    db.begin_transaction()?;
    db.insert("Ada", (ada - 1).to_string())?;
    db.insert("Bob", (bob + 1).to_string())?;
    db.commit_transaction()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut paid, mut lost) = (0, 0);
    for seed in 0..100 {
        // Everything happens in memory, and in the same way each time with the same seed.
        let env = FaultEnv::new(seed);
        let mut db = open(&env)?;
        db.insert("Ada", "1000")?;

        env.lose_power_within(Call::Any, 100);
        let mut acknowledged = 0;
        while pay(&mut db).is_ok() {
            acknowledged += 1;
        }
        drop(db);
        lost += env.restart().sectors_lost;

        let db = open(&env)?;
        let (ada, bob) = (balance(&db, "Ada")?, balance(&db, "Bob")?);
        assert_eq!(ada + bob, 1000, "seed {seed}: a coin is lost");
        assert!(bob >= acknowledged, "seed {seed}: a payment is lost");
        paid += acknowledged;
    }
    println!("{paid} payments, 100 power failures, {lost} sectors and no coin lost");
    Ok(())
}
