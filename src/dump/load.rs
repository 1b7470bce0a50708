//! [`Load`]: records from a stream into a database, by way of ingestion.

use std::fmt;
use std::ops::ControlFlow;

use super::{DumpError, Entry, RecordSource};
use crate::db::LsmDb;
use crate::error::LsmError;
use crate::write::WriteBatch;

/// So many records, or bytes, are looked at before it is decided how they are written.
const AHEAD_RECORDS: usize = 10_000;
const AHEAD_BYTES: usize = 8 << 20;
/// Records that aren't sorted are sorted in memory, so many bytes at a time.
const SORTED_BYTES: usize = 64 << 20;
/// What a record takes in memory besides its bytes, about.
const OVERHEAD: usize = 64;
/// Sorted records become durable in pieces of so many bytes.
const PIECE_BYTES: usize = 256 << 20;

/// How far a load has come.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadProgress {
    /// Records that were read, those that were passed over included.
    pub records: u64,
    /// Records of these that are in the database for sure.
    pub committed: u64,
}

/// What a load has done.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// Records that were inserted. If a key came twice, it counts twice, and the last one stays.
    pub records: u64,
    /// Records that were there already, when going on after an interruption.
    pub skipped: u64,
    /// True if the progress callback ended it.
    pub is_interrupted: bool,
}

type Show<'a> = Box<dyn FnMut(&LoadProgress) -> ControlFlow<()> + 'a>;
type Record = (Vec<u8>, Vec<u8>);

/// Inserts the records of a stream into a database.
///
/// Sorted records are [ingested](LsmDb::ingest) as they come, and become durable in pieces of 256 MiB;
/// others are collected and sorted in memory first, 64 MiB at a time. Records replace those with the
/// same keys. See [`Dump`](super::Dump) for an example.
#[must_use = "nothing is inserted until `run`"]
#[derive(Default)]
pub struct Load<'a> {
    table: Option<String>,
    resume: bool,
    progress: Option<Show<'a>>,
}

impl fmt::Debug for Load<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load").finish_non_exhaustive()
    }
}

impl<'a> Load<'a> {
    /// Into the tables that the stream names.
    pub fn new() -> Load<'a> {
        Load::default()
    }

    /// Everything into this table, whatever the stream says.
    pub fn into_table(mut self, name: &str) -> Load<'a> {
        self.table = Some(name.to_owned());
        self
    }

    /// Goes on with a load of the same stream that was interrupted: passes over the records up to
    /// the largest key that is in the database. Default: false.
    ///
    /// The stream must be sorted, and nothing else may have written to these tables. As far as that
    /// shows, it is checked: the last record that is passed over must be in the database.
    pub fn resume(mut self, yes: bool) -> Load<'a> {
        self.resume = yes;
        self
    }

    /// Calls this every few thousand records, and when the load is over, also if it has failed.
    /// [`ControlFlow::Break`] ends the load behind the records that were read: they are inserted.
    pub fn on_progress(
        mut self,
        show: impl FnMut(&LoadProgress) -> ControlFlow<()> + 'a,
    ) -> Load<'a> {
        self.progress = Some(Box::new(show));
        self
    }

    /// Inserts all records of `source`.
    ///
    /// # Errors
    /// Those of `source` and of the database. What was committed before stays; [`LoadProgress`] tells
    /// how much, and [`resume`](Self::resume) goes on behind it.
    pub fn run(
        self,
        db: &mut LsmDb,
        source: &mut dyn RecordSource,
    ) -> Result<LoadReport, DumpError> {
        let mut job = Job {
            source,
            into: self.table.clone(),
            show: self.progress,
            so_far: LoadProgress::default(),
            report: LoadReport::default(),
            skipping: None,
        };
        let done = job.all(db, self.table, self.resume);
        // Also of what was in vain: whoever goes on wants to know where.
        job.so_far.committed = job.report.records + job.report.skipped;
        let _ = job.show();
        done.map(|()| job.report)
    }
}

