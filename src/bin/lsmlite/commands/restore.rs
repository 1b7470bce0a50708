//! `lsmlite restore`: puts a backup back.

use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::database::{check, explain_target};
use crate::dictionary::Dictionaries;
use crate::exit::{Outcome, Status};
use crate::interrupt::DraftsBeside;
use crate::report::{bytes, count};

/// Put a backup back in the place of a database
///
/// The copy is verified and durable before it takes the name, so that the file is the old one or the
/// whole new one. The backup is left as it is.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite restore backups/cities.lsm cities.lsm
  lsmlite restore backups/cities.lsm cities.lsm --overwrite")]
pub struct Restore {
    /// The backup
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// Where the database is to be
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace the database that is there, damaged or not
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    dictionaries: Dictionaries,
}

impl Restore {
    pub fn run(self, context: &Context) -> Outcome {
        check(&self.backup, false)?;
        let _drafts = DraftsBeside::new(&self.file);
        let known = self.dictionaries.read()?;
        let job = lsmlite_rs::Restore::new();
        let restored = known
            .iter()
            .fold(job, lsmlite_rs::Restore::zstd_dictionary)
            .overwrite(self.overwrite)
            .run(&self.backup, &self.file);
        let report =
            restored.map_err(|error| explain_target(error, &self.backup, &self.file))?;
        context.note(format_args!(
            "{} in {}, {}, verified",
            count(report.records, "record"),
            self.file.display(),
            bytes(report.file_bytes)
        ));
        Ok(Status::Done)
    }
}
