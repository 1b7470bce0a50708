use std::io::Write;
use std::path::Path;

use lsmlite_rs::LsmDb;

use super::{Listing, print_pages};
use crate::Result;

pub fn run(dir: &Path, listing: &Listing, out: &mut dyn Write) -> Result<()> {
    let mut db = LsmDb::open(dir.join("names.lsm"))?;
    for name in listing.names {
        db.insert(name, "")?;
    }
    print_pages(out, |last| {
        let names = db.prefix(listing.prefix).after(last.unwrap_or_default());
        let page = names.keys().take(listing.page_size);
        page.map(|name| Ok(String::from_utf8(name?)?)).collect()
    })
}
