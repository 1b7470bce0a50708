//! RocksDB with what its wiki recommends to begin with ("Setup Options and Basic Tuning"): dynamic
//! level sizes, as many background jobs as cores, blocks of 16 KiB, index and filter in the cache,
//! those of level 0 pinned, filters of 10 bits, a background sync after each MiB. Write-ahead log on.
//!
//! The cache has four shards: with 64, which is what a small cache gets, none of them would hold the
//! filter of a million keys, and it would be read anew for each get.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, BottommostLevelCompaction, Cache, CompactOptions, CompactionPri, DB,
    DBCompressionType, DBRawIterator, LruCacheOptions, Options, SstFileWriter, WriteBatch,
    WriteOptions,
};

use crate::child::data::glance;
use crate::child::{Key, Reader, Result, Settings, Store};

pub struct RocksDb {
    db: DB,
    options: Options,
    write: WriteOptions,
}

pub struct RocksDbReader<'a> {
    db: &'a DB,
}

fn options(settings: &Settings) -> Options {
    let mut table = BlockBasedOptions::default();
    let mut cache = LruCacheOptions::default();
    cache.set_capacity(settings.cache_bytes);
    cache.set_num_shard_bits(2);
    table.set_block_cache(&Cache::new_lru_cache_opts(&cache));
    table.set_block_size(16 * 1024);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&table);
    options.set_level_compaction_dynamic_level_bytes(true);
    let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
    options.set_max_background_jobs(cores.max(2) as i32);
    options.set_bytes_per_sync(1 << 20);
    options.set_compaction_pri(CompactionPri::MinOverlappingRatio);
    match settings.zstd {
        Some(level) => {
            options.set_compression_type(DBCompressionType::Zstd);
            options.set_compression_options(-14, level.into(), 0, 0);
        }
        None => options.set_compression_type(DBCompressionType::None),
    }
    options
}

impl Store for RocksDb {
    type Reader<'a> = RocksDbReader<'a>;

    fn open(dir: &Path, settings: &Settings) -> Result<RocksDb> {
        let options = options(settings);
        let db = DB::open(&options, dir.join("rocksdb"))?;
        let mut write = WriteOptions::default();
        write.set_sync(settings.sync);
        Ok(RocksDb { db, options, write })
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<()> {
        Ok(self.db.put_opt(key, value, &self.write)?)
    }

    fn put_batch(&mut self, records: &[(Key, &[u8])]) -> Result<()> {
        let mut batch = WriteBatch::default();
        for (key, value) in records {
            batch.put(key, value);
        }
        Ok(self.db.write_opt(batch, &self.write)?)
    }

    fn ingest<'v>(&mut self, records: impl Iterator<Item = (Key, &'v [u8])>) -> Result<()> {
        let file = self.db.path().join("sorted.sst");
        let mut writer = SstFileWriter::create(&self.options);
        writer.open(&file)?;
        for (key, value) in records {
            writer.put(key, value)?;
        }
        writer.finish()?;
        drop(writer);
        // The file is linked into the database, and not copied.
        let mut options = rocksdb::IngestExternalFileOptions::default();
        options.set_move_files(true);
        Ok(self.db.ingest_external_file_opts(&options, vec![file])?)
    }

    fn compact(self) -> Result<RocksDb> {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::ForceOptimized);
        self.db
            .compact_range_opt(None::<&[u8]>, None::<&[u8]>, &options);
        Ok(self)
    }

    fn reader(&self) -> Result<RocksDbReader<'_>> {
        Ok(RocksDbReader { db: &self.db })
    }

    fn close(self) -> Result<()> {
        Ok(())
    }
}

impl Reader for RocksDbReader<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<u64>> {
        Ok(self.db.get_pinned(key)?.map(|value| glance(&value)))
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
        let mut records: DBRawIterator<'_> = self.db.raw_iterator();
        match (from, backwards) {
            (Some(key), _) => records.seek(key),
            (None, false) => records.seek_to_first(),
            (None, true) => records.seek_to_last(),
        }
        for _ in 0..limit {
            let Some((key, value)) = records.item() else {
                break;
            };
            show(key, value);
            match backwards {
                true => records.prev(),
                false => records.next(),
            }
        }
        Ok(records.status()?)
    }
}
