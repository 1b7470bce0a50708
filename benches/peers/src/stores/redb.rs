//! redb: a transaction for each write. It has no commit that survives the process and no more:
//! `Durability::None` loses all that was written since the last `Immediate`. So its file is given a
//! backend of ours whose sync does nothing, except where commits are synced. A read transaction and
//! its table are kept for reads.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
};

use crate::child::data::glance;
use crate::child::{Key, Reader, Result, Settings, Store};

const RECORDS: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("records");

/// A file that is never synced.
struct Unsynced(FileBackend);

impl fmt::Debug for Unsynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unsynced")
    }
}

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

pub struct Redb {
    db: Database,
}

pub struct RedbReader<'a> {
    db: &'a Database,
    records: ReadOnlyTable<&'static [u8; 16], &'static [u8]>,
}

impl Store for Redb {
    type Reader<'a> = RedbReader<'a>;

    fn open(dir: &Path, settings: &Settings) -> Result<Redb> {
        if settings.zstd.is_some() {
            return Err("redb has no codec".into());
        }
        let path = dir.join("redb");
        let mut builder = Database::builder();
        builder.set_cache_size(settings.cache_bytes);
        let db = match settings.sync {
            true => builder.create(path)?,
            false => {
                let mut options = OpenOptions::new();
                options.read(true).write(true).create(true).truncate(false);
                let file = FileBackend::new(options.open(path)?)?;
                builder.create_with_backend(Unsynced(file))?
            }
        };
        let transaction = db.begin_write()?;
        transaction.open_table(RECORDS)?;
        transaction.commit()?;
        Ok(Redb { db })
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<()> {
        let transaction = self.db.begin_write()?;
        transaction.open_table(RECORDS)?.insert(key, value)?;
        Ok(transaction.commit()?)
    }

    fn put_batch(&mut self, records: &[(Key, &[u8])]) -> Result<()> {
        let transaction = self.db.begin_write()?;
        let mut table = transaction.open_table(RECORDS)?;
        for (key, value) in records {
            table.insert(key, *value)?;
        }
        drop(table);
        Ok(transaction.commit()?)
    }

    fn ingest<'v>(&mut self, records: impl Iterator<Item = (Key, &'v [u8])>) -> Result<()> {
        let transaction = self.db.begin_write()?;
        let mut table = transaction.open_table(RECORDS)?;
        for (key, value) in records {
            table.insert(&key, value)?;
        }
        drop(table);
        Ok(transaction.commit()?)
    }

    fn compact(mut self) -> Result<Redb> {
        self.db.compact()?;
        Ok(self)
    }

    fn reader(&self) -> Result<RedbReader<'_>> {
        let records = self.db.begin_read()?.open_table(RECORDS)?;
        let db = &self.db;
        Ok(RedbReader { db, records })
    }

    fn close(self) -> Result<()> {
        Ok(())
    }
}

impl Reader for RedbReader<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<u64>> {
        Ok(self.records.get(key)?.map(|value| glance(value.value())))
    }

    fn get_anew(&mut self, key: &Key) -> Result<Option<u64>> {
        let records = self.db.begin_read()?.open_table(RECORDS)?;
        Ok(records.get(key)?.map(|value| glance(value.value())))
    }

    fn scan(
        &mut self,
        from: Option<&Key>,
        backwards: bool,
        limit: u64,
        mut show: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let mut records = match from {
            Some(key) => self.records.range::<&Key>(key..)?,
            None => self.records.iter()?,
        };
        for _ in 0..limit {
            let record = match backwards {
                true => records.next_back(),
                false => records.next(),
            };
            let Some(record) = record else {
                break;
            };
            let (key, value) = record?;
            show(key.value(), value.value());
        }
        Ok(())
    }
}
