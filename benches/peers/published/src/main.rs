//! lsmlite-rs 0.2.2 at its defaults, with a background merger: the nearest to our preset that it
//! has. The codec has no level. A reader is a cursor of the one handle, which isn't safe to share
//! between threads, so that there are no rows with two of them.

#[path = "../../src/child/mod.rs"]
#[allow(dead_code, unused_imports)] // Marks are the other program's.
mod child;

use std::path::Path;

use child::data::glance;
use child::{Key, Plan, Reader, Result, Settings, Store};
use lsmlite_rs::{
    Cursor, DbConf, Disk, LsmCompressionLib, LsmCursor, LsmCursorSeekOp, LsmDb, LsmHandleMode,
    LsmMode,
};

fn main() -> Result<()> {
    // After `child` and the name of the store.
    child::run::<Published>(&Plan::parse(std::env::args().skip(3))?)
}

struct Published {
    db: LsmDb,
}

struct PublishedReader<'a> {
    db: &'a LsmDb,
    cursor: LsmCursor<'a>,
}

// SAFETY: its handle may move to another thread, and its cursor goes with it. No second reader is used
// at the same time, as `PARALLEL` says, and the first thread waits meanwhile.
unsafe impl Send for PublishedReader<'_> {}

impl Store for Published {
    const PARALLEL: bool = false;

    type Reader<'a> = PublishedReader<'a>;

    fn open(dir: &Path, settings: &Settings) -> Result<Published> {
        if settings.sync {
            return Err("0.2.2 can't sync each commit".into());
        }
        let codec = match settings.zstd {
            Some(_) => LsmCompressionLib::ZStd,
            None => LsmCompressionLib::NoCompression,
        };
        let mode = LsmMode::LsmBackgroundMerger;
        let handle = LsmHandleMode::ReadWrite;
        let name = "published".to_owned();
        let conf = DbConf::new_with_parameters(dir, name, mode, handle, None, codec);
        let mut db = LsmDb::default();
        db.initialize(conf)?;
        db.connect()?;
        Ok(Published { db })
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<()> {
        Ok(self.db.persist(key, value)?)
    }

    fn put_batch(&mut self, records: &[(Key, &[u8])]) -> Result<()> {
        self.db.begin_transaction()?;
        for (key, value) in records {
            self.db.persist(key, value)?;
        }
        Ok(self.db.commit_transaction()?)
    }

    fn ingest<'v>(&mut self, _: impl Iterator<Item = (Key, &'v [u8])>) -> Result<()> {
        Err("0.2.2 has no way of its own for sorted records".into())
    }

    fn compact(mut self) -> Result<Published> {
        self.db.optimize()?;
        Ok(self)
    }

    fn reader(&self) -> Result<PublishedReader<'_>> {
        let db = &self.db;
        let cursor = db.cursor_open()?;
        Ok(PublishedReader { db, cursor })
    }

    fn close(mut self) -> Result<()> {
        Ok(self.db.disconnect()?)
    }
}

/// The value under the cursor, if it is that of the key: an exact seek of a cursor that was used before
/// may rest on another one.
fn look(cursor: &LsmCursor<'_>, key: &Key) -> Result<Option<u64>> {
    if cursor.valid().is_err() || Cursor::get_key(cursor)? != key {
        return Ok(None);
    }
    Ok(Some(glance(&Cursor::get_value(cursor)?)))
}

impl Reader for PublishedReader<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<u64>> {
        self.cursor.seek(key, LsmCursorSeekOp::LsmCursorSeekEq)?;
        look(&self.cursor, key)
    }

    fn get_anew(&mut self, key: &Key) -> Result<Option<u64>> {
        let mut cursor = self.db.cursor_open()?;
        cursor.seek(key, LsmCursorSeekOp::LsmCursorSeekEq)?;
        look(&cursor, key)
    }

    fn scan(
        &mut self,
        from: Option<&Key>,
        backwards: bool,
        limit: u64,
        mut show: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let cursor = &mut self.cursor;
        match (from, backwards) {
            (Some(key), _) => cursor.seek(key, LsmCursorSeekOp::LsmCursorSeekGe)?,
            (None, false) => cursor.first()?,
            (None, true) => cursor.last()?,
        }
        for _ in 0..limit {
            if cursor.valid().is_err() {
                break;
            }
            show(&Cursor::get_key(cursor)?, &Cursor::get_value(cursor)?);
            match backwards {
                false => cursor.next()?,
                true => cursor.prev()?,
            }
        }
        Ok(())
    }
}
