//! `lsmlite scan`: prints records in the order of their keys.

use std::path::Path;

use clap::Args;
use lsmlite_rs::LsmRange;

use crate::context::Context;
use crate::database::{Database, TableArg, explain};
use crate::exit::{Failure, Outcome, Status};
use crate::interrupt;
use crate::records::{Defaults, Printer, Printing};
use crate::select::{Range, Selection, View};

/// Print records in the order of their keys
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite scan cities.lsm --prefix no/
  lsmlite scan events.lsm --start 2026-01-01 --end 2026-02-01 --format csv
  lsmlite scan events.lsm --reverse --limit 10 --keys-only
  lsmlite scan app.lsm --table users --format json")]
pub struct Scan {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    wanted: Wanted,
}

/// Which records, and how to print them.
#[derive(Args)]
pub struct Wanted {
    #[command(flatten)]
    table: TableArg,
    #[command(flatten)]
    selection: Selection,
    /// From the largest key to the smallest
    #[arg(short, long)]
    reverse: bool,
    /// No more than so many
    #[arg(short, long, value_name = "N")]
    limit: Option<u64>,
    /// Without values
    #[arg(short, long)]
    keys_only: bool,
    #[command(flatten)]
    printing: Printing,
}

impl Scan {
    pub fn run(self, _: &Context) -> Outcome {
        let range = self.wanted.range()?;
        let db = self.database.open_to_read()?;
        self.wanted.print(View::Db(&db), range, &self.database.file)
    }
}

impl Wanted {
    pub fn default_to(&mut self, defaults: &Defaults) {
        self.table.default_to(defaults);
        self.printing.default_to(defaults);
    }

    pub fn range(&self) -> Result<Range, Failure> {
        self.selection.range(self.printing.encodings.of_keys())
    }

    pub fn print(&self, view: View<'_>, range: Range, file: &Path) -> Outcome {
        let table = self.table.table.as_deref();
        view.visit(table, range, |records| self.print_all(records, file))?;
        Ok(Status::Done)
    }

    fn print_all(&self, mut records: LsmRange<'_>, file: &Path) -> Result<(), Failure> {
        let failed = |error| explain(error, file);
        let mut printer = Printer::new(&self.printing, self.keys_only)?;
        let mut left = self.limit.unwrap_or(u64::MAX);
        if self.keys_only {
            let mut keys = records.keys();
            while left > 0 {
                left -= 1;
                interrupt::check()?;
                let key = if self.reverse { keys.next_back() } else { keys.next() };
                let Some(key) = key else { break };
                printer.record(&key.map_err(failed)?, b"")?;
            }
        } else {
            while left > 0 {
                left -= 1;
                interrupt::check()?;
                let record = match self.reverse {
                    true => records.next_back_ref(),
                    false => records.next_ref(),
                };
                let Some((key, value)) = record.map_err(failed)? else {
                    break;
                };
                printer.record(key, value)?;
            }
        }
        printer.finish()
    }
}
