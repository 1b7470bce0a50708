//! Listing: stores names and prints those with a prefix, page by page. A page is found from the
//! last name of the one before, as a web service would do it.

mod fjall;
mod heed;
mod ours;
mod redb;

use std::io::Write;

use super::{Program, versions};
use crate::Result;

pub struct Listing {
    pub names: &'static [&'static str],
    pub prefix: &'static str,
    pub page_size: usize,
}

/// The prefix is a name as well; the names beside it nearly have it.
pub const LISTING: Listing = Listing {
    names: &[
        "photos/zoo",
        "photos/",
        "music/abba",
        "photo",
        "photos/cat",
        "photos0",
        "photos/dog/1",
        "photos/dog",
        "photos/élan",
        "photos.txt",
        "photos/emu",
        "videos/cat",
        "photos/bear",
    ],
    prefix: "photos/",
    page_size: 3,
};

pub fn program() -> Program {
    Program {
        name: "listing",
        versions: versions!(&LISTING),
    }
}

/// Prints all pages. `page` finds the one after this name, or the first one.
fn print_pages(
    out: &mut dyn Write,
    page: impl Fn(Option<&str>) -> Result<Vec<String>>,
) -> Result<()> {
    let mut names = page(None)?;
    while let Some(last) = names.last() {
        writeln!(out, "{}", names.join(", "))?;
        let next = page(Some(last))?;
        if next.first().is_some_and(|first| first <= last) {
            return Err("a page doesn't begin after the one before".into());
        }
        names = next;
    }
    Ok(())
}
