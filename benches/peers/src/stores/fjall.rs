//! fjall at its defaults, without a codec: each write goes to the operating system (`persist` after
//! it where commits are synced), filters are built, as many worker threads as cores. `start_ingestion` for
//! sorted records.

use std::path::Path;

use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use crate::child::data::glance;
use crate::child::{Key, Reader, Result, Settings, Store};

pub struct Fjall {
    db: Database,
    records: Keyspace,
    sync: bool,
}

pub struct FjallReader {
    snapshot: fjall::Snapshot,
    records: Keyspace,
}

impl Store for Fjall {
    type Reader<'a> = FjallReader;

    fn open(dir: &Path, settings: &Settings) -> Result<Fjall> {
        if settings.zstd.is_some() {
            return Err("fjall has no zstd".into());
        }
        let cache = settings.cache_bytes as u64;
        let db = Database::builder(dir).cache_size(cache).open()?;
        let records = db.keyspace("records", || {
            let none = CompressionPolicy::all(CompressionType::None);
            KeyspaceCreateOptions::default().data_block_compression_policy(none)
        })?;
        let sync = settings.sync;
        Ok(Fjall { db, records, sync })
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<()> {
        self.records.insert(key, value)?;
        if self.sync {
            self.db.persist(PersistMode::SyncData)?;
        }
        Ok(())
    }

    fn put_batch(&mut self, records: &[(Key, &[u8])]) -> Result<()> {
        let mut batch = self.db.batch();
        for (key, value) in records {
            batch.insert(&self.records, key, *value);
        }
        Ok(batch.commit()?)
    }

    fn ingest<'v>(&mut self, records: impl Iterator<Item = (Key, &'v [u8])>) -> Result<()> {
        let mut ingestion = self.records.start_ingestion()?;
        for (key, value) in records {
            ingestion.write(key, value)?;
        }
        Ok(ingestion.finish()?)
    }

    fn compact(self) -> Result<Fjall> {
        self.records.rotate_memtable_and_wait()?;
        self.records.major_compact()?;
        Ok(self)
    }

    fn reader(&self) -> Result<FjallReader> {
        Ok(FjallReader {
            snapshot: self.db.snapshot(),
            records: self.records.clone(),
        })
    }

    fn close(self) -> Result<()> {
        Ok(())
    }
}

impl Reader for FjallReader {
    fn get(&mut self, key: &Key) -> Result<Option<u64>> {
        let value = self.snapshot.get(&self.records, key)?;
        Ok(value.map(|value| glance(&value)))
    }

    fn get_anew(&mut self, key: &Key) -> Result<Option<u64>> {
        Ok(self.records.get(key)?.map(|value| glance(&value)))
    }

    fn scan(
        &mut self,
        from: Option<&Key>,
        backwards: bool,
        limit: u64,
        mut show: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let mut records = match from {
            Some(key) => self.snapshot.range::<&Key, _>(&self.records, key..),
            None => self.snapshot.iter(&self.records),
        };
        for _ in 0..limit {
            let record = match backwards {
                true => records.next_back(),
                false => records.next(),
            };
            let Some(record) = record else {
                break;
            };
            let (key, value) = record.into_inner()?;
            show(&key, &value);
        }
        Ok(())
    }
}
