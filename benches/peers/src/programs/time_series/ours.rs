use std::io::Write;
use std::path::Path;

use lsmlite_rs::{LsmDb, typed::TypedTable};

use super::Series;
use crate::Result;

const SAMPLES: TypedTable<u64, i64> = TypedTable::new(b"samples/");

pub fn run(dir: &Path, series: &Series, out: &mut dyn Write) -> Result<()> {
    let mut db = LsmDb::open(dir.join("series.lsm"))?;
    let mut tx = db.transaction()?;
    for (time, value) in series.samples {
        SAMPLES.insert(&mut tx, time, value)?;
    }
    tx.commit()?;

    let newest = SAMPLES.range(&db, ..series.to).rev().take(series.newest);
    for sample in SAMPLES.range(&db, series.from..series.to).chain(newest) {
        let (time, value) = sample?;
        writeln!(out, "{time} {value}")?;
    }
    Ok(())
}
