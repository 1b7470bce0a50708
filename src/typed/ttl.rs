//! [`TtlTable`]: records that expire.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::RangeBounds;
use std::time::Duration;

use super::clock::{Clock, SystemClock, whole_ms};
use super::error::{EncodingError, undecodable, unencodable};
use super::key::{Key, KeyPrefix, take};
use super::range::{TtlRange, TypedRange};
use super::space::Space;
use super::store::{ReadStore, Store};
use super::table::TypedTable;
use super::value::{Postcard, Raw, ValueFormat};
use crate::error::LsmError;
use crate::read::View;

/// The expiry of records that don't.
const NEVER: u64 = u64::MAX;
/// How many records are removed in one transaction, so that others can write in between.
const BATCH: usize = 256;

const RECORDS: u8 = 0;
const EXPIRIES: u8 = 1;

/// A [`TypedTable`] whose records expire: each is returned until its time to live is over.
///
/// Expired records stay in the file until [`remove_expired`](Self::remove_expired), by hand or
/// by a [`Sweeper`](super::Sweeper), removes them, in the order in which they expired, without
/// looking at others.
///
/// **Plain handles see more**: they find a record at prefix, byte 0 and key, also after it has
/// expired, and its value begins with the expiry (milliseconds since 1970, 8 bytes, big endian,
/// all ones for never). At prefix, byte 1, expiry and key there is an empty record, by which
/// expired ones are found. Write through the table only.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
/// use std::time::Duration;
/// use lsmlite_rs::typed::{ManualClock, TtlTable};
///
/// const SESSIONS: TtlTable<u64, String> = TtlTable::new(b"sessions/");
///
/// // Without this, the time of the system.
/// let clock = ManualClock::new(1_700_000_000_000);
/// let sessions = SESSIONS.with_clock(clock.clone());
///
/// sessions.insert(&mut db, 17, "ada".to_string(), Duration::from_secs(60))?;
/// clock.advance(Duration::from_secs(59));
/// assert_eq!(sessions.get(&db, 17)?.as_deref(), Some("ada"));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(sessions.get(&db, 17)?, None);
/// assert_eq!(sessions.remove_expired(&mut db, 1000)?, 1);
/// # Ok(()) }
/// ```
///
/// A write costs two more small writes and a read, all in one transaction.
pub struct TtlTable<K, V, F = Postcard, C = SystemClock> {
    records: TypedTable<K, V, F>,
    expiries: TypedTable<(u64, K), (), Raw>,
    clock: C,
}

impl<K, V, F> TtlTable<K, V, F> {
    /// The table behind this prefix, with the time of the system. See [`TypedTable`] for
    /// prefixes.
    pub const fn new(prefix: &'static [u8]) -> Self {
        Self::of(Cow::Borrowed(prefix), Cow::Borrowed(prefix))
    }

    /// The same for a prefix that is made while the program runs.
    pub fn with_prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let prefix = prefix.into();
        Self::of(Cow::Owned(prefix.clone()), Cow::Owned(prefix))
    }

    const fn of(records: Cow<'static, [u8]>, expiries: Cow<'static, [u8]>) -> Self {
        TtlTable {
            records: TypedTable::of(Space::new(records, Some(RECORDS))),
            expiries: TypedTable::of(Space::new(expiries, Some(EXPIRIES))),
            clock: SystemClock,
        }
    }
}

impl<K, V, F, C> TtlTable<K, V, F, C> {
    /// The same table by another clock, such as a [`ManualClock`](super::ManualClock) in tests.
    pub fn with_clock<D: Clock>(self, clock: D) -> TtlTable<K, V, F, D> {
        TtlTable {
            records: self.records,
            expiries: self.expiries,
            clock,
        }
    }
}

impl<K: Key, V, F: ValueFormat<V>, C: Clock> TtlTable<K, V, F, C> {
    /// Inserts a record that lives for `ttl` from now, or replaces the one with this key and its
    /// time. Parts of a millisecond are left out; [`Duration::MAX`] is for ever.
    ///
    /// # Errors
    /// As [`TypedTable::insert`]. After an error nothing has changed.
    pub fn insert<S: Store>(
        &self,
        store: &mut S,
        key: K::Ref<'_>,
        value: impl Borrow<V>,
        ttl: Duration,
    ) -> Result<(), LsmError> {
        let mut stamped = self.expiry_after(ttl).to_be_bytes().to_vec();
        F::encode(value.borrow(), &mut stamped)
            .map_err(|error| unencodable(store.file(), error))?;
        store.atomically(|store| {
            let old = self.stored(store, key)?;
            self.put(store, key, old.as_deref(), &stamped)
        })
    }

