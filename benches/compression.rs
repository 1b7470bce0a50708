//! What each codec costs, without and with page checksums: writing 20,000 records of 16 + 100 bytes into a new file and
//! compacting it, and looking one key up in 200,000 (more than the engine's page cache of
//! 2 MiB holds, so that nearly every look-up decompresses a page), and reading those from first to last. Half of each value doesn't
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
use lsmlite_rs::compression::Compression;
use lsmlite_rs::{LsmDb, LsmDbBuilder};

const WRITTEN: u64 = 20_000;
const READ: u64 = 200_000;

const CODECS: [(&str, Compression, bool); 8] = [
    ("none", Compression::None, false),
    ("none_checksums", Compression::None, true),
    ("lz4", Compression::LZ4, false),
    ("lz4_checksums", Compression::LZ4, true),
    ("zlib", Compression::ZLIB, false),
    ("zlib_checksums", Compression::ZLIB, true),
    ("zstd", Compression::ZSTD, false),
    ("zstd_checksums", Compression::ZSTD, true),
];

fn builder(codec: Compression, checksums: bool) -> LsmDbBuilder {
    LsmDb::builder()
        .compression(codec)
        .page_checksums(checksums)
}

fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("write_and_compact_20k_x_16+100B");
    group.throughput(Throughput::Elements(WRITTEN));
    for (name, codec, checksums) in CODECS {
        let builder = || builder(codec, checksums);
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
    for (name, codec, checksums) in CODECS {
        let (db, _dir) = filled(builder(codec, checksums), READ, true);
        let mut random = SplitMix64(7);
        group.bench_function(name, |b| {
            b.iter(|| black_box(db.get(key(random.next() % READ * 2)).unwrap()));
        });
    }
    group.finish();
}

fn scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan_200k_x_16+100B");
    group.throughput(Throughput::Elements(READ));
    for (name, codec, checksums) in CODECS {
        let (db, _dir) = filled(builder(codec, checksums), READ, true);
        group.bench_function(name, |b| b.iter(|| black_box(db.iter().count())));
    }
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = write, read, scan }
criterion_main!(benches);
