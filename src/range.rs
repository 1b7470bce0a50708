//! Iteration over the records of a key range, from both ends.

use std::cmp::Ordering;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::{Bound, RangeBounds};

use crate::db::LsmDb;
use crate::error::LsmError;
use crate::raw::{Connection, Cursor, Seek};
use crate::session::Session;

/// A key and its value.
type Record = (Vec<u8>, Vec<u8>);

/// Ordered scans.
impl LsmDb {
    /// All records in ascending order of their keys (`memcmp` order).
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// db.insert(b"b", b"2")?;
    /// db.insert(b"a", b"1")?;
    /// let keys: Result<Vec<_>, _> = db.iter().map(|record| record.map(|(key, _)| key)).collect();
    /// assert_eq!(keys?, [b"a", b"b"]);
    /// let (last, _) = db.iter().next_back().unwrap()?;
    /// assert_eq!(last, b"b");
    /// # Ok(()) }
    /// ```
    pub fn iter(&self) -> LsmRange<'_> {
        self.range::<&[u8]>(..)
    }

    /// The records whose keys are in `range`, from either end. A range whose start lies
    /// after its end is empty.
    ///
    /// The iterator holds a snapshot, which keeps the engine from reusing space: don't keep
    /// one idle. After an error it ends.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// for year in ["1905", "1911", "1922", "1930"] {
    ///     db.insert(year, b"")?;
    /// }
    /// let mut years = db.range("1910".."1930");
    /// assert_eq!(years.next().unwrap()?.0, b"1911");
    /// assert_eq!(years.next_back().unwrap()?.0, b"1922");
    /// assert!(years.next().is_none());
    /// # Ok(()) }
    /// ```
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> LsmRange<'_> {
        let connection = self.session("range").map(Session::connection);
        LsmRange::over(connection, range, Connection::cursor)
    }
}

fn owned<K: AsRef<[u8]>>(bound: Bound<&K>) -> Bound<Vec<u8>> {
    bound.map(|key| key.as_ref().to_vec())
}

/// The records of a key range; made by [`LsmDb::range`] and [`LsmDb::iter`], and by the methods
/// of the same names of [`Reader`](crate::Reader) and [`Snapshot`](crate::Snapshot).
///
/// The engine's cursors can't turn round, so each end has one of its own, opened when it is
/// first needed. Both see the same snapshot.
#[must_use = "iterators do nothing unless consumed"]
pub struct LsmRange<'a> {
    state: State<'a>,
    open: OpenCursor,
    start: Bound<Vec<u8>>,
    end: Bound<Vec<u8>>,
    /// Rests on the record that was returned last from this end.
    front: Option<Cursor<'a>>,
    back: Option<Cursor<'a>>,
}

/// How a cursor is opened: those who read beside a writer have patience.
type OpenCursor = fn(&Connection) -> Result<Cursor<'_>, LsmError>;

enum State<'a> {
    Running(&'a Connection),
    /// The error to return before the end.
    Broken(LsmError),
    Done,
}

impl<'a> LsmRange<'a> {
    /// The records of a range as this connection sees them.
    pub(crate) fn over<K: AsRef<[u8]>>(
        connection: Result<&'a Connection, LsmError>,
        range: impl RangeBounds<K>,
        open: OpenCursor,
    ) -> Self {
        LsmRange {
            state: match connection {
                Ok(connection) => State::Running(connection),
                Err(error) => State::Broken(error),
            },
            open,
            start: owned(range.start_bound()),
            end: owned(range.end_bound()),
            front: None,
            back: None,
        }
    }

    /// Runs one step from either end; the iterator ends after the last record or an error.
    fn step(
        &mut self,
        advance: fn(&mut Self) -> Result<Option<Record>, LsmError>,
    ) -> Option<Result<Record, LsmError>> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Done => None,
            State::Broken(error) => Some(Err(error)),
            State::Running(connection) => {
                self.state = State::Running(connection);
                let outcome = advance(self).transpose();
                if !matches!(outcome, Some(Ok(_))) {
                    self.state = State::Done;
                    // Let go of the snapshot at once.
                    self.front = None;
                    self.back = None;
                }
                outcome
            }
        }
    }

    fn advance_front(&mut self) -> Result<Option<Record>, LsmError> {
        let State::Running(connection) = self.state else {
            return Ok(None);
        };
        let cursor = match &mut self.front {
            Some(cursor) => {
                cursor.next()?;
                cursor
            }
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
                cursor
            }
        };
        if !cursor.valid() {
            return Ok(None);
        }
        let inside = match &self.end {
            Bound::Unbounded => true,
            Bound::Included(key) => cursor.compare(key)?.is_le(),
            Bound::Excluded(key) => cursor.compare(key)?.is_lt(),
        };
        record(cursor, inside, self.back.as_ref(), Ordering::Less)
    }

    fn advance_back(&mut self) -> Result<Option<Record>, LsmError> {
        let State::Running(connection) = self.state else {
            return Ok(None);
        };
        let cursor = match &mut self.back {
            Some(cursor) => {
                cursor.prev()?;
                cursor
            }
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
                cursor
            }
        };
        if !cursor.valid() {
            return Ok(None);
        }
        let inside = match &self.start {
            Bound::Unbounded => true,
            Bound::Included(key) => cursor.compare(key)?.is_ge(),
            Bound::Excluded(key) => cursor.compare(key)?.is_gt(),
        };
        record(cursor, inside, self.front.as_ref(), Ordering::Greater)
    }
}

/// The cursor's record, unless it is outside the range or the other end has been there:
/// `side` is how its key must compare with the record that the other end returned last.
fn record(
    cursor: &Cursor<'_>,
    inside: bool,
    other_end: Option<&Cursor<'_>>,
    side: Ordering,
) -> Result<Option<Record>, LsmError> {
    if !inside {
        return Ok(None);
    }
    if let Some(other) = other_end {
        if cursor.compare(&other.key()?)? != side {
            return Ok(None);
        }
    }
    Ok(Some((cursor.key()?, cursor.value()?)))
}

impl Iterator for LsmRange<'_> {
    type Item = Result<Record, LsmError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(Self::advance_front)
    }
}

impl DoubleEndedIterator for LsmRange<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(Self::advance_back)
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
