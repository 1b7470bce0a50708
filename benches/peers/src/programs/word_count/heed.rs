use std::io::Write;
use std::path::Path;

use heed::{CommitOrAbort, EnvOpenOptions, byteorder::BE, types::*};

use super::{TopTen, words};
use crate::Result;

pub fn run(dir: &Path, text: &str, out: &mut dyn Write) -> Result<()> {
    // SAFETY: nobody else changes the files in this folder.
    let env = unsafe { EnvOpenOptions::new().open(dir)? };
    let tx = env.write_txn()?;
    let creation = env.create_databases_and_commit(tx, |opener, tx| -> Result<_> {
        let counts = opener.create_database::<Str, U64<BE>>(tx, None)?;
        for word in words(text) {
            let count = counts.get(tx, word)?.unwrap_or(0) + 1;
            counts.put(tx, word, &count)?;
        }
        Ok(CommitOrAbort::<_, ()>::Commit(counts))
    })?;

    let mut top = TopTen::default();
    let tx = env.read_txn()?;
    for record in creation.unwrap_commit().iter(&tx)? {
        let (word, count) = record?;
        top.add(word, count);
    }
    top.print(out)
}
