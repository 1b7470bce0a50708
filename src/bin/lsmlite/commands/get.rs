//! `lsmlite get`: the values of keys.

use std::ffi::OsString;
use std::path::Path;

use clap::Args;

use crate::context::Context;
use crate::database::{Database, TableArg, explain};
use crate::exit::{Failure, Outcome, Status};
use crate::output::Output;
use crate::records::{Defaults, Format, Printer, Printing, decode};
use crate::select::View;

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
    #[command(flatten)]
    wanted: Wanted,
}

/// Which values, and how to print them.
#[derive(Args)]
pub struct Wanted {
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
        let keys = self.wanted.keys()?;
        let db = self.database.open_to_read()?;
        self.wanted.print(View::Db(&db), &keys, &self.database.file, context)
    }
}

impl Wanted {
    pub fn default_to(&mut self, defaults: &Defaults) {
        self.table.default_to(defaults);
        self.printing.default_to(defaults);
    }

    pub fn keys(&self) -> Result<Vec<Vec<u8>>, Failure> {
        if self.raw && self.keys.len() > 1 {
            return Err(Failure::usage("--raw prints one value; name one key"));
        }
        let encoding = self.printing.encodings.of_keys();
        self.keys.iter().map(|key| decode(encoding, key)).collect()
    }

    /// Prints the values of these keys.
    pub fn print(&self, view: View<'_>, keys: &[Vec<u8>], file: &Path, context: &Context) -> Outcome {
        let encodings = &self.printing.encodings;
        let values = view.multi_get(self.table.table.as_deref(), keys);
        let values = values.map_err(|error| explain(error, file))?;

        let mut status = Status::Done;
        for (name, _) in self.keys.iter().zip(&values).filter(|(_, value)| value.is_none()) {
            context.note(format_args!("there is no record with the key {}", name.to_string_lossy()));
            status = Status::No;
        }
        let found = keys.iter().zip(values);
        let mut found = found.filter_map(|(key, value)| Some((key, value?)));
        if self.raw || (keys.len() == 1 && self.printing.format() == Format::Text) {
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
