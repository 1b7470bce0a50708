use std::io::Write;
use std::path::Path;

use lsmlite_rs::{LsmDb, typed::TypedTable};

use super::{TopTen, words};
use crate::Result;

const COUNTS: TypedTable<String, u64> = TypedTable::new(b"counts/");

pub fn run(dir: &Path, text: &str, out: &mut dyn Write) -> Result<()> {
    let mut db = LsmDb::open(dir.join("words.lsm"))?;
    let mut tx = db.transaction()?;
    for word in words(text) {
        COUNTS.update_with(&mut tx, word, |count| Some(count.unwrap_or(0) + 1))?;
    }
    tx.commit()?;

    let mut top = TopTen::default();
    for record in COUNTS.iter(&db) {
        let (word, count) = record?;
        top.add(&word, count);
    }
    top.print(out)
}
