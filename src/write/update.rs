//! Read, decide, write: in one transaction, so that nobody writes in between.

use super::Transaction;
use crate::db::LsmDb;
use crate::error::LsmError;
use crate::read::View;
use crate::session::Session;

/// Within a transaction: puts in place of a value what the closure makes of it.
pub(crate) fn update<V: AsRef<[u8]>>(
    session: &mut Session,
    key: &[u8],
    change: impl FnOnce(Option<&[u8]>) -> Option<V>,
) -> Result<Option<Vec<u8>>, LsmError> {
    let old = View::new(session.connection()).get(key)?;
    let new = change(old.as_deref()).map(|value| value.as_ref().to_vec());
    match (&old, &new) {
        (old, new) if old == new => {}
        (_, Some(value)) => session.insert(key, value)?,
        (_, None) => session.delete(key)?,
    }
    Ok(new)
}

/// Gives `compare_and_swap` to a type that has `update_with`.
macro_rules! compares {
    (impl $type:ty) => {
        impl $type {
            /// Replaces a value if it is what the caller expects; `None` stands for no record, on
            /// both sides. Returns whether it was.
            ///
            /// ```
            /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
            /// # let dir = tempfile::tempdir().unwrap();
            /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
            /// assert!(db.compare_and_swap("lock", None, Some(b"me"))?);
            /// assert!(!db.compare_and_swap("lock", None, Some(b"you"))?);
            /// assert!(db.compare_and_swap("lock", Some(b"me"), None)?);
            /// # Ok(()) }
            /// ```
            ///
            /// # Errors
            /// As [`update_with`](Self::update_with).
            pub fn compare_and_swap(
                &mut self,
                key: impl AsRef<[u8]>,
                expected: Option<&[u8]>,
                new: Option<&[u8]>,
            ) -> Result<bool, LsmError> {
                let mut is_expected = false;
                self.update_with(key, |old| {
                    is_expected = old == expected;
                    match is_expected {
                        true => new.map(<[u8]>::to_vec),
                        false => old.map(<[u8]>::to_vec),
                    }
                })?;
                Ok(is_expected)
            }
        }
    };
}

pub(crate) use compares;

compares! { impl LsmDb }
compares! { impl Transaction<'_> }

impl LsmDb {
    /// Puts in place of a value what the closure makes of it; `None` stands for no record, on
    /// both sides. Returns the new value.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// let mut count = |word: &str| {
    ///     db.update_with(word, |old| {
    ///         let old = old.map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
    ///         Some((old + 1).to_be_bytes())
    ///     })
    /// };
    /// count("to")?;
    /// count("be")?;
    /// assert_eq!(count("to")?, Some(2_u64.to_be_bytes().to_vec()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction), [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update_with<V: AsRef<[u8]>>(
        &mut self,
        key: impl AsRef<[u8]>,
        change: impl FnOnce(Option<&[u8]>) -> Option<V>,
    ) -> Result<Option<Vec<u8>>, LsmError> {
        self.transact(|tx| tx.update_with(key, change))
    }
}

impl Transaction<'_> {
    /// Puts in place of a value what the closure makes of it; see [`LsmDb::update_with`].
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// let mut tx = db.transaction()?;
    /// tx.insert("queue", "a")?;
    /// tx.update_with("queue", |old| Some([old.unwrap_or_default(), b"b"].concat()))?;
    /// assert!(tx.compare_and_swap("state", None, Some(b"ready"))?);
    /// tx.commit()?;
    /// assert_eq!(db.get("queue")?, Some(b"ab".to_vec()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update_with<V: AsRef<[u8]>>(
        &mut self,
        key: impl AsRef<[u8]>,
        change: impl FnOnce(Option<&[u8]>) -> Option<V>,
    ) -> Result<Option<Vec<u8>>, LsmError> {
        update(self.session_mut(), key.as_ref(), change)
    }
}
