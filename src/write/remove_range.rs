//! Removing all keys between two bounds of any kind.
//!
//! The engine removes what lies strictly between two keys: the bounds themselves, and what has
//! no bound, are seen to here.

use std::ops::{Bound, RangeBounds};

use crate::db::LsmDb;
use crate::error::LsmError;
use crate::read::{RESERVED, RESERVED_END, View, end_of_prefix};
use crate::session::Session;
use crate::write::Transaction;

/// Borrowed bounds of a range.
pub(crate) type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

pub(crate) fn bounds<'a, K: AsRef<[u8]> + 'a>(range: &'a impl RangeBounds<K>) -> Bounds<'a> {
    (
        range.start_bound().map(AsRef::as_ref),
        range.end_bound().map(AsRef::as_ref),
    )
}

/// Within a transaction, of the keys that begin like this; without a beginning, of plain ones.
pub(crate) fn remove_within(
    session: &mut Session,
    prefix: &[u8],
    (start, end): Bounds<'_>,
) -> Result<(), LsmError> {
    if prefix.is_empty() {
        return remove(session, (start, end));
    }
    let full = |key: &[u8]| [prefix, key].concat();
    let start = match start.map(full) {
        Bound::Unbounded => Bound::Included(prefix.to_vec()),
        start => start,
    };
    let end = match end.map(full) {
        Bound::Unbounded => end_of_prefix(prefix),
        end => end,
    };
    let slices = (
        start.as_ref().map(Vec::as_slice),
        end.as_ref().map(Vec::as_slice),
    );
    remove_bounds(session, slices)
}

/// Within a transaction: plain keys; those of tables stay.
fn remove(session: &mut Session, (start, end): Bounds<'_>) -> Result<(), LsmError> {
    let begins_before = match start {
        Bound::Unbounded => true,
        Bound::Included(key) | Bound::Excluded(key) => key < &RESERVED[..],
    };
    let ends_behind = match end {
        Bound::Unbounded => true,
        Bound::Included(key) | Bound::Excluded(key) => key >= &RESERVED_END[..],
    };
    match (begins_before, ends_behind) {
        (true, true) => {
            remove_bounds(session, (start, Bound::Excluded(&RESERVED)))?;
            remove_bounds(session, (Bound::Included(&RESERVED_END), end))
        }
        (true, false) => {
            let end = match end {
                Bound::Included(key) | Bound::Excluded(key) if key >= &RESERVED[..] => {
                    Bound::Excluded(&RESERVED[..])
                }
                end => end,
            };
            remove_bounds(session, (start, end))
        }
        (false, true) => {
            let start = match start {
                Bound::Included(key) | Bound::Excluded(key) if key < &RESERVED_END[..] => {
                    Bound::Included(&RESERVED_END[..])
                }
                start => start,
            };
            remove_bounds(session, (start, end))
        }
        (false, false) => Ok(()),
    }
}

/// Within a transaction.
fn remove_bounds(session: &mut Session, (start, end): Bounds<'_>) -> Result<(), LsmError> {
    let last;
    let end = match end {
        Bound::Unbounded => match View::new(session.connection()).last()? {
            None => return Ok(()),
            Some((key, _)) => {
                last = key;
                Bound::Included(&last[..])
            }
        },
        end => end,
    };
    // The empty key is the smallest.
    let start = match start {
        Bound::Unbounded => Bound::Included(&[][..]),
        start => start,
    };
    let (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) =
        (start, end)
    else {
        return Ok(());
    };
    if from > to {
        return Ok(());
    }
    if from == to {
        return match (start, end) {
            (Bound::Included(key), Bound::Included(_)) => session.delete(key),
            _ => Ok(()),
        };
    }
    if let Bound::Included(key) = start {
        session.delete(key)?;
    }
    session.delete_range(from, to)?;
    if let Bound::Included(key) = end {
        session.delete(key)?;
    }
    Ok(())
}

impl LsmDb {
    /// Removes all records whose keys are in `range`, in one transaction and with a handful of
    /// writes, however many there are.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// for day in ["2026-01-30", "2026-01-31", "2026-02-01"] {
    ///     db.insert(day, "")?;
    /// }
    /// db.remove_range(.."2026-02")?;
    /// assert_eq!(db.iter().count(), 1);
    /// db.remove_range::<&str>(..)?;
    /// assert_eq!(db.iter().count(), 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove_range<K: AsRef<[u8]>>(
        &mut self,
        range: impl RangeBounds<K>,
    ) -> Result<(), LsmError> {
        let range = bounds(&range);
        self.session_mut("remove_range")?
            .atomically(|session| remove(session, range))
    }
}

impl Transaction<'_> {
    /// Removes all records whose keys are in `range`; see [`LsmDb::remove_range`].
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove_range<K: AsRef<[u8]>>(
        &mut self,
        range: impl RangeBounds<K>,
    ) -> Result<(), LsmError> {
        remove(self.session_mut(), bounds(&range))
    }
}
