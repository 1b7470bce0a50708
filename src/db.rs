//! [`LsmDb`]: the handle of a database.

use std::path::{Path, PathBuf};

use crate::builder::LsmDbBuilder;
use crate::compression::{self, LsmCompressionLib};
use crate::config::{DbConf, Settings};
use crate::cursor::LsmCursor;
use crate::error::{LsmError, LsmErrorCode};
use crate::metrics::LsmMetrics;
use crate::read::{LsmRange, View, reads};
use crate::session::Session;

/// A handle to a database file: one writer, at home in one thread at a time.
///
/// There are two ways to use it. [`open`](Self::open) and [`builder`](Self::builder) return
/// a handle that is ready; or, as in 0.2.2, a default handle is taken through
/// [`Disk::initialize`](crate::Disk::initialize) and [`Disk::connect`](crate::Disk::connect).
///
/// Dropping the handle stops its threads, rolls back an open transaction and closes the
/// file, and has no way to report an error: use [`close`](Self::close) to hear of it.
///
/// After a write or sync that failed the handle only reads: [`failure`](Self::failure) says
/// what that means, and what to do.
///
/// `LsmDb` is [`Send`] but not [`Sync`], because the engine allows one thread at a time per
/// handle. Several threads need a mutex, or a handle each:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<lsmlite_rs::LsmDb>();
/// ```
///
/// A write can't be made while a cursor or an iterator is alive:
///
/// ```compile_fail,E0502
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let mut db = lsmlite_rs::LsmDb::open("never.lsm")?;
/// for record in db.iter() {
///     let (key, _) = record?;
///     db.remove(&key)?;
/// }
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct LsmDb {
    target: Option<Target>,
    session: Option<Session>,
}

/// What an initialised handle connects to.
struct Target {
    file: PathBuf,
    plan: Plan,
    metrics: Option<LsmMetrics>,
}

enum Plan {
    Compatible(DbConf),
    Built(Settings),
}

impl Plan {
    fn settings(&self) -> Result<Settings, LsmError> {
        match self {
            Plan::Built(settings) => Ok(settings.clone()),
            Plan::Compatible(conf) => conf.settings(),
        }
    }
}

/// Opening, in both faces.
impl LsmDb {
    /// Opens the database at `path` and creates it if it doesn't exist, with default
    /// settings: single process, no background threads, [`Safety::Normal`], no compression
    /// for new files, built-in codecs recognised in existing ones.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("demo.lsm");
    /// use lsmlite_rs::LsmDb;
    ///
    /// let mut db = LsmDb::open(&path)?;
    /// db.insert(b"fjord", b"Norway")?;
    /// assert_eq!(db.get(b"fjord")?, Some(b"Norway".to_vec()));
    /// db.close()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`LsmDbBuilder::open`].
    ///
    /// [`Safety::Normal`]: crate::config::Safety::Normal
    pub fn open(path: impl AsRef<Path>) -> Result<LsmDb, LsmError> {
        LsmDb::builder().open(path)
    }

    /// Starts a builder, which has every setting.
    pub fn builder() -> LsmDbBuilder {
        LsmDbBuilder::new()
    }

    pub(crate) fn open_with(
        file: &Path,
        settings: Settings,
        metrics: Option<LsmMetrics>,
    ) -> Result<LsmDb, LsmError> {
        let session = Session::open(file, &settings, metrics.as_ref())?;
        Ok(LsmDb {
            target: Some(Target {
                file: file.to_owned(),
                plan: Plan::Built(settings),
                metrics,
            }),
            session: Some(session),
        })
    }

