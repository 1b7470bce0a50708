//! `lsmlite archive`: folders in one file.

mod cat;
mod extract;
mod list;
mod pack;
mod verify;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use lsmlite_rs::archive::{self, ArchiveError, ArchiveProgress};

use crate::context::Context;
use crate::database::{check, explain};
use crate::exit::{Failure, Outcome, Status};
use crate::{interrupt, output};

/// Pack folders into one file, and list, verify and extract them or read single files
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite archive pack src src.lsm
  lsmlite archive pack src src.lsm --update --page-checksums
  lsmlite archive list src.lsm --format json
  lsmlite archive cat src.lsm lib.rs bin/main.rs
  lsmlite archive verify src.lsm
  lsmlite archive extract src.lsm copy
  lsmlite archive extract src.lsm copy bin --overwrite

An archive is a database that is written once; `lsmlite info` and others work on it, too.")]
pub struct Archive {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Pack(pack::Pack),
    List(list::List),
    Extract(extract::Extract),
    Verify(verify::Verify),
    Cat(cat::Cat),
}

impl Archive {
    pub fn run(self, context: &Context) -> Outcome {
        match self.command {
            Command::Pack(command) => command.run(context),
            Command::List(command) => command.run(context),
            Command::Extract(command) => command.run(context),
            Command::Verify(command) => command.run(context),
            Command::Cat(command) => command.run(context),
        }
    }
}

/// Which archive.
#[derive(Args)]
struct File {
    /// The archive
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,
}

impl File {
    fn open(&self) -> Result<archive::Archive, Failure> {
        check(&self.archive, false)?;
        archive::Archive::open(&self.archive).map_err(|error| failure(error, &self.archive))
    }
}

/// How many threads.
#[derive(Args)]
struct Threads {
    /// How many threads work on it; one per core if it isn't said
    #[arg(short = 'j', long, value_name = "N")]
    threads: Option<usize>,
}

impl Threads {
    fn number(&self) -> usize {
        let usual = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(usual)
    }
}

/// What the user is told.
fn failure(error: ArchiveError, archive: &Path) -> Failure {
    let text = error.to_string();
    match error {
        error if error.is_cancelled() => interrupt::failure(),
        ArchiveError::Database(error) => explain(error, archive),
        ArchiveError::Io {
            action,
            path,
            source,
        } => Failure::io(action, &path, &source),
        ArchiveError::Output(error) => output::failure(&error),
        ArchiveError::NotAnArchive { .. } | ArchiveError::TooNew { .. } => {
            Failure::new(Status::Foreign, text)
        }
        ArchiveError::Damaged { .. } => Failure::new(Status::Damaged, text),
        ArchiveError::NoMember { .. } => Failure::new(Status::No, text),
        ArchiveError::InTheWay { .. } => Failure::new(Status::Exists, text),
        _ => Failure::new(Status::Failed, text),
    }
}

/// Shows how far it is, until a signal comes.
fn watch(bar: ProgressBar) -> impl FnMut(&ArchiveProgress) -> ControlFlow<()> + Send + 'static {
    interrupt::polling();
    move |progress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.bytes);
        match interrupt::is_pending() {
            true => {
                bar.finish_and_clear();
                ControlFlow::Break(())
            }
            false => ControlFlow::Continue(()),
        }
    }
}