/// What the source has next, owned.
enum Next {
    Record(Record),
    Table(Option<String>),
    End,
}

struct Job<'a, 'b> {
    source: &'a mut dyn RecordSource,
    /// Everything goes into this table.
    into: Option<String>,
    show: Option<Show<'b>>,
    so_far: LoadProgress,
    report: LoadReport,
    skipping: Option<Skipping>,
}

/// Records up to this one are in the database.
struct Skipping {
    last: Record,
    key: Option<Vec<u8>>,
    is_found: bool,
}

impl Job<'_, '_> {
    /// All that the source has, into this table until it names another.
    fn all(
        &mut self,
        db: &mut LsmDb,
        mut table: Option<String>,
        resume: bool,
    ) -> Result<(), DumpError> {
        if resume {
            self.skip(db, table.as_deref())?;
        }
        let mut next = self.next()?;
        loop {
            next = match next {
                Next::End => return Ok(()),
                Next::Table(name) => {
                    table = name;
                    if let Some(name) = &table {
                        // Also one without records is made.
                        db.table(name)?.write(&WriteBatch::new())?;
                    }
                    if resume {
                        self.skip(db, table.as_deref())?;
                    }
                    self.next()?
                }
                Next::Record(record) => {
                    let next = self.piece(db, table.as_deref(), record)?;
                    self.so_far.committed = self.report.records + self.report.skipped;
                    next
                }
            }
        }
    }

    fn show(&mut self) -> ControlFlow<()> {
        match &mut self.show {
            Some(show) => show(&self.so_far),
            None => ControlFlow::Continue(()),
        }
    }

    fn next(&mut self) -> Result<Next, DumpError> {
        loop {
            if self.so_far.records % 4096 == 0 && self.show().is_break() {
                self.report.is_interrupted = true;
            }
            if self.report.is_interrupted {
                return Ok(Next::End);
            }
            match self.source.next_entry()? {
                None => {
                    self.end_of_table()?;
                    return Ok(Next::End);
                }
                Some(Entry::Table(name)) => {
                    let name = name.map(str::to_owned);
                    if self.into.is_none() {
                        self.end_of_table()?;
                        return Ok(Next::Table(name));
                    }
                }
                Some(Entry::Record(key, value)) => {
                    self.so_far.records += 1;
                    let is_there = match &mut self.skipping {
                        Some(skipping) => skipping.passes(key, value)?,
                        None => false,
                    };
                    if !is_there {
                        return Ok(Next::Record((key.to_vec(), value.to_vec())));
                    }
                    self.report.skipped += 1;
                }
            }
        }
    }

    /// Finds out what is there already.
    fn skip(&mut self, db: &LsmDb, table: Option<&str>) -> Result<(), DumpError> {
        let last = match table {
            Some(name) => db.read_table(name)?.last()?,
            None => db.last()?,
        };
        self.skipping = last.map(|last| Skipping {
            last,
            key: None,
            is_found: false,
        });
        Ok(())
    }

    fn end_of_table(&mut self) -> Result<(), DumpError> {
        match self.skipping.take() {
            Some(skipping) if !skipping.is_found => Err(skipping.foreign()),
            _ => Ok(()),
        }
    }

