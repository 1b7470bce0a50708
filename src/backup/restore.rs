//! [`restore()`]: puts a backup in place.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::draft::Target;
use super::report::BackupReport;
use crate::compression::{self, ANY_LEVEL, PageCodec, ZstdDictionary};
use crate::env::Env;
use crate::error::{LsmError, LsmErrorCode};
use crate::verify;

const OPERATION: &str = "restore";

/// Puts the database file `backup` at `path`, where there must be none yet. See [`Restore`].
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let (path, copy) = (dir.path().join("demo.lsm"), dir.path().join("copy.lsm"));
/// use lsmlite_rs::{LsmDb, Restore, restore};
///
/// let mut db = LsmDb::open(&path)?;
/// db.insert(b"key", b"good")?;
/// db.backup(&copy)?;
/// db.insert(b"key", b"bad")?;
/// db.close()?;
///
/// assert!(restore(&copy, &path).is_err()); // it exists
/// Restore::new().overwrite(true).run(&copy, &path)?;
/// assert_eq!(LsmDb::open(&path)?.get(b"key")?, Some(b"good".to_vec()));
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`Restore::run`].
pub fn restore(backup: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<BackupReport, LsmError> {
    Restore::new().run(backup, path)
}

/// Puts a backup in place; [`restore()`] with settings.
///
/// The backup is copied beside the target, the copy is verified, made durable and renamed. So the
/// target is either what it was or the whole backup, and the backup stays as it is. Opening it
/// at its place as a database is possible as well; then there is no backup any more.
#[must_use = "nothing is restored until `run`"]
#[derive(Default)]
pub struct Restore {
    overwrite: bool,
    codecs: Vec<Arc<dyn PageCodec>>,
}

impl std::fmt::Debug for Restore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restore").finish_non_exhaustive()
    }
}

impl Restore {
    /// Nothing is overwritten, and the codecs that come with the crate are known.
    pub fn new() -> Restore {
        Restore::default()
    }

    /// Replaces a database that is there already, damaged or not, and its log. Default: false, it
    /// is refused.
    ///
    /// One that is open is refused all the same. Whoever opens it at the very moment when it is
    /// replaced keeps the old file, and loses what he writes to it.
    pub fn overwrite(mut self, yes: bool) -> Restore {
        self.overwrite = yes;
        self
    }

    /// Also verifies backups that were written with a codec of your own.
    ///
    /// # Errors
    /// Its id isn't from 20,000 to 99,999,999.
    pub fn codec(mut self, codec: Arc<dyn PageCodec>) -> Result<Restore, LsmError> {
        self.codecs.push(compression::user_codec(codec)?);
        Ok(self)
    }

    /// Also verifies backups that were written with this dictionary.
    pub fn zstd_dictionary(mut self, dictionary: &ZstdDictionary) -> Restore {
        self.codecs.push(dictionary.codec(ANY_LEVEL));
        self
    }

    /// Copies, verifies and renames.
    ///
    /// # Errors
    /// - `LsmCantOpen`: there is a file at `path` already, or a log beside it; or there is no file
    ///   `backup` ([`is_not_found`](LsmError::is_not_found)).
    /// - `LsmBusy`: the backup or the file that is to be overwritten is open somewhere.
    /// - `LsmMisuse`: the backup was used as a database, and commits in its log aren't in the file:
    ///   open and close it, and try again.
    /// - `LsmCorrupt`: the backup is damaged; [`verify_file`](crate::verify_file) says where.
    /// - `LsmMismatch`: its codec isn't known here.
    /// - `LsmFull`, `LsmIOErr`: the copy can't be written.
    ///
    /// After any of them `path` is as it was and nothing else is left, unless the very last step
    /// failed, making the new name durable.
    pub fn run(
        self,
        backup: impl AsRef<Path>,
        path: impl AsRef<Path>,
    ) -> Result<BackupReport, LsmError> {
        let (backup, path) = (backup.as_ref(), path.as_ref());
        let refuse = |code, message: String| {
            let error = LsmError::new(OPERATION, code).with_path(backup);
            Err(error.with_message(message))
        };
        if Env::default().is_open(backup) {
            let message = "this process has the backup open: close it first";
            return refuse(LsmErrorCode::LsmBusy, message.to_owned());
        }
        let place = Target::new(OPERATION, path, self.overwrite)?;
        let mut log = backup.as_os_str().to_owned();
        log.push("-log");
        if Path::new(&log).metadata().is_ok_and(|log| log.len() > 0) {
            let message = "a log lies beside the backup: it is in use, or was when its process \
                           died; open it as a database, close it, and try again";
            return refuse(LsmErrorCode::LsmMisuse, message.to_owned());
        }
        let draft = place.draft()?;
        let input = OpenOptions::new().read(true).open(backup);
        let mut input = input.map_err(|error| place.io(backup, "open", &error))?;
        let output = OpenOptions::new().write(true).open(draft.path());
        let mut output = output.map_err(|error| place.io(draft.path(), "open", &error))?;
        let copied = io::copy(&mut input, &mut output);
        let file_bytes = copied.map_err(|error| place.io(backup, "copy", &error))?;
        drop((input, output));

        let known = compression::all(&self.codecs);
        let report = verify::verify_with(draft.path(), &known)
            .map_err(|error| error.during(OPERATION).with_path(backup))?;
        if !report.is_clean() {
            return refuse(LsmErrorCode::LsmCorrupt, format!("it is damaged: {report}"));
        }
        place.install(draft, Some(backup))?;
        Ok(BackupReport {
            records: report.records,
            bytes: 0,
            file_bytes,
            is_verified: true,
        })
    }
}
