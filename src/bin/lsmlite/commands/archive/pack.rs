//! `lsmlite archive pack`.

use std::path::PathBuf;

use clap::Args;
use lsmlite_rs::archive::{self, SkipCause};

use super::{Threads, failure, watch};
use crate::context::Context;
use crate::database::check;
use crate::exit::{Failure, Outcome, Status};

/// Pack everything below a folder
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite archive pack src src.lsm
  lsmlite archive pack src src.lsm --update

With --update, files of unchanged size and time are taken over without being read. The archive
appears under its name when it is whole. If a file can't be read, the others are packed and the
exit status is 10.")]
pub struct Pack {
    /// The folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The archive to be made
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,
    /// Renew the archive, if there is one
    #[arg(short, long)]
    update: bool,
    /// In an update, read all files, whatever their sizes and times are
    #[arg(long, requires = "update")]
    reread: bool,
    /// Replace a file that is there
    #[arg(long, conflicts_with = "update")]
    overwrite: bool,
    /// Zstandard level, 1 (fast) to 22 (small)
    #[arg(short, long, value_name = "LEVEL", default_value = "3",
        value_parser = clap::value_parser!(i32).range(1..=22))]
    level: i32,
    /// Put a checksum on every page
    #[arg(long)]
    page_checksums: bool,
    /// Page size of the database, a power of two from 256 to 65536
    #[arg(long, value_name = "BYTES")]
    page_size: Option<u32>,
    #[command(flatten)]
    threads: Threads,
}

impl Pack {
    pub fn run(self, context: &Context) -> Outcome {
        let shown = self.archive.display();
        if !self.update && !self.overwrite && self.archive.symlink_metadata().is_ok() {
            let message = format!("{shown} exists");
            return Err(Failure::new(Status::Exists, message).with_advice(
                "choose another name, or add --update to renew an archive, or --overwrite",
            ));
        }
        if self.update {
            check(&self.archive, true)?;
        }
        let bar = context.progress("packing", Some(0));
        let mut pack = archive::Pack::new(&self.folder)
            .zstd_level(self.level)
            .page_checksums(self.page_checksums)
            .threads(self.threads.number())
            .update(self.update)
            .reread(self.reread)
            .overwrite(self.overwrite)
            .on_progress(watch(bar.clone()));
        if let Some(bytes) = self.page_size {
            pack = pack.page_size_bytes(bytes);
        }
        let packed = pack.run(&self.archive);
        bar.finish_and_clear();
        let report = packed.map_err(|error| failure(error, &self.archive))?;

        let mut lost = 0;
        for skipped in &report.skipped {
            context.note(skipped);
            lost += u64::from(matches!(skipped.cause, SkipCause::Unreadable(_)));
        }
        let files = report.summary.files;
        context.note(format_args!(
            "{shown} has {files} files of {} bytes in {} bytes",
            report.summary.bytes, report.archive_bytes
        ));
        if self.update {
            context.note(format_args!("{} files were read", report.files_read));
        }
        match lost {
            0 => Ok(Status::Done),
            lost => {
                let message = format!("{lost} files or folders can't be read and aren't in {shown}");
                let advice = "give this user the right to read them, or pack as another one";
                Err(Failure::new(Status::Failed, message).with_advice(advice))
            }
        }
    }
}
