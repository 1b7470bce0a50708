//! Copies records into the new database, newest first.

use super::graves::Graves;
use super::{OPERATION, SalvageProgress, SalvageReport};
use crate::db::LsmDb;
use crate::error::LsmError;
use crate::format::log::Change;
use crate::format::page::kind;
use crate::format::plan::{Rank, Run, before};
use crate::format::run::{Event, Record};
use crate::verify::Damage;

/// A transaction ends after so many records or bytes.
const BATCH_RECORDS: usize = 1000;
const BATCH_BYTES: usize = 4 << 20;

/// How many pages are read between two reports of progress.
const STRIDE: u64 = 64;

/// The new database and what is known about it.
pub(super) struct Rescue<'p> {
    db: LsmDb,
    graves: Graves,
    pub(super) report: SalvageReport,
    progress: Option<&'p mut dyn FnMut(&SalvageProgress)>,
    pages: u64,
    /// Something was written before the present segment.
    has_older_writes: bool,
    batch: (usize, usize),
}

/// The record before, in one run.
#[derive(Default)]
pub(super) struct Neighbour {
    /// Its key, and whether the gap behind it is deleted.
    previous: Option<(Vec<u8>, bool)>,
    /// Something between it and the next record is lost.
    unknown: bool,
}

impl<'p> Rescue<'p> {
    pub(super) fn new(
        db: LsmDb,
        graves: Graves,
        report: SalvageReport,
        progress: Option<&'p mut dyn FnMut(&SalvageProgress)>,
    ) -> Self {
        Rescue {
            db,
            graves,
            report,
            progress,
            pages: 0,
            has_older_writes: false,
            batch: (0, 0),
        }
    }

    /// Takes what a walk through a run meets.
    pub(super) fn event(
        &mut self,
        run: &Run,
        neighbour: &mut Neighbour,
        event: Event<'_>,
    ) -> Result<(), LsmError> {
        match event {
            Event::Page(_) => self.page(),
            Event::Skipped => {
                neighbour.unknown = true;
                self.report.records_skipped += 1;
            }
            Event::Fault(fault) => {
                neighbour.unknown = true;
                self.report
                    .lose(Damage::of(Some((run.level, run.place)), fault));
            }
            Event::Record(record) => self.record(run, neighbour, record)?,
        }
        Ok(())
    }

    pub(super) fn page(&mut self) {
        self.pages += 1;
        if self.pages % STRIDE == 0 {
            self.show_progress();
        }
    }

    pub(super) fn show_progress(&mut self) {
        let so_far = SalvageProgress {
            pages: self.pages,
            records: self.report.records,
        };
        if let Some(progress) = &mut self.progress {
            progress(&so_far);
        }
    }

    fn record(
        &mut self,
        run: &Run,
        neighbour: &mut Neighbour,
        record: Record,
    ) -> Result<(), LsmError> {
        if record.is(kind::SYSTEM) || record.is_separator() {
            return Ok(());
        }
        let stale = |split: &Rank| before(record.rank(), split);
        let stale = run.is_right() && run.split.as_ref().is_some_and(stale);
        let unknown = std::mem::take(&mut neighbour.unknown);
        let previous = neighbour.previous.take();
        if !stale {
            if record.is(kind::END_DELETE) && !unknown {
                self.gap_before(run, previous.as_ref().map(|(key, _)| &key[..]), &record.key)?;
            }
            if record.is(kind::DELETE) {
                self.graves.add_key(&record.key)?;
            }
            if record.is(kind::INSERT) {
                self.insert(&record.key, &record.value)?;
            }
        }
        neighbour.previous = Some((record.key, record.kind & kind::BEGIN_DELETE != 0));
        Ok(())
    }

    /// Older records between two neighbours are deleted.
    fn gap_before(&mut self, run: &Run, after: Option<&[u8]>, key: &[u8]) -> Result<(), LsmError> {
        let mut from = match after {
            // The smallest key that is larger.
            Some(after) => [after, &[0]].concat(),
            None => Vec::new(),
        };
        if let (true, Some((false, split))) = (run.is_right(), &run.split) {
            from = from.max(split.clone());
        }
        self.graves.add_range(&from, Some(key))
    }

    /// At the end of a run: the last gap of a merge's result goes up to the split key.
    pub(super) fn end_run(&mut self, run: &Run, neighbour: Neighbour) -> Result<(), LsmError> {
        if let (false, Some(split), Some((key, true)), false) = (
            run.is_right(),
            &run.split,
            &neighbour.previous,
            neighbour.unknown,
        ) {
            let from = [&key[..], &[0]].concat();
            let to = (!split.0).then_some(&split.1[..]);
            self.graves.add_range(&from, to)?;
        }
        self.has_older_writes |= self.report.records > 0;
        Ok(())
    }

    /// Writes a record unless a newer one has its key, or deletes it.
    pub(super) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmError> {
        if self.graves.cover(key)? || self.has_older_writes && self.db.contains_key(key)? {
            self.report.records_superseded += 1;
            return Ok(());
        }
        self.report.records += 1;
        self.write(key.len() + value.len(), |db| db.insert(key, value))
    }

    /// From here on a key may have been written already.
    pub(super) fn compare_all(&mut self) {
        self.has_older_writes = true;
    }

    /// Applies a change from the log, which is newer than everything else.
    pub(super) fn apply(&mut self, change: Change) -> Result<(), LsmError> {
        self.report.log_changes += 1;
        match change {
            Change::Insert(key, value) => {
                self.write(key.len() + value.len(), |db| db.insert(&key, &value))
            }
            Change::Delete(key) => self.write(key.len(), |db| db.remove(&key)),
            Change::DeleteBetween(from, to) => self.write(from.len() + to.len(), |db| {
                db.session_mut(OPERATION)?.delete_range(&from, &to)
            }),
        }
    }

    fn write(
        &mut self,
        len: usize,
        write: impl FnOnce(&mut LsmDb) -> Result<(), LsmError>,
    ) -> Result<(), LsmError> {
        if self.batch.0 == 0 {
            self.db.session_mut(OPERATION)?.begin()?;
        }
        self.batch.0 += 1;
        self.batch.1 += len;
        write(&mut self.db)?;
        if self.batch.0 >= BATCH_RECORDS || self.batch.1 >= BATCH_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), LsmError> {
        if self.batch.0 > 0 {
            self.batch = (0, 0);
            self.db.session_mut(OPERATION)?.commit()?;
        }
        Ok(())
    }

    /// Closes the new database.
    pub(super) fn finish(mut self) -> Result<SalvageReport, LsmError> {
        self.commit()?;
        self.show_progress();
        self.report.pages = self.pages;
        self.db.close()?;
        Ok(self.report)
    }
}
