//! [`Reader`]: a handle that only reads, for another thread.

use std::ffi::CString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{BackgroundMode, Settings};
use crate::db::LsmDb;
use crate::error::{LsmError, LsmErrorCode};
use crate::raw::{Connection, Cursor};
use crate::read::{LsmRange, View, reads};
use crate::session::patiently;

/// A handle that reads beside the writer, for a thread of its own; from [`LsmDb::reader`].
///
/// Each read sees the newest commit at that moment; the writer doesn't wait for it, nor it for
/// the writer. Only while an iterator of this reader is alive do its other reads see what the
/// iterator sees. For many reads of one state take a [`Snapshot`](crate::Snapshot).
///
/// It is a connection of its own, with the environment, codecs and settings of the handle it came
/// from, and may outlive that. As long as it does, the file stays locked against other processes
/// the way it was.
///
/// `Reader` is [`Send`], not [`Sync`]; threads that are to share one `Arc` take a
/// [`ReaderPool`](crate::ReaderPool).
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<lsmlite_rs::Reader>();
/// ```
///
/// An iterator can't outlive it:
///
/// ```compile_fail,E0505
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let db = lsmlite_rs::LsmDb::open("never.lsm")?;
/// let reader = db.reader()?;
/// let mut records = reader.iter();
/// drop(reader);
/// records.next();
/// # Ok(()) }
/// ```
pub struct Reader {
    connection: Connection,
    source: Arc<ReadSource>,
}

/// How connections that only read are opened.
pub(crate) struct ReadSource {
    path: PathBuf,
    /// What the engine calls the file.
    name: CString,
    settings: Settings,
}

impl ReadSource {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a connection to the database that this source was made for.
    pub(crate) fn connect(&self) -> Result<Connection, LsmError> {
        let settings = &self.settings;
        let connection = patiently(|| {
            Connection::open(
                &settings.env,
                &self.path,
                settings.opening(),
                &settings.params(),
                &settings.codecs,
            )
        })?;
        if connection.name() != self.name.as_c_str() {
            let error = LsmError::new("open a reader", LsmErrorCode::LsmCantOpen);
            return Err(error.with_path(&self.path).with_message(
                "this relative path leads to another file now; change the current directory back, \
                 or open the database by an absolute path",
            ));
        }
        Ok(connection)
    }
}

/// Readers.
impl LsmDb {
    /// Opens a [`Reader`]: a handle for another thread, which reads beside this one.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("demo.lsm");
    /// use lsmlite_rs::LsmDb;
    ///
    /// let mut db = LsmDb::open(&path)?;
    /// db.insert("key", "value")?;
    /// let reader = db.reader()?;
    /// let found = std::thread::spawn(move || reader.get("key"));
    /// db.insert("key", "another value")?;
    /// assert!(found.join().unwrap()?.is_some());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `LsmMisuse` if the handle isn't connected; whatever opening the file runs into.
    pub fn reader(&self) -> Result<Reader, LsmError> {
        Reader::open(self.read_source("open a reader")?)
    }

    pub(crate) fn read_source(&self, operation: &'static str) -> Result<Arc<ReadSource>, LsmError> {
        let connection = self.session(operation)?.connection();
        Ok(Arc::new(ReadSource {
            path: connection.path().to_owned(),
            name: connection.name().to_owned(),
            settings: Settings {
                read_only: true,
                create: false,
                background: BackgroundMode::None,
                ..self.settings(operation)?
            },
        }))
    }
}

impl Reader {
    pub(crate) fn open(source: Arc<ReadSource>) -> Result<Reader, LsmError> {
        Ok(Reader {
            connection: source.connect()?,
            source,
        })
    }

    pub(crate) fn source(&self) -> &Arc<ReadSource> {
        &self.source
    }

    /// Ends the snapshots of iterators that were leaked.
    pub(crate) fn let_go(&mut self) {
        self.connection.let_go();
    }

    pub(crate) fn view(&self, _: &'static str) -> Result<View<'_>, LsmError> {
        Ok(View::opened_by(&self.connection, open_cursor))
    }
}

reads! {
    /// Reading: the newest commit. What an iterator sees is settled with the first record that is
    /// asked for.
    ///
    /// `LsmBusy` if a process opens or closes the file, or writers commit, without a pause for ten
    /// seconds.
    impl Reader
}

/// Commits that come one upon the other may keep a connection from getting hold of one.
fn open_cursor(connection: &Connection) -> Result<Cursor<'_>, LsmError> {
    patiently(|| connection.cursor())
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("path", &self.connection.path())
            .finish_non_exhaustive()
    }
}
