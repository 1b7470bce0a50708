//! `lsmlite checkpoint`: brings everything into the file.

use clap::Args;

use crate::context::Context;
use crate::database::{Database, explain};
use crate::exit::{Outcome, Status};

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
        let done = db.flush().and_then(|()| db.checkpoint());
        let kib = done.map_err(|error| explain(error, &self.database.file))?;
        db.close().map_err(|error| explain(error, &self.database.file))?;
        context.note(format_args!("made durable: {kib} KiB"));
        Ok(Status::Done)
    }
}
