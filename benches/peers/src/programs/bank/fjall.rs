use std::io::Write;
use std::path::Path;

use fjall::{KeyspaceCreateOptions, Readable, SingleWriterTxDatabase};

use super::{Bank, Transfer};
use crate::Result;

pub fn run(dir: &Path, bank: &Bank, out: &mut dyn Write) -> Result<()> {
    let db = SingleWriterTxDatabase::builder(dir).open()?;
    let accounts = db.keyspace("accounts", KeyspaceCreateOptions::default)?;
    for &(name, balance) in bank.accounts {
        accounts.insert(name, balance.to_be_bytes())?;
    }

    let transfer = |order: &Transfer| -> Result<bool> {
        let mut tx = db.write_tx();
        for (name, change) in order.changes() {
            let old = tx.get(&accounts, name)?.ok_or("no such account")?;
            let balance = i64::from_be_bytes(old[..].try_into()?) + change;
            if balance < 0 {
                return Ok(false);
            }
            tx.insert(&accounts, name, balance.to_be_bytes());
        }
        tx.commit()?;
        Ok(true)
    };
    for order in bank.transfers {
        writeln!(out, "{order}: {}", transfer(order)?)?;
    }

    let mut sum = 0;
    for account in db.read_tx().iter(&accounts) {
        let (name, balance) = account.into_inner()?;
        let balance = i64::from_be_bytes(balance[..].try_into()?);
        writeln!(out, "{} has {balance}", str::from_utf8(&name)?)?;
        sum += balance;
    }
    Ok(writeln!(out, "all have {sum}")?)
}
