use std::io::Write;
use std::path::Path;

use fjall::{Database, KeyspaceCreateOptions};

use super::{TopTen, words};
use crate::Result;

pub fn run(dir: &Path, text: &str, out: &mut dyn Write) -> Result<()> {
    let db = Database::builder(dir).open()?;
    let counts = db.keyspace("counts", KeyspaceCreateOptions::default)?;
    for word in words(text) {
        let old = counts.get(word)?.unwrap_or([0; 8].into());
        let count = u64::from_be_bytes(old[..].try_into()?) + 1;
        counts.insert(word, count.to_be_bytes())?;
    }

    let mut top = TopTen::default();
    for record in counts.iter() {
        let (word, count) = record.into_inner()?;
        let count = u64::from_be_bytes(count[..].try_into()?);
        top.add(str::from_utf8(&word)?, count);
    }
    top.print(out)
}
