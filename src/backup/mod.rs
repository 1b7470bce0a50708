//! [`LsmDb::backup`], [`Backup`] and [`restore()`]: copies of databases, whole or not there.

mod draft;
mod report;
mod restore;

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::builder::LsmDbBuilder;
use crate::compression::{self, CodecChoice, FileCodec};
use crate::config::{Safety, Settings};
use crate::db::LsmDb;
use crate::env::Env;
use crate::error::{LsmError, LsmErrorCode};
use crate::format::checkpoint::{self, Checkpoint};
use crate::format::layout::Layout;
use crate::raw::Connection;
use crate::session::patiently;
use crate::verify;
pub(crate) use draft::{Draft, Target};

pub use report::{BackupProgress, BackupReport, BackupStep};
pub use restore::{Restore, restore};

const OPERATION: &str = "backup";

/// The copy is written in transactions of so many bytes. Progress is shown after each.
const BATCH_BYTES: u64 = 1 << 20;
const BATCH_RECORDS: u32 = 10_000;

/// Shows progress, and says whether to go on.
type Show = Box<dyn FnMut(&BackupProgress) -> ControlFlow<()> + Send>;

impl LsmDb {
    /// Copies what is committed at this moment into a new database file, while other handles and
    /// threads go on writing; [`Backup`] with its defaults.
    ///
    /// The file appears under its name when it is whole, verified and durable. It is a database
    /// like any other, as small as compacting makes it: open it, or put it back with
    /// [`restore`](crate::restore()).
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// # let copy = dir.path().join("copy.lsm");
    /// db.insert(b"key", b"value")?;
    /// println!("{}", db.backup(&copy)?);
    /// let copy = lsmlite_rs::LsmDb::open(&copy)?;
    /// assert_eq!(copy.get(b"key")?, Some(b"value".to_vec()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Backup::new`] and [`Backup::run`].
    pub fn backup(&self, path: impl AsRef<Path>) -> Result<BackupReport, LsmError> {
        Backup::new(self)?.run(path)
    }
}

/// A backup to be made: a snapshot of a database, and what is to become of it.
///
/// It has a handle of its own and is [`Send`], so that it can be made in another thread while the
/// database is written to. The copy has the codec, page checksums, page size and block size of
/// the source, unless [`target`](Self::target) says otherwise.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
/// # let copy = dir.path().join("copy.lsm");
/// use std::ops::ControlFlow;
/// use std::thread;
///
/// use lsmlite_rs::Backup;
///
/// db.insert(b"before", b"")?;
/// let backup = Backup::new(&db)?.overwrite(true).on_progress(|so_far| {
///     eprintln!("{} records", so_far.records);
///     ControlFlow::Continue(()) // Break ends it, and leaves nothing behind
/// });
/// let job = thread::spawn(move || backup.run(copy));
/// db.insert(b"after", b"")?;
/// let report = job.join().unwrap()?;
/// assert_eq!(report.records, 1);
/// # Ok(()) }
/// ```
///
/// # What it costs
/// From [`new`](Self::new) until all records are copied, the snapshot is kept: space that merges
/// free in the source isn't reused, and whatever is written to the source meanwhile stays in
/// memory too, 2 GiB at most, after which writes get [`LsmFull`](LsmErrorCode::LsmFull). So don't
/// make it long before you run it, and make large backups when little is written. It counts among
/// the [snapshots](crate::Snapshot) of six moments that the engine remembers.
///
/// Beside the target there must be space for about twice the size of the copy.
///
/// # Why not only what has changed
/// There are no incremental backups. The engine keeps no time or number with a record, and merges
/// move unchanged records to other pages, so neither records nor pages tell what is new since
/// another backup. Comparing two whole copies would; that is what backup programs with
/// deduplication do, but a merge leaves little in its place. An application that needs them can
/// keep a log of its changes under keys of its own.
#[must_use = "nothing is copied until `run`"]
pub struct Backup {
    source: Source,
    target: Option<LsmDbBuilder>,
    overwrite: bool,
    compact: bool,
    #[cfg(feature = "tools")]
    ingest: bool,
    verify: bool,
    progress: Option<Show>,
}

/// A connection with a snapshot.
struct Source {
    connection: Connection,
    /// Unless it is somewhere else than on a real disk.
    file: Option<PathBuf>,
    codecs: CodecChoice,
    layout: Layout,
    file_bytes: u64,
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup")
            .field("source", &self.source.connection.path())
            .finish_non_exhaustive()
    }
}

