//! What it costs to walk over 100,000 records of 16 + 100 bytes, and over short ranges of
//! them, in both directions; the figures of whole scans are also given per record.
//!
//! Conditions: fixed seed, everything in the operating system's cache, a temporary folder.
//! Only figures of the same machine compare. `cargo bench --bench scan`.

#![allow(missing_docs)]

mod common;

use std::hint::black_box;

use common::{SplitMix64, filled, key, short};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lsmlite_rs::{Cursor, Disk, LsmDb};

const RECORDS: u64 = 100_000;

fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan_100k_x_16+100B");
    group.throughput(Throughput::Elements(RECORDS));
    for (name, compact) in [("compacted", true), ("as_written", false)] {
        let (db, _dir) = filled(LsmDb::builder().autoflush_kib(1024), RECORDS, compact);
        group.bench_function(format!("{name}/forward"), |b| {
            b.iter(|| assert_eq!(db.iter().map(black_box).count() as u64, RECORDS));
        });
        group.bench_function(format!("{name}/backward"), |b| {
            b.iter(|| assert_eq!(db.iter().rev().map(black_box).count() as u64, RECORDS));
        });
        group.bench_function(format!("{name}/cursor"), |b| {
            b.iter(|| {
                let mut cursor = db.cursor_open().unwrap();
                let mut n = 0;
                cursor.first().unwrap();
                while cursor.valid().is_ok() {
                    black_box(cursor.get_value().unwrap());
                    n += 1;
                    cursor.next().unwrap();
                }
                assert_eq!(n, RECORDS);
            });
        });
    }
    group.finish();
}

fn short_ranges(c: &mut Criterion) {
    let mut group = c.benchmark_group("range_in_100k_x_16+100B");
    let (db, _dir) = filled(LsmDb::builder().autoflush_kib(1024), RECORDS, true);
    for length in [10, 100] {
        group.throughput(Throughput::Elements(length));
        let mut random = SplitMix64(6);
        group.bench_function(format!("{length}_records"), |b| {
            b.iter(|| {
                let start = random.next() % (RECORDS - length) * 2;
                let range = db.range(key(start)..key(start + 2 * length));
                assert_eq!(range.map(black_box).count() as u64, length);
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = whole, short_ranges }
criterion_main!(benches);
