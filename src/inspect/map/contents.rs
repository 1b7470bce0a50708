//! What is on the pages of a segment.

use std::convert::Infallible;

use super::SegmentContents;
use crate::format::Fault;
use crate::format::page::{Page, kind};
use crate::format::pages::Pages;
use crate::format::plan::Run;
use crate::format::run::{Event, Manner, walk};

/// Reads all of a run.
pub(super) fn contents(pages: &Pages<'_>, run: &Run) -> (SegmentContents, Vec<Fault>) {
    let mut contents = SegmentContents::default();
    let mut faults = Vec::new();
    let manner = Manner {
        cut: run.cut,
        ..Manner::default()
    };
    let _: Result<(), Infallible> = walk(pages, &run.chain, manner, &mut |event| {
        match event {
            Event::Page(page) => {
                match page.is_btree() {
                    true => contents.btree_pages += 1,
                    false => contents.data_pages += 1,
                }
                contents.page_bytes += page.data.len() as u64;
                contents.used_bytes += (page.data.len() - free(page)) as u64;
            }
            Event::Record(record) => {
                let is = |kinds| u64::from(record.is(kinds));
                contents.records += is(kind::INSERT);
                contents.deletions += is(kind::DELETE | kind::BEGIN_DELETE | kind::END_DELETE);
            }
            Event::Fault(fault) => faults.push(fault),
            Event::Skipped => {}
        }
        Ok(())
    });
    (contents, faults)
}

/// Bytes between the last cell and the footer. A page on which no record begins is taken for full.
fn free(page: &Page) -> usize {
    let end = page.end();
    let Some(last) = page.cells().checked_sub(1) else {
        return 0;
    };
    let until = match page.is_btree() {
        true => page.btree_cell(last).map(|(_, _, until)| until),
        false => page.cell(last).map(|cell| {
            cell.body
                .saturating_add(cell.key)
                .saturating_add(cell.value)
        }),
    };
    end.saturating_sub(until.unwrap_or(end))
}
