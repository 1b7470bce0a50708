//! `lsmlite compact`: one dense sorted run.

use std::ops::ControlFlow;
use std::path::Path;

use clap::Args;
use lsmlite_rs::LsmDb;

use crate::context::Context;
use crate::database::{Database, explain, size_of};
use crate::exit::{Failure, Outcome, Status};
use crate::interrupt;
use crate::report::bytes;

/// Rewrite a database as one sorted run without deleted records
///
/// That is the smallest form, and the fastest to read. It can be interrupted: what was merged stays
/// merged, and the next call goes on.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite compact cities.lsm
  timeout 1h lsmlite compact large.lsm")]
pub struct Compact {
    #[command(flatten)]
    database: Database,
}

impl Compact {
    pub fn run(self, context: &Context) -> Outcome {
        interrupt::polling();
        let mut db = self.database.open_to_write()?;
        let before = size_of(&self.database.file);
        let merged = compact(&mut db, &self.database.file, context);
        let closed = db.close().map_err(|error| explain(error, &self.database.file));
        merged.and(closed)?;
        context.note(format_args!(
            "{} before, {} now",
            bytes(before),
            bytes(size_of(&self.database.file))
        ));
        Ok(Status::Done)
    }
}

/// Merges everything, unless a signal comes.
pub fn compact(db: &mut LsmDb, file: &Path, context: &Context) -> Result<(), Failure> {
    let bar = context.progress("merging, KiB", Some(0));
    let is_done = db.compact_with(|so_far| {
        bar.set_length(so_far.total_kib.max(so_far.remaining_kib));
        bar.set_position(so_far.total_kib.saturating_sub(so_far.remaining_kib));
        match interrupt::is_pending() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    bar.finish_and_clear();
    match is_done.map_err(|error| explain(error, file))? {
        true => Ok(()),
        false => Err(interrupt::failure()
            .with_advice("what was merged stays, and the same command goes on from there")),
    }
}
