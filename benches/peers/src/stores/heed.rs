//! LMDB, through heed: a transaction for each write and one for all reads of a reader. `NO_SYNC`
//! leaves syncing to the operating system, so that a commit survives the process. Where commits are
//! synced there are no flags, which is the default. Sorted records go in with `APPEND` in one
//! transaction; compacting is a copy with `CompactionOption::Enabled`. LMDB has no cache of its own.
//!
//! `Lmdb<true>` is LMDB with `WRITE_MAP` and `MAP_ASYNC` as well. Its documentation says of them that
//! they lose the protection against stray writes of the program, and that the operating system then
//! has no hint of when to write what: a power failure may destroy the file. So it is measured, and
//! not counted among the peers.

use std::fs;
use std::path::{Path, PathBuf};

use heed::types::Bytes;
use heed::{
    CommitOrAbort, CompactionOption, Database, Env, EnvFlags, EnvOpenOptions, PutFlags, RoTxn,
    WithoutTls,
};

use crate::child::data::glance;
use crate::child::{Key, Reader, Result, Settings, Store};

type Records = Database<'static, Bytes, Bytes>;

pub struct Lmdb<const MAPPED: bool> {
    env: Env<WithoutTls>,
    records: Records,
    settings: Settings,
    /// Where the environment is: a copy lies beside the first one.
    dir: PathBuf,
}

pub struct LmdbReader<'a> {
    env: &'a Env<WithoutTls>,
    transaction: RoTxn<'a, WithoutTls>,
    records: Records,
}

impl<const MAPPED: bool> Lmdb<MAPPED> {
    fn open_at(dir: &Path, settings: &Settings) -> Result<(Env<WithoutTls>, Records)> {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(settings.most_bytes.next_multiple_of(1 << 20));
        let flags = match settings.sync {
            true => EnvFlags::empty(),
            false if MAPPED => EnvFlags::WRITE_MAP | EnvFlags::MAP_ASYNC,
            false => EnvFlags::NO_SYNC,
        };
        // SAFETY: nobody else uses the files in this folder, on a local file system; a power
        // failure, which these flags are unsafe for, isn't survived by the measurement either.
        let env = unsafe { options.flags(flags).open(dir)? };
        let transaction = env.write_txn()?;
        let records = env.create_databases_and_commit(transaction, |opener, tx| {
            let records = opener.create_database(tx, None)?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(records))
        })?;
        let records = records.unwrap_commit();
        Ok((env, records))
    }
}

impl<const MAPPED: bool> Store for Lmdb<MAPPED> {
    type Reader<'a> = LmdbReader<'a>;

    fn open(dir: &Path, settings: &Settings) -> Result<Self> {
        if settings.zstd.is_some() {
            return Err("LMDB has no codec".into());
        }
        let copy = dir.join("compact");
        let dir = if copy.exists() { copy } else { dir.into() };
        let (env, records) = Self::open_at(&dir, settings)?;
        Ok(Lmdb {
            env,
            records,
            settings: *settings,
            dir,
        })
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        self.records.put(&mut transaction, key, value)?;
        Ok(transaction.commit()?)
    }

    fn put_batch(&mut self, records: &[(Key, &[u8])]) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        for (key, value) in records {
            self.records.put(&mut transaction, key, value)?;
        }
        Ok(transaction.commit()?)
    }

    fn ingest<'v>(&mut self, records: impl Iterator<Item = (Key, &'v [u8])>) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        for (key, value) in records {
            let flags = PutFlags::APPEND;
            self.records
                .put_with_flags(&mut transaction, flags, &key, value)?;
        }
        transaction.commit()?;
        // As others, which leave sorted files that are synced.
        Ok(self.env.force_sync()?)
    }

    fn compact(self) -> Result<Self> {
        let dir = self.dir.join("compact");
        fs::create_dir(&dir)?;
        let (file, compact) = (dir.join("data.mdb"), CompactionOption::Enabled);
        drop(self.env.copy_to_path(file, compact)?);
        drop(self.env);
        fs::remove_file(self.dir.join("data.mdb"))?;
        let (env, records) = Self::open_at(&dir, &self.settings)?;
        Ok(Lmdb {
            env,
            records,
            settings: self.settings,
            dir,
        })
    }

    fn reader(&self) -> Result<LmdbReader<'_>> {
        Ok(LmdbReader {
            env: &self.env,
            transaction: self.env.read_txn()?,
            records: self.records,
        })
    }

    fn close(self) -> Result<()> {
        self.env.prepare_for_closing().wait();
        Ok(())
    }
}

impl Reader for LmdbReader<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<u64>> {
        Ok(self.records.get(&self.transaction, key)?.map(glance))
    }

    fn get_anew(&mut self, key: &Key) -> Result<Option<u64>> {
        let transaction = self.env.read_txn()?;
        Ok(self.records.get(&transaction, key)?.map(glance))
    }

    fn scan(
        &mut self,
        from: Option<&Key>,
        backwards: bool,
        limit: u64,
        mut show: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let each = |record: heed::Result<(&[u8], &[u8])>| {
            let (key, value) = record?;
            show(key, value);
            Ok(())
        };
        match (from, backwards) {
            (Some(key), _) => {
                let range = (
                    std::ops::Bound::Included(&key[..]),
                    std::ops::Bound::Unbounded,
                );
                let mut records = self.records.range(&self.transaction, &range)?;
                records.by_ref().take(limit).try_for_each(each)
            }
            (None, true) => {
                let mut records = self.records.rev_iter(&self.transaction)?;
                records.by_ref().take(limit).try_for_each(each)
            }
            (None, false) => {
                let mut records = self.records.iter(&self.transaction)?;
                records.by_ref().take(limit).try_for_each(each)
            }
        }
    }
}
