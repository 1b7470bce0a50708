//! What the safe face costs beside the C API of the same engine, used by hand: compacted data,
//! 200,000 records of 16 + 100 bytes, the same file and the same mapping for both.
//!
//! The C side keeps one cursor open for all look-ups, which saves it the snapshot that each of a
//! handle's takes, and shows it the same moment for ever, as our `Snapshot` does. It looks at the first byte of each value, as
//! `get_with` and the scan without copies do; `get` copies the value besides.
//!
//! Conditions: fixed seed, random order, everything in the operating system's cache, a temporary
//! folder. Only the ratios of one run mean something. `cargo bench --bench overhead`.

#![allow(missing_docs)]

mod common;

use std::hint::black_box;
use std::ops::ControlFlow;

use common::by_hand::ByHand;
use common::{SplitMix64, filled, key, short};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lsmlite_rs::LsmDb;
use lsmlite_rs::config::Mmap;

const RECORDS: u64 = 200_000;

fn overhead(c: &mut Criterion) {
    let builder = LsmDb::builder().mmap(Mmap::All);
    let (db, dir) = filled(builder.clone().autoflush_kib(1024), RECORDS, true);
    db.close().unwrap();
    let path = dir.path().join("bench.lsm");
    // A file of its own, as the two don't know of each other's locks.
    let copy = dir.path().join("by-hand.lsm");
    std::fs::copy(&path, &copy).unwrap();
    let db = builder.open(&path).unwrap();
    let mut by_hand = ByHand::open(&copy);
    by_hand.keep_cursor();

    let mut group = c.benchmark_group("get_200k_x_16+100B_compacted");
    let mut random = SplitMix64(5);
    group.bench_function("c_api_kept_cursor", |b| {
        b.iter(|| black_box(by_hand.get(&key(random.next() % RECORDS * 2))));
    });
    let mut random = SplitMix64(5);
    group.bench_function("get_with", |b| {
        b.iter(|| {
            let key = key(random.next() % RECORDS * 2);
            black_box(db.get_with(key, |value| value[0]).unwrap().unwrap())
        });
    });
    // What the C side does, too: everything from one moment.
    let snapshot = db.snapshot().unwrap();
    let mut random = SplitMix64(5);
    group.bench_function("get_with_of_a_snapshot", |b| {
        b.iter(|| {
            let key = key(random.next() % RECORDS * 2);
            black_box(snapshot.get_with(key, |value| value[0]).unwrap().unwrap())
        });
    });
    drop(snapshot);
    let mut random = SplitMix64(5);
    group.bench_function("get", |b| {
        b.iter(|| {
            let key = key(random.next() % RECORDS * 2);
            black_box(db.get(key).unwrap().unwrap())
        });
    });
    group.finish();

    let mut group = c.benchmark_group("scan_200k_x_16+100B_compacted");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("c_api", |b| b.iter(|| black_box(by_hand.scan())));
    group.bench_function("for_each_ref", |b| {
        b.iter(|| {
            let (mut count, mut sum) = (0, 0);
            let scan = db.iter().for_each_ref(|key, value| {
                sum += u64::from(key[0]) + u64::from(value[0]);
                count += 1;
                ControlFlow::Continue(())
            });
            assert!(scan.unwrap() && count == RECORDS);
            black_box((count, sum))
        });
    });
    group.bench_function("next_ref", |b| {
        b.iter(|| {
            let (mut count, mut sum) = (0, 0);
            let mut records = db.iter();
            while let Some((key, value)) = records.next_ref().unwrap() {
                sum += u64::from(key[0]) + u64::from(value[0]);
                count += 1;
            }
            assert_eq!(count, RECORDS);
            black_box((count, sum))
        });
    });
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = overhead }
criterion_main!(benches);
