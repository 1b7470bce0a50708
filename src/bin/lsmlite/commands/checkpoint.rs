//! `lsmlite checkpoint`: brings everything into the file.

use std::path::Path;

use clap::Args;
use lsmlite_rs::LsmDb;

use crate::context::Context;
use crate::database::{Database, explain};
use crate::exit::{Failure, Outcome, Status};

/// Bring everything from the log into the file, and make it durable
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite checkpoint cities.lsm
  lsmlite checkpoint shared.lsm --multi-process")]
pub struct Checkpoint {
    #[command(flatten)]
    database: Database,
}

impl Checkpoint {
    pub fn run(self, context: &Context) -> Outcome {
        let mut db = self.database.open_to_write()?;
        let kib = checkpoint(&mut db, &self.database.file)?;
        db.close().map_err(|error| explain(error, &self.database.file))?;
        context.note(format_args!("made durable: {kib} KiB"));
        Ok(Status::Done)
    }
}

/// Writes memory to the file, and makes all of it durable.
pub fn checkpoint(db: &mut LsmDb, file: &Path) -> Result<u32, Failure> {
    let done = db.flush().and_then(|()| db.checkpoint());
    done.map_err(|error| explain(error, file))
}