impl Backup {
    /// Takes a snapshot of what is committed now. A transaction that is open in `db`, or
    /// elsewhere, isn't part of it.
    ///
    /// # Errors
    /// As [`LsmDb::snapshot`].
    pub fn new(db: &LsmDb) -> Result<Backup, LsmError> {
        Ok(Backup {
            source: Source::open(db).map_err(|error| error.during(OPERATION))?,
            target: None,
            overwrite: false,
            compact: true,
            #[cfg(feature = "tools")]
            ingest: false,
            verify: true,
            progress: None,
        })
    }

    /// Takes codec, page checksums, page size and block size of the copy from this builder.
    /// Default: they are those of the source.
    pub fn target(mut self, builder: LsmDbBuilder) -> Backup {
        self.target = Some(builder);
        self
    }

    /// Replaces a file that is there already, once the copy is whole. Default: false, it is
    /// refused.
    ///
    /// Whoever opens the old file at that very moment keeps it, and loses what he writes to it.
    pub fn overwrite(mut self, yes: bool) -> Backup {
        self.overwrite = yes;
        self
    }

    /// Merges the copy into one sorted run. Default: true.
    ///
    /// Without, it takes about two thirds of the time; the copy is a little larger, slower to read
    /// until it is compacted, and whole all the same.
    pub fn compact(mut self, yes: bool) -> Backup {
        self.compact = yes;
        self
    }

    /// Writes the records past the log and the memory, in one run that needn't be compacted.
    #[cfg(feature = "tools")]
    pub(crate) fn ingest(mut self) -> Backup {
        (self.ingest, self.compact) = (true, false);
        self
    }

    /// Reads the copy once more, as [`verify_file`](crate::verify_file) does, before it gets its
    /// name. Default: true.
    pub fn verify(mut self, yes: bool) -> Backup {
        self.verify = yes;
        self
    }