    pub(crate) fn set_target(&mut self, conf: DbConf) -> Result<(), LsmError> {
        if self.target.is_some() {
            let message = "the handle is initialised already";
            return Err(LsmError::new("initialize", LsmErrorCode::LsmMisuse).with_message(message));
        }
        let file = conf.file();
        if file.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(LsmError::new("initialize", LsmErrorCode::LsmError)
                .with_path(&file)
                .with_message("the path contains a nul byte"));
        }
        self.target = Some(Target {
            file,
            metrics: conf.metrics(),
            plan: Plan::Compatible(conf),
        });
        Ok(())
    }

    pub(crate) fn connect_target(&mut self) -> Result<(), LsmError> {
        let misuse =
            |message: &str| LsmError::new("connect", LsmErrorCode::LsmMisuse).with_message(message);
        let Some(target) = &self.target else {
            return Err(misuse("call initialize first"));
        };
        if self.session.is_some() {
            return Err(misuse("the handle is connected already").with_path(&target.file));
        }
        let settings = target.plan.settings()?;
        self.session = Some(Session::open(
            &target.file,
            &settings,
            target.metrics.as_ref(),
        )?);
        Ok(())
    }

    /// What further connections to the same file are opened with.
    pub(crate) fn settings(&self, operation: &'static str) -> Result<Settings, LsmError> {
        match &self.target {
            Some(target) => target.plan.settings(),
            None => Err(not_connected(operation)),
        }
    }

    pub(crate) fn end_session(&mut self) -> Result<(), LsmError> {
        match self.session.take() {
            None => Ok(()),
            Some(session)
                if session.connection().in_transaction() && session.failure().is_none() =>
            {
                let error = LsmError::new("disconnect", LsmErrorCode::LsmMisuse)
                    .with_path(session.connection().path())
                    .with_message("a transaction is open: commit it or roll it back first");
                self.session = Some(session);
                Err(error)
            }
            Some(session) => session.close(),
        }
    }

    /// Closes the database and says whether everything reached the file. An open
    /// transaction is rolled back.
    ///
    /// # Errors
    /// A write or sync that failed, also an earlier one (see [`failure`](Self::failure)), also
    /// in a background thread. The handle is closed all the same; what was committed is in the
    /// log and is recovered by the next open.
    pub fn close(mut self) -> Result<(), LsmError> {
        self.session.take().map_or(Ok(()), Session::close)
    }

    /// True once the handle knows its file.
    pub fn is_initialized(&self) -> bool {
        self.target.is_some()
    }

    /// True while the file is open.
    pub fn is_connected(&self) -> bool {
        self.session.is_some()
    }

    /// The path of the database file as it was given, for a [`DbConf`] `{path}/{name}.lsm`.
    ///
    /// # Errors
    /// [`LsmErrorCode::LsmMisuse`] if the handle isn't initialised.
    pub fn get_full_db_path(&self) -> Result<String, LsmErrorCode> {
        let target = self.target.as_ref().ok_or(LsmErrorCode::LsmMisuse)?;
        Ok(target.file.to_string_lossy().into_owned())
    }

    /// The page codec of the file; with page checksums too, the codec beneath them.
    ///
    /// # Errors
    /// [`LsmErrorCode::LsmMisuse`] before connecting, [`LsmErrorCode::LsmMismatch`] if the
    /// codec isn't a built-in one, such as Zstandard with a dictionary, or nothing has been written to the file yet.
    pub fn get_compression_id(&self) -> Result<LsmCompressionLib, LsmErrorCode> {
        let session = self.session("read the compression id")?;
        let (codec, _) = compression::split_id(session.connection().compression_id()?);
        i32::try_from(codec)
            .map_err(|_| LsmErrorCode::LsmMismatch)
            .and_then(LsmCompressionLib::try_from)
    }

    /// The [number](crate::compression::ZstdDictionary::number) of the dictionary that the file needs;
    /// `None` without one, and while nothing has been written to it.
    ///
    /// # Errors
    /// [`LsmErrorCode::LsmMisuse`] before connecting; whatever stands in the way of a read.
    pub fn zstd_dictionary_number(&self) -> Result<Option<u32>, LsmError> {
        let session = self.session("read the compression id")?;
        let (codec, _) = compression::split_id(session.connection().compression_id()?);
        Ok(compression::number_in(codec))
    }

    /// Whether the file has page checksums; `None` while nothing has been written to it.
    ///
    /// See [`LsmDbBuilder::page_checksums`].
    ///
    /// # Errors
    /// [`LsmErrorCode::LsmMisuse`] before connecting; whatever stands in the way of a read.
    pub fn has_page_checksums(&self) -> Result<Option<bool>, LsmError> {
        let session = self.session("read the compression id")?;
        Ok(match session.connection().compression_id()? {
            0 => None,
            id => Some(compression::split_id(id).1),
        })
    }

    pub(crate) fn session(&self, operation: &'static str) -> Result<&Session, LsmError> {
        self.session
            .as_ref()
            .ok_or_else(|| not_connected(operation))
    }

    pub(crate) fn session_mut(
        &mut self,
        operation: &'static str,
    ) -> Result<&mut Session, LsmError> {
        self.session
            .as_mut()
            .ok_or_else(|| not_connected(operation))
    }
}

impl Drop for LsmDb {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.end();
        }
    }
}

fn not_connected(operation: &'static str) -> LsmError {
    LsmError::new(operation, LsmErrorCode::LsmMisuse)
        .with_message("the handle isn't connected: call connect first")
}

