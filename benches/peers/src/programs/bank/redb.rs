use std::io::Write;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{Bank, Transfer};
use crate::Result;

const ACCOUNTS: TableDefinition<&str, i64> = TableDefinition::new("accounts");

pub fn run(dir: &Path, bank: &Bank, out: &mut dyn Write) -> Result<()> {
    let db = Database::create(dir.join("bank.redb"))?;
    let tx = db.begin_write()?;
    for (name, balance) in bank.accounts {
        tx.open_table(ACCOUNTS)?.insert(name, balance)?;
    }
    tx.commit()?;

    let transfer = |order: &Transfer| -> Result<bool> {
        let tx = db.begin_write()?;
        for (name, change) in order.changes() {
            let mut accounts = tx.open_table(ACCOUNTS)?;
            let old = accounts.get(name)?.ok_or("no such account")?.value();
            if old + change < 0 {
                return Ok(false);
            }
            accounts.insert(name, old + change)?;
        }
        tx.commit()?;
        Ok(true)
    };
    for order in bank.transfers {
        writeln!(out, "{order}: {}", transfer(order)?)?;
    }

    let mut sum = 0;
    for account in db.begin_read()?.open_table(ACCOUNTS)?.iter()? {
        let (name, balance) = account?;
        writeln!(out, "{} has {}", name.value(), balance.value())?;
        sum += balance.value();
    }
    Ok(writeln!(out, "all have {sum}")?)
}
