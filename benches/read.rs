//! What it costs to look up one key among 200,000 records of 16 + 100 bytes: compacted into
//! one sorted run, or as the writes left them; keys that are there, and keys that aren't.
//!
//! Conditions: fixed seed, random order, everything in the operating system's cache, a
//! temporary folder. Only figures of the same machine compare. `cargo bench --bench read`.

#![allow(missing_docs)]

mod common;

use std::hint::black_box;

use common::{SplitMix64, filled, key, short};
use criterion::{Criterion, criterion_group, criterion_main};
use lsmlite_rs::config::Mmap;
use lsmlite_rs::{Cursor, Disk, LsmCursorSeekOp, LsmDb};

const RECORDS: u64 = 200_000;

fn get(c: &mut Criterion) {
    let mut group = c.benchmark_group("get_200k_x_16+100B");
    let cases = [
        ("compacted", LsmDb::builder(), true),
        ("compacted_mmap", LsmDb::builder().mmap(Mmap::All), true),
        ("as_written", LsmDb::builder(), false),
    ];
    for (name, builder, compact) in cases {
        // A smaller tree than the default one, so that the data is in the file.
        let (db, _dir) = filled(builder.autoflush_kib(1024), RECORDS, compact);
        let mut random = SplitMix64(5);
        group.bench_function(format!("{name}/present"), |b| {
            b.iter(|| {
                let value = db.get(key(random.next() % RECORDS * 2)).unwrap();
                assert!(black_box(value).is_some());
            });
        });
        group.bench_function(format!("{name}/missing"), |b| {
            b.iter(|| {
                let value = db.get(key(random.next() % RECORDS * 2 + 1)).unwrap();
                assert!(black_box(value).is_none());
            });
        });
        if name == "compacted" {
            let mut cursor = db.cursor_open().unwrap();
            group.bench_function(format!("{name}/present_kept_cursor"), |b| {
                b.iter(|| {
                    let key = key(random.next() % RECORDS * 2);
                    cursor.seek(&key, LsmCursorSeekOp::LsmCursorSeekEq).unwrap();
                    black_box(cursor.get_value().unwrap());
                });
            });
        }
    }
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = get }
criterion_main!(benches);
