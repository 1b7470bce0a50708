//! The session: commands, transactions and settings.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use lsmlite_rs::dump::Encoding;
use lsmlite_rs::{Durability, LsmDb, LsmError, Transaction};

use super::complete::complete;
use super::lines::Lines;
use super::words::split;
use super::{stopped, worse};
use crate::commands::{checkpoint, compact, count, del, get, info, put, scan, stat, tables};
use crate::context::Context;
use crate::database::explain;
use crate::exit::{Failure, Outcome, Status};
use crate::output::Output;
use crate::records::{Defaults, Format, encoding};
use crate::report::Reporting;
use crate::select::View;

/// A line of a session.
#[derive(Parser)]
#[command(
    name = "lsmlite",
    no_binary_name = true,
    override_usage = "COMMAND [ARGUMENT]...",
    help_template = "{subcommands}\n\n{after-help}",
    after_help = "`help COMMAND` says more about one. Ctrl-C gives up, Ctrl-D leaves."
)]
pub struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the value of a key, or records of several keys
    Get(get::Wanted),
    /// Insert a record, or replace the one with its key
    Put(put::Record),
    /// Remove records: by their keys, or all of a range
    Del(del::Unwanted),
    /// Print records in the order of their keys
    Scan(scan::Wanted),
    /// Print how many records there are
    Count(count::Wanted),
    /// Print the names of the tables in the file
    Tables,
    /// Work on a table from now on, or without a name on plain keys
    Use(Use),
    /// Begin a transaction
    Begin,
    /// Begin a transaction within the one that is open
    Savepoint,
    /// End the innermost transaction, and keep what it did
    Commit(Commit),
    /// End the innermost transaction, and take back what it did
    Rollback,
    /// Print what the file looks like as of the last checkpoint
    Info(Reporting),
    /// Print what the engine says of the database: sorted runs, memory, log, debts
    Stat(stat::Wanted),
    /// Write what is in memory to the file
    Flush,
    /// Bring everything from the log into the file, and make it durable
    Checkpoint,
    /// Rewrite the database as one sorted run without deleted records
    Compact,
    /// Choose what records look like, or print that choice
    Format(FormatSetting),
    /// Choose how keys are written, or print that choice
    Keys(EncodingSetting),
    /// Choose how values are written, or print that choice
    Values(EncodingSetting),
    /// Leave; a transaction that is open is rolled back
    #[command(visible_alias = "exit")]
    Quit,
}

#[derive(Args)]
struct Use {
    /// The table, which need not be there yet
    #[arg(value_name = "TABLE")]
    table: Option<String>,
}

#[derive(Args)]
struct Commit {
    /// Wait until it would survive a power failure
    #[arg(long)]
    sync: bool,
}

#[derive(Args)]
struct FormatSetting {
    #[arg(value_name = "FORMAT")]
    format: Option<Format>,
}

#[derive(Args)]
struct EncodingSetting {
    #[arg(value_name = "ENCODING", value_parser = encoding())]
    encoding: Option<Encoding>,
}

/// Why lines aren't read any more at one level of transactions.
enum End {
    Leave,
    Commit(Durability),
    Rollback,
}

/// What a line leads to.
enum Next {
    Answer(Status),
    Begin,
    End(End),
}

/// What commands work on.
enum Store<'a, 'db> {
    Db(&'a mut LsmDb),
    Transaction(&'a mut Transaction<'db>),
}

impl Store<'_, '_> {
    fn view(&self) -> View<'_> {
        match self {
            Store::Db(db) => View::Db(db),
            Store::Transaction(tx) => View::Transaction(tx),
        }
    }

    fn write(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<(), LsmError>,
    ) -> Result<(), LsmError> {
        match self {
            Store::Db(db) => db.transact(work),
            Store::Transaction(tx) => work(tx),
        }
    }

    /// For what can't be done in a transaction.
    fn db(&mut self) -> Result<&mut LsmDb, Failure> {
        match self {
            Store::Db(db) => Ok(db),
            Store::Transaction(_) => {
                let message = "this can't be done in a transaction";
                Err(Failure::usage(message).with_advice("commit or rollback first"))
            }
        }
    }
}

pub struct Session<'a> {
    file: PathBuf,
    read_only: bool,
    context: &'a Context,
    defaults: Defaults,
    /// Transactions that are open.
    depth: usize,
    /// The answer of a script.
    status: Status,
}

