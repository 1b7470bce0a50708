//! Iterators over the decoded records of tables.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::path::Path;

use super::Types;
use super::clock::Clock;
use super::error::{EncodingError, undecodable};
use super::key::Key;
use super::store::ReadStore;
use super::ttl::stamp;
use super::value::ValueFormat;
use crate::error::LsmError;
use crate::read::{LsmKeys, LsmRange, View};

/// Decoded records of a [`TypedTable`](super::TypedTable), from both ends; after an error it
/// ends.
///
/// Like [`LsmRange`] it holds a snapshot: don't keep one idle.
#[must_use = "iterators do nothing unless consumed"]
pub struct TypedRange<'s, K, V, F> {
    /// None at the end and after an error.
    records: Option<LsmRange<'s>>,
    place: Place<'s>,
    types: Types<K, V, F>,
}

/// Where the records are.
#[derive(Copy, Clone)]
struct Place<'s> {
    file: Option<&'s Path>,
    prefix_len: usize,
}

impl Place<'_> {
    fn key<K: Key>(&self, key: &[u8]) -> Result<K, LsmError> {
        let encoded = key.get(self.prefix_len..).unwrap_or_default();
        K::decode_alone(encoded).map_err(|error| undecodable("decode a key", self.file, key, error))
    }
}

impl<'s, K: Key, V, F: ValueFormat<V>> TypedRange<'s, K, V, F> {
    /// `find` says which of a store's records, all of them behind a prefix of this length.
    pub(super) fn new<S: ReadStore>(
        store: &'s S,
        prefix_len: usize,
        find: impl FnOnce(View<'s>) -> LsmRange<'s>,
    ) -> Self {
        let (records, file) = match store.reading("range") {
            Ok(view) => {
                let file = view.path();
                (find(view), Some(file))
            }
            Err(error) => (LsmRange::broken(error), None),
        };
        TypedRange {
            records: Some(records),
            place: Place { file, prefix_len },
            types: PhantomData,
        }
    }

    /// The keys alone; values are neither read nor decoded.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// use lsmlite_rs::typed::TypedTable;
    ///
    /// const IMAGES: TypedTable<u64, Vec<u8>> = TypedTable::new(b"images/");
    /// IMAGES.insert(&mut db, 300, vec![0; 100_000])?;
    /// IMAGES.insert(&mut db, 2, vec![0; 100_000])?;
    /// let ids: Result<Vec<_>, _> = IMAGES.iter(&db).keys().collect();
    /// assert_eq!(ids?, [2, 300]);
    /// # Ok(()) }
    /// ```
    pub fn keys(self) -> TypedKeys<'s, K> {
        TypedKeys {
            keys: self.records.map(LsmRange::keys),
            place: self.place,
            types: PhantomData,
        }
    }

    /// One step from either end. `open` finds the value in what is stored, or passes the record
    /// over.
    fn step(
        &mut self,
        advance: for<'a> fn(&'a mut LsmRange<'s>) -> Shown<'a>,
        open: impl Fn(&[u8]) -> Result<Option<&[u8]>, EncodingError>,
    ) -> Option<Result<(K, V), LsmError>> {
        let records = self.records.as_mut()?;
        let outcome = loop {
            match advance(records) {
                Ok(Some((key, value))) => match decode::<K, V, F>(self.place, key, open(value)) {
                    Ok(None) => {}
                    Ok(Some(record)) => return Some(Ok(record)),
                    Err(error) => break Some(Err(error)),
                },
                Ok(None) => break None,
                Err(error) => break Some(Err(error)),
            }
        };
        // Let go of the snapshot at once.
        self.records = None;
        outcome
    }
}

/// A record that an iterator shows.
type Shown<'a> = Result<Option<(&'a [u8], &'a [u8])>, LsmError>;

fn decode<K: Key, V, F: ValueFormat<V>>(
    place: Place<'_>,
    key: &[u8],
    value: Result<Option<&[u8]>, EncodingError>,
) -> Result<Option<(K, V)>, LsmError> {
    let value = match value {
        Ok(None) => return Ok(None),
        Ok(Some(value)) => F::decode(value),
        Err(error) => Err(error),
    };
    let value = value.map_err(|error| undecodable("decode a value", place.file, key, error))?;
    Ok(Some((place.key(key)?, value)))
}

