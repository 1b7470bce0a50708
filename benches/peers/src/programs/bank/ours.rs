use std::io::Write;
use std::path::Path;

use lsmlite_rs::{LsmDb, typed::TypedTable};

use super::{Bank, Transfer};
use crate::Result;

const ACCOUNTS: TypedTable<String, i64> = TypedTable::new(b"accounts/");

pub fn run(dir: &Path, bank: &Bank, out: &mut dyn Write) -> Result<()> {
    let mut db = LsmDb::open(dir.join("bank.lsm"))?;
    for (name, balance) in bank.accounts {
        ACCOUNTS.insert(&mut db, name, balance)?;
    }

    let mut transfer = |order: &Transfer| -> Result<bool> {
        let mut tx = db.transaction()?;
        for (name, change) in order.changes() {
            let balance = ACCOUNTS.get(&tx, name)?.ok_or("no such account")? + change;
            if balance < 0 {
                return Ok(false);
            }
            ACCOUNTS.insert(&mut tx, name, balance)?;
        }
        tx.commit()?;
        Ok(true)
    };
    for order in bank.transfers {
        writeln!(out, "{order}: {}", transfer(order)?)?;
    }

    let mut sum = 0;
    for account in ACCOUNTS.iter(&db) {
        let (name, balance) = account?;
        writeln!(out, "{name} has {balance}")?;
        sum += balance;
    }
    Ok(writeln!(out, "all have {sum}")?)
}
