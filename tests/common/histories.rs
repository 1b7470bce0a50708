//! Random histories of one database, with settings of all kinds.

use std::fs;
use std::path::Path;

use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::Mmap;
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder};

use super::{Result, SplitMix64};

/// Settings of all kinds, small ones preferred: they make more of a file.
pub fn any_settings(random: &mut SplitMix64) -> LsmDbBuilder {
    let page = random.pick(&[256, 256, 512, 1024, 1024, 4096, 4096, 16_384, 65_536]);
    let block = (page * 8 / 1024).max(random.pick(&[64, 64, 64, 128, 1024]));
    let mut builder = LsmDb::builder()
        .page_size_bytes(page)
        .block_size_kib(block)
        .autoflush_kib(random.pick(&[0, 8, 16, 64, 256]))
        .autocheckpoint_kib(random.pick(&[64, 64, 128, 2048, 0]))
        .automerge_segments(random.pick(&[2, 3, 4, 8]))
        .max_free_list(random.pick(&[2, 4, 24]))
        .autowork(!random.one_in(8))
        .multi_process(random.one_in(8));
    builder = builder.page_checksums(random.one_in(3));
    builder = match random.below(8) {
        0 => builder.compression(Compression::LZ4),
        1 => builder.compression(Compression::ZLIB),
        2 => builder.compression(Compression::ZSTD),
        3 | 4 => builder.mmap(Mmap::All),
        _ => builder,
    };
    builder
}

pub fn key(random: &mut SplitMix64) -> Vec<u8> {
    let n = random.below(3000) as u16;
    match random.below(30) {
        0 => [vec![b'k'; 400], n.to_be_bytes().to_vec()].concat(),
        1 => Vec::new(),
        _ => n.to_be_bytes().to_vec(),
    }
}

pub fn value(random: &mut SplitMix64) -> Vec<u8> {
    let len = match random.below(60) {
        0 => 20_000,
        1..=4 => 1500,
        _ => random.below(200),
    };
    let half = random.bytes(len as usize / 2);
    [half.clone(), half].concat()
}

pub fn step(db: &mut LsmDb, random: &mut SplitMix64, range_deletes: bool) -> Result {
    match random.below(100) {
        0..=59 => db.insert(key(random), value(random))?,
        60..=79 => db.remove(key(random))?,
        80..=84 if range_deletes => db.delete_range(&key(random), &key(random))?,
        85..=92 => {
            db.begin_transaction()?;
            for _ in 0..random.below(60) {
                db.insert(key(random), value(random))?;
            }
            match random.one_in(3) {
                true => db.rollback_transaction()?,
                false => db.commit_transaction()?,
            }
        }
        93 => db.flush()?,
        94 => drop(db.checkpoint()?),
        95..=97 => drop(db.work(random.below(40) as u32)?),
        98 if random.one_in(6) => db.compact()?,
        _ => {}
    }
    Ok(())
}

/// Copies a database that is open, as a crash of the process would leave it.
pub fn crash_copy(from: &Path, to: &Path) -> Result {
    fs::copy(from, to)?;
    let log = |path: &Path| path.with_extension("lsm-log");
    let _ = fs::remove_file(log(to));
    if log(from).exists() {
        fs::copy(log(from), log(to))?;
    }
    Ok(())
}