reads! {
    /// Reading: the newest committed state, or within a compatible transaction also its own
    /// writes.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// for (year, name) in [("1905", "Photon"), ("1911", "Nucleus"), ("1932", "Neutron")] {
    ///     db.insert(year, name)?;
    /// }
    /// assert_eq!(db.get("1911")?, Some(b"Nucleus".to_vec()));
    /// assert_eq!(db.get_with("1905", |name| name.len())?, Some(6));
    /// assert_eq!(db.multi_get(["1905", "1906"])?[1], None);
    /// assert_eq!(db.last()?.unwrap().1, b"Neutron");
    ///
    /// let mut years = db.range("1910".."1940");
    /// assert_eq!(years.next().unwrap()?.0, b"1911");
    /// assert_eq!(years.next_back().unwrap()?.0, b"1932");
    /// assert!(years.next().is_none());
    /// assert_eq!(db.prefix("19").count(), 3);
    /// # Ok(()) }
    /// ```
    ///
    /// Iterators borrow the handle, so that nothing is written while one lives:
    ///
    /// ```compile_fail,E0502
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let mut db = lsmlite_rs::LsmDb::open("never.lsm")?;
    /// let mut records = db.iter();
    /// db.insert("key", "value")?;
    /// assert!(records.next().is_none());
    /// # Ok(()) }
    /// ```
    ///
    /// A value that is looked at can't be kept:
    ///
    /// ```compile_fail,E0521
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let db = lsmlite_rs::LsmDb::open("never.lsm")?;
    /// let mut kept = None;
    /// db.get_with("key", |value| kept = Some(value))?;
    /// # Ok(()) }
    /// ```
    impl LsmDb
}

/// Writing single records.
impl LsmDb {
    /// Inserts a record, or replaces the one with this key. Empty keys and values are fine.
    ///
    /// # Errors
    /// A key and value of more than 1 GiB less 64 KiB together are refused. `LsmBusy` if another
    /// handle is writing. A failure to write to the file or to get memory, after which the
    /// handle [only reads](Self::failure) and the record isn't there; the failure of a page
    /// codec, after which it may be. Inside a transaction, only a rollback can follow an error.
    pub fn insert(
        &mut self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), LsmError> {
        self.session_mut("insert")?
            .insert(key.as_ref(), value.as_ref())
    }

    /// Removes the record with this key, if there is one.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove(&mut self, key: impl AsRef<[u8]>) -> Result<(), LsmError> {
        self.session_mut("remove")?.delete(key.as_ref())
    }

    pub(crate) fn view(&self, operation: &'static str) -> Result<View<'_>, LsmError> {
        Ok(View::new(self.session(operation)?.connection()))
    }

    pub(crate) fn open_cursor(&self) -> Result<LsmCursor<'_>, LsmError> {
        let connection = self.session("open a cursor")?.connection();
        Ok(LsmCursor::new(connection.cursor()?))
    }
}

/// Maintenance, for those who don't leave it to the engine.
impl LsmDb {
    /// Writes what is in memory to the database file. Not needed for durability: the log
    /// has it already.
    ///
    /// # Errors
    /// `LsmBusy` if another connection is in the way for ten seconds; `LsmMisuse` in a
    /// transaction; whatever writing the file runs into.
    pub fn flush(&mut self) -> Result<(), LsmError> {
        self.session_mut("flush")?.flush()
    }

    /// Makes the database file durable up to its last change, and lets the space that merges
    /// have freed be used again. Returns the KiB that had been written since the last time.
    ///
    /// What is still in memory stays there, safe in the log: call [`flush`](Self::flush)
    /// first if the file is to hold everything.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn checkpoint(&mut self) -> Result<u32, LsmError> {
        self.session_mut("checkpoint")?.checkpoint()
    }

    /// Does a part of the work that the engine would do later: writes full memory to the file
    /// and merges sorted runs, until about `kib` KiB were written or nothing is left to do.
    /// Returns how many were written.
    ///
    /// For programs that know when they are idle. A merge is left where it is and goes on
    /// with the next work, whoever does it. Each time costs two pages or three: less than eight pages
    /// (32 KiB, if they have 4096 bytes) are taken for eight.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("demo.lsm");
    /// let mut db = lsmlite_rs::LsmDb::builder().autowork(false).open(&path)?;
    /// db.insert(b"key", b"value")?;
    /// while db.work(256)? > 0 {}
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`flush`](Self::flush). Work that failed loses nothing and can be repeated.
    pub fn work(&mut self, kib: u32) -> Result<u32, LsmError> {
        self.session_mut("work")?.work(kib)
    }

    /// Rewrites the database as one sorted run without deleted records: the smallest and
    /// fastest form to read. Takes as long as copying the data.
    ///
    /// The file shrinks to its new size when it is closed.
    ///
    /// # Errors
    /// As [`flush`](Self::flush). A compaction that failed loses nothing and can be
    /// repeated.
    pub fn compact(&mut self) -> Result<(), LsmError> {
        self.session_mut("compact")?.compact()
    }
}
