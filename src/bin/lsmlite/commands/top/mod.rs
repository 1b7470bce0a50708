//! `lsmlite top`: a live view of a database that other processes write.

mod locks;
mod probe;
mod show;
mod watch;

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::database::{Seconds, check};
use crate::exit::{Failure, Outcome, Status};
use crate::interrupt;
use crate::output::Output;
use crate::report::ReportFormat;
use crate::terminal::{Screen, columns, rows};
use watch::{State, Watch};

/// So many rates are kept for the curve.
const CURVE: usize = 40;

/// Watch a database that other processes write
///
/// Shows transactions, bytes written to the log and to the file, checkpoints, how long reads take
/// beside the writer, what waits in memory and since the last checkpoint, the sorted runs, and who
/// has the file open. On a terminal the view is drawn anew at each interval; otherwise it is a line
/// for each.
///
/// The processes must have opened the database with multi_process(true). What a process keeps to
/// itself can't be seen, and the status is 7. A database that goes away, or a writer that comes back,
/// is shown as what it is.
///
/// The writer isn't held up: the numbers are read from the shared memory and the file without a
/// lock. At the end of each interval the database is opened to read for eight seeks, which takes one
/// of six reader slots, and one of the moments in which processes open and close it; then it is closed
/// again. With --no-probe not even that.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite top shared.lsm
  lsmlite top shared.lsm --interval 0.5 --no-probe
  lsmlite top shared.lsm --once --format json
  lsmlite top shared.lsm --format json | head -60 > minute.jsonl

Transactions are those that were begun, the empty ones and those rolled back included. Several
checkpoints within 25 ms may count as one. Bytes of the file are those of its pages before
compression.")]
pub struct Top {
    /// The database file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How long to wait between two looks
    #[arg(short, long, value_name = "SECONDS", default_value = "1")]
    interval: Seconds,
    /// Look once, after one interval
    #[arg(long)]
    once: bool,
    /// Don't read from the database
    #[arg(long)]
    no_probe: bool,
    /// What the output looks like; an object is never drawn
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: ReportFormat,
}

impl Top {
    pub fn run(self, _: &Context) -> Outcome {
        interrupt::polling();
        check(&self.file, false)?;
        let mut watch = Watch::new(&self.file, !self.no_probe);
        if watch.state()? == State::Exclusive {
            return Err(self.exclusive());
        }
        let draws = self.format == ReportFormat::Text && !self.once && stdout().is_terminal();
        let screen = draws.then(Screen::open);
        let name = self.file.display().to_string();
        let mut rates = Vec::new();
        let wants_to_leave = || screen.as_ref().is_some_and(Screen::wants_to_leave);
        while let Some(tick) = watch.tick(self.interval.0, &wants_to_leave)? {
            if self.once && tick.state == State::Exclusive {
                return Err(self.exclusive());
            }
            let mut out = Output::new();
            match &screen {
                Some(screen) => {
                    rates.push(tick.rate(tick.sums.transactions));
                    rates.drain(..rates.len().saturating_sub(CURVE));
                    let lines = show::screen(&name, &tick, &rates, (columns(), rows()));
                    out.write(screen.frame(&lines).as_bytes())?;
                }
                None if self.format == ReportFormat::Json => {
                    out.line(&show::object(&tick).to_string())?;
                }
                None => out.line(&show::line(&tick))?,
            }
            out.finish()?;
            if self.once {
                break;
            }
        }
        Ok(Status::Done)
    }

    fn exclusive(&self) -> Failure {
        let shown = self.file.display();
        let message = format!("a process has {shown} to itself, so that nobody can look on");
        Failure::new(Status::Busy, message).with_advice(format!(
            "open it there with multi_process(true); `lsmlite info {shown}` shows its last checkpoint"
        ))
    }
}
