//! Pages: a footer at the end, cells from the beginning.
//!
//! From the end backwards: number of cells (2 bytes), flags (2), page number in the next older run
//! (8), offset of the first cell (2), of the second, and so on.
//!
//! A **record's cell**: kind (1 byte), page number relative to the footer's (varint), length of
//! the key (varint), length of the value (varint, if the kind has one), key, value. The head lies
//! on one page; key and value go on at the beginning of the following pages, over as many as they
//! need, so the first cell of a page begins where what came before ends. Cells lie one behind the
//! other without gaps.
//!
//! A **b-tree's cell**: kind (1), page number (varint) of the subtree with smaller keys, length of
//! the key (varint), key. Or, for a long key: 0 (1), page number (varint), number of the page
//! whose first record has the key (varint). The footer's page number is the subtree with the
//! largest keys.

use super::varint;
use super::{be16, be64};

/// A record's kind; several may be set.
pub(crate) mod kind {
    /// The gap behind this key is deleted in older runs.
    pub(crate) const BEGIN_DELETE: u8 = 0x01;
    /// The gap before this key is deleted in older runs.
    pub(crate) const END_DELETE: u8 = 0x02;
    /// This key is deleted in older runs.
    pub(crate) const DELETE: u8 = 0x04;
    /// There is a value.
    pub(crate) const INSERT: u8 = 0x08;
    /// Carries a page number only.
    pub(crate) const SEPARATOR: u8 = 0x10;
    /// A record of the engine itself.
    pub(crate) const SYSTEM: u8 = 0x20;
    /// Left over from memory; means nothing in a file.
    const CONTIGUOUS: u8 = 0x40;
    /// All of them.
    pub(super) const KNOWN: u8 =
        BEGIN_DELETE | END_DELETE | DELETE | INSERT | SEPARATOR | SYSTEM | CONTIGUOUS;
}

const FOOTER: usize = 12;
const BTREE: u16 = 1;
const SKIP_THIS: u16 = 4;
const KNOWN_FLAGS: u16 = 7;

/// No key and no value can be longer: the engine counts in 32 bits with a sign.
const LONGEST: u64 = i32::MAX as u64;

/// A page's content, without block links.
pub(crate) struct Page {
    pub(crate) number: u64,
    pub(crate) data: Vec<u8>,
}

/// The head of a record.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) kind: u8,
    /// Absolute page number in the next older run.
    pub(crate) pointer: u64,
    pub(crate) key: usize,
    pub(crate) value: usize,
    /// Offset of the key.
    pub(crate) body: usize,
}

/// What a b-tree's cell has for a key.
#[derive(Clone, Debug)]
pub(crate) enum BtreeKey {
    Inline { system: bool, key: Vec<u8> },
    FirstOf(u64),
}

impl Page {
    fn footer(&self, from_end: usize) -> Option<usize> {
        self.data.len().checked_sub(from_end)
    }

    /// The number of cells.
    pub(crate) fn cells(&self) -> usize {
        let count = self.footer(2).and_then(|at| be16(&self.data, at));
        count.unwrap_or(0).into()
    }

    fn flags(&self) -> u16 {
        let flags = self.footer(4).and_then(|at| be16(&self.data, at));
        flags.unwrap_or(0)
    }

    pub(crate) fn is_btree(&self) -> bool {
        self.flags() & BTREE != 0
    }

    /// The run's b-tree doesn't mention this page, because keys are long.
    pub(crate) fn is_skipped(&self) -> bool {
        self.flags() & SKIP_THIS != 0
    }

    /// The page number in the footer.
    pub(crate) fn pointer(&self) -> u64 {
        let pointer = self.footer(FOOTER).and_then(|at| be64(&self.data, at));
        pointer.unwrap_or(0)
    }

    /// Where the footer begins; never beyond the data.
    pub(crate) fn end(&self) -> usize {
        self.footer(FOOTER + 2 * self.cells()).unwrap_or(0)
    }