    /// Calls this about once for each MiB; [`ControlFlow::Break`] ends the backup, and nothing is
    /// left of it. To end it from another thread, let it look at a flag.
    pub fn on_progress(
        mut self,
        progress: impl FnMut(&BackupProgress) -> ControlFlow<()> + Send + 'static,
    ) -> Backup {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Writes the copy, a real file whatever environment the source is in.
    ///
    /// It is written under a name of its own beside `path`, made durable and renamed. When this
    /// process is killed meanwhile, that draft is left; the next backup to `path` removes it (where
    /// there is a `/proc`). The copy has the permissions of the source.
    ///
    /// # Errors
    /// - [`is_cancelled`](LsmError::is_cancelled): the progress callback ended it.
    /// - `LsmCantOpen`: there is a file at `path` already, or a log beside it, which would be
    ///   taken for the copy's own.
    /// - `LsmBusy`: the file that is to be overwritten is open somewhere.
    /// - `LsmCorrupt`: the source is damaged, or the copy doesn't verify.
    /// - `LsmFull`, `LsmIOErr` and others: the source can't be read or the copy not be written.
    ///
    /// After any of them `path` is as it was and nothing else is left, unless the very last step
    /// failed, making the new name durable.
    pub fn run(self, path: impl AsRef<Path>) -> Result<BackupReport, LsmError> {
        let place = Target::new(OPERATION, path.as_ref(), self.overwrite)?;
        self.write(&place)?.install(&place)
    }

    /// Writes the copy as a draft, whole and verified.
    pub(crate) fn write(self, place: &Target<'_>) -> Result<Copy, LsmError> {
        let path = place.given();
        let Backup { source, target, .. } = self;
        let mut progress = self.progress;
        let settings = source.settings_of_copy(target)?;
        let known: Vec<FileCodec> = settings.codecs.preferred.iter().cloned().collect();
        let draft = place.draft()?;
        // Declared after the draft, so it is closed before that is removed.
        let mut copy = LsmDb::open_with(draft.path(), settings, None)
            .map_err(|error| error.during(OPERATION))?;
        let like = source.file.clone();
        let mut so_far = BackupProgress {
            step: BackupStep::Copying,
            records: 0,
            bytes: 0,
            source_file_bytes: source.file_bytes,
        };
        let mut go_on = |so_far: &BackupProgress| {
            let answer = progress.as_mut().map(|show| show(so_far));
            match answer.is_some_and(|answer| answer.is_break()) {
                true => Err(LsmError::cancelled(OPERATION).with_path(path)),
                false => Ok(()),
            }
        };
        // Each lets go of the snapshot in the end.
        #[cfg(feature = "tools")]
        match self.ingest {
            true => source.ingest_into(&mut copy, &mut so_far, &mut go_on)?,
            false => source.copy_into(&mut copy, &mut so_far, &mut go_on)?,
        }
        #[cfg(not(feature = "tools"))]
        source.copy_into(&mut copy, &mut so_far, &mut go_on)?;
        if self.compact {
            so_far.step = BackupStep::Compacting;
            compact(&mut copy, &so_far, &mut go_on)?;
        }
        copy.close().map_err(|error| error.during(OPERATION))?;
        if self.verify {
            so_far.step = BackupStep::Verifying;
            go_on(&so_far)?;
            let report = verify::verify_with(draft.path(), &known)?;
            if !report.is_clean() || report.records < so_far.records {
                let error = LsmError::new(OPERATION, LsmErrorCode::LsmCorrupt).with_path(path);
                return Err(error.with_message(format!("the copy isn't sound: {report}")));
            }
        }
        let file_bytes = (draft.path().metadata()).map_or(0, |metadata| metadata.len());
        let report = BackupReport {
            records: so_far.records,
            bytes: so_far.bytes,
            file_bytes,
            is_verified: self.verify,
        };
        Ok(Copy {
            draft,
            like,
            report,
        })
    }
}

/// A copy that hasn't got its name yet; dropped, it is gone.
pub(crate) struct Copy {
    draft: Draft,
    /// The file whose permissions it is to have.
    like: Option<PathBuf>,
    report: BackupReport,
}

impl Copy {
    /// Gives it its name.
    pub(crate) fn install(self, place: &Target<'_>) -> Result<BackupReport, LsmError> {
        place.install(self.draft, self.like.as_deref())?;
        Ok(self.report)
    }
}

/// Records that were read together.
#[cfg(feature = "tools")]
type Batch = Vec<(Vec<u8>, Vec<u8>)>;

type GoOn<'a> = dyn FnMut(&BackupProgress) -> Result<(), LsmError> + 'a;

impl Source {
    /// Takes a snapshot, which the connection keeps as long as it lives.
    fn open(db: &LsmDb) -> Result<Source, LsmError> {
        let settings = db.settings(OPERATION)?;
        let source = db.read_source(OPERATION)?;
        let mut connection = source.connect()?;
        patiently(|| connection.hold())?;
        let words = connection.pin()?.checkpoint()?;
        let Checkpoint { blocks, layout, .. } = checkpoint::parse(&words).map_err(|problem| {
            LsmError::new(OPERATION, LsmErrorCode::LsmCorrupt)
                .with_path(source.path())
                .with_message(format!("the checkpoint in use {problem}"))
        })?;
        let is_real_file = settings.env == Env::default();
        Ok(Source {
            connection,
            file: is_real_file.then(|| source.path().to_owned()),
            codecs: settings.codecs,
            file_bytes: u64::from(blocks) * layout.block,
            layout,
        })
    }

    /// How the copy is opened: nothing is durable until the end.
    fn settings_of_copy(&self, target: Option<LsmDbBuilder>) -> Result<Settings, LsmError> {
        let unchanged = Settings::default();
        let (page, block) = (self.layout.page, self.layout.block / 1024);
        let wanted = match target {
            Some(builder) => builder.into_settings()?,
            None => Settings {
                codecs: self.codecs()?,
                page_size_bytes: page.try_into().unwrap_or(unchanged.page_size_bytes),
                block_size_kib: block.try_into().unwrap_or(unchanged.block_size_kib),
                ..unchanged
            },
        };
        Ok(Settings {
            codecs: wanted.codecs,
            page_size_bytes: wanted.page_size_bytes,
            block_size_kib: wanted.block_size_kib,
            autoflush_kib: 32 * 1024,
            automerge_segments: 32,
            safety: Safety::Off,
            use_log: false,
            ..Settings::default()
        })
    }

    /// The codec of the file, or the one that it will have when something is written to it.
    fn codecs(&self) -> Result<CodecChoice, LsmError> {
        let codecs = &self.codecs;
        let preferred = match self.connection.compression_id()? {
            0 => codecs.preferred.clone(),
            1 => None,
            id => {
                let found = (codecs.preferred.iter().chain(&codecs.known)).find(|c| c.id == id);
                let unknown = || {
                    let known = codecs.known.iter().map(|known| known.id);
                    LsmError::new(OPERATION, LsmErrorCode::LsmMismatch)
                        .with_path(self.connection.path())
                        .with_message(compression::unknown(id, known))
                };
                Some(found.ok_or_else(unknown)?.clone())
            }
        };
        Ok(CodecChoice {
            plain_pages: preferred.is_none(),
            preferred,
            known: Vec::new(),
        })
    }

