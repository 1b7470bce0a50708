use std::io::Write;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::path::Path;

use heed::{CommitOrAbort, EnvOpenOptions, types::*};

use super::{Listing, print_pages};
use crate::Result;

pub fn run(dir: &Path, listing: &Listing, out: &mut dyn Write) -> Result<()> {
    // SAFETY: nobody else changes the files in this folder.
    let env = unsafe { EnvOpenOptions::new().open(dir)? };
    let tx = env.write_txn()?;
    let creation = env.create_databases_and_commit(tx, |opener, tx| -> Result<_> {
        let names = opener.create_database::<Str, Unit>(tx, None)?;
        for &name in listing.names {
            names.put(tx, name, &())?;
        }
        Ok(CommitOrAbort::<_, ()>::Commit(names))
    })?;
    let (names, tx) = (creation.unwrap_commit(), env.read_txn()?);
    print_pages(out, |last| {
        let start = last.map_or(Included(listing.prefix), Excluded);
        let rest = names.range(&tx, &(start, Unbounded))?;
        let mut page = Vec::new();
        for name in rest.take(listing.page_size) {
            page.push(name?.0.to_owned());
        }
        page.retain(|name| name.starts_with(listing.prefix));
        Ok(page)
    })
}
