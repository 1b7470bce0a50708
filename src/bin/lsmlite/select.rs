//! The arguments that choose records: a range of keys or a prefix.

use std::ffi::OsString;
use std::ops::Bound;

use clap::Args;
use lsmlite_rs::dump::Encoding;
use lsmlite_rs::{LsmDb, LsmRange};

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
        let prefix = decode(keys, prefix)?;
        let end = end_of_prefix(&prefix);
        Ok((Bound::Included(prefix), end))
    }
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

/// Looks at the records of a range in a database or one of its tables.
pub fn visit<T>(
    db: &LsmDb,
    table: Option<&str>,
    range: Range,
    look: impl FnOnce(LsmRange<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match table {
        None => look(db.range(range)),
        Some(name) => look(db.read_table(name)?.range(range)),
    }
}
