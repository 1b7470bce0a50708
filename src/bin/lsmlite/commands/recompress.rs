//! `lsmlite recompress`: another codec, level or page size.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use lsmlite_rs::recompress::Recompress as Job;

use crate::context::Context;
use crate::database::{check, explain_target};
use crate::dictionary::{self, Dictionaries};
use crate::exit::{Outcome, Status};
use crate::interrupt;
use crate::new_file::{Codec, NewFile};
use crate::report::{bytes, count};

/// Write a database anew with another codec, level, page size or page checksums
///
/// What isn't given stays as it is; without anything, the file only becomes as small as it can be.
/// The new file is verified and durable before it takes the name of the old one. While it is
/// written, other processes find the database busy.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite recompress cities.lsm --compression zstd:9 --page-checksums
  lsmlite recompress cities.lsm --compression none --page-size 16384
  lsmlite recompress cities.lsm --compression zstd:19 --output archive.lsm
  lsmlite recompress cities.lsm --compression zstd --new-dictionary cities-7.dict")]
pub struct Recompress {
    /// The database file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    new_file: NewFile,
    #[command(flatten)]
    dictionaries: Dictionaries,
    /// A zstd dictionary for the new file; otherwise it keeps its own, unless --compression is given
    #[arg(long, value_name = "DICTIONARY")]
    new_dictionary: Option<PathBuf>,
    /// Leave the file as it is, and write a new one
    #[arg(short, long, value_name = "NEW")]
    output: Option<PathBuf>,
    /// Replace the file that --output names
    #[arg(long, requires = "output")]
    overwrite: bool,
}

impl Recompress {
    pub fn run(self, context: &Context) -> Outcome {
        check(&self.file, false)?;
        interrupt::polling();
        let NewFile { compression, page_size, block_size, .. } = self.new_file;
        let bar = context.progress("copying, bytes", None);
        let shown = bar.clone();
        let mut job = Job::new().on_progress(move |so_far| {
            shown.set_position(so_far.bytes);
            match interrupt::is_pending() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let known = self.dictionaries.read()?.into_iter();
        job = known.fold(job, Job::known_zstd_dictionary);
        if let Some(file) = &self.new_dictionary {
            job = job.zstd_dictionary(dictionary::read(file)?);
        }
        if let Some(Codec(codec)) = compression {
            job = job.compression(codec);
        }
        if let Some(yes) = self.new_file.page_checksums() {
            job = job.page_checksums(yes);
        }
        if let Some(bytes) = page_size {
            job = job.page_size_bytes(bytes);
        }
        if let Some(kib) = block_size {
            job = job.block_size_kib(kib);
        }
        if let Some(output) = &self.output {
            job = job.output(output, self.overwrite);
        }
        let done = job.run(&self.file);
        bar.finish_and_clear();
        let target = self.output.as_ref().unwrap_or(&self.file);
        let report = done.map_err(|error| explain_target(error, &self.file, target))?;
        context.note(format_args!(
            "{}; {} before, {} now",
            count(report.records, "record"),
            bytes(report.bytes_before),
            bytes(report.bytes_after)
        ));
        Ok(Status::Done)
    }
}
