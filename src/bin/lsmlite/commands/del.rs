//! `lsmlite del`: removes records.

use std::ffi::OsString;

use clap::Args;
use lsmlite_rs::{LsmError, Transaction};

use crate::context::Context;
use crate::database::{Database, TableArg, explain};
use crate::exit::{Failure, Outcome, Status};
use crate::records::{Defaults, Encodings, decode};
use crate::select::{Range, Selection};

/// Remove records: by their keys, or all of a range
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite del cities.lsm no/oslo no/bergen
  lsmlite del cities.lsm --prefix se/
  lsmlite del log.lsm --end 2025-01-01
  lsmlite del app.lsm --table sessions --all

All of it is one transaction. A key that isn't there is no error.")]
pub struct Del {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    unwanted: Unwanted,
}

/// What is removed.
#[derive(Args)]
pub struct Unwanted {
    /// The keys
    #[arg(value_name = "KEY")]
    keys: Vec<OsString>,
    #[command(flatten)]
    selection: Selection,
    /// Everything: all plain keys, or all of the table, which is dropped
    #[arg(long, conflicts_with_all = ["keys", "Selection"])]
    all: bool,
    #[command(flatten)]
    table: TableArg,
    #[command(flatten)]
    encodings: Encodings,
}

impl Del {
    pub fn run(self, _: &Context) -> Outcome {
        let remove = self.unwanted.read()?;
        let mut db = self.database.open_to_write()?;
        db.transact(remove)
            .and_then(|()| db.close())
            .map_err(|error| explain(error, &self.database.file))?;
        Ok(Status::Done)
    }
}

impl Unwanted {
    pub fn default_to(&mut self, defaults: &Defaults) {
        self.table.default_to(defaults);
        self.encodings.default_to(defaults);
    }

    /// Reads keys and range; what is returned removes them.
    pub fn read(
        self,
    ) -> Result<impl FnOnce(&mut Transaction<'_>) -> Result<(), LsmError>, Failure> {
        let encoding = self.encodings.of_keys();
        let range = match (self.keys.is_empty(), self.selection.is_everything(), self.all) {
            (true, true, true) => Some(self.selection.range(encoding)?),
            (true, false, _) => Some(self.selection.range(encoding)?),
            (false, true, _) => None,
            (false, false, _) => return Err(Failure::usage("name keys or a range, not both")),
            (true, true, false) => {
                return Err(Failure::usage("name keys, a range, or --all"));
            }
        };
        let keys = self.keys.iter().map(|key| decode(encoding, key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        Ok(move |tx: &mut Transaction<'_>| self.remove(tx, &keys, range.as_ref()))
    }

    fn remove(
        &self,
        tx: &mut Transaction<'_>,
        keys: &[Vec<u8>],
        range: Option<&Range>,
    ) -> Result<(), LsmError> {
        let Some(name) = &self.table.table else {
            keys.iter().try_for_each(|key| tx.remove(key))?;
            return match range {
                Some(range) => tx.remove_range(range.clone()),
                None => Ok(()),
            };
        };
        if !tx.tables()?.contains(name) {
            return Ok(());
        }
        if self.all {
            return tx.drop_table(name).map(|_| ());
        }
        let mut table = tx.table(name)?;
        keys.iter().try_for_each(|key| table.remove(key))?;
        match range {
            Some(range) => table.remove_range(range.clone()),
            None => Ok(()),
        }
    }
}
