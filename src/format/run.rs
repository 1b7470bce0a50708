//! Walks through a run: its pages in order, and the records that lie on them.

use super::Fault;
use super::chain::Chain;
use super::page::{Page, kind};
use super::pages::{Pages, Slot};

/// A record, put together from all its pages.
pub(crate) struct Record {
    /// The page that its head is on.
    pub(crate) page: u64,
    /// Its place on that page.
    pub(crate) cell: usize,
    pub(crate) kind: u8,
    /// Page number in the next older run.
    pub(crate) pointer: u64,
    pub(crate) key: Vec<u8>,
    /// Empty unless values were asked for.
    pub(crate) value: Vec<u8>,
}

impl Record {
    pub(crate) fn is(&self, kind: u8) -> bool {
        self.kind & kind != 0
    }

    pub(crate) fn is_separator(&self) -> bool {
        self.is(kind::SEPARATOR)
    }

    /// What runs are sorted by: the engine's own records come last.
    pub(crate) fn rank(&self) -> (bool, &[u8]) {
        (self.is(kind::SYSTEM), &self.key)
    }
}

/// What is met on the way.
pub(crate) enum Event<'p> {
    /// A page that could be read.
    Page(&'p Page),
    /// A record, complete; in order of the pages that the heads are on.
    Record(Record),
    /// Something damaged; the walk goes on behind it. What belongs to it is left out.
    Fault(Fault),
    /// A record whose head was read is left out, because its rest is damaged.
    Skipped,
}

/// How to walk.
#[derive(Copy, Clone, Default)]
pub(crate) struct Manner {
    /// Read values, too; otherwise only their lengths are checked.
    pub(crate) values: bool,
    /// The run's beginning may have been given up by a merge: it starts anywhere in a record.
    pub(crate) cut: bool,
    /// Whatever isn't a sound page is passed over silently: for places that may hold anything.
    pub(crate) lenient: bool,
}

/// Walks through a run and hands over what it meets.
///
/// # Errors
/// The first one that `visit` returns, which ends the walk.
pub(crate) fn walk<E>(
    pages: &Pages<'_>,
    chain: &Chain,
    manner: Manner,
    visit: &mut dyn FnMut(Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut assembly = Assembly {
        manner,
        open: None,
        unknown: manner.cut,
        visit,
    };
    match pages.layout.packed {
        false => {
            for place in 0..chain.blocks.len() {
                let Some((from, to)) = chain.span(place) else {
                    continue;
                };
                for number in from..=to {
                    assembly.page(pages.plain(number))?;
                }
            }
        }
        true => walk_packed(pages, chain, &mut assembly)?,
    }
    assembly.end()
}

fn walk_packed<E>(
    pages: &Pages<'_>,
    chain: &Chain,
    assembly: &mut Assembly<'_, E>,
) -> Result<(), E> {
    let end = (chain.blocks.len().saturating_sub(1), chain.last);
    let mut at = (0, chain.first);
    let mut finished = false;
    while !finished {
        let size = match pages.slot(chain, at.0, at.1) {
            Ok(Slot::Page(size, page)) => {
                assembly.page(page)?;
                size
            }
            Ok(Slot::Gap(size)) => size,
            Err(fault) => {
                assembly.page(Err(fault))?;
                match resume(pages, chain, at) {
                    Some(next) => {
                        at = next;
                        continue;
                    }
                    None => break,
                }
            }
        };
        let Some(last) = chain.advance(at.0, at.1, size - 1) else {
            break;
        };
        if last > end {
            assembly.page(Err(Fault::page(at.1, "it runs past the end of the run")))?;
        }
        finished = last >= end;
        match chain.advance(last.0, last.1, 1) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(())
}

/// The next offset at which a whole page record lies.
fn resume(pages: &Pages<'_>, chain: &Chain, after: (usize, u64)) -> Option<(usize, u64)> {
    let mut from = after.1 + 1;
    for place in after.0..chain.blocks.len() {
        let (first, last) = chain.span(place)?;
        let from_here = from.max(first);
        from = 0;
        let mut bytes = vec![0; usize::try_from((last + 1).saturating_sub(from_here)).ok()?];
        if pages.read(from_here, &mut bytes).is_err() {
            continue;
        }
        for (i, head) in bytes.windows(3).enumerate() {
            if head.iter().all(|byte| byte & 0x80 != 0) {
                let offset = from_here + i as u64;
                if let Ok(Slot::Page(_, Ok(page))) = pages.slot(chain, place, offset) {
                    if page.check().is_ok() {
                        return Some((place, offset));
                    }
                }
            }
        }
    }
    None
}

/// A record whose end hasn't been reached.
struct Open {
    record: Record,
    key_missing: usize,
    value_missing: usize,
}

impl Open {
    fn missing(&self) -> usize {
        self.key_missing + self.value_missing
    }

    fn take(&mut self, bytes: &[u8], values: bool) {
        let (key, value) = bytes.split_at(self.key_missing.min(bytes.len()));
        self.record.key.extend_from_slice(key);
        self.key_missing -= key.len();
        let value = &value[..self.value_missing.min(value.len())];
        if values {
            self.record.value.extend_from_slice(value);
        }
        self.value_missing -= value.len();
    }
}

struct Assembly<'v, E> {
    manner: Manner,
    open: Option<Open>,
    /// Whether a record goes on at the beginning of the next page can't be known.
    unknown: bool,
    visit: &'v mut dyn FnMut(Event<'_>) -> Result<(), E>,
}

