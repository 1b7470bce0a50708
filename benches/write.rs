//! What a write costs the caller: keys of 16 bytes, values of 100 bytes unless the name says
//! otherwise, an empty database at the start of each benchmark that grows as it runs.
//!
//! Conditions: fixed seed, a temporary folder (set `TMPDIR` to measure another disk), default
//! settings unless the name says otherwise: nothing is synced but checkpoints. Only figures
//! of the same machine compare. `cargo bench --bench write`.

#![allow(missing_docs)]

mod common;

use common::{SplitMix64, key, short, value};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lsmlite_rs::config::{BackgroundMode, Safety};
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder, WriteBatch};
use tempfile::TempDir;

fn empty(builder: LsmDbBuilder) -> (LsmDb, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let db = builder.open(dir.path().join("bench.lsm")).unwrap();
    (db, dir)
}

fn single(c: &mut Criterion) {
    let mut group = c.benchmark_group("insert_16+100B");
    group.throughput(Throughput::Elements(1));
    let value = value(&mut SplitMix64(1));
    let modes = [
        ("none", BackgroundMode::None),
        ("merger", BackgroundMode::Merger),
        ("checkpointer", BackgroundMode::Checkpointer),
        ("both", BackgroundMode::MergerAndCheckpointer),
    ];
    for (name, mode) in modes {
        let (mut db, _dir) = empty(LsmDb::builder().background(mode));
        let mut n = 0;
        group.bench_function(format!("sequential/threads_{name}"), |b| {
            b.iter(|| {
                n += 1;
                db.insert(key(n), &value).unwrap();
            });
        });
        let (mut db, _dir) = empty(LsmDb::builder().background(mode));
        let mut random = SplitMix64(2);
        group.bench_function(format!("random/threads_{name}"), |b| {
            b.iter(|| db.insert(key(random.next()), &value).unwrap());
        });
    }
    let (mut db, _dir) = empty(LsmDb::builder().safety(Safety::Full));
    let mut n = 0;
    group.bench_function("sequential/safety_full", |b| {
        b.iter(|| {
            n += 1;
            db.insert(key(n), &value).unwrap();
        });
    });
    group.finish();
}

fn sizes(c: &mut Criterion) {
    let mut group = c.benchmark_group("insert_random");
    for size in [1024, 10 * 1024] {
        let value = SplitMix64(1).bytes(size);
        group.throughput(Throughput::Bytes(size as u64));
        let (mut db, _dir) = empty(LsmDb::builder());
        let mut random = SplitMix64(3);
        group.bench_function(format!("16+{}KiB", size / 1024), |b| {
            b.iter(|| db.insert(key(random.next()), &value).unwrap());
        });
    }
    group.finish();
}

fn batches(c: &mut Criterion) {
    let mut group = c.benchmark_group("transaction_1000x16+100B");
    group.throughput(Throughput::Elements(1000));
    let value = value(&mut SplitMix64(1));
    let (mut db, _dir) = empty(LsmDb::builder());
    let mut random = SplitMix64(4);
    group.bench_function("random", |b| {
        b.iter(|| {
            db.begin_transaction().unwrap();
            for _ in 0..1000 {
                db.insert(key(random.next()), &value).unwrap();
            }
            db.commit_transaction().unwrap();
        });
    });
    // A batch sorts itself; the second one has nothing left to sort.
    for sorted in [false, true] {
        let (mut db, _dir) = empty(LsmDb::builder());
        let mut random = SplitMix64(4);
        let mut batch = WriteBatch::new();
        group.bench_function(
            if sorted {
                "batch_sorted"
            } else {
                "batch_random"
            },
            |b| {
                b.iter(|| {
                    let mut keys: Vec<_> = (0..1000).map(|_| key(random.next())).collect();
                    if sorted {
                        keys.sort_unstable();
                    }
                    batch.clear();
                    for key in keys {
                        batch.insert(key, &value);
                    }
                    db.write(&batch).unwrap();
                });
            },
        );
    }
    group.finish();
}

/// Sorted records into an empty database, up to the checkpoint that makes them durable.
fn ingestion(c: &mut Criterion) {
    const RECORDS: u64 = 200_000;
    let mut group = c.benchmark_group("sorted_200k_x_16+100B");
    group.throughput(Throughput::Elements(RECORDS));
    let value = value(&mut SplitMix64(1));
    group.bench_function("insert", |b| {
        b.iter_with_large_drop(|| {
            let (mut db, dir) = empty(LsmDb::builder());
            for n in 0..RECORDS {
                db.insert(key(n), &value).unwrap();
            }
            db.flush().unwrap();
            db.checkpoint().unwrap();
            (db, dir)
        });
    });
    group.bench_function("ingest", |b| {
        b.iter_with_large_drop(|| {
            let (mut db, dir) = empty(LsmDb::builder());
            db.ingest((0..RECORDS).map(|n| (key(n), &value))).unwrap();
            (db, dir)
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = short();
    targets = single, sizes, batches, ingestion
}
criterion_main!(benches);
