//! lsmlite-rs, with one preset for everything (see [`builder`]).
//!
//! `get_with` and `for_each_ref` of a snapshot look at records without copying them; a get for the
//! newest commit goes to the thread's [`Reader`](lsmlite_rs::Reader).

use std::ops::ControlFlow;
use std::path::Path;

use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::{Mmap, Preset, Safety};
use lsmlite_rs::{LsmDb, LsmDbBuilder, Snapshot, WriteBatch};

use crate::child::data::glance;
use crate::child::{Key, Reader, Result, Settings, Store};

/// The settings of all rows: `Preset::WriteHeavy`, mapped, log on. What else is set is what a row
/// is about: its codec, and a sync per commit.
fn builder(settings: &Settings) -> LsmDbBuilder {
    let builder = LsmDb::builder().preset(Preset::WriteHeavy).mmap(Mmap::All);
    let builder = match settings.sync {
        true => builder.safety(Safety::Full),
        false => builder,
    };
    match settings.zstd {
        // Packed pages can't be mapped: the cache that everybody gets is the page cache. Trees in
        // memory leave room for it, and small blocks leave little of the file unused.
        Some(level) => (builder.compression(Compression::Zstd { level }))
            .page_size_bytes(8 * 1024)
            .block_size_kib(256)
            .page_cache_kib((settings.cache_bytes / 1024) as u32)
            .autoflush_kib(12 * 1024),
        None => builder,
    }
}

pub struct Ours {
    db: LsmDb,
    batch: WriteBatch,
}

pub struct OurReader {
    snapshot: Snapshot,
    reader: lsmlite_rs::Reader,
}

impl Store for Ours {
    type Reader<'a> = OurReader;

    fn open(dir: &Path, settings: &Settings) -> Result<Ours> {
        let db = builder(settings).open(dir.join("ours.lsm"))?;
        let batch = WriteBatch::new();
        Ok(Ours { db, batch })
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<()> {
        Ok(self.db.insert(key, value)?)
    }

    fn put_batch(&mut self, records: &[(Key, &[u8])]) -> Result<()> {
        self.batch.clear();
        for (key, value) in records {
            self.batch.insert(key, value);
        }
        Ok(self.db.write(&self.batch)?)
    }

    fn ingest<'v>(&mut self, records: impl Iterator<Item = (Key, &'v [u8])>) -> Result<()> {
        self.db.ingest(records)?;
        Ok(())
    }

    fn compact(mut self) -> Result<Ours> {
        self.db.compact()?;
        Ok(self)
    }

    fn reader(&self) -> Result<OurReader> {
        let reader = self.db.reader()?;
        let snapshot = reader.snapshot()?;
        Ok(OurReader { snapshot, reader })
    }

    fn close(self) -> Result<()> {
        Ok(self.db.close()?)
    }
}

impl Reader for OurReader {
    fn get(&mut self, key: &Key) -> Result<Option<u64>> {
        Ok(self.snapshot.get_with(key, glance)?)
    }

    fn get_anew(&mut self, key: &Key) -> Result<Option<u64>> {
        Ok(self.reader.get_with(key, glance)?)
    }

    fn scan(
        &mut self,
        from: Option<&Key>,
        backwards: bool,
        limit: u64,
        mut show: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let mut records = match from {
            Some(key) => self.snapshot.range::<&Key>(key..),
            None => self.snapshot.iter(),
        };
        let mut rest = limit;
        let show = |key: &[u8], value: &[u8]| {
            show(key, value);
            rest -= 1;
            match rest {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        };
        match backwards {
            true => records.for_each_back_ref(show)?,
            false => records.for_each_ref(show)?,
        };
        Ok(())
    }
}
