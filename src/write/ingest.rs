//! Sorted records straight into the file, past the log and the trees in memory.

use std::convert::Infallible;

use crate::db::LsmDb;
use crate::error::{LsmError, LsmErrorCode};
use crate::raw::{Source, Stop};
use crate::session::Session;

impl LsmDb {
    /// Inserts records that come in the order of their keys, much faster than one by one; returns
    /// how many. They replace records with the same keys.
    ///
    /// All of them are in the database in the end, and durable (see below), or none: there is no
    /// state in between, whatever happens. They are written straight into a sorted run of
    /// their own, neither through the write-ahead log nor through memory: so there may be more
    /// than memory holds. It takes the time of a flush and a checkpoint besides, so that it pays
    /// from some ten thousand records.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// let squares = (0..100_000_u64).map(|n| (n.to_be_bytes(), (n * n).to_be_bytes()));
    /// assert_eq!(db.ingest(squares)?, 100_000);
    /// assert_eq!(db.get(12_u64.to_be_bytes())?, Some(144_u64.to_be_bytes().to_vec()));
    /// # Ok(()) }
    /// ```
    ///
    /// While `records` are asked for, all other handles read what there was before. They may see
    /// the records as soon as the checkpoint is being made. Until it returns their writes, and
    /// work on the file, are busy: don't write through another one while `records` are asked for.
    ///
    /// Durable means by a checkpoint, as [`checkpoint`](Self::checkpoint) makes it at the
    /// database's [`Safety`](crate::config::Safety).
    ///
    /// # Errors
    /// `LsmMisuse` with the number of the record, if its key isn't larger than the one before,
    /// or while a transaction is open; busy, if others keep the file for ten seconds; and as
    /// [`insert`](Self::insert) and [`checkpoint`](Self::checkpoint). If it was the checkpoint
    /// that failed, other handles see the records, which stay if one of them makes a checkpoint
    /// later, or closes the database in order.
    pub fn ingest<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        records: impl IntoIterator<Item = (K, V)>,
    ) -> Result<u64, LsmError> {
        let records = records.into_iter().map(Ok::<_, Infallible>);
        match ingest(self.session_mut("ingest")?, &[], records) {
            Ok(count) => Ok(count),
            Err(Failed::Database(error)) => Err(error),
            Err(Failed::Source(never)) => match never {},
        }
    }

    /// [`ingest`](Self::ingest) of records that can fail to come, for instance from another
    /// database: the first error ends it, nothing is inserted, and it is returned.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut old = lsmlite_rs::LsmDb::open(dir.path().join("old.lsm"))?;
    /// # old.insert("key", "value")?;
    /// let mut new = lsmlite_rs::LsmDb::open(dir.path().join("new.lsm"))?;
    /// new.try_ingest(old.iter())?;
    /// assert_eq!(new.get("key")?, Some(b"value".to_vec()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`ingest`](Self::ingest), and those of `records`.
    pub fn try_ingest<K: AsRef<[u8]>, V: AsRef<[u8]>, E: From<LsmError>>(
        &mut self,
        records: impl IntoIterator<Item = Result<(K, V), E>>,
    ) -> Result<u64, E> {
        let session = self.session_mut("ingest")?;
        ingest(session, &[], records.into_iter()).map_err(Failed::into)
    }
}

/// Whose fault it was.
pub(crate) enum Failed<E> {
    Database(LsmError),
    Source(E),
}

impl<E: From<LsmError>> Failed<E> {
    pub(crate) fn into(self) -> E {
        match self {
            Failed::Database(error) => error.into(),
            Failed::Source(error) => error,
        }
    }
}

/// On keys that begin like this; without a beginning, on plain ones.
pub(crate) fn ingest<K: AsRef<[u8]>, V: AsRef<[u8]>, E>(
    session: &mut Session,
    prefix: &[u8],
    records: impl Iterator<Item = Result<(K, V), E>>,
) -> Result<u64, Failed<E>> {
    let mut feed = Feed {
        records,
        value: None,
        key: prefix.to_vec(),
        last: Vec::new(),
        prefix_bytes: prefix.len(),
        count: 0,
        failure: None,
    };
    match session.ingest(&mut feed) {
        Ok(true) => Ok(feed.count),
        Ok(false) => Err(match feed.failure {
            Some(Refusal::Source(error)) => Failed::Source(error),
            _ => Failed::Database(session.refused_order(feed.count)),
        }),
        Err(error) => Err(Failed::Database(error)),
    }
}

/// Gives the records to the engine, one after the other.
struct Feed<I, V, E> {
    records: I,
    value: Option<V>,
    /// What the engine sees, with the prefix.
    key: Vec<u8>,
    /// The key before, likewise.
    last: Vec<u8>,
    prefix_bytes: usize,
    count: u64,
    failure: Option<Refusal<E>>,
}

enum Refusal<E> {
    Source(E),
    Order,
}

impl<K, V, E, I> Source for Feed<I, V, E>
where
    K: AsRef<[u8]>,
    V: AsRef<[u8]>,
    I: Iterator<Item = Result<(K, V), E>>,
{
    fn advance(&mut self) -> Result<bool, Stop> {
        let (key, value) = match self.records.next() {
            None => return Ok(false),
            Some(Ok(record)) => record,
            Some(Err(error)) => {
                self.failure = Some(Refusal::Source(error));
                return Err(Stop);
            }
        };
        std::mem::swap(&mut self.key, &mut self.last);
        if self.count == 0 {
            self.key.extend_from_slice(&self.last[..self.prefix_bytes]);
        }
        self.key.truncate(self.prefix_bytes);
        self.key.extend_from_slice(key.as_ref());
        self.count += 1;
        if self.count > 1 && !is_above(&self.last, &self.key) {
            self.failure = Some(Refusal::Order);
            return Err(Stop);
        }
        self.value = Some(value);
        Ok(true)
    }

    fn record(&self) -> (&[u8], &[u8]) {
        (&self.key, self.value.as_ref().map_or(&[], AsRef::as_ref))
    }
}

/// `last < key`. Eight bytes at a time: `memcmp` reads as many as a register holds, and waits for
/// the bytes that were put there a moment ago.
#[inline]
fn is_above(mut last: &[u8], mut key: &[u8]) -> bool {
    while let (Some((a, last_rest)), Some((b, key_rest))) =
        (last.split_first_chunk::<8>(), key.split_first_chunk::<8>())
    {
        if a != b {
            return u64::from_be_bytes(*a) < u64::from_be_bytes(*b);
        }
        (last, key) = (last_rest, key_rest);
    }
    last < key
}

impl Session {
    /// Why the records were refused after this one.
    fn refused_order(&self, count: u64) -> LsmError {
        let error = LsmError::new("ingest", LsmErrorCode::LsmMisuse);
        (error.with_path(self.connection().path())).with_message(format!(
            "the key of record {count} isn't larger than the one before it: sort the records, \
             and leave only one of each key"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::is_above;

    #[test]
    fn keys_are_above_others_as_the_engine_orders_them() {
        let keys: [&[u8]; 9] = [
            b"",
            b"\0",
            b"\0\0\0\0\0\0\0\0",
            b"\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\0\0\0\0\x01",
            b"12345678",
            b"12345678abcdefgh",
            b"12345678abcdefgi",
            b"12345678b",
        ];
        for last in keys {
            for key in keys {
                assert_eq!(is_above(last, key), last < key, "{last:?} {key:?}");
            }
        }
    }
}
