//! The arguments that choose records: a range of keys or a prefix.

use std::ffi::OsString;
use std::ops::Bound;

use clap::Args;
use lsmlite_rs::dump::Encoding;
use lsmlite_rs::{LsmDb, LsmError, LsmRange, Transaction};

use crate::exit::Failure;
use crate::records::decode;

/// A range of keys.
#[derive(Args)]
pub struct Selection {
    /// Only keys that begin with this
    #[arg(short, long, value_name = "KEY", conflicts_with_all = ["start", "after", "end", "through"])]
    prefix: Option<OsString>,
    /// Only this key and larger ones
    #[arg(long, value_name = "KEY", conflicts_with = "after")]
    start: Option<OsString>,
    /// Only keys larger than this
    #[arg(long, value_name = "KEY")]
    after: Option<OsString>,
    /// Only keys smaller than this
    #[arg(long, value_name = "KEY", conflicts_with = "through")]
    end: Option<OsString>,
    /// Only this key and smaller ones
    #[arg(long, value_name = "KEY")]
    through: Option<OsString>,
}

/// The same with the keys' bytes.
pub type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

impl Selection {
    /// True if nothing is left out.
    pub fn is_everything(&self) -> bool {
        let Selection {
            prefix,
            start,
            after,
            end,
            through,
        } = self;
        [prefix, start, after, end, through]
            .iter()
            .all(|bound| bound.is_none())
    }

    /// Reads the keys.
    pub fn range(&self, keys: Encoding) -> Result<Range, Failure> {
        let bound = |included: &Option<OsString>, excluded: &Option<OsString>| {
            Ok::<_, Failure>(match (included, excluded) {
                (Some(key), _) => Bound::Included(decode(keys, key)?),
                (None, Some(key)) => Bound::Excluded(decode(keys, key)?),
                (None, None) => Bound::Unbounded,
            })
        };
        let Some(prefix) = &self.prefix else {
            let start = bound(&self.start, &self.after)?;
            return Ok((start, bound(&self.through, &self.end)?));
        };
        Ok(range_of_prefix(decode(keys, prefix)?))
    }
}

/// The keys that begin like this.
pub fn range_of_prefix(prefix: Vec<u8>) -> Range {
    let end = end_of_prefix(&prefix);
    (Bound::Included(prefix), end)
}

/// Where the keys end that begin like this.
fn end_of_prefix(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

/// What is read: a database, or a transaction with what it has written.
#[derive(Copy, Clone)]
pub enum View<'a> {
    Db(&'a LsmDb),
    Transaction(&'a Transaction<'a>),
}

impl View<'_> {
    pub fn tables(self) -> Result<Vec<String>, LsmError> {
        match self {
            View::Db(db) => db.tables(),
            View::Transaction(tx) => tx.tables(),
        }
    }

    /// The values of keys in a table, or of plain ones.
    pub fn multi_get(
        self,
        table: Option<&str>,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<Vec<u8>>>, LsmError> {
        match (self, table) {
            (View::Db(db), None) => db.multi_get(keys),
            (View::Db(db), Some(name)) => db.read_table(name)?.multi_get(keys),
            (View::Transaction(tx), None) => tx.multi_get(keys),
            (View::Transaction(tx), Some(name)) => tx.read_table(name)?.multi_get(keys),
        }
    }

    /// Looks at the records of a range in a table, or of plain keys.
    pub fn visit<T>(
        self,
        table: Option<&str>,
        range: Range,
        look: impl FnOnce(LsmRange<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match (self, table) {
            (View::Db(db), None) => look(db.range(range)),
            (View::Db(db), Some(name)) => look(db.read_table(name)?.range(range)),
            (View::Transaction(tx), None) => look(tx.range(range)),
            (View::Transaction(tx), Some(name)) => look(tx.read_table(name)?.range(range)),
        }
    }
}
