//! `lsmlite dump`: all records as a stream.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use lsmlite_rs::LsmDb;
use lsmlite_rs::dump::{
    BinaryReader, BinaryWriter, Dump as Job, DumpError, Entry, JsonWriter, Origin, RecordSource,
};
use lsmlite_rs::inspect::file_info;

use crate::context::Context;
use crate::database::{Database, TableArg, check, explain, refuse_existing};
use crate::exit::{Failure, Outcome, Status};
use crate::interrupt::{self, sync_folder_of};
use crate::output;
use crate::report::count as counted;

/// Write all records as a portable stream, tables included
///
/// The binary form is compact and has checksums: a change, a loss or a cut is noticed. JSON lines
/// are for other programs. All records are from one moment. With --output the file appears when it
/// is whole and durable; what was written until an interruption stays in NAME.part.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite dump cities.lsm | lsmlite load copy.lsm
  lsmlite dump cities.lsm --output cities.dump
  lsmlite dump cities.lsm --output cities.dump --resume
  lsmlite dump app.lsm --table users --format json | gzip > users.jsonl.gz")]
pub struct Dump {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    table: TableArg,
    /// What the stream looks like; json if the output's name ends in .json or .jsonl
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<Form>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "NAME")]
    output: Option<PathBuf>,
    /// Go on with a dump in the binary form that was interrupted
    #[arg(long, requires = "output")]
    resume: bool,
}

/// The forms of a dump.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Compact, with checksums
    Binary,
    /// JSON lines: an object for each record
    Json,
}

/// Where a dump that was interrupted goes on.
#[derive(Default)]
struct Begun {
    bytes: u64,
    frames: u64,
    records: u64,
    table: Option<String>,
    key: Option<Vec<u8>>,
}

impl Dump {
    pub fn run(self, context: &Context) -> Outcome {
        interrupt::polling();
        check(&self.database.file, false)?;
        let origin = self.origin()?;
        let db = self.database.open_to_read()?;
        let bar = context.progress("records", None);
        let count = match &self.output {
            Some(output) => self.to_file(&db, output, &origin, &bar),
            None => self.to_stdout(&db, &origin, &bar),
        };
        bar.finish_and_clear();
        context.note(counted(count?, "record"));
        Ok(Status::Done)
    }

