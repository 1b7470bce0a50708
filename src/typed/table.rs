//! [`TypedTable`]: records of Rust types behind a prefix.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};

use super::Types;
use super::error::{undecodable, unencodable};
use super::key::{Key, KeyPrefix};
use super::range::TypedRange;
use super::space::Space;
use super::store::{Bounds, ReadStore, Store, WriteStore};
use super::value::{Postcard, ValueFormat};
use crate::error::LsmError;
use crate::read::View;

/// A table of records with keys `K` and values `V`, in the order of the keys.
///
/// It holds no data: it says that the records whose keys begin with a prefix are of these types.
/// Keys are given in the form [`K::Ref`](Key::Ref): `&str` for `String`, numbers as they are,
/// tuples of these. Values may be given or lent.
///
/// **Prefixes must not be beginnings of one another**: tables `b"a"` and `b"ab"` would see each
/// other's records. End them all with the same character, which appears nowhere else in them,
/// and nothing of the kind can happen. Nothing checks that a prefix is used with the same types
/// each time; a record that isn't of them is an error when it is read.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
/// use lsmlite_rs::typed::TypedTable;
///
/// const WORDS: TypedTable<String, u32> = TypedTable::new(b"words/");
///
/// for word in ["to", "be", "or", "not", "to", "be"] {
///     WORDS.update_with(&mut db, word, |count| Some(count.unwrap_or(0) + 1))?;
/// }
/// assert_eq!(WORDS.first(&db)?, Some(("be".to_string(), 2)));
/// let until_o: Result<Vec<_>, _> = WORDS.range(&db, "c".."o~").collect();
/// assert_eq!(until_o?, [("not".to_string(), 1), ("or".to_string(), 1)]);
/// # Ok(()) }
/// ```
///
/// The same table works on a transaction, a [`WriteBatch`](crate::WriteBatch), a
/// [`Snapshot`](crate::Snapshot) and readers in other threads:
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
/// use lsmlite_rs::typed::TypedTable;
///
/// const NAMES: TypedTable<u64, String> = TypedTable::new(b"names/");
/// const BY_NAME: TypedTable<(String, u64), ()> = TypedTable::new(b"by-name/");
///
/// let mut tx = db.transaction()?;
/// NAMES.insert(&mut tx, 1, "ada".to_string())?;
/// BY_NAME.insert(&mut tx, ("ada", 1), ())?;
/// tx.commit()?;
///
/// let snapshot = db.snapshot()?;
/// NAMES.remove_range(&mut db, ..)?;
/// assert_eq!(NAMES.first(&db)?, None);
/// assert_eq!(NAMES.first(&snapshot)?, Some((1, "ada".to_string())));
/// # Ok(()) }
/// ```
///
/// Within a named [`Table`](crate::Table) it needs no prefix of its own, as long as nothing else is
/// in there:
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
/// use lsmlite_rs::typed::TypedTable;
///
/// const STOCK: TypedTable<String, u32> = TypedTable::new(b"");
///
/// let mut tx = db.transaction()?;
/// STOCK.insert(&mut tx.table("oslo")?, "apples", 7)?;
/// STOCK.update_with(&mut tx.table("bergen")?, "apples", |n| Some(n.unwrap_or(0) + 1))?;
/// tx.commit()?;
///
/// assert_eq!(STOCK.get(&db.read_table("oslo")?, "apples")?, Some(7));
/// assert_eq!(STOCK.first(&db.snapshot()?.read_table("bergen")?)?, Some(("apples".into(), 1)));
/// # Ok(()) }
/// ```
pub struct TypedTable<K, V, F = Postcard> {
    space: Space,
    types: Types<K, V, F>,
}

impl<K, V, F> TypedTable<K, V, F> {
    /// The table behind this prefix; `b""` is the whole database.
    pub const fn new(prefix: &'static [u8]) -> Self {
        Self::of(Space::new(Cow::Borrowed(prefix), None))
    }

