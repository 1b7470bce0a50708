//! `lsmlite backup`: a copy of a database that may be in use.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use lsmlite_rs::{Backup as Job, BackupStep, LsmError};

use crate::context::Context;
use crate::database::{Database, explain, explain_target};
use crate::exit::{Outcome, Status};
use crate::interrupt;
use crate::report::{bytes, count};

/// Copy a database into a new file, compacted and verified
///
/// The file appears under its name when it is whole and durable, or not at all. Processes that
/// share the database with multi_process(true) can go on writing.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite backup cities.lsm backups/cities.lsm
  lsmlite backup cities.lsm latest.lsm --overwrite")]
pub struct Backup {
    #[command(flatten)]
    database: Database,
    /// The new file
    #[arg(value_name = "TO")]
    to: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    overwrite: bool,
}

impl Backup {
    pub fn run(self, context: &Context) -> Outcome {
        let Backup { database, to, .. } = &self;
        interrupt::polling();
        let db = database.open_to_read()?;
        let job = Job::new(&db).map_err(|error| explain(error, &database.file))?;
        let bar = context.progress("copying, bytes", None);
        let shown = bar.clone();
        let job = job.overwrite(self.overwrite).on_progress(move |so_far| {
            shown.set_position(so_far.bytes);
            match so_far.step {
                BackupStep::Copying => {}
                BackupStep::Compacting => shown.set_message("compacting; bytes copied"),
                _ => shown.set_message("verifying; bytes copied"),
            }
            match interrupt::is_pending() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let report = job.run(to);
        bar.finish_and_clear();
        let report = report.map_err(|error: LsmError| explain_target(error, &database.file, to))?;
        context.note(format_args!(
            "{}, {}, in {}, {}, verified",
            count(report.records, "record"),
            bytes(report.bytes),
            to.display(),
            bytes(report.file_bytes)
        ));
        Ok(Status::Done)
    }
}
