//! How far a run reaches: its first and its last key, and the engine's own records, which come
//! last. Reads a few pages at either end.

use super::Fault;
use super::checkpoint::Checkpoint;
use super::freelist::Listed;
use super::page::{Page, kind};
use super::pages::{Pages, Slot};
use super::plan::{Run, key_at};
use super::run::{Event, Manner, Record, walk};

/// What is at the ends of a run.
pub(crate) struct Ends {
    /// The first key; of an input of a merge, the first that isn't merged yet.
    pub(crate) first: Option<Vec<u8>>,
    pub(crate) last: Option<Vec<u8>>,
    /// The page at which a merge goes on reading this run.
    pub(crate) merged_to: Option<u64>,
    /// An input of a merge that has been read to its end.
    pub(crate) is_read: bool,
    pub(crate) listed: Listed,
    pub(crate) faults: Vec<Fault>,
}

/// Not of users.
const OWN: u8 = kind::SYSTEM | kind::SEPARATOR;

/// Reads the ends of a run.
pub(crate) fn ends(pages: &Pages<'_>, checkpoint: &Checkpoint, run: &Run) -> Ends {
    let mut ends = Ends {
        first: None,
        last: None,
        merged_to: None,
        is_read: false,
        listed: Listed::of(run),
        faults: Vec::new(),
    };
    let merge = checkpoint.levels.get(run.level);
    let merge = merge.and_then(|level| level.merge.as_ref());
    let input = merge.and_then(|merge| merge.inputs.get(run.place.checked_sub(1)?));
    if let Some(input) = input {
        match input.page {
            0 => ends.is_read = true,
            page => ends.merged_to = Some(run.chain.redirect(page)),
        }
    }
    match last_part(pages, run) {
        Ok(from) => ends.read_last(pages, run, from),
        Err(fault) => ends.faults.push(fault),
    }
    let first = match (ends.merged_to, input) {
        (Some(page), Some(input)) => {
            let cell = usize::try_from(input.cell).unwrap_or(usize::MAX);
            key_at(pages, &run.chain, page, cell).map(|(system, key)| (!system).then_some(key))
        }
        _ if ends.is_read => Ok(None),
        _ => first_key(pages, run),
    };
    match first {
        Ok(first) => ends.first = first,
        Err(fault) => ends.faults.push(fault),
    }
    if ends.first.is_none() || ends.first > ends.last {
        // Of an input, only what lies behind the merge counts.
        ends.last.clone_from(&ends.first);
    }
    ends
}

impl Ends {
    fn read_last(&mut self, pages: &Pages<'_>, run: &Run, from: u64) {
        let Some(tail) = run.chain.tail(from) else {
            return;
        };
        let manner = Manner {
            cut: run.cut || from != run.chain.first,
            ..Manner::default()
        };
        let _: Result<(), std::convert::Infallible> = walk(pages, &tail, manner, &mut |event| {
            match event {
                Event::Record(record) if record.is(kind::SYSTEM) => {
                    if let Err(problem) = self.listed.add(&record) {
                        self.faults.push(Fault::page(record.page, problem));
                    }
                }
                Event::Record(record) if !record.is(OWN) => self.last = Some(record.key),
                Event::Fault(fault) => self.faults.push(fault),
                Event::Record(_) | Event::Page(_) | Event::Skipped => {}
            }
            Ok(())
        });
    }
}

/// The first record that is of users.
fn first_key(pages: &Pages<'_>, run: &Run) -> Result<Option<Vec<u8>>, Fault> {
    let manner = Manner {
        cut: run.cut,
        ..Manner::default()
    };
    let found = walk(pages, &run.chain, manner, &mut |event| match event {
        Event::Record(Record { kind, key, .. }) if kind & OWN == 0 => Err(Ok(Some(key))),
        Event::Record(record) if record.is(kind::SYSTEM) => Err(Ok(None)),
        Event::Fault(fault) => Err(Err(fault)),
        _ => Ok(()),
    });
    found.err().unwrap_or(Ok(None))
}

/// The last page on which a record of users begins; the first page, if there is none.
fn last_part(pages: &Pages<'_>, run: &Run) -> Result<u64, Fault> {
    let chain = &run.chain;
    let holds = |page: Page| {
        page.check()
            .map_err(|problem| Fault::page(page.number, problem))?;
        let mut cells = (0..page.cells()).filter_map(|cell| page.cell(cell));
        Ok(!page.is_btree() && cells.any(|cell| cell.kind & OWN == 0))
    };
    if pages.layout.packed {
        let mut at = (chain.blocks.len().saturating_sub(1), chain.last + 1);
        while at != (0, chain.first) {
            at = pages.begin_of(chain, at.0, at.1)?;
            if at < (0, chain.first) {
                return Err(Fault::page(at.1, "a page lies before the run's first one"));
            }
            if let Slot::Page(_, page) = pages.slot(chain, at.0, at.1)? {
                if holds(page?)? {
                    return Ok(at.1);
                }
            }
        }
        return Ok(chain.first);
    }
    for place in (0..chain.blocks.len()).rev() {
        let Some((from, to)) = chain.span(place) else {
            continue;
        };
        for number in (from..=to).rev() {
            if holds(pages.plain(number)?)? {
                return Ok(number);
            }
        }
    }
    Ok(chain.first)
}
