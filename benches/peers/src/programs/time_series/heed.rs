use std::io::Write;
use std::path::Path;

use heed::{CommitOrAbort, EnvOpenOptions, byteorder::BE, types::*};

use super::Series;
use crate::Result;

pub fn run(dir: &Path, series: &Series, out: &mut dyn Write) -> Result<()> {
    // SAFETY: nobody else changes the files in this folder.
    let env = unsafe { EnvOpenOptions::new().open(dir)? };
    let tx = env.write_txn()?;
    let creation = env.create_databases_and_commit(tx, |opener, tx| -> Result<_> {
        let samples = opener.create_database::<U64<BE>, I64<BE>>(tx, None)?;
        for (time, value) in series.samples {
            samples.put(tx, &time, &value)?;
        }
        Ok(CommitOrAbort::<_, ()>::Commit(samples))
    })?;

    let (samples, tx) = (creation.unwrap_commit(), env.read_txn()?);
    let newest = samples.rev_range(&tx, &(..series.to))?.take(series.newest);
    for sample in samples.range(&tx, &(series.from..series.to))?.chain(newest) {
        let (time, value) = sample?;
        writeln!(out, "{time} {value}")?;
    }
    Ok(())
}
