//! [`LsmRange`]: the records of a key range, from both ends.

use std::cmp::Ordering;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::Bound;

use super::view::{OpenCursor, Record};
use super::{LsmKeys, RESERVED, RESERVED_END};
use crate::error::LsmError;
use crate::raw::{Connection, Cursor, Seek};

/// The records of a key range; made by the methods `iter`, `range` and `prefix` of everything
/// that can be read.
///
/// The engine's cursors can't turn round, so each end has one of its own, opened when it is
/// first needed. Both see the same snapshot, which keeps the engine from reusing space: don't
/// keep an iterator idle. After an error it ends.
#[must_use = "iterators do nothing unless consumed"]
pub struct LsmRange<'a> {
    state: State<'a>,
    open: OpenCursor,
    start: Bound<Vec<u8>>,
    end: Bound<Vec<u8>>,
    /// So many bytes at the beginning of a key aren't shown.
    hidden: usize,
    /// Whether there are keys of tables on the way, which are passed over; `None`: not known yet.
    has_tables: Option<bool>,
    /// Rests on the record that was returned last from this end.
    front: Option<Cursor<'a>>,
    back: Option<Cursor<'a>>,
    /// What `next_ref` shows.
    key: Vec<u8>,
    value: Vec<u8>,
}

enum State<'a> {
    Running(&'a Connection),
    /// The error to return before the end.
    Broken(LsmError),
    Done,
}

/// A key and its value, for a moment.
type RecordRef<'a> = (&'a [u8], &'a [u8]);

#[derive(Copy, Clone)]
enum End {
    Front,
    Back,
}

impl<'a> LsmRange<'a> {
    /// `hidden` bytes of each bound and key aren't the caller's.
    pub(super) fn new(
        connection: &'a Connection,
        open: OpenCursor,
        start: Bound<Vec<u8>>,
        end: Bound<Vec<u8>>,
        hidden: usize,
    ) -> LsmRange<'a> {
        LsmRange {
            state: State::Running(connection),
            open,
            start,
            end,
            hidden,
            // Within a table, or elsewhere.
            has_tables: (hidden > 0).then_some(false),
            front: None,
            back: None,
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Nothing but this error.
    pub(crate) fn broken(error: LsmError) -> LsmRange<'a> {
        LsmRange {
            state: State::Broken(error),
            open: Connection::cursor,
            start: Bound::Unbounded,
            end: Bound::Unbounded,
            hidden: 0,
            has_tables: None,
            front: None,
            back: None,
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Only what comes after this key: the next page of a list whose last key it was.
    ///
    /// Works on an iterator that hasn't returned anything yet.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// for name in ["user/anna", "user/bela", "user/carl", "web/home"] {
    ///     db.insert(name, "")?;
    /// }
    /// let page: Vec<_> = db.prefix("user/").after("user/anna").take(2).collect();
    /// assert_eq!(page.last().unwrap().as_ref().unwrap().0, b"user/carl");
    /// # Ok(()) }
    /// ```
    pub fn after(mut self, key: impl AsRef<[u8]>) -> Self {
        let key = self.full(key.as_ref());
        let is_inside = match &self.start {
            Bound::Unbounded => true,
            Bound::Included(start) | Bound::Excluded(start) => key >= *start,
        };
        if is_inside && self.front.is_none() {
            self.start = Bound::Excluded(key);
        }
        self
    }

    /// Only what comes before this key: the page before it, read with `rev()`.
    ///
    /// Works on an iterator that hasn't returned anything yet.
    pub fn before(mut self, key: impl AsRef<[u8]>) -> Self {
        let key = self.full(key.as_ref());
        let is_inside = match &self.end {
            Bound::Unbounded => true,
            Bound::Included(end) | Bound::Excluded(end) => key <= *end,
        };
        if is_inside && self.back.is_none() {
            self.end = Bound::Excluded(key);
        }
        self
    }

    /// The keys alone; values aren't read, which saves time if they are large.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// db.insert("a", vec![0; 100_000])?;
    /// db.insert("b", vec![0; 100_000])?;
    /// let keys: Result<Vec<_>, _> = db.iter().keys().rev().collect();
    /// assert_eq!(keys?, [b"b", b"a"]);
    /// # Ok(()) }
    /// ```
    pub fn keys(self) -> LsmKeys<'a> {
        LsmKeys(self)
    }

    /// The next record, in memory that the iterator uses again: a scan without an allocation
    /// for each key and value.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// db.insert("a", "12")?;
    /// db.insert("b", "345")?;
    /// let (mut records, mut bytes) = (db.iter(), 0);
    /// while let Some((_, value)) = records.next_ref()? {
    ///     bytes += value.len();
    /// }
    /// assert_eq!(bytes, 5);
    /// # Ok(()) }
    /// ```
    ///
    /// What it shows can't be kept across the next call:
    ///
    /// ```compile_fail,E0499
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let db = lsmlite_rs::LsmDb::open("never.lsm")?;
    /// let mut records = db.iter();
    /// let first = records.next_ref()?;
    /// let second = records.next_ref()?;
    /// assert_ne!(first, second);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Reading the file may fail. Afterwards the iterator is at its end.
    pub fn next_ref(&mut self) -> Result<Option<RecordRef<'_>>, LsmError> {
        self.show(End::Front)
    }

