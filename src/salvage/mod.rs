//! [`salvage()`]: copies what is readable out of a damaged file.

mod graves;
mod report;
mod rescue;
mod scan;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::builder::LsmDbBuilder;
use crate::compression::{self, ANY_LEVEL, FileCodec, PageCodec, ZstdDictionary};
use crate::env::Env;
use crate::error::{LsmError, LsmErrorCode};
use crate::format::checkpoint::{Checkpoint, Header};
use crate::format::log;
use crate::format::pages::Pages;
use crate::format::plan::plan;
use crate::format::run::{Manner, walk};
use crate::format::source::FileSource;
use crate::verify::{self, Damage};
use graves::Graves;
use rescue::{Neighbour, Rescue};

#[cfg(feature = "tools")]
pub(crate) use scan::find_layout;

pub use report::{SalvageBasis, SalvageProgress, SalvageReport};

const OPERATION: &str = "salvage";

/// Shows progress.
type Show = Box<dyn FnMut(&SalvageProgress)>;

/// Copies what is readable in the database file `from` into a new database at `to`, with default
/// settings. See [`Salvage`].
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let (damaged, rescued) = (dir.path().join("damaged.lsm"), dir.path().join("rescued.lsm"));
/// use lsmlite_rs::{LsmDb, salvage};
/// # let mut db = LsmDb::open(&damaged)?;
/// # db.insert(b"key", b"value")?;
/// # db.close()?;
///
/// let report = salvage(&damaged, &rescued)?;
/// println!("{report}");
/// assert_eq!(LsmDb::open(&rescued)?.get(b"key")?, Some(b"value".to_vec()));
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`Salvage::run`].
pub fn salvage(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<SalvageReport, LsmError> {
    Salvage::new().run(from, to)
}

/// Copies what is readable out of a damaged file; [`salvage()`] with settings.
///
/// The damaged file is opened for reading only, by the reader that [`verify_file`] uses, never by
/// the engine. What can be read goes into a new database:
///
/// 1. The newer of the file's two checkpoints is used, or else the older one. The segments are
///    read from the newest to the oldest, and of each key the first version that is met counts,
///    unless a newer segment deletes it. Damaged pages are passed over.
///    A database that was never checkpointed has everything in its log.
/// 2. If neither checkpoint can be used, the whole file is searched for pages. Their age isn't
///    known then: those further back count as newer, which is right unless space was reused.
///    Deleted records and old versions may come back, because pages that were given up look like
///    any others, and deletions are ignored. Page checksums can't be compared, because what they
///    cover besides the page is in the checkpoint.
/// 3. The whole transactions in the log beside the file are applied on top.
///
/// **What may reappear.** Where a page is lost, its deletions are lost with it: a record that was
/// deleted on it, or an older version of a record on it, comes back if an older segment still has
/// one. The same goes for a range of deleted keys if a page is lost between its ends. A lost page
/// that isn't reported has no trace: without page checksums, a value whose bytes changed is copied
/// as it is.
///
/// **Memory** is bounded by the largest record and a page for each step, plus some bytes for each
/// block of the file: which keys were met already, and which are deleted, is looked up in the
/// new database and in a scratch one, a file beside it that is removed in the end.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let (damaged, rescued) = (dir.path().join("damaged.lsm"), dir.path().join("rescued.lsm"));
/// # lsmlite_rs::LsmDb::open(&damaged)?.close()?;
/// use lsmlite_rs::Salvage;
///
/// let report = Salvage::new()
///     .on_progress(|so_far| eprintln!("{} pages, {} records", so_far.pages, so_far.records))
///     .run(&damaged, &rescued)?;
/// # Ok(()) }
/// ```
///
/// [`verify_file`]: crate::verify_file
#[must_use = "nothing is copied until `run`"]
#[derive(Default)]
pub struct Salvage {
    codecs: Vec<Arc<dyn PageCodec>>,
    target: Option<LsmDbBuilder>,
    progress: Option<Show>,
}

impl fmt::Debug for Salvage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Salvage").finish_non_exhaustive()
    }
}

impl Salvage {
    /// Default settings: the codecs that come with the crate; a new database like
    /// [`LsmDb::open`](crate::LsmDb::open) makes them.
    pub fn new() -> Salvage {
        Salvage::default()
    }

    /// Also reads files that were written with a codec of your own.
    ///
    /// # Errors
    /// Its id isn't from 20,000 to 99,999,999.
    pub fn codec(mut self, codec: Arc<dyn PageCodec>) -> Result<Salvage, LsmError> {
        self.codecs.push(compression::user_codec(codec)?);
        Ok(self)
    }

    /// Also reads files that were written with this dictionary.
    pub fn zstd_dictionary(mut self, dictionary: &ZstdDictionary) -> Salvage {
        self.codecs.push(dictionary.codec(ANY_LEVEL));
        self
    }

    /// How the new database is opened. Default: [`LsmDb::builder`](crate::LsmDb::builder). It must be a builder for real
    /// files, in its default environment.
    pub fn target(mut self, builder: LsmDbBuilder) -> Salvage {
        self.target = Some(builder);
        self
    }

    /// Calls this now and then.
    pub fn on_progress(mut self, show: impl FnMut(&SalvageProgress) + 'static) -> Salvage {
        self.progress = Some(Box::new(show));
        self
    }

