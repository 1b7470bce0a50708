//! [`View`]: what a connection reads, all of it or the keys with one beginning.

use std::ops::{Bound, RangeBounds};
use std::path::Path;

use super::LsmRange;
use crate::error::LsmError;
use crate::raw::{Connection, Cursor, Seek};

/// A key and its value.
pub(crate) type Record = (Vec<u8>, Vec<u8>);

/// How a cursor is opened: those who read beside a writer have patience.
pub(crate) type OpenCursor = fn(&Connection) -> Result<Cursor<'_>, LsmError>;

/// Reads from a connection. Keys are given and returned without the prefix.
///
/// Nobody outside can name it; it is `pub` for the sealed traits of the typed layer.
#[derive(Clone)]
pub struct View<'a> {
    connection: &'a Connection,
    open: OpenCursor,
    prefix: Vec<u8>,
}

impl<'a> View<'a> {
    /// Everything.
    pub(crate) fn new(connection: &'a Connection) -> View<'a> {
        View {
            connection,
            open: Connection::cursor,
            prefix: Vec::new(),
        }
    }

    /// Everything, with cursors that are opened like this.
    pub(crate) fn opened_by(connection: &'a Connection, open: OpenCursor) -> View<'a> {
        View {
            open,
            ..View::new(connection)
        }
    }

    /// What begins like this, which isn't shown.
    pub(crate) fn within(&self, prefix: Vec<u8>) -> View<'a> {
        View {
            prefix: [&self.prefix, &prefix[..]].concat(),
            ..self.clone()
        }
    }

    /// The file.
    pub(crate) fn path(&self) -> &'a Path {
        self.connection.path()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LsmError> {
        self.get_with(key, <[u8]>::to_vec)
    }

    pub(crate) fn get_with<T>(
        &self,
        key: &[u8],
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, LsmError> {
        let mut look = Some(look);
        match self.with_key(key, |key| self.connection.get_with(key, &mut look)) {
            // Those who have patience get a snapshot that way, and keep it for the second try.
            Err(error) if error.is_busy() => {
                let _cursor = (self.open)(self.connection)?;
                self.with_key(key, |key| self.connection.get_with(key, &mut look))
            }
            done => done,
        }
    }

    pub(crate) fn contains_key(&self, key: &[u8]) -> Result<bool, LsmError> {
        let mut cursor = (self.open)(self.connection)?;
        self.with_key(key, |key| cursor.seek(key, Seek::Exactly))?;
        Ok(cursor.valid())
    }

    /// The values of many keys, from one moment, in the order of the keys.
    pub(crate) fn multi_get<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<Vec<u8>>>, LsmError> {
        let mut cursor = (self.open)(self.connection)?;
        keys.into_iter()
            .map(|key| {
                self.with_key(key.as_ref(), |key| cursor.seek(key, Seek::Exactly))?;
                cursor.valid().then(|| cursor.value()).transpose()
            })
            .collect()
    }

    pub(crate) fn first(&self) -> Result<Option<Record>, LsmError> {
        self.range::<&[u8]>(..).next().transpose()
    }

    pub(crate) fn last(&self) -> Result<Option<Record>, LsmError> {
        self.range::<&[u8]>(..).next_back().transpose()
    }

    pub(crate) fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> LsmRange<'a> {
        let bound = |bound: Bound<&K>| bound.map(|key| self.full(key.as_ref()));
        let start = match bound(range.start_bound()) {
            Bound::Unbounded if !self.prefix.is_empty() => Bound::Included(self.prefix.clone()),
            start => start,
        };
        let end = match bound(range.end_bound()) {
            Bound::Unbounded => end_of_prefix(&self.prefix),
            end => end,
        };
        LsmRange::new(self.connection, self.open, start, end, self.prefix.len())
    }

    pub(crate) fn prefix(&self, prefix: &[u8]) -> LsmRange<'a> {
        let start = self.full(prefix);
        let end = end_of_prefix(&start);
        LsmRange::new(
            self.connection,
            self.open,
            Bound::Included(start),
            end,
            self.prefix.len(),
        )
    }

    fn full(&self, key: &[u8]) -> Vec<u8> {
        [&self.prefix, key].concat()
    }

    fn with_key<T>(&self, key: &[u8], what: impl FnOnce(&[u8]) -> T) -> T {
        match self.prefix.is_empty() {
            true => what(key),
            false => what(&self.full(key)),
        }
    }
}

/// Behind the last key that begins like this.
pub(crate) fn end_of_prefix(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_key_that_begins_otherwise() {
        assert_eq!(end_of_prefix(b"ab"), Bound::Excluded(b"ac".to_vec()));
        assert_eq!(end_of_prefix(b"a\xff\xff"), Bound::Excluded(b"b".to_vec()));
        assert_eq!(end_of_prefix(b"\xff\xff"), Bound::Unbounded);
        assert_eq!(end_of_prefix(b""), Bound::Unbounded);
    }
}