impl<E> Assembly<'_, E> {
    fn fault(&mut self, fault: Fault) -> Result<(), E> {
        match self.manner.lenient {
            true => Ok(()),
            false => (self.visit)(Event::Fault(fault)),
        }
    }

    /// Gives up the record whose end hasn't been reached.
    fn skip(&mut self) -> Result<(), E> {
        match self.open.take() {
            Some(_) => (self.visit)(Event::Skipped),
            None => Ok(()),
        }
    }

    /// Takes the next page of the run.
    fn page(&mut self, page: Result<Page, Fault>) -> Result<(), E> {
        let page = page.and_then(|page| match page.check() {
            Ok(()) => Ok(page),
            Err(problem) => Err(Fault::page(page.number, problem)),
        });
        let page = match page {
            Ok(page) => page,
            Err(fault) => {
                self.skip()?;
                self.unknown = true;
                return self.fault(fault);
            }
        };
        (self.visit)(Event::Page(&page))?;
        if page.is_btree() {
            return Ok(());
        }
        self.beginning(&page)?;
        for i in 0..page.cells() {
            let Some(cell) = page.cell(i) else {
                continue;
            };
            let mut open = Open {
                record: Record {
                    page: page.number,
                    cell: i,
                    kind: cell.kind,
                    pointer: cell.pointer,
                    key: Vec::new(),
                    value: Vec::new(),
                },
                key_missing: cell.key,
                value_missing: cell.value,
            };
            let body = page.data.get(cell.body..page.end()).unwrap_or_default();
            open.take(body, self.manner.values);
            match open.missing() {
                0 => (self.visit)(Event::Record(open.record))?,
                _ => self.open = Some(open),
            }
        }
        Ok(())
    }

    /// What lies before the first cell: the rest of the last record, or nothing.
    fn beginning(&mut self, page: &Page) -> Result<(), E> {
        let lead = page.start(0).unwrap_or(page.end());
        let empty = page.cells() == 0;
        let unknown = std::mem::replace(&mut self.unknown, false);
        let Some(mut open) = self.open.take() else {
            // The end of a record that began on a page which is lost, or given up.
            if unknown {
                self.unknown = empty;
                return Ok(());
            }
            return match (empty, lead) {
                (false, 0) => Ok(()),
                (false, _) => self.fault(Fault::page(
                    page.number,
                    format!("it begins with {lead} bytes that belong to no record"),
                )),
                (true, _) => self.fault(Fault::page(
                    page.number,
                    "it is empty, where a page with records is due",
                )),
            };
        };
        let missing = open.missing();
        if missing != lead && !empty {
            let from = open.record.page;
            (self.visit)(Event::Skipped)?;
            return self.fault(Fault::page(
                page.number,
                format!(
                    "the record that begins on page {from} lacks {missing} bytes, and there are {lead}"
                ),
            ));
        }
        open.take(
            page.data.get(..lead).unwrap_or_default(),
            self.manner.values,
        );
        match open.missing() {
            0 => (self.visit)(Event::Record(open.record)),
            _ => {
                self.open = Some(open);
                Ok(())
            }
        }
    }

    fn end(mut self) -> Result<(), E> {
        match self.open.take() {
            None => Ok(()),
            Some(open) if self.manner.lenient => {
                self.open = Some(open);
                self.skip()
            }
            Some(open) => self.fault(Fault::page(
                open.record.page,
                format!(
                    "its last record lacks {} bytes at the end of the run",
                    open.missing()
                ),
            )),
        }
    }
}
