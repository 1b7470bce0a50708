//! [`Ahead`]: copies of records that a cursor has passed, and that are still to be shown.

/// How many records the first look ahead asks for; each one that finds them asks for twice as many.
const FEW: usize = 4;
const MOST: usize = 64;
/// Fewer than these aren't worth the look.
const WORTH: usize = 4;
/// The most steps between two looks that aren't worth it.
const PATIENCE: u32 = 16;

/// Records in a row, in memory that is used again, and how many to ask for next.
///
/// A step of the engine's cursor costs more than a copy of a small record; the records of one page
/// can be had with one step for all.
pub(super) struct Ahead {
    bytes: Vec<u8>,
    /// Where the key of each record ends, and its value, behind the one before.
    ends: Vec<(usize, usize)>,
    /// How many of them were shown.
    shown: usize,
    most: usize,
    /// So many steps are taken before the next look.
    wait: u32,
    patience: u32,
}

impl Ahead {
    pub(super) fn new() -> Ahead {
        Ahead {
            bytes: Vec::new(),
            ends: Vec::new(),
            shown: 0,
            most: FEW,
            wait: 0,
            patience: 1,
        }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.shown = 0;
    }

    #[inline]
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((key_end, self.bytes.len()));
    }

    /// True if all were shown.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.shown == self.ends.len()
    }

    /// Shows the next one.
    #[inline]
    pub(super) fn show(&mut self) -> Option<(&[u8], &[u8])> {
        self.shown += usize::from(!self.is_empty());
        self.last()
    }

    /// The one that was shown last, if it is still here.
    #[inline]
    pub(super) fn last(&self) -> Option<(&[u8], &[u8])> {
        let i = self.shown.checked_sub(1)?;
        let begin = i.checked_sub(1).map_or(0, |before| self.ends[before].1);
        let (key_end, end) = self.ends[i];
        Some((&self.bytes[begin..key_end], &self.bytes[key_end..end]))
    }

    /// For how many records to look now, rather than take a step; 0 for a step.
    #[inline]
    pub(super) fn wanted(&mut self) -> usize {
        if self.wait > 0 {
            self.wait -= 1;
            return 0;
        }
        self.most
    }

    /// So many were found where so many were wanted.
    pub(super) fn found(&mut self, count: usize, wanted: usize) {
        if count < WORTH {
            // Other runs lie between; or the page was at its end, and the next look finds more.
            self.wait = self.patience - u32::from(count == 0);
            self.patience = (2 * self.patience).min(PATIENCE);
            return;
        }
        // What comes after the last one of less than was wanted takes a step.
        self.wait = u32::from(count < wanted);
        self.patience = 1;
        self.most = (2 * self.most).min(MOST);
    }
}