    fn form(&self) -> Form {
        let is_json = |path: &PathBuf| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("json" | "jsonl"))
        };
        match self.format {
            Some(form) => form,
            None if self.output.as_ref().is_some_and(is_json) => Form::Json,
            None => Form::Binary,
        }
    }

    /// What the file is like now: its checkpoint, its log, and what is dumped of it.
    fn origin(&self) -> Result<Origin, Failure> {
        let info = file_info(&self.database.file)
            .map_err(|error| explain(error, &self.database.file))?;
        let checkpoint = info.layout.map_or(0, |layout| layout.checkpoint);
        let mut origin = Origin::default();
        origin[..8].copy_from_slice(&checkpoint.to_le_bytes());
        origin[8..16].copy_from_slice(&info.log_bytes.unwrap_or(0).to_le_bytes());
        origin[16..].copy_from_slice(&info.log_transactions.to_le_bytes());
        Ok(origin)
    }

    fn job<'a>(&self, bar: &'a ProgressBar) -> Job<'a> {
        let job = match &self.table.table {
            Some(name) => Job::new().only(Some(name)),
            None => Job::new(),
        };
        job.on_progress(|count| {
            bar.set_position(count);
            match interrupt::is_pending() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
    }

    fn to_stdout(&self, db: &LsmDb, origin: &Origin, bar: &ProgressBar) -> Result<u64, Failure> {
        let failed = |error: DumpError| match self.fail(error) {
            failure if failure.status == Status::BrokenPipe => {
                Failure::new(Status::BrokenPipe, "the reader of the dump went away")
                    .with_advice("the dump isn't whole: look at what the reader says")
            }
            failure => failure,
        };
        let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        match self.form() {
            Form::Binary => {
                let mut dump = BinaryWriter::new(out, Some(origin)).map_err(|e| failed(e.into()))?;
                self.job(bar).run(db, &mut dump).map_err(failed)?;
                let count = dump.records();
                dump.finish().map_err(|error| failed(error.into()))?;
                Ok(count)
            }
            Form::Json => {
                let mut dump = JsonWriter::new(out);
                let count = self.job(bar).run(db, &mut dump).map_err(failed)?;
                dump.finish().map_err(|error| failed(error.into()))?;
                Ok(count)
            }
        }
    }

    fn to_file(
        &self,
        db: &LsmDb,
        output: &Path,
        origin: &Origin,
        bar: &ProgressBar,
    ) -> Result<u64, Failure> {
        refuse_existing(output)?;
        let mut part = output.as_os_str().to_owned();
        part.push(".part");
        let part = Path::new(&part);
        let begun = match (self.resume, self.form(), part.exists()) {
            (true, Form::Json, _) => {
                return Err(Failure::usage("only a dump in the binary form can be resumed"));
            }
            (true, Form::Binary, true) => begun(part, origin)?,
            _ => Begun::default(),
        };
        let written = self.to_part(db, output, part, origin, begun, bar);
        if written.is_err() && self.form() == Form::Json {
            // Of no use to anybody.
            let _ = std::fs::remove_file(part);
        }
        let count = written?;
        refuse_existing(output)?;
        std::fs::rename(part, output).map_err(|error| Failure::io("write to", part, &error))?;
        sync_folder_of(output)?;
        Ok(count)
    }

    /// Writes all of it to `part`, which becomes `output`, and makes it durable.
    fn to_part(
        &self,
        db: &LsmDb,
        output: &Path,
        part: &Path,
        origin: &Origin,
        begun: Begun,
        bar: &ProgressBar,
    ) -> Result<u64, Failure> {
        let failed = |error: io::Error| Failure::io("write to", part, &error);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(begun.bytes == 0);
        let mut file = options.open(part).map_err(failed)?;
        file.set_len(begun.bytes).map_err(failed)?;
        file.seek(SeekFrom::Start(begun.bytes)).map_err(failed)?;
        let out = BufWriter::with_capacity(1 << 16, file);
        let (file, count) = match self.form() {
            Form::Binary => {
                let mut job = self.job(bar);
                let mut dump = match begun.bytes {
                    0 => BinaryWriter::new(out, Some(origin)).map_err(failed)?,
                    _ => {
                        job = job.after(begun.table.as_deref(), begun.key.as_deref());
                        BinaryWriter::going_on(out, begun.frames, begun.records)
                    }
                };
                match job.run(db, &mut dump) {
                    Ok(_) => {}
                    Err(error) => return Err(self.interrupted(error, dump, output)),
                }
                let count = dump.records();
                (dump.finish().map_err(failed)?, count)
            }
            Form::Json => {
                let mut dump = JsonWriter::new(out);
                (self.job(bar).run(db, &mut dump)).map_err(|error| self.fail(error))?;
                let count = dump.records();
                (dump.finish().map_err(failed)?, count)
            }
        };
        let file: File = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        Ok(count)
    }

    /// What was written stays, to go on with.
    fn interrupted(
        &self,
        error: DumpError,
        dump: BinaryWriter<BufWriter<File>>,
        output: &Path,
    ) -> Failure {
        let is_cancelled = matches!(&error, DumpError::Database(error) if error.is_cancelled());
        // Up to a whole frame; if that fails, less is whole.
        let _ = dump.into_inner().flush();
        let failure = self.fail(error);
        match is_cancelled {
            true => failure.with_advice(format!(
                "{}.part has what was written; the same command with --resume goes on",
                output.display()
            )),
            false => failure,
        }
    }

    fn fail(&self, error: DumpError) -> Failure {
        match error {
            DumpError::Database(error) if error.is_cancelled() => interrupt::failure(),
            DumpError::Database(error) => explain(error, &self.database.file),
            DumpError::Io(error) => match &self.output {
                None => output::failure(&error),
                Some(path) => Failure::io("write to", path, &error),
            },
            other => Failure::new(Status::Failed, other.to_string()),
        }
    }
}

/// Looks how far a dump came.
fn begun(part: &Path, origin: &Origin) -> Result<Begun, Failure> {
    let anew = "the same command without --resume begins anew";
    let refuse = |message: String| Failure::new(Status::Damaged, message).with_advice(anew);
    let shown = part.display();
    let file = File::open(part).map_err(|error| Failure::io("read", part, &error))?;
    let Ok(mut dump) = BinaryReader::new(BufReader::new(file)) else {
        return Ok(Begun::default());
    };
    let mut begun = Begun::default();
    loop {
        match dump.next_entry() {
            Ok(Some(Entry::Record(key, _))) => {
                let last = begun.key.get_or_insert_default();
                last.clear();
                last.extend_from_slice(key);
            }
            Ok(Some(Entry::Table(name))) => {
                begun.table = name.map(str::to_owned);
                begun.key = None;
            }
            // The dump is whole but for its name; its end is written again.
            Ok(Some(_)) => {}
            Ok(None) => return Err(refuse(format!("{shown} is whole: rename it"))),
            Err(DumpError::CutOff { .. }) => break,
            Err(error) => return Err(refuse(format!("{shown}: {error}"))),
        }
    }
    let position = dump.position();
    match dump.origin() {
        None => Ok(Begun::default()),
        Some(found) if found == origin => {
            (begun.bytes, begun.frames, begun.records) =
                (position.bytes, position.frames, position.records);
            Ok(begun)
        }
        Some(_) => Err(refuse(format!("the database has changed since {shown} was begun"))),
    }
}
