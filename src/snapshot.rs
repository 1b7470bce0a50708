//! [`Snapshot`]: one state of a database, for as long as it is wanted.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::db::LsmDb;
use crate::error::{LsmError, LsmErrorCode};
use crate::raw::Connection;
use crate::read::{LsmRange, View, reads};
use crate::reader::{ReadSource, Reader};
use crate::session::patiently;

/// The database as it was at one moment, whatever is written meanwhile; from
/// [`LsmDb::snapshot`] and [`Reader::snapshot`].
///
/// It isn't free: as long as it lives, neither memory nor blocks of the file that were replaced since
/// are used again. Memory grows by all that is written meanwhile, to 2 GiB at most; then writes are
/// refused with `LsmFull`. The file grows by what is merged; [`LsmDb::snapshot_cost`] says by how
/// much. Drop a snapshot, or [`refresh`](Self::refresh) it, before that hurts.
///
/// The engine remembers six different moments. With more than that a new snapshot is remembered as
/// an older one that is still alive, and costs as much as that.
///
/// `Snapshot` is [`Send`], not [`Sync`], and may outlive the handle that it came from.
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<lsmlite_rs::Snapshot>();
/// ```
///
/// While an iterator is alive it can't be moved on to another moment:
///
/// ```compile_fail,E0502
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let db = lsmlite_rs::LsmDb::open("never.lsm")?;
/// let mut snapshot = db.snapshot()?;
/// let mut records = snapshot.iter();
/// snapshot.refresh()?;
/// records.next();
/// # Ok(()) }
/// ```
pub struct Snapshot {
    /// Holds the snapshot.
    connection: Connection,
    source: Arc<ReadSource>,
    taken: Instant,
}

/// What a [`Snapshot`] keeps from being reused; from [`LsmDb::snapshot_cost`].
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotCost {
    /// Blocks of the file that were freed since, and have to stay as they are.
    pub blocks: u64,
    /// The same in KiB.
    pub file_kib: u64,
}

/// Snapshots.
impl LsmDb {
    /// Keeps the newest commit readable, whatever is written from now on. What an open
    /// transaction of this handle has written isn't in it.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("demo.lsm");
    /// use lsmlite_rs::LsmDb;
    ///
    /// let mut db = LsmDb::open(&path)?;
    /// db.insert("balance", "100")?;
    /// let before = db.snapshot()?;
    /// db.insert("balance", "70")?;
    /// assert_eq!(before.get("balance")?, Some(b"100".to_vec()));
    /// assert_eq!(db.get("balance")?, Some(b"70".to_vec()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`reader`](Self::reader) and [`Reader::get`].
    pub fn snapshot(&self) -> Result<Snapshot, LsmError> {
        Snapshot::take(self.read_source("take a snapshot")?)
    }

    /// What this snapshot keeps from being reused at this moment.
    ///
    /// Only blocks of the file are counted: memory, which the engine doesn't tell, has grown by about
    /// as much as was written since. Some of the blocks may have to wait for a checkpoint or another
    /// reader as well.
    ///
    /// # Errors
    /// `LsmMisuse` for the snapshot of another database; as [`stats`](Self::stats).
    pub fn snapshot_cost(&self, snapshot: &Snapshot) -> Result<SnapshotCost, LsmError> {
        let session = self.session("snapshot_cost")?;
        let connection = session.connection();
        if connection.name() != snapshot.connection.name() {
            let error = LsmError::new("snapshot_cost", LsmErrorCode::LsmMisuse);
            return Err(error.with_path(connection.path()).with_message(format!(
                "the snapshot is one of {}: ask a handle of that",
                snapshot.connection.path().display()
            )));
        }
        let blocks = session.blocks_freed_since(snapshot.connection.snapshot_id()?)?;
        Ok(SnapshotCost {
            blocks,
            file_kib: blocks * u64::from(connection.block_size_kib()?),
        })
    }
}

impl Reader {
    /// Keeps the newest commit readable; see [`LsmDb::snapshot`].
    ///
    /// # Errors
    /// As [`LsmDb::snapshot`].
    pub fn snapshot(&self) -> Result<Snapshot, LsmError> {
        Snapshot::take(Arc::clone(self.source()))
    }
}

impl Snapshot {
    pub(crate) fn take(source: Arc<ReadSource>) -> Result<Snapshot, LsmError> {
        let mut connection = source.connect()?;
        patiently(|| connection.hold())?;
        Ok(Snapshot {
            connection,
            source,
            taken: Instant::now(),
        })
    }

    /// How long ago it was taken, or refreshed.
    pub fn age(&self) -> Duration {
        self.taken.elapsed()
    }

    /// Moves on to the newest commit.
    ///
    /// # Errors
    /// As [`LsmDb::snapshot`]; it stays what it was then.
    pub fn refresh(&mut self) -> Result<(), LsmError> {
        *self = Snapshot::take(Arc::clone(&self.source))?;
        Ok(())
    }
}

impl Snapshot {
    pub(crate) fn view(&self, _: &'static str) -> Result<View<'_>, LsmError> {
        Ok(View::new(&self.connection))
    }
}

reads! {
    /// Reading: what was there when it was taken.
    impl Snapshot
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("path", &self.connection.path())
            .field("age", &self.age())
            .finish_non_exhaustive()
    }
}
