use std::io::Write;
use std::path::Path;

use heed::{CommitOrAbort, EnvOpenOptions, byteorder::BE, types::*};

use super::{Bank, Transfer};
use crate::Result;

pub fn run(dir: &Path, bank: &Bank, out: &mut dyn Write) -> Result<()> {
    // SAFETY: nobody else changes the files in this folder.
    let env = unsafe { EnvOpenOptions::new().open(dir)? };
    let tx = env.write_txn()?;
    let creation = env.create_databases_and_commit(tx, |opener, tx| -> Result<_> {
        let accounts = opener.create_database::<Str, I64<BE>>(tx, None)?;
        for (name, balance) in bank.accounts {
            accounts.put(tx, *name, balance)?;
        }
        Ok(CommitOrAbort::<_, ()>::Commit(accounts))
    })?;
    let accounts = creation.unwrap_commit();

    let transfer = |order: &Transfer| -> Result<bool> {
        let mut tx = env.write_txn()?;
        for (name, change) in order.changes() {
            let balance = accounts.get(&tx, name)?.ok_or("no such account")? + change;
            if balance < 0 {
                return Ok(false);
            }
            accounts.put(&mut tx, name, &balance)?;
        }
        tx.commit()?;
        Ok(true)
    };
    for order in bank.transfers {
        writeln!(out, "{order}: {}", transfer(order)?)?;
    }

    let (tx, mut sum) = (env.read_txn()?, 0);
    for account in accounts.iter(&tx)? {
        let (name, balance) = account?;
        writeln!(out, "{name} has {balance}")?;
        sum += balance;
    }
    Ok(writeln!(out, "all have {sum}")?)
}