    /// As [`next_ref`](Self::next_ref), from the other end.
    ///
    /// # Errors
    /// As [`next_ref`](Self::next_ref).
    pub fn next_back_ref(&mut self) -> Result<Option<RecordRef<'_>>, LsmError> {
        self.show(End::Back)
    }

    fn show(&mut self, end: End) -> Result<Option<RecordRef<'_>>, LsmError> {
        let (mut key, mut value) = (
            std::mem::take(&mut self.key),
            std::mem::take(&mut self.value),
        );
        let found = self.step(end, |cursor| cursor.read_into(&mut key, &mut value));
        (self.key, self.value) = (key, value);
        Ok(found
            .transpose()?
            .map(|()| (&self.key[self.hidden..], &self.value[..])))
    }

    pub(super) fn next_key(&mut self) -> Option<Result<Vec<u8>, LsmError>> {
        let hidden = self.hidden;
        self.step(End::Front, |cursor| visible_key(cursor, hidden))
    }

    pub(super) fn next_key_back(&mut self) -> Option<Result<Vec<u8>, LsmError>> {
        let hidden = self.hidden;
        self.step(End::Back, |cursor| visible_key(cursor, hidden))
    }

    fn full(&self, key: &[u8]) -> Vec<u8> {
        let hidden = match &self.start {
            Bound::Included(start) | Bound::Excluded(start) => &start[..self.hidden],
            Bound::Unbounded => &[],
        };
        [hidden, key].concat()
    }

    /// Moves one end on and reads there; the iterator ends after the last record or an error.
    fn step<T>(
        &mut self,
        end: End,
        read: impl FnOnce(&Cursor<'a>) -> Result<T, LsmError>,
    ) -> Option<Result<T, LsmError>> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Done => None,
            State::Broken(error) => Some(Err(error)),
            State::Running(connection) => {
                let moved = match end {
                    End::Front => self.advance_front(connection),
                    End::Back => self.advance_back(connection),
                };
                let cursor = match end {
                    End::Front => self.front.as_ref(),
                    End::Back => self.back.as_ref(),
                };
                let outcome = moved
                    .and_then(|is_there| cursor.filter(|_| is_there).map(read).transpose())
                    .transpose();
                match outcome {
                    Some(Ok(_)) => self.state = State::Running(connection),
                    // Let go of the snapshot at once.
                    _ => (self.front, self.back) = (None, None),
                }
                outcome
            }
        }
    }

    /// Asked with a cursor of its own, beside one that is open and keeps the snapshot.
    fn look_for_tables(&mut self, connection: &'a Connection) -> Result<bool, LsmError> {
        if let Some(known) = self.has_tables {
            return Ok(known);
        }
        let begins_behind = match &self.start {
            Bound::Unbounded => false,
            Bound::Included(key) | Bound::Excluded(key) => key[..] >= RESERVED_END[..],
        };
        let ends_before = match &self.end {
            Bound::Unbounded => false,
            Bound::Included(key) | Bound::Excluded(key) => key[..] < RESERVED[..],
        };
        let known = !begins_behind && !ends_before && {
            let mut cursor = (self.open)(connection)?;
            cursor.seek(&RESERVED, Seek::AtOrAfter)?;
            cursor.valid() && cursor.compare(&RESERVED_END)?.is_lt()
        };
        Ok(*self.has_tables.insert(known))
    }

    /// True if that end is on another record.
    fn advance_front(&mut self, connection: &'a Connection) -> Result<bool, LsmError> {
        match &mut self.front {
            Some(cursor) => cursor.next()?,
            None => {
                let cursor = self.front.insert((self.open)(connection)?);
                match &self.start {
                    Bound::Unbounded => cursor.first()?,
                    Bound::Included(key) => cursor.seek(key, Seek::AtOrAfter)?,
                    Bound::Excluded(key) => {
                        cursor.seek(key, Seek::AtOrAfter)?;
                        if cursor.valid() && cursor.compare(key)?.is_eq() {
                            cursor.next()?;
                        }
                    }
                }
            }
        }
        let has_tables = self.look_for_tables(connection)?;
        let Some(cursor) = self.front.as_mut() else {
            return Ok(false);
        };
        if has_tables && is_reserved(cursor)? {
            cursor.seek(&RESERVED_END, Seek::AtOrAfter)?;
        }
        if !cursor.valid() {
            return Ok(false);
        }
        let inside = match &self.end {
            Bound::Unbounded => true,
            Bound::Included(key) => cursor.compare(key)?.is_le(),
            Bound::Excluded(key) => cursor.compare(key)?.is_lt(),
        };
        Ok(inside && is_apart(cursor, self.back.as_ref(), Ordering::Less)?)
    }

    /// True if that end is on another record.
    fn advance_back(&mut self, connection: &'a Connection) -> Result<bool, LsmError> {
        match &mut self.back {
            Some(cursor) => cursor.prev()?,
            None => {
                let cursor = self.back.insert((self.open)(connection)?);
                match &self.end {
                    Bound::Unbounded => cursor.last()?,
                    Bound::Included(key) => cursor.seek(key, Seek::AtOrBefore)?,
                    Bound::Excluded(key) => {
                        cursor.seek(key, Seek::AtOrBefore)?;
                        if cursor.valid() && cursor.compare(key)?.is_eq() {
                            cursor.prev()?;
                        }
                    }
                }
            }
        }
        let has_tables = self.look_for_tables(connection)?;
        let Some(cursor) = self.back.as_mut() else {
            return Ok(false);
        };
        if has_tables && is_reserved(cursor)? {
            cursor.seek(&RESERVED, Seek::AtOrBefore)?;
            if cursor.valid() && cursor.compare(&RESERVED)?.is_eq() {
                cursor.prev()?;
            }
        }
        if !cursor.valid() {
            return Ok(false);
        }
        let inside = match &self.start {
            Bound::Unbounded => true,
            Bound::Included(key) => cursor.compare(key)?.is_ge(),
            Bound::Excluded(key) => cursor.compare(key)?.is_gt(),
        };
        Ok(inside && is_apart(cursor, self.front.as_ref(), Ordering::Greater)?)
    }
}

