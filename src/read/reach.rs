//! [`Reach`]: one end of a range, as far as it has come.

use std::borrow::Cow;
use std::ops::{Bound, ControlFlow};

use super::ahead::Ahead;
use super::view::OpenCursor;
use super::{RESERVED, RESERVED_END};
use crate::error::LsmError;
use crate::raw::{Connection, Cursor, Seek, Step};

/// A key and its value, for a moment.
pub(super) type RecordRef<'a> = (&'a [u8], &'a [u8]);

#[derive(Copy, Clone)]
pub(super) enum End {
    Front,
    Back,
}

/// What becomes of a record's value.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Want {
    Key,
    Record,
    /// The record is to be had from [`Reach::last`] afterwards.
    Kept,
}

/// A cursor, which moves one way, and the records that it has passed before they are shown.
pub(super) struct Reach<'a> {
    end: End,
    /// On the record that was shown last, or on the last one of `ahead`.
    cursor: Cursor<'a>,
    ahead: Ahead,
    /// How to come to what is next.
    step: Step,
}

impl<'a> Reach<'a> {
    /// Opens a cursor, and puts it on the first record that may be within.
    pub(super) fn open(
        connection: &'a Connection,
        open: OpenCursor,
        end: End,
        bound: &Bound<Vec<u8>>,
    ) -> Result<Reach<'a>, LsmError> {
        let mut cursor = open(connection)?;
        match (bound, end) {
            (Bound::Unbounded, End::Front) => cursor.first()?,
            (Bound::Unbounded, End::Back) => cursor.last()?,
            (Bound::Included(key), _) => cursor.seek(key, end.seek())?,
            (Bound::Excluded(key), _) => {
                cursor.seek(key, end.seek())?;
                if cursor.valid() && cursor.compare(key)?.is_eq() {
                    end.go_on(&mut cursor)?;
                }
            }
        }
        Ok(Reach {
            end,
            cursor,
            ahead: Ahead::new(),
            step: Step::Stay,
        })
    }

    /// Shows the next record, or that there is none. The value is empty unless it is wanted.
    #[inline]
    pub(super) fn next_with<T>(
        &mut self,
        want: Want,
        look: impl FnOnce(Option<RecordRef<'_>>) -> T,
    ) -> Result<T, LsmError> {
        if self.ahead.is_empty() {
            self.look_ahead()?;
        }
        if !self.ahead.is_empty() {
            // Who mustn't use the engine now doesn't get what it has left here, either.
            self.cursor.need_position("next")?;
            return Ok(look(self.ahead.show()));
        }
        let ahead = &mut self.ahead;
        ahead.clear();
        let step = std::mem::replace(&mut self.step, self.end.step());
        self.cursor.step_with(step, want != Want::Key, |record| {
            if let (Want::Kept, Some((key, value))) = (want, record) {
                ahead.push(key, value);
                ahead.show();
            }
            look(record)
        })
    }

    /// Copies what can be had without a step for each.
    #[inline]
    fn look_ahead(&mut self) -> Result<(), LsmError> {
        if self.step == Step::Stay {
            return Ok(());
        }
        let ahead = &mut self.ahead;
        let wanted = ahead.wanted();
        if wanted > 0 {
            ahead.clear();
            let count =
                (self.cursor).pass_with(self.step, wanted, |key, value| ahead.push(key, value))?;
            ahead.found(count, wanted);
        }
        Ok(())
    }

    /// The record that was kept.
    pub(super) fn last(&self) -> Option<RecordRef<'_>> {
        self.ahead.last()
    }

    /// The key that was shown last.
    pub(super) fn last_key(&self) -> Result<Cow<'_, [u8]>, LsmError> {
        match self.ahead.last() {
            Some((key, _)) => Ok(Cow::Borrowed(key)),
            None => self.cursor.key().map(Cow::Owned),
        }
    }

    /// True if the next record comes from the engine.
    pub(super) fn is_level(&self) -> bool {
        self.ahead.is_empty()
    }

    /// Shows all that is left where the engine has it, until `look` breaks off; only if
    /// [`is_level`](Self::is_level).
    pub(super) fn scan_with<T>(
        &mut self,
        look: impl FnMut(&[u8], &[u8]) -> ControlFlow<T>,
    ) -> Result<Option<T>, LsmError> {
        self.ahead.clear();
        self.cursor.scan_with(self.end.step(), look)
    }

    /// Goes behind the keys of tables; the next record is where the cursor is then.
    pub(super) fn pass_tables(&mut self) -> Result<(), LsmError> {
        self.ahead.clear();
        self.step = Step::Stay;
        let cursor = &mut self.cursor;
        match self.end {
            End::Front => cursor.seek(&RESERVED_END, Seek::AtOrAfter),
            End::Back => {
                cursor.seek(&RESERVED, Seek::AtOrBefore)?;
                match cursor.valid() && cursor.compare(&RESERVED)?.is_eq() {
                    true => cursor.prev(),
                    false => Ok(()),
                }
            }
        }
    }
}

impl End {
    fn seek(self) -> Seek {
        match self {
            End::Front => Seek::AtOrAfter,
            End::Back => Seek::AtOrBefore,
        }
    }

    fn step(self) -> Step {
        match self {
            End::Front => Step::On,
            End::Back => Step::Back,
        }
    }

    fn go_on(self, cursor: &mut Cursor<'_>) -> Result<(), LsmError> {
        match self {
            End::Front => cursor.next(),
            End::Back => cursor.prev(),
        }
    }
}

/// True for keys of tables, which those who read outside of tables pass over.
#[inline]
pub(super) fn is_reserved(key: &[u8]) -> bool {
    key.starts_with(&RESERVED)
}
