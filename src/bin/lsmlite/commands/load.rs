//! `lsmlite load`: inserts the records of a stream.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lsmlite_rs::LsmDb;
use lsmlite_rs::dump::{DumpError, Encoding, Load as Job, RecordSource, any_reader};

use crate::context::Context;
use crate::database::{Database, TableArg, explain};
use crate::exit::{Failure, Outcome, Status};
use crate::input::Input;
use crate::fields::{CsvFields, Fields, JsonFields};
use crate::interrupt;
use crate::new_file::NewFile;
use crate::records::Encodings;
use crate::report::{count, grouped};

/// Insert the records of a dump, of JSON lines or of CSV
///
/// Records replace those with the same keys. Sorted input is fastest. What was read until an
/// interruption or an error is in the database, in pieces of up to 256 MiB, and --resume passes over
/// it. A database that isn't there is made.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite dump old.lsm | lsmlite load new.lsm --compression zstd
  lsmlite load cities.lsm cities.dump --resume
  lsmlite load users.lsm users.csv --key email
  lsmlite load events.lsm events.jsonl --key id --value payload --table events

With --key, a record is a line of JSON or a row of CSV: the key is what that field has, and the
value the whole line, or the row as a JSON object, or what the field of --value has. Without it,
JSON lines are as dump writes them, and CSV has the columns key and value.")]
pub struct Load {
    #[command(flatten)]
    database: Database,
    /// The file with the records; standard input if there is none, or for -
    #[arg(value_name = "INPUT")]
    input: Option<PathBuf>,
    /// What the input is; otherwise it is recognised, CSV by its name
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<Form>,
    /// The field or column that is the key
    #[arg(short, long, value_name = "FIELD")]
    key: Option<String>,
    /// The field or column that is the value
    #[arg(long, value_name = "FIELD", requires = "key")]
    value: Option<String>,
    #[command(flatten)]
    table: TableArg,
    /// Go on with a load of the same sorted input that was interrupted
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    encodings: Encodings,
    #[command(flatten)]
    new_file: NewFile,
}

/// What an input can be.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// As dump writes it: binary, or JSON lines
    Dump,
    /// JSON lines
    Json,
    /// With the columns' names in its first line
    Csv,
}

impl Load {
    pub fn run(self, context: &Context) -> Outcome {
        interrupt::polling();
        let name = match &self.input {
            Some(path) if path != Path::new("-") => path.clone(),
            _ => PathBuf::from("standard input"),
        };
        let failed = |error| self.fail(error, &name);
        let mut source = self.open(&name)?;
        let builder = self.new_file.apply(LsmDb::builder());
        let mut db = self.database.open_or_create(context, builder)?;

        let bar = context.progress("records", None);
        let committed = Cell::new(0);
        let mut job = Job::new().resume(self.resume).on_progress(|so_far| {
            bar.set_position(so_far.records);
            committed.set(so_far.committed);
            match interrupt::is_pending() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        if let Some(table) = &self.table.table {
            job = job.into_table(table);
        }
        let done = job.run(&mut db, &mut source);
        bar.finish_and_clear();
        let closed = db.close().map_err(|error| explain(error, &self.database.file));
        let report = match done {
            Ok(report) => report,
            Err(error) => {
                context.note(format_args!("in the database: {}", count(committed.get(), "record")));
                return Err(failed(error));
            }
        };
        closed?;
        let mut told = count(report.records, "record");
        if report.skipped > 0 {
            told += &format!(", and {} were there already", grouped(report.skipped));
        }
        if report.is_interrupted || interrupt::is_pending() {
            return Err(interrupt::failure().with_advice(format!(
                "{told} are in the database; the same command with --resume goes on if the input is \
                 sorted"
            )));
        }
        context.note(told);
        Ok(Status::Done)
    }

    fn open(&self, name: &Path) -> Result<Box<dyn RecordSource>, Failure> {
        let failed = |error| self.fail(error, name);
        let from_stdin = self.input.as_ref().is_none_or(|path| path == Path::new("-"));
        let input: Box<dyn BufRead> = match from_stdin {
            true => Box::new(BufReader::with_capacity(1 << 18, Input::new())),
            false => {
                let file = File::open(name).map_err(|error| Failure::io("read", name, &error))?;
                if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
                    return Err(Failure::new(Status::Foreign, format!("{} is a folder", name.display()))
                        .with_advice("name a file in it"));
                }
                Box::new(BufReader::with_capacity(1 << 18, file))
            }
        };
        let is_csv = name.extension().is_some_and(|extension| extension == "csv");
        let form = self.format.unwrap_or(match (is_csv, &self.key) {
            (true, _) => Form::Csv,
            (false, Some(_)) => Form::Json,
            (false, None) => Form::Dump,
        });
        // Fields of one's own are bytes as they are; those that scan has written have escapes.
        let usual = self.key.is_none().then_some(Encoding::Text);
        let fields = Fields {
            key: self.key.clone(),
            value: self.value.clone(),
            key_encoding: self.encodings.given_of_keys().or(usual),
            value_encoding: self.encodings.given_of_values().or(usual),
        };
        Ok(match form {
            Form::Csv => Box::new(CsvFields::new(input, fields).map_err(failed)?),
            Form::Json if self.key.is_some() || self.encodings.is_given() => {
                Box::new(JsonFields::new(input, fields))
            }
            Form::Json => Box::new(lsmlite_rs::dump::JsonReader::new(input)),
            Form::Dump => any_reader(input).map_err(failed)?,
        })
    }

    fn fail(&self, error: DumpError, name: &Path) -> Failure {
        let shown = name.display();
        let status = match &error {
            DumpError::Database(error) => return explain(error.clone(), &self.database.file),
            DumpError::Io(error) => return Failure::io("read", name, error),
            DumpError::NotADump => {
                let message = format!("{shown}: {error}");
                return Failure::new(Status::Foreign, message)
                    .with_advice("CSV needs --format csv, fields of your own need --key");
            }
            DumpError::Version(_) => Status::Foreign,
            DumpError::Resume(_) => Status::Usage,
            DumpError::CutOff { .. } | DumpError::Damaged { .. } | DumpError::Line { .. } => {
                Status::Damaged
            }
            _ => Status::Failed,
        };
        let failure = Failure::new(status, format!("{shown}: {error}"));
        match status {
            Status::Damaged => failure.with_advice("mend the input and load it again"),
            _ => failure,
        }
    }
}
