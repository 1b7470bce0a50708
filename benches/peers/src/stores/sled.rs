//! sled at its defaults: no codec, and a flush by a thread of its own each 500 ms, so that
//! **a process that is killed may lose that much**; a weaker promise than that of the others. Where commits
//! are synced `flush` follows each. It has no compaction and no path for sorted records.

use std::path::Path;

use sled::Batch;

use crate::child::data::glance;
use crate::child::{Key, Reader, Result, Settings, Store};

pub struct Sled {
    db: sled::Db,
    sync: bool,
}

pub struct SledReader {
    records: sled::Tree,
}

impl Store for Sled {
    type Reader<'a> = SledReader;

    fn open(dir: &Path, settings: &Settings) -> Result<Sled> {
        if settings.zstd.is_some() {
            return Err("sled is compiled without its codec".into());
        }
        let cache = settings.cache_bytes as u64;
        let config = sled::Config::new().path(dir.join("sled"));
        Ok(Sled {
            db: config.cache_capacity(cache).open()?,
            sync: settings.sync,
        })
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<()> {
        self.db.insert(key, value)?;
        if self.sync {
            self.db.flush()?;
        }
        Ok(())
    }

    fn put_batch(&mut self, records: &[(Key, &[u8])]) -> Result<()> {
        let mut batch = Batch::default();
        for (key, value) in records {
            batch.insert(key, *value);
        }
        Ok(self.db.apply_batch(batch)?)
    }

    fn ingest<'v>(&mut self, _: impl Iterator<Item = (Key, &'v [u8])>) -> Result<()> {
        Err("sled has no way of its own for sorted records".into())
    }

    fn compact(self) -> Result<Sled> {
        self.db.flush()?;
        Ok(self)
    }

    fn reader(&self) -> Result<SledReader> {
        let records = (*self.db).clone();
        Ok(SledReader { records })
    }

    fn close(self) -> Result<()> {
        self.db.flush()?;
        Ok(())
    }
}

impl Reader for SledReader {
    fn get(&mut self, key: &Key) -> Result<Option<u64>> {
        Ok(self.records.get(key)?.map(|value| glance(&value)))
    }

    fn get_anew(&mut self, key: &Key) -> Result<Option<u64>> {
        self.get(key)
    }

    fn scan(
        &mut self,
        from: Option<&Key>,
        backwards: bool,
        limit: u64,
        mut show: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let mut records = match from {
            Some(key) => self.records.range(&key[..]..),
            None => self.records.iter(),
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
            show(&key, &value);
        }
        Ok(())
    }
}