    /// Copies what is readable in the file `from` into a new database at `to`.
    ///
    /// # Errors
    /// The damaged file can't be opened, or this process has it open as a database (`LsmMisuse`);
    /// there is something at `to` already (`LsmCantOpen`); the file's codec isn't known
    /// (`LsmMismatch`); there isn't anything like a database in the file (`LsmCorrupt`); the new
    /// database can't be written. Damage isn't an error. After an error, what is at `to` is
    /// incomplete.
    pub fn run(
        mut self,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
    ) -> Result<SalvageReport, LsmError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let refuse = |code, path: &Path, message: &str| {
            Err(LsmError::new(OPERATION, code)
                .with_path(path)
                .with_message(message))
        };
        if Env::default().is_open(from) {
            let message = "this process has it open: close it first";
            return refuse(LsmErrorCode::LsmMisuse, from, message);
        }
        if to.symlink_metadata().is_ok() {
            let message = "there is a file already; salvage makes a new one";
            return refuse(LsmErrorCode::LsmCantOpen, to, message)
                .map_err(|error| error.with_advice("choose a path where there is nothing"));
        }
        let source = FileSource::open(from).map_err(|error| verify::io_error(&error, from))?;
        let log = log::source_beside(from);
        let input = Input {
            source: &source,
            log: log.as_ref(),
            codecs: &compression::all(&self.codecs),
        };
        let found = input.look().map_err(|error| error.with_path(from))?;
        let db = self.target.unwrap_or_default().open(to)?;
        let basis = match &found {
            Found::Checkpoint(checkpoint, _) => SalvageBasis::Checkpoint(checkpoint.id),
            Found::Pages(_) => SalvageBasis::WholeFile,
            Found::Log => SalvageBasis::Log,
        };
        let mut rescue = Rescue::new(
            db,
            Graves::new(scratch_beside(to)),
            SalvageReport::new(basis),
            self.progress
                .as_mut()
                .map(|show| &mut **show as &mut dyn FnMut(&SalvageProgress)),
        );
        let checkpoint = match &found {
            Found::Checkpoint(checkpoint, pages) => {
                if let Some(pages) = pages {
                    copy_runs(pages, checkpoint, &mut rescue)?;
                }
                Some(&**checkpoint)
            }
            Found::Pages(pages) => {
                scan::rescue(&source, pages, &mut rescue)?;
                None
            }
            Found::Log => None,
        };
        if let Some(log) = log {
            let transactions = match (log::find(&log, checkpoint), checkpoint) {
                (None, None) => log::guess(&log),
                (found, _) => found,
            };
            if let Some(transactions) = transactions {
                log::replay(&log, &transactions, &mut |change| rescue.apply(change))?;
            }
        }
        rescue.finish()
    }
}

/// The damaged file.
struct Input<'a> {
    source: &'a FileSource,
    log: Option<&'a FileSource>,
    codecs: &'a [FileCodec],
}

/// What it can be read by.
enum Found<'a> {
    /// A checkpoint, and pages unless it has none.
    Checkpoint(Box<Checkpoint>, Option<Pages<'a>>),
    Pages(Pages<'a>),
    /// Nothing but the log, which has everything.
    Log,
}

impl<'a> Input<'a> {
    /// The newest checkpoint that leads to any run; otherwise pages, wherever they are.
    fn look(&self) -> Result<Found<'a>, LsmError> {
        let headers = verify::headers(self.source);
        let mut checkpoints: Vec<&Checkpoint> =
            headers.iter().filter_map(|h| h.checkpoint()).collect();
        checkpoints.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.id));
        for checkpoint in checkpoints {
            if checkpoint.levels.is_empty() {
                return Ok(Found::Checkpoint(Box::new(checkpoint.clone()), None));
            }
            let pages = self.pages_of(checkpoint)?;
            if !plan(&pages, checkpoint).runs.is_empty() {
                let checkpoint = Box::new(checkpoint.clone());
                return Ok(Found::Checkpoint(checkpoint, Some(pages)));
            }
        }
        let never_written = headers.iter().all(|h| matches!(h, Header::Empty));
        if never_written && self.log.is_some_and(|log| log::find(log, None).is_some()) {
            return Ok(Found::Log);
        }
        let header_pages = verify::header_pages(self.source);
        match scan::find_layout(self.source, &header_pages, self.codecs) {
            Some((layout, codec)) => Ok(Found::Pages(Pages::new(self.source, layout, codec))),
            None => Err(LsmError::new(OPERATION, LsmErrorCode::LsmCorrupt)
                .with_message("there are no pages of a database in the file")),
        }
    }

    fn pages_of(&self, checkpoint: &Checkpoint) -> Result<Pages<'a>, LsmError> {
        Pages::of(self.source, checkpoint, self.codecs.iter())
            .map_err(|error| error.during(OPERATION))
    }
}

/// Copies the runs of a checkpoint, newest first.
fn copy_runs(
    pages: &Pages<'_>,
    checkpoint: &Checkpoint,
    rescue: &mut Rescue<'_>,
) -> Result<(), LsmError> {
    let plan = plan(pages, checkpoint);
    for (level, place, fault) in plan.lost {
        rescue.report.lose(Damage::of(Some((level, place)), fault));
    }
    for run in &plan.runs {
        for fault in &run.faults {
            let damage = Damage::of(Some((run.level, run.place)), fault.clone());
            rescue.report.lose(damage);
        }
        let manner = Manner {
            values: true,
            cut: run.cut,
            lenient: false,
        };
        let mut neighbour = Neighbour::default();
        walk(pages, &run.chain, manner, &mut |event| {
            rescue.event(run, &mut neighbour, event)
        })?;
        rescue.end_run(run, neighbour)?;
    }
    Ok(())
}

/// A file beside the new database.
fn scratch_beside(to: &Path) -> PathBuf {
    let mut name = OsString::from(to);
    name.push("-salvage");
    name.into()
}