impl<'a> Session<'a> {
    pub fn new(file: &Path, read_only: bool, context: &'a Context) -> Session<'a> {
        Session {
            file: file.to_owned(),
            read_only,
            context,
            defaults: Defaults::default(),
            depth: 0,
            status: Status::Done,
        }
    }

    /// Runs all lines.
    pub fn run(&mut self, db: &mut LsmDb, lines: &mut Lines) -> Outcome {
        self.level(&mut Store::Db(db), lines)?;
        Ok(self.status)
    }

    /// Runs lines until the transaction or the session ends. Each transaction is a level of calls,
    /// as each one borrows the one around it. An error ends the session.
    fn level(&mut self, store: &mut Store<'_, '_>, lines: &mut Lines) -> Result<End, Failure> {
        loop {
            stopped()?;
            let line = lines.next(&self.prompt(), &|line| {
                complete(line, store.view(), &self.defaults)
            })?;
            let Some(line) = line else {
                return self.leave(lines);
            };
            match self.execute(&line, store) {
                Ok(Next::Answer(status)) => {
                    if !lines.is_interactive() {
                        self.status = worse(self.status, status);
                    }
                }
                Ok(Next::Begin) => {
                    if let End::Leave = self.begin(store, lines)? {
                        return Ok(End::Leave);
                    }
                }
                Ok(Next::End(End::Leave)) => return self.leave(lines),
                Ok(Next::End(end)) => return Ok(end),
                Err(failure) => self.report(failure, lines)?,
            }
        }
    }

    /// A script ends here; whoever sits at a terminal is told, and goes on.
    fn report(&self, failure: Failure, lines: &Lines) -> Result<(), Failure> {
        if !lines.is_interactive() {
            return Err(failure.within(&lines.place()));
        }
        self.context.fail(&failure);
        Ok(())
    }

    fn leave(&self, lines: &Lines) -> Result<End, Failure> {
        if self.depth > 0 && !lines.is_interactive() {
            let message = "the script ended in a transaction, which was rolled back";
            let failure = Failure::new(Status::Failed, message);
            return Err(failure.with_advice("end it with commit or rollback"));
        }
        if self.depth > 0 {
            self.context.note("the open transaction is rolled back");
        }
        Ok(End::Leave)
    }

    /// A transaction from its first to its last line.
    fn begin(&mut self, store: &mut Store<'_, '_>, lines: &mut Lines) -> Result<End, Failure> {
        let begun = match store {
            Store::Db(db) => db.transaction(),
            Store::Transaction(tx) => tx.savepoint(),
        };
        let mut transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => {
                self.report(explain(error, &self.file), lines)?;
                return Ok(End::Rollback);
            }
        };
        self.depth += 1;
        let end = self.level(&mut Store::Transaction(&mut transaction), lines);
        self.depth -= 1;
        let end = end?;
        let ended = match end {
            End::Commit(durability) => transaction.commit_with(durability),
            End::Rollback | End::Leave => transaction.rollback(),
        };
        if let Err(error) = ended {
            self.report(explain(error, &self.file), lines)?;
        }
        Ok(end)
    }

    fn prompt(&self) -> String {
        let name = self.file.file_stem().unwrap_or_default().to_string_lossy();
        let table = self.defaults.table.iter().map(|table| format!("/{table}"));
        let stars = "*".repeat(self.depth);
        format!("{name}{}{stars}> ", table.collect::<String>())
    }

    fn execute(&mut self, line: &str, store: &mut Store<'_, '_>) -> Result<Next, Failure> {
        let mut words = split(line);
        if words.first().is_none_or(|word| word.text.starts_with('#')) {
            return Ok(Next::Answer(Status::Done));
        }
        if let Some(quote) = words.last().and_then(|word| word.open) {
            return Err(Failure::usage(format!("a quote, {quote}, isn't closed")));
        }
        // As other shells of databases have it.
        if let Some(name) = words[0].text.strip_prefix('.') {
            words[0].text = name.to_owned();
        }
        let words = words.into_iter().map(|word| word.text);
        let command = match Line::try_parse_from(words) {
            Ok(line) => line.command,
            Err(error) => return self.explain_line(&error),
        };
        let status = match command {
            Command::Begin if self.depth > 0 => {
                let failure = Failure::usage("a transaction is open already");
                return Err(failure.with_advice("savepoint begins one within it"));
            }
            Command::Begin => return Ok(Next::Begin),
            Command::Savepoint | Command::Commit(_) | Command::Rollback if self.depth == 0 => {
                let failure = Failure::usage("no transaction is open");
                return Err(failure.with_advice("begin opens one"));
            }
            Command::Savepoint => return Ok(Next::Begin),
            Command::Commit(Commit { sync }) => {
                let durability = if sync { Durability::Sync } else { Durability::Default };
                return Ok(Next::End(End::Commit(durability)));
            }
            Command::Rollback => return Ok(Next::End(End::Rollback)),
            Command::Quit => return Ok(Next::End(End::Leave)),
            command => self.answer(command, store)?,
        };
        Ok(Next::Answer(status))
    }

