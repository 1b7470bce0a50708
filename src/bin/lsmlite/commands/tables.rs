//! `lsmlite tables`: the names of tables.

use std::path::Path;

use clap::Args;
use lsmlite_rs::dump::Encoding;

use crate::context::Context;
use crate::database::{Database, explain};
use crate::exit::{Outcome, Status};
use crate::output::Output;
use crate::select::View;

/// Print the names of the tables in a file
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite tables app.lsm
  lsmlite stat app.lsm --records")]
pub struct Tables {
    #[command(flatten)]
    database: Database,
}

impl Tables {
    pub fn run(self, _: &Context) -> Outcome {
        let db = self.database.open_to_read()?;
        print(View::Db(&db), &self.database.file)
    }
}

pub fn print(view: View<'_>, file: &Path) -> Outcome {
    let names = view.tables().map_err(|error| explain(error, file))?;
    let mut out = Output::new();
    for name in names {
        out.line(&Encoding::Text.encode(name.as_bytes()))?;
    }
    out.finish()?;
    Ok(Status::Done)
}
