use std::io::Write;
use std::path::Path;

use fjall::{Database, KeyspaceCreateOptions};

use super::Series;
use crate::Result;

pub fn run(dir: &Path, series: &Series, out: &mut dyn Write) -> Result<()> {
    let db = Database::builder(dir).open()?;
    let samples = db.keyspace("samples", KeyspaceCreateOptions::default)?;
    for (time, value) in series.samples {
        samples.insert(time.to_be_bytes(), value.to_be_bytes())?;
    }

    let (from, to) = (series.from.to_be_bytes(), series.to.to_be_bytes());
    let newest = samples.range(..to).rev().take(series.newest);
    for sample in samples.range(from..to).chain(newest) {
        let (time, value) = sample.into_inner()?;
        let time = u64::from_be_bytes(time[..].try_into()?);
        let value = i64::from_be_bytes(value[..].try_into()?);
        writeln!(out, "{time} {value}")?;
    }
    Ok(())
}
