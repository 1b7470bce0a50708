//! `lsmlite get`: the values of keys.

use std::ffi::OsString;

use clap::Args;

use crate::context::Context;
use crate::database::{Database, TableArg, explain};
use crate::exit::{Failure, Outcome, Status};
use crate::output::Output;
use crate::records::{Format, Printer, Printing, decode};

/// Print the value of a key, or records of several keys
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite get cities.lsm no/oslo
  lsmlite get cities.lsm no/oslo no/bergen --format json
  lsmlite get photos.lsm cover.jpg --raw > cover.jpg

The status is 1 if one of the keys isn't there.")]
pub struct Get {
    #[command(flatten)]
    database: Database,
    /// The keys
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<OsString>,
    #[command(flatten)]
    table: TableArg,
    #[command(flatten)]
    printing: Printing,
    /// Print the bytes of one value as they are, without a newline
    #[arg(long, conflicts_with_all = ["format", "encoding", "value_encoding"])]
    raw: bool,
}

impl Get {
    pub fn run(self, context: &Context) -> Outcome {
        if self.raw && self.keys.len() > 1 {
            return Err(Failure::usage("--raw prints one value; name one key"));
        }
        let encodings = &self.printing.encodings;
        let keys = self.keys.iter().map(|key| decode(encodings.of_keys(), key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let db = self.database.open_to_read()?;
        let values = match &self.table.table {
            Some(table) => db.read_table(table).and_then(|table| table.multi_get(&keys)),
            None => db.multi_get(&keys),
        };
        let values = values.map_err(|error| explain(error, &self.database.file))?;

        let mut status = Status::Done;
        for (name, _) in self.keys.iter().zip(&values).filter(|(_, value)| value.is_none()) {
            context.note(format_args!("there is no record with the key {}", name.to_string_lossy()));
            status = Status::No;
        }
        let found = keys.iter().zip(values);
        let mut found = found.filter_map(|(key, value)| Some((key, value?)));
        if self.raw || (keys.len() == 1 && self.printing.format == Format::Text) {
            let mut out = Output::new();
            match found.next() {
                Some((_, value)) if self.raw => out.write(&value)?,
                Some((_, value)) => out.line(&encodings.of_values().encode(&value))?,
                None => {}
            }
            out.finish()?;
        } else {
            let mut printer = Printer::new(&self.printing, false)?;
            for (key, value) in found {
                printer.record(key, &value)?;
            }
            printer.finish()?;
        }
        Ok(status)
    }
}
