use std::io::Write;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::path::Path;

use redb::{Database, ReadableDatabase, TableDefinition};

use super::{Listing, print_pages};
use crate::Result;

const NAMES: TableDefinition<&str, ()> = TableDefinition::new("names");

pub fn run(dir: &Path, listing: &Listing, out: &mut dyn Write) -> Result<()> {
    let db = Database::create(dir.join("names.redb"))?;
    let tx = db.begin_write()?;
    for name in listing.names {
        tx.open_table(NAMES)?.insert(name, ())?;
    }
    tx.commit()?;
    print_pages(out, |last| {
        let start = last.map_or(Included(listing.prefix), Excluded);
        let names = db.begin_read()?.open_table(NAMES)?;
        let rest = names.range::<&str>((start, Unbounded))?;
        let mut page = Vec::new();
        for name in rest.take(listing.page_size) {
            page.push(name?.0.value().to_owned());
        }
        page.retain(|name| name.starts_with(listing.prefix));
        Ok(page)
    })
}