fn whole(value: &[u8]) -> Result<Option<&[u8]>, EncodingError> {
    Ok(Some(value))
}

impl<K: Key, V, F: ValueFormat<V>> Iterator for TypedRange<'_, K, V, F> {
    type Item = Result<(K, V), LsmError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(LsmRange::next_ref, whole)
    }
}

impl<K: Key, V, F: ValueFormat<V>> DoubleEndedIterator for TypedRange<'_, K, V, F> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(LsmRange::next_back_ref, whole)
    }
}

impl<K: Key, V, F: ValueFormat<V>> FusedIterator for TypedRange<'_, K, V, F> {}

impl<K, V, F> fmt::Debug for TypedRange<'_, K, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedRange").finish_non_exhaustive()
    }
}

/// Decoded keys of a table; made by [`TypedRange::keys`].
#[must_use = "iterators do nothing unless consumed"]
pub struct TypedKeys<'s, K> {
    /// None at the end and after an error.
    keys: Option<LsmKeys<'s>>,
    place: Place<'s>,
    types: PhantomData<fn() -> K>,
}

type FoundKey = Result<Vec<u8>, LsmError>;

impl<'s, K: Key> TypedKeys<'s, K> {
    fn step(
        &mut self,
        advance: fn(&mut LsmKeys<'s>) -> Option<FoundKey>,
    ) -> Option<Result<K, LsmError>> {
        let key = advance(self.keys.as_mut()?);
        let decoded = key.map(|key| self.place.key(&key?));
        if !matches!(decoded, Some(Ok(_))) {
            self.keys = None;
        }
        decoded
    }
}

impl<K: Key> Iterator for TypedKeys<'_, K> {
    type Item = Result<K, LsmError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(LsmKeys::next)
    }
}

impl<K: Key> DoubleEndedIterator for TypedKeys<'_, K> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(LsmKeys::next_back)
    }
}

impl<K: Key> FusedIterator for TypedKeys<'_, K> {}

impl<K> fmt::Debug for TypedKeys<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedKeys").finish_non_exhaustive()
    }
}

/// Decoded records of a [`TtlTable`](super::TtlTable) that haven't expired when they are
/// returned, from both ends; after an error it ends.
#[must_use = "iterators do nothing unless consumed"]
pub struct TtlRange<'s, K, V, F, C> {
    records: TypedRange<'s, K, V, F>,
    clock: C,
}

impl<'s, K, V, F, C: Clock> TtlRange<'s, K, V, F, C> {
    pub(super) fn new(records: TypedRange<'s, K, V, F>, clock: C) -> Self {
        TtlRange { records, clock }
    }
}

/// The value, unless the record has expired.
fn alive<'v>(stored: &'v [u8], clock: &impl Clock) -> Result<Option<&'v [u8]>, EncodingError> {
    let (expiry_ms, value) = stamp(stored)?;
    Ok((expiry_ms > clock.now_ms()).then_some(value))
}

impl<K: Key, V, F: ValueFormat<V>, C: Clock> Iterator for TtlRange<'_, K, V, F, C> {
    type Item = Result<(K, V), LsmError>;

    fn next(&mut self) -> Option<Self::Item> {
        let clock = &self.clock;
        self.records
            .step(LsmRange::next_ref, |value| alive(value, clock))
    }
}

impl<K: Key, V, F: ValueFormat<V>, C: Clock> DoubleEndedIterator for TtlRange<'_, K, V, F, C> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let clock = &self.clock;
        self.records
            .step(LsmRange::next_back_ref, |value| alive(value, clock))
    }
}

impl<K: Key, V, F: ValueFormat<V>, C: Clock> FusedIterator for TtlRange<'_, K, V, F, C> {}

impl<K, V, F, C> fmt::Debug for TtlRange<'_, K, V, F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TtlRange").finish_non_exhaustive()
    }
}