    /// Lets a record live for `ttl` from now, with the value that it has. False if there is
    /// none, or not any more.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn renew<S: Store>(
        &self,
        store: &mut S,
        key: K::Ref<'_>,
        ttl: Duration,
    ) -> Result<bool, LsmError> {
        store.atomically(|store| {
            let Some(old) = self.stored(store, key)? else {
                return Ok(false);
            };
            let (expiry_ms, value) = self.open(store, key, &old)?;
            if expiry_ms <= self.clock.now_ms() {
                return Ok(false);
            }
            let mut stamped = self.expiry_after(ttl).to_be_bytes().to_vec();
            stamped.extend_from_slice(value);
            self.put(store, key, Some(&old), &stamped)?;
            Ok(true)
        })
    }

    /// Removes the record with this key, if there is one.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove<S: Store>(&self, store: &mut S, key: K::Ref<'_>) -> Result<(), LsmError> {
        store.atomically(|store| {
            let raw_key = self.records.raw_key(key);
            let Some(old) = self.stored(store, key)? else {
                return Ok(());
            };
            if let Some(expiry_ms) = expiry_ms(Some(&old)) {
                self.expiries.remove(store, (expiry_ms, key))?;
            }
            store.remove_record(&raw_key)
        })
    }

    /// The value of this key, if there is one that hasn't expired.
    ///
    /// # Errors
    /// As [`TypedTable::get`].
    pub fn get<S: ReadStore>(&self, store: &S, key: K::Ref<'_>) -> Result<Option<V>, LsmError> {
        let Some(stored) = self.stored(store, key)? else {
            return Ok(None);
        };
        let (expiry_ms, value) = self.open(store, key, &stored)?;
        if expiry_ms <= self.clock.now_ms() {
            return Ok(None);
        }
        let value = F::decode(value).map_err(|error| self.undecodable(store, key, error))?;
        Ok(Some(value))
    }

    /// How long the record with this key still lives, if there is one that hasn't expired;
    /// [`Duration::MAX`] is for ever.
    ///
    /// # Errors
    /// As [`TypedTable::get`]; the value isn't decoded.
    pub fn time_left<S: ReadStore>(
        &self,
        store: &S,
        key: K::Ref<'_>,
    ) -> Result<Option<Duration>, LsmError> {
        let Some(stored) = self.stored(store, key)? else {
            return Ok(None);
        };
        Ok(match self.open(store, key, &stored)?.0 {
            NEVER => Some(Duration::MAX),
            expiry_ms => expiry_ms
                .checked_sub(self.clock.now_ms())
                .filter(|left_ms| *left_ms > 0)
                .map(Duration::from_millis),
        })
    }

    /// All records that haven't expired, in the order of their keys.
    pub fn iter<'s, S: ReadStore>(&self, store: &'s S) -> TtlRange<'s, K, V, F, C>
    where
        C: Clone,
    {
        self.range(store, ..)
    }

    /// Those of them whose keys are in `range`. See [`TypedTable::range`].
    pub fn range<'s, 'k, S: ReadStore>(
        &self,
        store: &'s S,
        range: impl RangeBounds<K::Ref<'k>>,
    ) -> TtlRange<'s, K, V, F, C>
    where
        C: Clone,
    {
        TtlRange::new(self.records.range(store, range), self.clock.clone())
    }

    /// Those of them whose keys begin with `prefix`. See [`TypedTable::prefix`].
    pub fn prefix<'s, S: ReadStore>(
        &self,
        store: &'s S,
        prefix: impl KeyPrefix<K>,
    ) -> TtlRange<'s, K, V, F, C>
    where
        C: Clone,
    {
        TtlRange::new(self.records.prefix(store, prefix), self.clock.clone())
    }

    /// Removes up to `limit` records that have expired, those that expired first, and returns
    /// how many. They are removed in transactions of 256, or in the one that is open.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); what was removed before an error stays removed.
    pub fn remove_expired<S: Store>(&self, store: &mut S, limit: usize) -> Result<usize, LsmError> {
        let mut removed = 0;
        while removed < limit {
            let batch = self.remove_batch(store, BATCH.min(limit - removed))?;
            removed += batch.removed;
            if batch.is_last {
                break;
            }
        }
        Ok(removed)
    }

    /// The same for as many records as one transaction takes.
    pub(super) fn remove_batch<S: Store>(
        &self,
        store: &mut S,
        limit: usize,
    ) -> Result<Batch, LsmError> {
        let now_ms = self.clock.now_ms();
        // Another writer may renew a record between the look at it and its removal, hence all
        // in one transaction; but none is opened when there is nothing to do.
        if self.due(store, now_ms).next().transpose()?.is_none() {
            return Ok(Batch {
                removed: 0,
                is_last: true,
            });
        }
        store.atomically(|store| {
            let due = self.due(store, now_ms).take(limit);
            let due = due.collect::<Result<Vec<_>, _>>()?;
            let mut removed = 0;
            for ((expiry_ms, key), ()) in &due {
                let raw_key = self.records.raw_key(key.by_ref());
                let record = self.stored(store, key.by_ref())?;
                // A plain handle may have changed it.
                if self::expiry_ms(record.as_deref()) == Some(*expiry_ms) {
                    store.remove_record(&raw_key)?;
                    removed += 1;
                }
                self.expiries.remove(store, (*expiry_ms, key.by_ref()))?;
            }
            Ok(Batch {
                removed,
                is_last: due.len() < limit,
            })
        })
    }

    /// The records that have expired, by expiry.
    fn due<'s, S: ReadStore>(
        &self,
        store: &'s S,
        now_ms: u64,
    ) -> TypedRange<'s, (u64, K), (), Raw> {
        let end = now_ms.saturating_add(1).to_be_bytes();
        self.expiries.before(store, &end)
    }

    fn expiry_after(&self, ttl: Duration) -> u64 {
        self.clock.now_ms().saturating_add(whole_ms(ttl))
    }

    fn stored<S: ReadStore>(
        &self,
        store: &S,
        key: K::Ref<'_>,
    ) -> Result<Option<Vec<u8>>, LsmError> {
        store.reading("get")?.get(&self.records.raw_key(key))
    }

    /// Expiry and value of a stored record.
    fn open<'v, S: ReadStore>(
        &self,
        store: &S,
        key: K::Ref<'_>,
        stored: &'v [u8],
    ) -> Result<(u64, &'v [u8]), LsmError> {
        stamp(stored).map_err(|error| self.undecodable(store, key, error))
    }

    fn undecodable<S: ReadStore>(
        &self,
        store: &S,
        key: K::Ref<'_>,
        why: EncodingError,
    ) -> LsmError {
        let raw_key = self.records.raw_key(key);
        let view = store.reading("locate");
        let file = view.as_ref().ok().map(View::path);
        undecodable("decode a value", file, &raw_key, why)
    }

    /// Writes a record in place of an old one, and where it is found when it has expired.
    fn put<S: Store>(
        &self,
        store: &mut S,
        key: K::Ref<'_>,
        old: Option<&[u8]>,
        stamped: &[u8],
    ) -> Result<(), LsmError> {
        let old_ms = expiry_ms(old);
        let new_ms = expiry_ms(Some(stamped));
        if old_ms != new_ms {
            if let Some(old_ms) = old_ms.filter(|old_ms| *old_ms != NEVER) {
                self.expiries.remove(store, (old_ms, key))?;
            }
            if let Some(new_ms) = new_ms.filter(|new_ms| *new_ms != NEVER) {
                self.expiries.insert(store, (new_ms, key), ())?;
            }
        }
        store.insert_record(&self.records.raw_key(key), stamped)
    }
}

/// What one transaction has removed.
pub(super) struct Batch {
    pub(super) removed: usize,
    /// Nothing more has expired.
    pub(super) is_last: bool,
}

/// Expiry and value of a stored record.
pub(super) fn stamp(mut stored: &[u8]) -> Result<(u64, &[u8]), EncodingError> {
    let expiry = take(&mut stored, "an expiry")?;
    Ok((u64::from_be_bytes(expiry), stored))
}

/// The expiry of a record; none for bytes that aren't ours, which a write may replace.
fn expiry_ms(stored: Option<&[u8]>) -> Option<u64> {
    Some(stamp(stored?).ok()?.0)
}

impl<K, V, F, C: Clone> Clone for TtlTable<K, V, F, C> {
    fn clone(&self) -> Self {
        TtlTable {
            records: self.records.clone(),
            expiries: self.expiries.clone(),
            clock: self.clock.clone(),
        }
    }
}

impl<K, V, F, C> fmt::Debug for TtlTable<K, V, F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TtlTable").field(&self.records).finish()
    }
}
