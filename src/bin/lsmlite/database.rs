//! The database that a command works on: its arguments, opening it, and failures to open.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use lsmlite_rs::inspect::{FileKind, file_kind};
use lsmlite_rs::{LsmDb, LsmDbBuilder, LsmError, LsmErrorCode};

use crate::context::Context;
use crate::dictionary::Dictionaries;
use crate::exit::{self, Failure, Status, without_number};
use crate::interrupt;
use crate::records::Defaults;

/// Which file, and how to get at it.
#[derive(Args)]
pub struct Database {
    /// The database file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub access: Access,
}

/// How to get at a file that others use.
#[derive(Args)]
pub struct Access {
    /// Share the file with processes that have opened it with multi_process(true)
    #[arg(long)]
    pub multi_process: bool,
    /// Wait so long if another process has the file
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "0",
        hide_default_value = true
    )]
    pub wait: Seconds,
    #[command(flatten)]
    pub dictionaries: Dictionaries,
}

/// A number of seconds on the command line.
#[derive(Copy, Clone)]
pub struct Seconds(pub Duration);

impl std::str::FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seconds, String> {
        let number = text.parse::<f64>().map_err(|error| error.to_string())?;
        let duration = Duration::try_from_secs_f64(number).map_err(|error| error.to_string())?;
        Ok(Seconds(duration))
    }
}

/// One of the tables in the file.
#[derive(Args)]
pub struct TableArg {
    /// A table in the file, instead of its plain keys
    #[arg(short, long, value_name = "NAME")]
    pub table: Option<String>,
}

impl TableArg {
    pub fn default_to(&mut self, defaults: &Defaults) {
        self.table = self.table.take().or_else(|| defaults.table.clone());
    }
}

impl Database {
    /// Opens the database for reading: it must exist, and nothing is written or locked out.
    pub fn open_to_read(&self) -> Result<LsmDb, Failure> {
        let db = self.open(LsmDb::builder().read_only(true), false)?;
        // A process that shares the file may be opening it at this moment.
        let start = Instant::now();
        let patience = self.access.wait.0.max(Duration::from_secs(2));
        while db.first().is_err_and(|error| error.is_busy()) && start.elapsed() < patience {
            interrupt::check()?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(db)
    }

    /// Opens a database that must exist for reading and writing.
    pub fn open_to_write(&self) -> Result<LsmDb, Failure> {
        self.open(self.writing(LsmDb::builder().create(false)), false)
    }

    /// The same, but makes a new one with this builder's settings if there is no file.
    pub fn open_or_create(
        &self,
        context: &Context,
        builder: LsmDbBuilder,
    ) -> Result<LsmDb, Failure> {
        let is_new = !self.file.exists();
        let db = self.open(self.writing(builder), true)?;
        if is_new {
            context.note(format_args!("made a new database, {}", self.file.display()));
        }
        Ok(db)
    }

    fn writing(&self, builder: LsmDbBuilder) -> LsmDbBuilder {
        builder
            .multi_process(self.access.multi_process)
            .busy_timeout(self.access.wait.0.max(Duration::from_secs(1)))
    }

    fn open(&self, builder: LsmDbBuilder, create: bool) -> Result<LsmDb, Failure> {
        check(&self.file, create)?;
        let builder = self.access.dictionaries.apply(builder)?;
        let start = Instant::now();
        loop {
            match builder.clone().open(&self.file) {
                Err(error) if error.is_busy() && start.elapsed() < self.access.wait.0 => {
                    interrupt::check()?;
                    std::thread::sleep(Duration::from_millis(50));
                }
                opened => return opened.map_err(|error| explain(error, &self.file)),
            }
        }
    }
}

/// Refuses what isn't a database before the engine sees it, and would perhaps write to it.
pub fn check(file: &Path, may_be_new: bool) -> Result<(), Failure> {
    match file_kind(file) {
        Ok(FileKind::Other) => {
            let message = format!("{} isn't a database of lsmlite", file.display());
            Err(Failure::new(Status::Foreign, message).with_advice("check the path"))
        }
        Err(error) if may_be_new && error.is_not_found() => Ok(()),
        Err(error) => Err(explain(error, file)),
        Ok(_) => Ok(()),
    }
}

/// What the user is told about a database that can't be opened or used.
pub fn explain(error: LsmError, file: &Path) -> Failure {
    if let Some(message) = error.message().filter(|message| is_forbidden(message)) {
        let message = format!(
            "{} failed on {}: {}",
            error.operation(),
            file.display(),
            without_number(message)
        );
        return Failure::new(Status::Forbidden, message).with_advice(exit::PERMISSIONS);
    }
    // The operating system's words, if it is the reason.
    if let Err(error) = OpenOptions::new().read(true).open(file) {
        return Failure::io("open", file, &error);
    }
    if file.is_dir() {
        let message = format!("{} is a folder", file.display());
        return Failure::new(Status::Foreign, message).with_advice("name a database file in it");
    }
    let shown = file.display();
    if error.is_busy() {
        let message = format!("another process has {shown}");
        return Failure::new(Status::Busy, message).with_advice(
            "wait until it is done, for instance with --wait 10, or share the file with \
             --multi-process if that process does",
        );
    }
    let failure = Failure::from(error);
    match failure.status {
        Status::Damaged => failure.with_advice(format!(
            "`lsmlite check {shown}` says where, and `lsmlite salvage {shown} NEW` copies what is \
             readable"
        )),
        _ => failure,
    }
}

/// True if the operating system doesn't allow something: the engine has its words only.
fn is_forbidden(message: &str) -> bool {
    // EPERM, EACCES, EROFS.
    [1, 13, 30]
        .iter()
        .any(|n| message.contains(&format!("(os error {n})")))
}

/// The same, if a file is written besides.
pub fn explain_target(error: LsmError, file: &Path, target: &Path) -> Failure {
    if error.is_cancelled() {
        return interrupt::failure().with_advice(format!("{} is as it was", target.display()));
    }
    if error.code() == LsmErrorCode::LsmCantOpen && target.symlink_metadata().is_ok() {
        return exists(target);
    }
    if let Some(folder) = target
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        if let Err(error) = folder.metadata() {
            return Failure::io("write to", folder, &error);
        }
    }
    explain(error, file)
}

/// An error if something is there already.
pub fn refuse_existing(target: &Path) -> Result<(), Failure> {
    match target.symlink_metadata() {
        Ok(_) => Err(exists(target)),
        Err(_) => Ok(()),
    }
}

fn exists(target: &Path) -> Failure {
    let message = format!("{} exists already", target.display());
    Failure::new(Status::Exists, message).with_advice(
        "choose another name, remove it, or use --overwrite where there is such an option",
    )
}

/// Bytes of a file, 0 if there is none.
pub fn size_of(file: &Path) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}
