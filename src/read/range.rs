//! [`LsmRange`]: the records of a key range, from both ends.

use std::fmt;
use std::iter::FusedIterator;
use std::ops::{Bound, ControlFlow};

use super::LsmKeys;
use super::reach::{End, Reach, RecordRef, Want, is_reserved};
use super::view::{OpenCursor, Record};
use crate::error::LsmError;
use crate::raw::Connection;

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
    /// Where this end has come to, once something was asked from it.
    front: Option<Reach<'a>>,
    back: Option<Reach<'a>>,
}

enum State<'a> {
    Running(&'a Connection),
    /// The error to return before the end.
    Broken(LsmError),
    Done,
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
            // The first record, each one behind keys of tables, and those that are here already.
            match self.step(end, Want::Record, &mut show).transpose()? {
                None => return Ok(true),
                Some(ControlFlow::Break(())) => return Ok(false),
                Some(ControlFlow::Continue(())) => {}
            }
            if !self.reach(end).is_some_and(Reach::is_level) {
                continue;
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
        let (reach, other, bound) = match end {
            End::Front => (&mut self.front, &self.back, &self.end),
            End::Back => (&mut self.back, &self.front, &self.start),
        };
        let Some(reach) = reach else {
            return Ok(Pause::End);
        };
        let taken = other.as_ref().map(Reach::last_key).transpose()?;
        let hidden = self.hidden;
        let pause = reach.scan_with(|key, value| {
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
        if self.step(end, Want::Kept, |_, _| ()).transpose()?.is_none() {
            return Ok(None);
        }
        let hidden = self.hidden;
        let shown = self.reach(end).and_then(Reach::last);
        Ok(shown.map(|(key, value)| (&key[hidden..], value)))
    }

    fn reach(&self, end: End) -> Option<&Reach<'a>> {
        match end {
            End::Front => self.front.as_ref(),
            End::Back => self.back.as_ref(),
        }
    }

    pub(super) fn next_key(&mut self) -> Option<Result<Vec<u8>, LsmError>> {
        self.step(End::Front, Want::Key, |key, _| key.to_vec())
    }

    pub(super) fn next_key_back(&mut self) -> Option<Result<Vec<u8>, LsmError>> {
        self.step(End::Back, Want::Key, |key, _| key.to_vec())
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
        want: Want,
        read: impl FnOnce(&[u8], &[u8]) -> T,
    ) -> Option<Result<T, LsmError>> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Done => None,
            State::Broken(error) => Some(Err(error)),
            State::Running(connection) => {
                let outcome = self.advance(connection, end, want, read).transpose();
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
        want: Want,
        read: impl FnOnce(&[u8], &[u8]) -> T,
    ) -> Result<Option<T>, LsmError> {
        let (reach, other, from, bound) = match end {
            End::Front => (&mut self.front, &self.back, &self.start, &self.end),
            End::Back => (&mut self.back, &self.front, &self.end, &self.start),
        };
        let reach = match reach {
            Some(reach) => reach,
            None => reach.insert(Reach::open(connection, self.open, end, from)?),
        };
        // Where the other end has been is no record of this one's.
        let taken = other.as_ref().map(Reach::last_key).transpose()?;
        let hidden = self.hidden;
        let mut read = Some(read);
        loop {
            let found = reach.next_with(want, |record| {
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
                Some(None) => reach.pass_tables()?,
            }
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

impl Iterator for LsmRange<'_> {
    type Item = Result<Record, LsmError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(End::Front, Want::Record, |key, value| {
            (key.to_vec(), value.to_vec())
        })
    }
}

impl DoubleEndedIterator for LsmRange<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(End::Back, Want::Record, |key, value| {
            (key.to_vec(), value.to_vec())
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
