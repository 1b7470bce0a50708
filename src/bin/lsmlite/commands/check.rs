//! `lsmlite check`: whether files are whole.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use lsmlite_rs::{LsmDb, VerifyReport};
use serde_json::{Value, json};

use crate::context::{Context, Style};
use crate::database::{Seconds, check, explain};
use crate::dictionary::Dictionaries;
use crate::exit::{Failure, Outcome, Status};
use crate::interrupt;
use crate::report::{Reporting, bytes, count, grouped};

/// Read everything in a file, and say whether it is whole
///
/// Nothing is opened as a database, locked or written. Pages, links, records, b-trees and the list of
/// free blocks are checked, and with page checksums every byte of them; the log only as far as its
/// frames fit.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite check cities.lsm
  lsmlite check --quiet backups/*.lsm || echo 'one of them is damaged'
  lsmlite check cities.lsm --format json

The status is 0 if it is healthy, 3 if it is damaged, 4 if it isn't a database; of several files,
that of the first that isn't healthy.")]
pub struct Check {
    /// The database files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Wait so long if another process writes to the file
    #[arg(long, value_name = "SECONDS", default_value = "0", hide_default_value = true)]
    wait: Seconds,
    #[command(flatten)]
    dictionaries: Dictionaries,
    #[command(flatten)]
    reporting: Reporting,
}

impl Check {
    pub fn run(self, context: &Context) -> Outcome {
        let mut worst = Ok(Status::Done);
        for file in &self.files {
            let outcome = self.check(context, file);
            match (&worst, outcome) {
                (Ok(Status::Done), outcome) => worst = outcome,
                // The first failure is told at the end, others now.
                (_, Err(failure)) => context.fail(&failure),
                (_, Ok(_)) => {}
            }
        }
        worst
    }

    fn check(&self, context: &Context, file: &Path) -> Outcome {
        check(file, false)?;
        let builder = self.dictionaries.apply(LsmDb::builder())?;
        let start = Instant::now();
        let report = loop {
            match builder.clone().verify_file(file) {
                Err(error) if error.is_busy() && start.elapsed() < self.wait.0 => {
                    std::thread::sleep(std::time::Duration::from_millis(100));
                    interrupt::check()?;
                }
                Err(error) if error.is_busy() => {
                    let message = format!("another process writes to {}", file.display());
                    return Err(Failure::new(Status::Busy, message)
                        .with_advice("try again with --wait 10, or when it is done"));
                }
                report => break report.map_err(|error| explain(error, file))?,
            }
        };
        if !context.is_quiet() {
            self.reporting.print(|| text(context, file, &report), || object(file, &report))?;
        }
        match report.is_clean() {
            true => Ok(Status::Done),
            false => Ok(Status::Damaged),
        }
    }
}

fn text(context: &Context, file: &Path, report: &VerifyReport) -> String {
    let file = file.display();
    let read = format!(
        "{} on {} in {}, {} read",
        count(report.records, "record"),
        count(report.pages, "page"),
        count(report.segments as u64, "sorted run"),
        bytes(report.bytes)
    );
    let out = io::stdout();
    if report.is_clean() {
        let healthy = context.paint(&out, Style::Good, "healthy");
        let mut text = format!("{file}: {healthy}: {read}");
        match report.log_transactions {
            None | Some(0) => {}
            Some(n) => text += &format!("; the log has {}", count(n, "transaction")),
        }
        return text;
    }
    let damaged = context.paint(&out, Style::Bad, "damaged");
    let places = count(report.damage_count, "place");
    let mut text = format!("{file}: {damaged} in {places}: {read}");
    for damage in &report.damage {
        text += &format!("\n  {damage}");
    }
    let more = report.damage_count - report.damage.len() as u64;
    if more > 0 {
        text += &format!("\n  and {} more", grouped(more));
    }
    text += &format!(
        "\n`lsmlite salvage {file} NEW` copies what is readable; a backup may have more"
    );
    text
}

fn object(file: &Path, report: &VerifyReport) -> Value {
    json!({
        "file": file.to_string_lossy(),
        "state": if report.is_clean() { "healthy" } else { "damaged" },
        "report": crate::report::json(report),
    })
}
