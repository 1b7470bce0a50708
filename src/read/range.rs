//! [`LsmRange`]: the records of a key range, from both ends.

use std::fmt;
use std::iter::FusedIterator;
use std::ops::{Bound, ControlFlow};

use super::view::{OpenCursor, Record};
use super::{LsmKeys, RESERVED, RESERVED_END};
use crate::error::LsmError;
use crate::raw::{Connection, Cursor, Seek, Step};

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

    /// Shows all records that are left, one after the other, where the engine has them, until the
    /// closure breaks off: the fastest scan, without any copy. False if it was broken off; then the
    /// rest can still be had.
    ///
    /// Until the closure returns, every other call on the handle is refused.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// db.insert("a", "12")?;
    /// db.insert("b", "345")?;
    /// use std::ops::ControlFlow;
    ///
    /// let mut bytes = 0;
    /// db.iter().for_each_ref(|key, value| {
    ///     bytes += key.len() + value.len();
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(bytes, 7);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`next_ref`](Self::next_ref).
    pub fn for_each_ref(
        &mut self,
        show: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<bool, LsmError> {
        self.show_all(End::Front, show)
    }

    /// As [`for_each_ref`](Self::for_each_ref), from the other end.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// db.insert("a", "12")?;
    /// db.insert("b", "345")?;
    /// use std::ops::ControlFlow;
    ///
    /// let mut newest = None;
    /// db.iter().for_each_back_ref(|_, value| {
    ///     newest = Some(value.len());
    ///     ControlFlow::Break(())
    /// })?;
    /// assert_eq!(newest, Some(3));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`next_ref`](Self::next_ref).
    pub fn for_each_back_ref(
        &mut self,
        show: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<bool, LsmError> {
        self.show_all(End::Back, show)
    }

    /// Shows all records that are left from this end. False if it was broken off.
    fn show_all(
        &mut self,
        end: End,
        mut show: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<bool, LsmError> {
        loop {
            // The first record, and each one behind keys of tables.
            match self.step(end, true, &mut show).transpose()? {
                None => return Ok(true),
                Some(ControlFlow::Break(())) => return Ok(false),
                Some(ControlFlow::Continue(())) => {}
            }
            match self.run(end, &mut show) {
                Ok(Pause::Tables) => {}
                Ok(Pause::Broken) => return Ok(false),
                Ok(Pause::End) => {
                    self.finish();
                    return Ok(true);
                }
                Err(error) => {
                    self.finish();
                    return Err(error);
                }
            }
        }
    }

    /// Shows records until something else has to be done.
    fn run(
        &mut self,
        end: End,
        mut show: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<Pause, LsmError> {
        let (cursor, other, bound) = match end {
            End::Front => (&mut self.front, &self.back, &self.end),
            End::Back => (&mut self.back, &self.front, &self.start),
        };
        let Some(cursor) = cursor else {
            return Ok(Pause::End);
        };
        let taken = other.as_ref().map(Cursor::key).transpose()?;
        let hidden = self.hidden;
        let pause = cursor.scan_with(end.step(), |key, value| {
            if hidden == 0 && is_reserved(key) {
                return ControlFlow::Break(Pause::Tables);
            }
            if !is_before(end, key, bound, taken.as_deref()) {
                return ControlFlow::Break(Pause::End);
            }
            show(&key[hidden..], value).map_break(|()| Pause::Broken)
        })?;
        Ok(pause.unwrap_or(Pause::End))
    }

    /// Lets go of the snapshot.
    fn finish(&mut self) {
        self.state = State::Done;
        (self.front, self.back) = (None, None);
    }

    fn show(&mut self, end: End) -> Result<Option<RecordRef<'_>>, LsmError> {
        let (mut key, mut value) = (
            std::mem::take(&mut self.key),
            std::mem::take(&mut self.value),
        );
        let found = self.step(end, true, |k, v| {
            key.clear();
            key.extend_from_slice(k);
            value.clear();
            value.extend_from_slice(v);
        });
        (self.key, self.value) = (key, value);
        Ok(found
            .transpose()?
            .map(|()| (&self.key[..], &self.value[..])))
    }

    pub(super) fn next_key(&mut self) -> Option<Result<Vec<u8>, LsmError>> {
        self.step(End::Front, false, |key, _| key.to_vec())
    }

    pub(super) fn next_key_back(&mut self) -> Option<Result<Vec<u8>, LsmError>> {
        self.step(End::Back, false, |key, _| key.to_vec())
    }

    fn full(&self, key: &[u8]) -> Vec<u8> {
        let hidden = match &self.start {
            Bound::Included(start) | Bound::Excluded(start) => &start[..self.hidden],
            Bound::Unbounded => &[],
        };
        [hidden, key].concat()
    }

    /// Moves one end on and reads there; the iterator ends after the last record or an error.
    #[inline]
    fn step<T>(
        &mut self,
        end: End,
        with_value: bool,
        read: impl FnOnce(&[u8], &[u8]) -> T,
    ) -> Option<Result<T, LsmError>> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Done => None,
            State::Broken(error) => Some(Err(error)),
            State::Running(connection) => {
                let outcome = self.advance(connection, end, with_value, read).transpose();
                match outcome {
                    Some(Ok(_)) => self.state = State::Running(connection),
                    // Let go of the snapshot at once.
                    _ => (self.front, self.back) = (None, None),
                }
                outcome
            }
        }
    }

    /// Goes to the next record from that end and reads it, if there is one.
    #[inline]
    fn advance<T>(
        &mut self,
        connection: &'a Connection,
        end: End,
        with_value: bool,
        read: impl FnOnce(&[u8], &[u8]) -> T,
    ) -> Result<Option<T>, LsmError> {
        let is_open = match end {
            End::Front => self.front.is_some(),
            End::Back => self.back.is_some(),
        };
        let mut step = match (is_open, end) {
            (true, end) => end.step(),
            (false, _) => {
                self.open_end(connection, end)?;
                Step::Stay
            }
        };
        let (cursor, other, bound) = match end {
            End::Front => (&mut self.front, &self.back, &self.end),
            End::Back => (&mut self.back, &self.front, &self.start),
        };
        // Where the other end has been is no record of this one's.
        let taken = other.as_ref().map(Cursor::key).transpose()?;
        let Some(cursor) = cursor else {
            return Ok(None);
        };
        let hidden = self.hidden;
        let mut read = Some(read);
        loop {
            let found = cursor.step_with(step, with_value, |record| {
                let (key, value) = record?;
                if hidden == 0 && is_reserved(key) {
                    return Some(None);
                }
                if !is_before(end, key, bound, taken.as_deref()) {
                    return None;
                }
                read.take().map(|read| Some(read(&key[hidden..], value)))
            })?;
            match found {
                None => return Ok(None),
                Some(Some(done)) => return Ok(Some(done)),
                Some(None) => pass_tables(cursor, end)?,
            }
            step = Step::Stay;
        }
    }

    /// Opens the cursor of one end, and puts it on the first record that may be within.
    fn open_end(&mut self, connection: &'a Connection, end: End) -> Result<(), LsmError> {
        let (place, bound) = match end {
            End::Front => (&mut self.front, &self.start),
            End::Back => (&mut self.back, &self.end),
        };
        let cursor = place.insert((self.open)(connection)?);
        match (bound, end) {
            (Bound::Unbounded, End::Front) => cursor.first(),
            (Bound::Unbounded, End::Back) => cursor.last(),
            (Bound::Included(key), _) => cursor.seek(key, end.seek()),
            (Bound::Excluded(key), _) => {
                cursor.seek(key, end.seek())?;
                match cursor.valid() && cursor.compare(key)?.is_eq() {
                    true => end.go_on(cursor),
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

/// Why a scan pauses.
enum Pause {
    /// At the keys of tables.
    Tables,
    /// The caller has seen enough.
    Broken,
    End,
}

/// True for keys of tables, which those who read outside of tables pass over.
#[inline]
fn is_reserved(key: &[u8]) -> bool {
    key.starts_with(&RESERVED)
}

/// True if a key, come to from this end, is before the bound at the other one, and before what was
/// taken from there.
#[inline]
fn is_before(end: End, key: &[u8], bound: &Bound<Vec<u8>>, taken: Option<&[u8]>) -> bool {
    let order = |limit: &[u8]| match end {
        End::Front => key.cmp(limit),
        End::Back => limit.cmp(key),
    };
    let within = match bound {
        Bound::Unbounded => true,
        Bound::Included(limit) => order(limit).is_le(),
        Bound::Excluded(limit) => order(limit).is_lt(),
    };
    within && taken.is_none_or(|limit| order(limit).is_lt())
}

/// Goes behind the keys of tables.
fn pass_tables(cursor: &mut Cursor<'_>, end: End) -> Result<(), LsmError> {
    match end {
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

impl Iterator for LsmRange<'_> {
    type Item = Result<Record, LsmError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(End::Front, true, |key, value| {
            (key.to_vec(), value.to_vec())
        })
    }
}

impl DoubleEndedIterator for LsmRange<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(End::Back, true, |key, value| (key.to_vec(), value.to_vec()))
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
