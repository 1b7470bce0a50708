//! [`WriteBatch`]: writes that are collected first and take effect together.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Bound, Range, RangeBounds};

use super::{Durability, remove_range};
use crate::db::LsmDb;
use crate::error::LsmError;
use crate::raw::MAX_EXPECTED;
use crate::session::Session;

/// Writes to be made at once, in the order in which they are put in.
///
/// A batch belongs to no database and can be filled in any thread. It keeps its memory when it
/// is [cleared](Self::clear), so that one serves for many.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
/// use lsmlite_rs::WriteBatch;
///
/// let mut batch = WriteBatch::new();
/// for i in 0..1000_u32 {
///     batch.insert(i.to_be_bytes(), "value");
/// }
/// batch.remove_range(500_u32.to_be_bytes()..);
/// db.write(&batch)?;
/// assert_eq!(db.iter().count(), 500);
/// batch.clear();
/// # Ok(()) }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WriteBatch {
    /// Keys and values one after the other.
    bytes: Vec<u8>,
    writes: Vec<Write>,
}

/// A batch of so many writes is sorted before it is made.
const SORTED_FROM: usize = 32;

#[derive(Clone, PartialEq, Eq)]
enum Write {
    Insert {
        key: Range<usize>,
        value: Range<usize>,
    },
    Remove {
        key: Range<usize>,
    },
    RemoveRange(Bound<Range<usize>>, Bound<Range<usize>>),
}

impl Write {
    /// Of a single record.
    fn key(&self) -> Option<Range<usize>> {
        match self {
            Write::Insert { key, .. } | Write::Remove { key } => Some(key.clone()),
            Write::RemoveRange(..) => None,
        }
    }
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> WriteBatch {
        WriteBatch::default()
    }

    /// Adds: inserts a record, or replaces the one with this key.
    pub fn insert(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (key, value) = (self.keep(key.as_ref()), self.keep(value.as_ref()));
        self.writes.push(Write::Insert { key, value });
    }

    /// Adds: removes the record with this key, if there is one.
    pub fn remove(&mut self, key: impl AsRef<[u8]>) {
        let key = self.keep(key.as_ref());
        self.writes.push(Write::Remove { key });
    }

    /// Adds: removes all records whose keys are in `range`.
    pub fn remove_range<K: AsRef<[u8]>>(&mut self, range: impl RangeBounds<K>) {
        let (start, end) = remove_range::bounds(&range);
        let (start, end) = (
            start.map(|key| self.keep(key)),
            end.map(|key| self.keep(key)),
        );
        self.writes.push(Write::RemoveRange(start, end));
    }

    /// How many writes there are.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// True without any write.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// How many bytes its keys and values take.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets all writes, and keeps the memory for the next ones.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.writes.clear();
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// The writes as they are made: by key if there are many, as neighbours in the engine's tree
    /// are found faster. Those of one key stay in their order.
    fn in_order(&self) -> Vec<&Write> {
        let keyed = |write| Write::key(write).map(|key| (head(&self.bytes[key]), write));
        let keyed: Option<Vec<_>> = match self.writes.len() {
            SORTED_FROM.. => self.writes.iter().map(keyed).collect(),
            _ => None,
        };
        let Some(mut writes) = keyed else {
            return self.writes.iter().collect();
        };
        let key = |write: &Write| write.key().map(|key| &self.bytes[key]);
        writes.sort_by(|(head1, write1), (head2, write2)| {
            (head1.cmp(head2)).then_with(|| key(write1).cmp(&key(write2)))
        });
        writes.into_iter().map(|(_, write)| write).collect()
    }

    /// Within a transaction, on keys that begin like this; without a beginning, on plain ones.
    pub(crate) fn apply(&self, session: &mut Session, prefix: &[u8]) -> Result<(), LsmError> {
        let bytes = |range: &Range<usize>| &self.bytes[range.clone()];
        let full = |range: Range<usize>| match prefix {
            [] => Cow::Borrowed(&self.bytes[range]),
            _ => Cow::Owned([prefix, &self.bytes[range]].concat()),
        };
        let mut keys = Vec::with_capacity(MAX_EXPECTED);
        for writes in self.in_order().chunks(MAX_EXPECTED) {
            keys.clear();
            keys.extend(writes.iter().map(|write| write.key().map(full)));
            session.expect(keys.iter().flatten().map(AsRef::as_ref));
            for (write, key) in writes.iter().zip(&keys) {
                match (write, key) {
                    (Write::Insert { value, .. }, Some(key)) => {
                        session.insert(key, bytes(value))?
                    }
                    (_, Some(key)) => session.delete(key)?,
                    (Write::RemoveRange(start, end), _) => {
                        let (start, end) = (start.as_ref().map(bytes), end.as_ref().map(bytes));
                        remove_range::remove_within(session, prefix, (start, end))?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// The first bytes of a key, as a number that is in the order of the keys where it differs.
fn head(key: &[u8]) -> u64 {
    let mut head = [0; 8];
    let len = key.len().min(head.len());
    head[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(head)
}

impl fmt::Debug for WriteBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBatch")
            .field("writes", &self.len())
            .field("size_bytes", &self.size_bytes())
            .finish()
    }
}

impl LsmDb {
    /// Makes all writes of the batch in one transaction, or none of them.
    ///
    /// # Errors
    /// As [`insert`](Self::insert) and [`transaction`](Self::transaction).
    pub fn write(&mut self, batch: &WriteBatch) -> Result<(), LsmError> {
        self.write_with(batch, Durability::Default)
    }

    /// [`write`](Self::write), with a durability of its own.
    ///
    /// # Errors
    /// As [`write`](Self::write), and those of the [`Durability`].
    pub fn write_with(
        &mut self,
        batch: &WriteBatch,
        durability: Durability,
    ) -> Result<(), LsmError> {
        let mut transaction = self.transaction()?;
        transaction.write(batch)?;
        transaction.commit_with(durability)
    }
}