    /// The same for a prefix that is made while the program runs.
    pub fn with_prefix(prefix: impl Into<Vec<u8>>) -> Self {
        Self::of(Space::new(Cow::Owned(prefix.into()), None))
    }

    pub(super) const fn of(space: Space) -> Self {
        TypedTable {
            space,
            types: PhantomData,
        }
    }
}

impl<K: Key, V, F: ValueFormat<V>> TypedTable<K, V, F> {
    /// Inserts a record, or replaces the one with this key.
    ///
    /// # Errors
    /// `LsmConversionErr` if the value can't be encoded; otherwise as
    /// [`LsmDb::insert`](crate::LsmDb::insert).
    pub fn insert<S: WriteStore>(
        &self,
        store: &mut S,
        key: K::Ref<'_>,
        value: impl Borrow<V>,
    ) -> Result<(), LsmError> {
        let mut bytes = Vec::new();
        F::encode(value.borrow(), &mut bytes).map_err(|error| unencodable(store.file(), error))?;
        store.insert_record(&self.space.key::<K>(key), &bytes)
    }

    /// Removes the record with this key, if there is one.
    ///
    /// # Errors
    /// As [`LsmDb::remove`](crate::LsmDb::remove).
    pub fn remove<S: WriteStore>(&self, store: &mut S, key: K::Ref<'_>) -> Result<(), LsmError> {
        store.remove_record(&self.space.key::<K>(key))
    }