/// True on the key of a table.
fn is_reserved(cursor: &Cursor<'_>) -> Result<bool, LsmError> {
    Ok(cursor.valid()
        && cursor.compare(&RESERVED)?.is_ge()
        && cursor.compare(&RESERVED_END)?.is_lt())
}

/// False if the other end has been at this record: `side` is how the key must compare with the
/// one that the other end returned last.
fn is_apart(
    cursor: &Cursor<'_>,
    other_end: Option<&Cursor<'_>>,
    side: Ordering,
) -> Result<bool, LsmError> {
    match other_end {
        None => Ok(true),
        Some(other) => Ok(cursor.compare(&other.key()?)? == side),
    }
}

fn visible_key(cursor: &Cursor<'_>, hidden: usize) -> Result<Vec<u8>, LsmError> {
    let mut key = cursor.key()?;
    key.drain(..hidden);
    Ok(key)
}

impl Iterator for LsmRange<'_> {
    type Item = Result<Record, LsmError>;

    fn next(&mut self) -> Option<Self::Item> {
        let hidden = self.hidden;
        self.step(End::Front, |cursor| {
            Ok((visible_key(cursor, hidden)?, cursor.value()?))
        })
    }
}

impl DoubleEndedIterator for LsmRange<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let hidden = self.hidden;
        self.step(End::Back, |cursor| {
            Ok((visible_key(cursor, hidden)?, cursor.value()?))
        })
    }
}

impl FusedIterator for LsmRange<'_> {}

impl fmt::Debug for LsmRange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LsmRange")
            .field("start", &self.start)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
