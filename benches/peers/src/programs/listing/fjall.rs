use std::io::Write;
use std::ops::Bound::Excluded;
use std::path::Path;

use fjall::{Database, Guard, KeyspaceCreateOptions, util::prefix_to_range};

use super::{Listing, print_pages};
use crate::Result;

pub fn run(dir: &Path, listing: &Listing, out: &mut dyn Write) -> Result<()> {
    let db = Database::builder(dir).open()?;
    let names = db.keyspace("names", KeyspaceCreateOptions::default)?;
    for &name in listing.names {
        names.insert(name, "")?;
    }
    print_pages(out, |last| {
        let (first, end) = prefix_to_range(listing.prefix.as_bytes());
        let start = last.map_or(first, |name| Excluded(name.into()));
        let page = names.range((start, end)).take(listing.page_size);
        let name = |record: Guard| Ok(String::from_utf8(record.key()?.to_vec())?);
        page.map(name).collect()
    })
}