    /// Inserts this record and those that follow, up to the end of the piece; returns what comes
    /// then.
    fn piece(
        &mut self,
        db: &mut LsmDb,
        table: Option<&str>,
        first: Record,
    ) -> Result<Next, DumpError> {
        let mut bytes = size(&first);
        let mut records = vec![first];
        let mut is_sorted = true;
        let next = loop {
            let limit = if is_sorted { AHEAD_BYTES } else { SORTED_BYTES };
            if bytes >= limit || (is_sorted && records.len() >= AHEAD_RECORDS) {
                break None;
            }
            match self.next()? {
                Next::Record(record) => {
                    is_sorted &= records.last().is_none_or(|last| record.0 > last.0);
                    bytes += size(&record);
                    records.push(record);
                }
                other => break Some(other),
            }
        };
        let count = records.len() as u64;
        if !is_sorted {
            // Stable: of a key that came several times, the last one counts.
            records.sort_by(|a, b| a.0.cmp(&b.0));
            records.reverse();
            records.dedup_by(|a, b| a.0 == b.0);
            records.reverse();
        }
        match next {
            Some(_) if records.len() < AHEAD_RECORDS && bytes < AHEAD_BYTES => {
                insert(db, table, &records)?;
                self.report.records += count;
            }
            Some(_) => {
                ingest(db, table, records.into_iter().map(Ok))?;
                self.report.records += count;
            }
            None if !is_sorted => {
                ingest(db, table, records.into_iter().map(Ok))?;
                self.report.records += count;
            }
            None => return self.stream(db, table, records, bytes),
        }
        match next {
            Some(next) => Ok(next),
            None => self.next(),
        }
    }

    /// Ingests these records, and those that follow as long as they are sorted.
    fn stream(
        &mut self,
        db: &mut LsmDb,
        table: Option<&str>,
        begin: Vec<Record>,
        mut bytes: usize,
    ) -> Result<Next, DumpError> {
        let mut last = begin
            .last()
            .map(|record| record.0.clone())
            .unwrap_or_default();
        let mut begin = begin.into_iter();
        let mut next = None;
        let records = std::iter::from_fn(|| {
            if let Some(record) = begin.next() {
                return Some(Ok(record));
            }
            if bytes >= PIECE_BYTES {
                return None;
            }
            match self.next() {
                Ok(Next::Record(record)) if record.0 > last => {
                    last.clone_from(&record.0);
                    bytes += size(&record);
                    Some(Ok(record))
                }
                Ok(other) => {
                    next = Some(other);
                    None
                }
                Err(error) => Some(Err(error)),
            }
        });
        let count = ingest(db, table, records.fuse())?;
        self.report.records += count;
        match next {
            Some(next) => Ok(next),
            None => self.next(),
        }
    }
}

impl Skipping {
    /// True if the record is in the database.
    fn passes(&mut self, key: &[u8], value: &[u8]) -> Result<bool, DumpError> {
        if self.key.as_deref().is_some_and(|before| key <= before) {
            let problem = "the records aren't sorted by their keys, so that nothing tells which of \
                           them are in the database: load all of them";
            return Err(DumpError::Resume(problem.to_owned()));
        }
        match key.cmp(&self.last.0) {
            std::cmp::Ordering::Less => {
                self.key.get_or_insert_default().clear();
                self.key.get_or_insert_default().extend_from_slice(key);
                Ok(true)
            }
            std::cmp::Ordering::Equal if value == self.last.1 => {
                self.is_found = true;
                self.key = Some(key.to_vec());
                Ok(true)
            }
            _ if self.is_found => Ok(false),
            _ => Err(self.foreign()),
        }
    }

    fn foreign(&self) -> DumpError {
        let key = super::Encoding::Text.encode(&self.last.0);
        DumpError::Resume(format!(
            "the database has a record with the key {key} that isn't in this stream: it has been \
             written to by others"
        ))
    }
}

fn size(record: &Record) -> usize {
    record.0.len() + record.1.len() + OVERHEAD
}

fn ingest(
    db: &mut LsmDb,
    table: Option<&str>,
    records: impl Iterator<Item = Result<Record, DumpError>>,
) -> Result<u64, DumpError> {
    match table {
        Some(name) => db.table(name)?.try_ingest(records),
        None => db.try_ingest(records),
    }
}

/// Few records: in one transaction.
fn insert(db: &mut LsmDb, table: Option<&str>, records: &[Record]) -> Result<(), LsmError> {
    db.transact(|tx| match table {
        Some(name) => {
            let mut table = tx.table(name)?;
            records
                .iter()
                .try_for_each(|(key, value)| table.insert(key, value))
        }
        None => records
            .iter()
            .try_for_each(|(key, value)| tx.insert(key, value)),
    })
}
