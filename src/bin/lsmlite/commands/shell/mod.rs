//! `lsmlite shell`: commands on one database, one after the other.

mod complete;
mod editor;
mod lines;
mod session;
mod words;

use std::io::IsTerminal;

use clap::Args;
use lsmlite_rs::LsmDb;

use crate::context::Context;
use crate::database::{Database, explain};
use crate::exit::{Failure, Outcome, Status};
use crate::interrupt;
use lines::Lines;
use session::Session;

/// Work on a database interactively, or run a script of commands
///
/// The file stays open, and others are kept out as with any other command that writes. On a
/// terminal there is a history, and the tab key completes commands, options, tables and keys; Ctrl-C
/// gives up a line or a command that runs, Ctrl-D leaves. `help` lists the commands.
///
/// Otherwise standard input is a script: it ends at the first command that fails, with its status.
/// If a key wasn't there, the status is 1 in the end. A transaction that a script leaves open is
/// rolled back, and that is a failure.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite shell cities.lsm
  lsmlite shell shared.lsm --read-only
  printf 'begin\\nput a 1\\nput b 2\\ncommit\\n' | lsmlite shell new.lsm --create

Words are separated by spaces; those in \"…\" or '…' are one. # begins a line that is a comment.
The history is in $XDG_STATE_HOME/lsmlite/history, or below ~/.local/state; a line that begins
with a space isn't kept.")]
pub struct Shell {
    #[command(flatten)]
    database: Database,
    /// Read, and leave the file to others that write with multi_process(true)
    #[arg(short, long, conflicts_with = "create")]
    read_only: bool,
    /// Make the database if there is none
    #[arg(long)]
    create: bool,
    /// Neither read nor write a history of commands
    #[arg(long)]
    no_history: bool,
}

impl Shell {
    pub fn run(self, context: &Context) -> Outcome {
        let mut lines = match std::io::stdin().is_terminal() {
            true => Lines::interactive(!self.no_history, context)?,
            false => Lines::script(),
        };
        interrupt::listen();
        interrupt::polling();
        let mut db = match (self.read_only, self.create) {
            (true, _) => self.database.open_to_read()?,
            (_, true) => self.database.open_or_create(context, LsmDb::builder())?,
            _ => self.database.open_to_write()?,
        };
        let mut session = Session::new(&self.database.file, self.read_only, context);
        if lines.is_interactive() {
            context.note("`help` lists the commands, the tab key completes, Ctrl-D leaves");
        }
        let outcome = session.run(&mut db, &mut lines);
        lines.end();
        let closed = db.close().map_err(|error| explain(error, &self.database.file));
        let status = outcome?;
        closed?;
        Ok(status)
    }
}

/// What comes out of a session that was ended by a signal.
fn stopped() -> Result<(), Failure> {
    match interrupt::is_pending() && !interrupt::resume() {
        true => Err(interrupt::failure()),
        false => Ok(()),
    }
}

/// The worse of two answers.
fn worse(one: Status, other: Status) -> Status {
    if one == Status::Done { other } else { one }
}
