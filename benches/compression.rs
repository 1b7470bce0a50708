//! What each codec costs: writing 20,000 records of 16 + 100 bytes into a new file and
//! compacting it, and looking one key up in 200,000 (more than the engine's page cache of
//! 2 MiB holds, so that nearly every look-up decompresses a page). Half of each value doesn't
//! compress. The size of each file is printed first.
//!
//! Conditions: fixed seed, default levels, pages of 4 KiB, everything in the operating
//! system's cache, a temporary folder. Only figures of the same machine compare.
//! `cargo bench --bench compression`.

#![allow(missing_docs)]

mod common;

use std::fs;
use std::hint::black_box;

use common::{SplitMix64, filled, key, short};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lsmlite_rs::LsmDb;
use lsmlite_rs::compression::Compression;

const WRITTEN: u64 = 20_000;
const READ: u64 = 200_000;

const CODECS: [(&str, Compression); 4] = [
    ("none", Compression::None),
    ("lz4", Compression::LZ4),
    ("zlib", Compression::ZLIB),
    ("zstd", Compression::ZSTD),
];

fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("write_and_compact_20k_x_16+100B");
    group.throughput(Throughput::Elements(WRITTEN));
    for (name, codec) in CODECS {
        let builder = || LsmDb::builder().compression(codec);
        let (db, dir) = filled(builder(), WRITTEN, true);
        db.close().unwrap();
        let size = fs::metadata(dir.path().join("bench.lsm")).unwrap().len();
        println!("{name}: a file of {} KiB", size / 1024);
        group.bench_function(name, |b| b.iter(|| filled(builder(), WRITTEN, true)));
    }
    group.finish();
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("get_200k_x_16+100B");
    for (name, codec) in CODECS {
        let (db, _dir) = filled(LsmDb::builder().compression(codec), READ, true);
        let mut random = SplitMix64(7);
        group.bench_function(name, |b| {
            b.iter(|| black_box(db.get(key(random.next() % READ * 2)).unwrap()));
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = write, read }
criterion_main!(benches);
