//! `lsmlite count`: how many records there are.

use std::path::Path;

use clap::Args;

use crate::context::Context;
use crate::database::{Database, TableArg, explain};
use crate::exit::{Failure, Outcome, Status};
use crate::interrupt;
use crate::output::Output;
use crate::records::{Defaults, Encodings};
use crate::select::{Range, Selection, View};

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
    wanted: Wanted,
}

/// Which records.
#[derive(Args)]
pub struct Wanted {
    #[command(flatten)]
    table: TableArg,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    encodings: Encodings,
}

impl Count {
    pub fn run(self, context: &Context) -> Outcome {
        let range = self.wanted.range()?;
        let db = self.database.open_to_read()?;
        self.wanted.print(View::Db(&db), range, &self.database.file, context)
    }
}

impl Wanted {
    pub fn default_to(&mut self, defaults: &Defaults) {
        self.table.default_to(defaults);
        self.encodings.default_to(defaults);
    }

    pub fn range(&self) -> Result<Range, Failure> {
        self.selection.range(self.encodings.of_keys())
    }

    pub fn print(&self, view: View<'_>, range: Range, file: &Path, context: &Context) -> Outcome {
        let progress = context.progress("counting", None);
        let count = view.visit(self.table.table.as_deref(), range, |records| {
            let mut count = 0_u64;
            for key in records.keys() {
                key.map_err(|error| explain(error, file))?;
                interrupt::check()?;
                count += 1;
                if count % 100_000 == 0 {
                    progress.set_position(count);
                }
            }
            Ok(count)
        });
        progress.finish_and_clear();
        let mut out = Output::new();
        out.line(&count?.to_string())?;
        out.finish()?;
        Ok(Status::Done)
    }
}
