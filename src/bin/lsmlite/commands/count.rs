//! `lsmlite count`: how many records there are.

use clap::Args;

use crate::context::Context;
use crate::database::{Database, TableArg, explain};
use crate::exit::{Outcome, Status};
use crate::output::Output;
use crate::records::Encodings;
use crate::select::{Selection, visit};

/// Print how many records there are
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite count cities.lsm
  lsmlite count cities.lsm --prefix no/
  lsmlite count app.lsm --table users")]
pub struct Count {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    table: TableArg,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    encodings: Encodings,
}

impl Count {
    pub fn run(self, context: &Context) -> Outcome {
        let range = self.selection.range(self.encodings.of_keys())?;
        let db = self.database.open_to_read()?;
        let progress = context.progress("counting", None);
        let count = visit(&db, self.table.table.as_deref(), range, |records| {
            let mut count = 0_u64;
            for key in records.keys() {
                key.map_err(|error| explain(error, &self.database.file))?;
                count += 1;
                if count % 100_000 == 0 {
                    progress.set_position(count);
                }
            }
            Ok(count)
        })?;
        progress.finish_and_clear();
        let mut out = Output::new();
        out.line(&count.to_string())?;
        out.finish()?;
        Ok(Status::Done)
    }
}
