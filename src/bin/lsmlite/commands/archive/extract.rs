//! `lsmlite archive extract`.

use std::path::PathBuf;

use clap::Args;
use lsmlite_rs::archive;

use super::{File, Threads, failure, watch};
use crate::context::Context;
use crate::exit::{Failure, Outcome, Status};

/// Extract an archive, or some of it, into a new folder
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite archive extract src.lsm copy
  lsmlite archive extract src.lsm copy bin lib.rs
  lsmlite archive extract damaged.lsm rest --keep-going

Nothing is written outside of the folder, and no link is followed. The folder appears when it is
whole and synced.")]
pub struct Extract {
    #[command(flatten)]
    file: File,
    /// The folder to be made, or an empty one
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Only these files or folders of the archive
    #[arg(value_name = "MEMBER")]
    members: Vec<PathBuf>,
    /// Extract into a folder that isn't empty, and replace what has the same names
    #[arg(long)]
    overwrite: bool,
    /// Leave out damaged files, and extract the others
    #[arg(short, long)]
    keep_going: bool,
    /// Also give back the bits for set-user-id, set-group-id and sticky
    #[arg(long)]
    special_modes: bool,
    /// Don't make it durable
    #[arg(long)]
    no_sync: bool,
    #[command(flatten)]
    threads: Threads,
}

impl Extract {
    pub fn run(self, context: &Context) -> Outcome {
        let archive = self.file.open()?;
        let bar = context.progress("extracting", Some(0));
        let mut extract = archive::Extract::new(&archive)
            .overwrite(self.overwrite)
            .keep_going(self.keep_going)
            .special_modes(self.special_modes)
            .sync(!self.no_sync)
            .threads(self.threads.number())
            .on_progress(watch(bar.clone()));
        for member in &self.members {
            extract = extract.only(member);
        }
        let extracted = extract.run(&self.folder);
        bar.finish_and_clear();
        let report = extracted.map_err(|error| failure(error, archive.path()))?;
        for problem in &report.problems {
            context.note(format_args!("left out: {problem}"));
        }
        let shown = self.folder.display();
        context.note(format_args!("{} files of {} bytes are in {shown}", report.files, report.bytes));
        match report.problems.len() {
            0 => Ok(Status::Done),
            lost => {
                let message = format!("{lost} files are damaged and not in {shown}");
                let failure = Failure::new(Status::Damaged, message);
                Err(failure.with_advice("take them from another copy of the archive"))
            }
        }
    }
}
