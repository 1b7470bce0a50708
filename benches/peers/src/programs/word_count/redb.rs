use std::io::Write;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{TopTen, words};
use crate::Result;

const COUNTS: TableDefinition<&str, u64> = TableDefinition::new("counts");

pub fn run(dir: &Path, text: &str, out: &mut dyn Write) -> Result<()> {
    let db = Database::create(dir.join("words.redb"))?;
    let tx = db.begin_write()?;
    let mut counts = tx.open_table(COUNTS)?;
    for word in words(text) {
        let count = counts.get(word)?.map_or(0, |count| count.value());
        counts.insert(word, count + 1)?;
    }
    drop(counts);
    tx.commit()?;

    let mut top = TopTen::default();
    for record in db.begin_read()?.open_table(COUNTS)?.iter()? {
        let (word, count) = record?;
        top.add(word.value(), count.value());
    }
    top.print(out)
}
