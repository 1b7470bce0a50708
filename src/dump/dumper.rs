//! [`Dump`]: all records of a database, one after the other, into a stream.

use std::fmt;
use std::io::{self, Write};
use std::ops::{Bound, ControlFlow};

use super::{BinaryWriter, DumpError, JsonWriter};
use crate::db::LsmDb;
use crate::error::LsmError;
use crate::read::LsmRange;

/// Progress is shown after so many records.
const SHOWN: u64 = 4096;

/// Where records go, one after the other, with the tables that they are in.
pub trait RecordSink {
    /// What follows is in this table, or in the plain keys, where every stream begins.
    ///
    /// # Errors
    /// It can't be written.
    fn table(&mut self, name: Option<&str>) -> io::Result<()>;

    /// A record.
    ///
    /// # Errors
    /// It can't be written.
    fn record(&mut self, key: &[u8], value: &[u8]) -> io::Result<()>;
}

impl<W: Write> RecordSink for BinaryWriter<W> {
    fn table(&mut self, name: Option<&str>) -> io::Result<()> {
        self.table(name)
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.record(key, value)
    }
}

impl<W: Write> RecordSink for JsonWriter<W> {
    fn table(&mut self, name: Option<&str>) -> io::Result<()> {
        self.table(name)
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.record(key, value)
    }
}

/// Shows how many records were written, and says whether to go on.
type Show<'a> = Box<dyn FnMut(u64) -> ControlFlow<()> + 'a>;

/// Writes all records of a database into a stream: the plain keys, then each table, in the order of
/// their keys and all from one moment.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("demo.lsm");
/// use lsmlite_rs::LsmDb;
/// use lsmlite_rs::dump::{BinaryReader, BinaryWriter, Dump, Load};
///
/// let mut db = LsmDb::open(&path)?;
/// db.insert("key", "value")?;
/// db.table("users")?.insert("7", "Anna")?;
/// let mut dump = BinaryWriter::new(Vec::new(), None)?;
/// assert_eq!(Dump::new().run(&db, &mut dump)?, 2);
/// let bytes = dump.finish()?;
///
/// let mut copy = LsmDb::open(dir.path().join("copy.lsm"))?;
/// let report = Load::new().run(&mut copy, &mut BinaryReader::new(&bytes[..])?)?;
/// assert_eq!(report.records, 2);
/// assert_eq!(copy.table("users")?.get("7")?, Some(b"Anna".to_vec()));
/// # Ok(()) }
/// ```
#[must_use = "nothing is written until `run`"]
#[derive(Default)]
pub struct Dump<'a> {
    only: Option<Option<String>>,
    after: Option<(Option<String>, Option<Vec<u8>>)>,
    progress: Option<Show<'a>>,
}

impl fmt::Debug for Dump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dump").finish_non_exhaustive()
    }
}

impl<'a> Dump<'a> {
    /// Of everything.
    pub fn new() -> Dump<'a> {
        Dump::default()
    }

    /// Only this table, or only the plain keys. Default: everything.
    pub fn only(mut self, table: Option<&str>) -> Dump<'a> {
        self.only = Some(table.map(str::to_owned));
        self
    }

    /// Leaves out what comes up to this key of this table, because it was written already; without a
    /// key, only what comes before the table. The stream is taken to be in that table.
    pub fn after(mut self, table: Option<&str>, key: Option<&[u8]>) -> Dump<'a> {
        self.after = Some((table.map(str::to_owned), key.map(<[u8]>::to_vec)));
        self
    }

    /// Calls this every few thousand records with their number; [`ControlFlow::Break`] ends the dump
    /// with an error that [`is_cancelled`](LsmError::is_cancelled).
    pub fn on_progress(mut self, show: impl FnMut(u64) -> ControlFlow<()> + 'a) -> Dump<'a> {
        self.progress = Some(Box::new(show));
        self
    }

    /// Writes the records to `sink`, and returns how many. What `sink` needs at its end, such as
    /// [`BinaryWriter::finish`], is yet to be called.
    ///
    /// # Errors
    /// The database can't be read, the stream not be written.
    pub fn run(mut self, db: &LsmDb, sink: &mut dyn RecordSink) -> Result<u64, DumpError> {
        let snapshot = db.snapshot()?;
        let tables = db.tables()?.into_iter().map(Some);
        let mut places: Vec<Option<String>> = std::iter::once(None).chain(tables).collect();
        if let Some(only) = &self.only {
            places.retain(|place| place == only);
        }
        if let Some((table, _)) = &self.after {
            // `None`, the plain keys, comes before all tables.
            places.retain(|place| place >= table);
        }
        let mut count = 0;
        for place in places {
            let place = place.as_deref();
            let after = self
                .after
                .as_ref()
                .filter(|(table, _)| table.as_deref() == place);
            let start = match after {
                Some((_, Some(key))) => Bound::Excluded(&key[..]),
                _ => Bound::Unbounded,
            };
            if place.is_some() && after.is_none() {
                sink.table(place)?;
            }
            let range = (start, Bound::Unbounded);
            match place {
                None => write(
                    snapshot.range::<&[u8]>(range),
                    sink,
                    &mut count,
                    &mut self.progress,
                )?,
                Some(name) => {
                    let table = snapshot.read_table(name)?;
                    write(
                        table.range::<&[u8]>(range),
                        sink,
                        &mut count,
                        &mut self.progress,
                    )?;
                }
            }
        }
        Ok(count)
    }
}

fn write(
    mut records: LsmRange<'_>,
    sink: &mut dyn RecordSink,
    count: &mut u64,
    progress: &mut Option<Show<'_>>,
) -> Result<(), DumpError> {
    while let Some((key, value)) = records.next_ref()? {
        sink.record(key, value)?;
        *count += 1;
        if *count % SHOWN == 0 {
            if let Some(ControlFlow::Break(())) = progress.as_mut().map(|show| show(*count)) {
                return Err(LsmError::cancelled("dump").into());
            }
        }
    }
    Ok(())
}
