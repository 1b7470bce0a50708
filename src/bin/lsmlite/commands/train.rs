//! `lsmlite train`: a Zstandard dictionary from a database.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::database::{Database, explain, refuse_existing};
use crate::exit::{Failure, Outcome, Status};
use crate::interrupt::Draft;
use crate::report::bytes;

/// Make a zstd dictionary of what the pages of a database have in common
///
/// It is for other files with similar records and pages of the same size, small ones best. They can't
/// be read without it any more: keep as many copies of it as of them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite train sample.lsm orders-7.dict --number 7
  lsmlite load orders.lsm orders.dump --compression zstd --dictionary orders-7.dict
  lsmlite recompress cities.lsm --compression zstd --new-dictionary orders-7.dict
  lsmlite scan orders.lsm --dictionary orders-7.dict")]
pub struct Train {
    #[command(flatten)]
    database: Database,
    /// The file for the dictionary
    #[arg(value_name = "TO")]
    to: PathBuf,
    /// The dictionary's number, 1 to 899; the files will name it
    #[arg(short, long, value_name = "NUMBER")]
    number: u32,
    /// Its size at most
    #[arg(long, value_name = "BYTES", default_value = "16384")]
    bytes: usize,
}

impl Train {
    pub fn run(self, context: &Context) -> Outcome {
        refuse_existing(&self.to)?;
        let file = &self.database.file;
        let db = self.database.open_to_read()?;
        let trained = db.train_zstd_dictionary(self.number, self.bytes);
        let dictionary = trained.map_err(|error| explain(error, file))?;
        let draft = Draft::beside(&self.to);
        fs::write(draft.path(), dictionary.as_bytes())
            .map_err(|error| Failure::io("write", &self.to, &error))?;
        draft.install(&self.to)?;
        context.note(format_args!(
            "dictionary {} in {}, {}",
            dictionary.number(),
            self.to.display(),
            bytes(dictionary.as_bytes().len() as u64)
        ));
        Ok(Status::Done)
    }
}
