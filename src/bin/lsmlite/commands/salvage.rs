//! `lsmlite salvage`: copies what is readable out of a damaged file.

use std::path::PathBuf;

use clap::Args;
use lsmlite_rs::{LsmDb, Salvage as Job, SalvageBasis, SalvageReport};
use serde_json::{Value, json};

use crate::context::Context;
use crate::database::{check, explain, explain_target, refuse_existing};
use crate::dictionary::Dictionaries;
use crate::exit::{Outcome, Status};
use crate::interrupt::Draft;
use crate::new_file::NewFile;
use crate::report::{Reporting, grouped};

/// Copy what is readable in a damaged file into a new database
///
/// The damaged file is only read. The newest version of each record counts; where pages are lost,
/// deleted or older records may come back.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite salvage damaged.lsm rescued.lsm
  lsmlite salvage damaged.lsm rescued.lsm --compression zstd --page-checksums

The status is 0 if nothing was lost, and 3 if something was: the report says what.")]
pub struct Salvage {
    /// The damaged file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The new database
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    new_file: NewFile,
    #[command(flatten)]
    dictionaries: Dictionaries,
    #[command(flatten)]
    reporting: Reporting,
}

impl Salvage {
    pub fn run(self, context: &Context) -> Outcome {
        check(&self.file, false)?;
        refuse_existing(&self.new)?;
        let draft = Draft::beside(&self.new);
        let bar = context.progress("copying, records", None);
        let shown = bar.clone();
        let builder = self.dictionaries.apply(LsmDb::builder().use_log(false))?;
        let known = self.dictionaries.read()?;
        let done = known
            .iter()
            .fold(Job::new(), Job::zstd_dictionary)
            .target(self.new_file.apply(builder))
            .on_progress(move |so_far| shown.set_position(so_far.records))
            .run(&self.file, draft.path());
        bar.finish_and_clear();
        let report = done.map_err(|error| match error.is_corrupt() {
            true => explain(error, &self.file),
            false => explain_target(error, &self.file, &self.new),
        })?;
        draft.install(&self.new)?;
        self.reporting.print(|| text(&report), || object(&report))?;
        match report.is_complete() {
            true => Ok(Status::Done),
            false => Ok(Status::Damaged),
        }
    }
}

fn text(report: &SalvageReport) -> String {
    let mut text = report.to_string();
    for damage in &report.damage {
        text += &format!("\n  {damage}");
    }
    let more = report.damage_count.saturating_sub(report.damage.len() as u64);
    if more > 0 {
        text += &format!("\n  and {} more", grouped(more));
    }
    text
}

fn object(report: &SalvageReport) -> Value {
    let basis = match report.basis {
        SalvageBasis::Checkpoint(_) => "checkpoint",
        SalvageBasis::WholeFile => "whole file",
        _ => "log",
    };
    json!({
        "state": if report.is_complete() { "complete" } else { "incomplete" },
        "basis": basis,
        "report": crate::report::json(report),
    })
}
