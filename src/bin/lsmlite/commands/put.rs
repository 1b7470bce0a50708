//! `lsmlite put`: inserts a record.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use lsmlite_rs::{LsmDb, LsmError, Transaction};

use crate::context::Context;
use crate::database::{Database, TableArg, explain};
use crate::exit::{Failure, Outcome, Status};
use crate::records::{Defaults, Encodings, decode};

/// Insert a record, or replace the one with its key
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite put cities.lsm no/oslo 717710
  lsmlite put photos.lsm cover.jpg --from cover.jpg
  date | lsmlite put state.lsm last-run --from -
  lsmlite put raw.lsm --encoding hex 00ff 0d0a

A file that isn't there is made.")]
pub struct Put {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    record: Record,
}

/// What is inserted.
#[derive(Args)]
pub struct Record {
    /// The key
    #[arg(value_name = "KEY")]
    key: OsString,
    /// The value
    #[arg(value_name = "VALUE", required_unless_present = "from", conflicts_with = "from")]
    value: Option<OsString>,
    /// Take the bytes of a file for the value; - is standard input
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,
    #[command(flatten)]
    table: TableArg,
    #[command(flatten)]
    encodings: Encodings,
}

impl Put {
    pub fn run(self, context: &Context) -> Outcome {
        let insert = self.record.read()?;
        let mut db = self.database.open_or_create(context, LsmDb::builder())?;
        db.transact(insert)
            .and_then(|()| db.close())
            .map_err(|error| explain(error, &self.database.file))?;
        Ok(Status::Done)
    }
}

impl Record {
    pub fn default_to(&mut self, defaults: &Defaults) {
        self.table.default_to(defaults);
        self.encodings.default_to(defaults);
    }

    /// Reads it; what is returned inserts it.
    pub fn read(
        self,
    ) -> Result<impl FnOnce(&mut Transaction<'_>) -> Result<(), LsmError>, Failure> {
        let key = decode(self.encodings.of_keys(), &self.key)?;
        let value = match (&self.value, &self.from) {
            (Some(value), _) => decode(self.encodings.of_values(), value)?,
            (None, Some(path)) => read(path)?,
            (None, None) => return Err(Failure::usage("name a value")),
        };
        let table = self.table.table;
        Ok(move |tx: &mut Transaction<'_>| match table {
            Some(table) => tx.table(&table)?.insert(key, value),
            None => tx.insert(key, value),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|error| Failure::io("read", "standard input".as_ref(), &error))?;
        return Ok(bytes);
    }
    fs::read(path).map_err(|error| Failure::io("read", path, &error))
}