    /// Removes all records whose keys are in `range`, for the price of two writes.
    ///
    /// # Errors
    /// As [`LsmDb::remove_range`](crate::LsmDb::remove_range).
    pub fn remove_range<'k, S: WriteStore>(
        &self,
        store: &mut S,
        range: impl RangeBounds<K::Ref<'k>>,
    ) -> Result<(), LsmError> {
        let (start, end) = (range.start_bound(), range.end_bound());
        store.remove_records(self.space.bounds::<K>(start, end))
    }

    /// Puts in place of a value what the closure makes of it, in one transaction; `None` stands
    /// for no record, on both sides.
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update_with<S: Store>(
        &self,
        store: &mut S,
        key: K::Ref<'_>,
        change: impl FnOnce(Option<V>) -> Option<V>,
    ) -> Result<(), LsmError> {
        store.atomically(|store| {
            let old = self.get(store, key)?;
            let was_there = old.is_some();
            match change(old) {
                Some(new) => self.insert(store, key, new),
                None if was_there => self.remove(store, key),
                None => Ok(()),
            }
        })
    }

    /// The value of this key, or `None`.
    ///
    /// # Errors
    /// `LsmCorrupt` if what is stored isn't a value of the type; otherwise as
    /// [`LsmDb::get`](crate::LsmDb::get).
    pub fn get<S: ReadStore>(&self, store: &S, key: K::Ref<'_>) -> Result<Option<V>, LsmError> {
        let key = self.space.key::<K>(key);
        let view = store.reading("get")?;
        let Some(bytes) = view.get(&key)? else {
            return Ok(None);
        };
        let value = F::decode(&bytes)
            .map_err(|error| undecodable("decode a value", Some(view.path()), &key, error))?;
        Ok(Some(value))
    }

    /// True if there is a record with this key; its value isn't decoded.
    ///
    /// # Errors
    /// As [`LsmDb::get`](crate::LsmDb::get).
    pub fn contains_key<S: ReadStore>(&self, store: &S, key: K::Ref<'_>) -> Result<bool, LsmError> {
        store
            .reading("contains_key")?
            .contains_key(&self.space.key::<K>(key))
    }

    /// All records in the order of their keys.
    pub fn iter<'s, S: ReadStore>(&self, store: &'s S) -> TypedRange<'s, K, V, F> {
        self.range(store, ..)
    }

    /// The records whose keys are in `range`, from either end. A range whose start lies after
    /// its end is empty.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// use lsmlite_rs::typed::TypedTable;
    ///
    /// const CELSIUS: TypedTable<i32, String> = TypedTable::new(b"celsius/");
    /// for (degrees, what) in [(-78, "dry ice"), (0, "ice"), (100, "steam")] {
    ///     CELSIUS.insert(&mut db, degrees, what.to_string())?;
    /// }
    /// let (degrees, what) = CELSIUS.range(&db, ..0).next_back().unwrap()?;
    /// assert_eq!((degrees, what.as_str()), (-78, "dry ice"));
    /// assert_eq!(CELSIUS.range(&db, -78..=0).count(), 2);
    /// # Ok(()) }
    /// ```
    pub fn range<'s, 'k, S: ReadStore>(
        &self,
        store: &'s S,
        range: impl RangeBounds<K::Ref<'k>>,
    ) -> TypedRange<'s, K, V, F> {
        let (start, end) = self
            .space
            .bounds::<K>(range.start_bound(), range.end_bound());
        self.between(store, (start, end))
    }

    pub(super) fn between<'s, S: ReadStore>(
        &self,
        store: &'s S,
        bounds: Bounds,
    ) -> TypedRange<'s, K, V, F> {
        let find = |view: View<'s>| view.range(bounds);
        TypedRange::new(store, self.space.start_len(), find)
    }

    /// The records whose keys begin with `prefix`: a `&str` for keys of type `String`, the first
    /// elements, as a tuple, for keys that are tuples.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// use lsmlite_rs::typed::TypedTable;
    ///
    /// /// Temperatures by place, year and month.
    /// const MEANS: TypedTable<(String, u16, u8), f32> = TypedTable::new(b"means/");
    /// MEANS.insert(&mut db, ("Oslo", 2024, 1), -6.2)?;
    /// MEANS.insert(&mut db, ("Oslo", 2025, 1), -2.0)?;
    /// MEANS.insert(&mut db, ("Oslomej", 2025, 1), 1.3)?;
    ///
    /// assert_eq!(MEANS.prefix(&db, ("Oslo",)).count(), 2);
    /// assert_eq!(MEANS.prefix(&db, ("Oslo", 2025)).count(), 1);
    /// # Ok(()) }
    /// ```
    pub fn prefix<'s, S: ReadStore>(
        &self,
        store: &'s S,
        prefix: impl KeyPrefix<K>,
    ) -> TypedRange<'s, K, V, F> {
        let mut bytes = self.space.start();
        prefix.encode_prefix(&mut bytes);
        let find = |view: View<'s>| view.prefix(&bytes);
        TypedRange::new(store, self.space.start_len(), find)
    }

    /// The records whose encoded keys come before these bytes.
    pub(super) fn before<'s, S: ReadStore>(
        &self,
        store: &'s S,
        end: &[u8],
    ) -> TypedRange<'s, K, V, F> {
        let start = self.space.start();
        let end = [&start, end].concat();
        self.between(store, (Bound::Included(start), Bound::Excluded(end)))
    }

    /// The record with the smallest key.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn first<S: ReadStore>(&self, store: &S) -> Result<Option<(K, V)>, LsmError> {
        self.iter(store).next().transpose()
    }

    /// The record with the largest key.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn last<S: ReadStore>(&self, store: &S) -> Result<Option<(K, V)>, LsmError> {
        self.iter(store).next_back().transpose()
    }

    /// The bytes of a key, prefix included, as a plain handle sees them.
    pub fn raw_key(&self, key: K::Ref<'_>) -> Vec<u8> {
        self.space.key::<K>(key)
    }
}

impl<K, V, F> Clone for TypedTable<K, V, F> {
    fn clone(&self) -> Self {
        Self::of(self.space.clone())
    }
}

impl<K, V, F> fmt::Debug for TypedTable<K, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedTable").field(&self.space).finish()
    }
}