    /// Commands that begin and end nothing.
    fn answer(&mut self, command: Command, store: &mut Store<'_, '_>) -> Outcome {
        let failed = |error| explain(error, &self.file);
        match command {
            Command::Get(mut wanted) => {
                wanted.default_to(&self.defaults);
                let keys = wanted.keys()?;
                return wanted.print(store.view(), &keys, &self.file, self.context);
            }
            Command::Scan(mut wanted) => {
                wanted.default_to(&self.defaults);
                return wanted.print(store.view(), wanted.range()?, &self.file);
            }
            Command::Count(mut wanted) => {
                wanted.default_to(&self.defaults);
                let range = wanted.range()?;
                return wanted.print(store.view(), range, &self.file, self.context);
            }
            Command::Put(mut record) => {
                record.default_to(&self.defaults);
                store.write(record.read()?).map_err(failed)?;
            }
            Command::Del(mut unwanted) => {
                unwanted.default_to(&self.defaults);
                store.write(unwanted.read()?).map_err(failed)?;
            }
            Command::Tables => return tables::print(store.view(), &self.file),
            Command::Use(Use { table }) => self.defaults.table = table,
            Command::Info(reporting) => {
                if !cfg!(target_os = "linux") && !self.read_only {
                    // Closing the file would drop the locks on it.
                    return Err(Failure::usage("this is for `lsmlite info` on this system"));
                }
                return info::print(&self.file, &reporting);
            }
            Command::Stat(wanted) => return wanted.print(store.db()?, &self.file),
            Command::Flush => store.db()?.flush().map_err(failed)?,
            Command::Checkpoint => {
                let kib = checkpoint::checkpoint(store.db()?, &self.file)?;
                self.context.note(format_args!("made durable: {kib} KiB"));
            }
            Command::Compact => compact::compact(store.db()?, &self.file, self.context)?,
            Command::Format(FormatSetting { format: None }) => {
                say(self.defaults.format.unwrap_or(Format::Text).name())?;
            }
            Command::Format(FormatSetting { format }) => self.defaults.format = format,
            Command::Keys(EncodingSetting { encoding: None }) => say(name(self.defaults.keys))?,
            Command::Keys(EncodingSetting { encoding }) => self.defaults.keys = encoding,
            Command::Values(EncodingSetting { encoding: None }) => {
                say(name(self.defaults.values))?;
            }
            Command::Values(EncodingSetting { encoding }) => self.defaults.values = encoding,
            Command::Begin
            | Command::Savepoint
            | Command::Commit(_)
            | Command::Rollback
            | Command::Quit => {}
        }
        Ok(Status::Done)
    }

    /// Help, or what is wrong with a line.
    fn explain_line(&self, error: &clap::Error) -> Result<Next, Failure> {
        let text = error.render();
        if error.kind() == ErrorKind::DisplayHelp {
            let text = match self.context.has_colors(&std::io::stdout()) {
                true => text.ansi().to_string(),
                false => text.to_string(),
            };
            say(text.trim_end())?;
            return Ok(Next::Answer(Status::Done));
        }
        let text = text.to_string();
        let lines = text.lines().take_while(|line| !line.is_empty()).map(str::trim);
        let message = lines.collect::<Vec<_>>().join(" ");
        let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
        Err(Failure::usage(message).with_advice("`help` lists the commands, `help COMMAND` their arguments"))
    }
}

fn name(encoding: Option<Encoding>) -> &'static str {
    encoding.map_or("as the format has it", Encoding::name)
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = Output::new();
    out.line(text)?;
    out.finish()
}