    /// Offset of a cell.
    pub(crate) fn start(&self, cell: usize) -> Option<usize> {
        let at = self.footer(FOOTER + 2 * (cell + 1))?;
        (cell < self.cells()).then(|| be16(&self.data, at).map(usize::from))?
    }

    /// The record whose head is in a cell.
    pub(crate) fn cell(&self, cell: usize) -> Option<Cell> {
        let start = self.start(cell)?;
        let bytes = self.data.get(start..self.end())?;
        let kind = *bytes.first()?;
        let mut at = 1;
        let mut next = || {
            let (number, len) = varint::read(bytes.get(at..)?)?;
            at += len;
            Some(number)
        };
        let pointer = self.pointer().wrapping_add(next()?);
        let key = next()?;
        let value = match kind & kind::INSERT {
            0 => 0,
            _ => next()?,
        };
        if key > LONGEST || value > LONGEST {
            return None;
        }
        Some(Cell {
            kind,
            pointer,
            key: usize::try_from(key).ok()?,
            value: usize::try_from(value).ok()?,
            body: start + at,
        })
    }

    /// A cell of a b-tree page: the page with smaller keys, the key, and where the cell ends.
    pub(crate) fn btree_cell(&self, cell: usize) -> Option<(u64, BtreeKey, usize)> {
        let start = self.start(cell)?;
        let bytes = self.data.get(start..self.end())?;
        let kind = *bytes.first()?;
        let (pointer, len) = varint::read(bytes.get(1..)?)?;
        let at = 1 + len;
        let (number, len) = varint::read(bytes.get(at..)?)?;
        let at = at + len;
        if kind == 0 {
            return Some((pointer, BtreeKey::FirstOf(number), start + at));
        }
        let until = at.checked_add(usize::try_from(number).ok()?)?;
        let key = bytes.get(at..until)?.to_vec();
        let system = kind & kind::SYSTEM != 0;
        Some((pointer, BtreeKey::Inline { system, key }, start + until))
    }

    /// Checks everything that can be checked without looking at other pages.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.flags() & !KNOWN_FLAGS != 0 {
            return Err(format!("its footer has the flags {:#06x}", self.flags()));
        }
        let cells = self.cells();
        if self.footer(FOOTER + 2 * cells).is_none() {
            return Err(format!("its footer states {cells} cells"));
        }
        match self.is_btree() {
            true => self.check_btree(cells),
            false => self.check_records(cells),
        }
    }

    fn check_records(&self, cells: usize) -> Result<(), String> {
        for i in 0..cells {
            let cell = self
                .cell(i)
                .ok_or_else(|| format!("the head of its record {i} can't be read"))?;
            if cell.kind == 0 || cell.kind & !kind::KNOWN != 0 {
                return Err(format!("its record {i} is of kind {:#04x}", cell.kind));
            }
            if cell.kind & kind::INSERT != 0 && cell.kind & kind::DELETE != 0 {
                return Err(format!("its record {i} both inserts and deletes"));
            }
            let end = cell
                .body
                .saturating_add(cell.key)
                .saturating_add(cell.value);
            match self.start(i + 1) {
                Some(next) if next != end => {
                    return Err(format!(
                        "its record {i} ends at byte {end}, and the next begins at {next}"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_btree(&self, cells: usize) -> Result<(), String> {
        for i in 0..cells {
            let (_, _, end) = self
                .btree_cell(i)
                .ok_or_else(|| format!("cell {i} of this b-tree page can't be read"))?;
            let kind = self.start(i).and_then(|at| self.data.get(at).copied());
            if !matches!(kind, Some(0 | kind::SEPARATOR | 0x30)) {
                return Err(format!("cell {i} of this b-tree page has no known kind"));
            }
            match self.start(i + 1) {
                Some(next) if next != end => {
                    return Err(format!(
                        "cell {i} of this b-tree page ends at byte {end}, and the next begins at {next}"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