    /// Copies all records in the order of their keys.
    fn copy_into(
        self,
        copy: &mut LsmDb,
        so_far: &mut BackupProgress,
        go_on: &mut GoOn<'_>,
    ) -> Result<(), LsmError> {
        let during = |error: LsmError| error.during(OPERATION);
        go_on(so_far)?;
        let copy = copy.session_mut(OPERATION)?;
        let mut cursor = self.connection.cursor().map_err(during)?;
        cursor.first().map_err(during)?;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        while cursor.valid() {
            copy.begin().map_err(during)?;
            let (mut records, mut bytes) = (0, 0);
            while cursor.valid() && records < BATCH_RECORDS && bytes < BATCH_BYTES {
                cursor.read_into(&mut key, &mut value).map_err(during)?;
                copy.insert(&key, &value).map_err(during)?;
                records += 1;
                bytes += (key.len() + value.len()) as u64;
                cursor.next().map_err(during)?;
            }
            copy.commit().map_err(during)?;
            so_far.records += u64::from(records);
            so_far.bytes += bytes;
            go_on(so_far)?;
        }
        Ok(())
    }

    /// The same by ingestion, while a thread of its own reads: faster, and the result is one run
    /// without being compacted.
    #[cfg(feature = "tools")]
    fn ingest_into(
        self,
        copy: &mut LsmDb,
        so_far: &mut BackupProgress,
        go_on: &mut GoOn<'_>,
    ) -> Result<(), LsmError> {
        let (sender, batches) = std::sync::mpsc::sync_channel(4);
        let copied = std::thread::scope(|scope| {
            scope.spawn(move || self.read_batches(&sender));
            let mut batch = Vec::new().into_iter();
            // It owns the receiving end, so that the thread ends if the ingestion does.
            let records = std::iter::from_fn(move || {
                loop {
                    if let Some((key, value)) = batch.next() {
                        so_far.records += 1;
                        so_far.bytes += (Vec::len(&key) + Vec::len(&value)) as u64;
                        return Some(Ok((key, value)));
                    }
                    if let Err(error) = go_on(so_far) {
                        return Some(Err(error));
                    }
                    match batches.recv().ok()? {
                        Ok(next) => batch = Vec::into_iter(next),
                        Err(error) => return Some(Err(error)),
                    }
                }
            });
            copy.try_ingest(records.fuse())
        });
        copied.map_err(|error: LsmError| match error.is_cancelled() {
            true => error,
            false => error.during(OPERATION),
        })?;
        Ok(())
    }

    /// Sends all records in the order of their keys, or an error, as long as somebody listens.
    #[cfg(feature = "tools")]
    fn read_batches(&self, sender: &std::sync::mpsc::SyncSender<Result<Batch, LsmError>>) {
        let read = || {
            let mut cursor = self.connection.cursor()?;
            cursor.first()?;
            while cursor.valid() {
                let (mut batch, mut bytes) = (Batch::new(), 0);
                while cursor.valid() && bytes < BATCH_BYTES && batch.len() < BATCH_RECORDS as usize
                {
                    let (mut key, mut value) = (Vec::new(), Vec::new());
                    cursor.read_into(&mut key, &mut value)?;
                    bytes += (key.len() + value.len()) as u64;
                    batch.push((key, value));
                    cursor.next()?;
                }
                if sender.send(Ok(batch)).is_err() {
                    break;
                }
            }
            Ok(())
        };
        if let Err(error) = read() {
            // Nobody listens any more: then something else has failed.
            let _ = sender.send(Err(error));
        }
    }
}

/// Merges the copy into one run.
fn compact(
    copy: &mut LsmDb,
    so_far: &BackupProgress,
    go_on: &mut GoOn<'_>,
) -> Result<(), LsmError> {
    let mut result = Ok(());
    let session = copy.session_mut(OPERATION)?;
    let compacted = crate::compact::compact_in_steps(session, &mut |_| {
        result = go_on(so_far);
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    compacted.map_err(|error| error.during(OPERATION))?;
    result
}
