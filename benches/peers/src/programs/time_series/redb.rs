use std::io::Write;
use std::path::Path;

use redb::{Database, ReadableDatabase, TableDefinition};

use super::Series;
use crate::Result;

const SAMPLES: TableDefinition<u64, i64> = TableDefinition::new("samples");

pub fn run(dir: &Path, series: &Series, out: &mut dyn Write) -> Result<()> {
    let db = Database::create(dir.join("series.redb"))?;
    let tx = db.begin_write()?;
    let mut samples = tx.open_table(SAMPLES)?;
    for (time, value) in series.samples {
        samples.insert(time, value)?;
    }
    drop(samples);
    tx.commit()?;

    let samples = db.begin_read()?.open_table(SAMPLES)?;
    let newest = samples.range(..series.to)?.rev().take(series.newest);
    for sample in samples.range(series.from..series.to)?.chain(newest) {
        let (time, value) = sample?;
        writeln!(out, "{} {}", time.value(), value.value())?;
    }
    Ok(())
}
