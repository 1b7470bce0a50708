//! Guards optimisations: each benchmark is the cost of one thing divided by that of another, both in
//! turns in one process, and its name says how much that may be. Absolute times would say more about
//! the machine than about the code.
//!
//! What is counted is the processor time of the whole process unless a comment says otherwise, as
//! other programs change that least. `.ci/ratios` reads the medians, and fails if one is too high
//! twice. The limits leave room: the comment at each has what was seen on a machine with 2 cores, idle
//! and with other work beside it, and what was seen without the optimisation.
//!
//! Conditions: fixed seed, records of 16 + 100 bytes, everything in the operating system's cache, a
//! temporary folder. `cargo bench --bench ratios`, or `.ci/ratios`.

#![allow(missing_docs)]

mod common;

use std::cell::LazyCell;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::by_hand::ByHand;
use common::clock::Clock;
use common::{SplitMix64, filled, key, value};
use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use criterion::{criterion_group, criterion_main};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::{BackgroundMode, Mmap};
use lsmlite_rs::{Durability, LsmDb, LsmDbBuilder, WriteBatch};
use tempfile::TempDir;

/// So many records are in a database that is read.
const RECORDS: u64 = 200_000;
/// So many are written to a new one; not so many that the tree in memory is full.
const WRITES: u64 = 60_000;
/// Look-ups between two looks at the clock.
const LOOKUPS: u64 = 2000;

/// A quotient of two times, as what criterion measures.
struct Ratio;

impl Measurement for Ratio {
    type Intermediate = ();
    type Value = f64;

    fn start(&self) {}

    fn end(&self, (): ()) -> f64 {
        unreachable!("all benchmarks measure themselves")
    }

    fn add(&self, a: &f64, b: &f64) -> f64 {
        a + b
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, value: &f64) -> f64 {
        *value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Ratio {
    fn scale_values(&self, _: f64, _: &mut [f64]) -> &'static str {
        "×"
    }

    fn scale_throughputs(&self, _: f64, _: &Throughput, _: &mut [f64]) -> &'static str {
        "×"
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        "×"
    }
}

/// Measures the seconds that `this` takes, divided by those of `by`, in turns.
fn ratio(
    c: &mut Criterion<Ratio>,
    name: &str,
    limit: f64,
    mut this: impl FnMut() -> f64,
    mut by: impl FnMut() -> f64,
) {
    let mut group = c.benchmark_group("ratios");
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function(BenchmarkId::new(name, format!("at most {limit}")), |b| {
        b.iter_custom(|times| {
            let mut sums = [0.0, 0.0];
            for n in 0..times {
                for turn in [n, n + 1] {
                    match turn % 2 {
                        0 => sums[0] += this(),
                        _ => sums[1] += by(),
                    }
                }
            }
            sums[0] / sums[1] * times as f64
        });
    });
    group.finish();
}

/// A file that is read, and the folder that it is in.
fn file(builder: LsmDbBuilder, compact: bool) -> (PathBuf, TempDir) {
    let (db, dir) = filled(builder.autoflush_kib(1024), RECORDS, compact);
    db.close().unwrap();
    (dir.path().join("bench.lsm"), dir)
}

/// A copy, for what must be alone with its file.
fn copy(of: &Path, name: &str) -> PathBuf {
    let path = of.with_file_name(name);
    fs::copy(of, &path).unwrap();
    path
}

/// Look-ups of records that are there, or that aren't.
fn lookups(db: &LsmDb, are_there: bool) -> impl FnMut() -> f64 + use<'_> {
    let mut random = SplitMix64(5);
    move || {
        Clock::Process.time(|| {
            for _ in 0..LOOKUPS {
                let n = random.next() % RECORDS * 2;
                let key = key(if are_there { n } else { n + 1 });
                let found = db.get_with(key, |value| black_box(value[0])).unwrap();
                assert_eq!(found.is_some(), are_there);
            }
        })
    }
}

fn reading(c: &mut Criterion<Ratio>) {
    let (path, _dir) = file(LsmDb::builder(), true);
    let mapped = LsmDb::builder().mmap(Mmap::All);
    let plain = copy(&path, "plain.lsm");
    let mut by_hand = ByHand::open(&copy(&path, "by-hand.lsm"));
    by_hand.keep_cursor();
    let mapped = mapped.open(&path).unwrap();

    let mut random = SplitMix64(5);
    // Seen 0.67 to 0.76; without the direct look-up 1.02, without the mapping 1.40.
    ratio(
        c,
        "get_with by kept C cursor",
        0.9,
        lookups(&mapped, true),
        || {
            Clock::Process.time(|| {
                for _ in 0..LOOKUPS {
                    black_box(by_hand.get(&key(random.next() % RECORDS * 2)));
                }
            })
        },
    );
    // Seen 0.51 to 0.58; records one by one instead of a page of them: 1.02 to 1.16.
    ratio(
        c,
        "for_each_ref by scan with C cursor",
        0.8,
        || {
            Clock::Process.time(|| {
                let (mut count, mut sum) = (0, 0);
                let scan = mapped.iter().for_each_ref(|key, value| {
                    sum += u64::from(key[0]) + u64::from(value[0]);
                    count += 1;
                    ControlFlow::Continue(())
                });
                assert!(scan.unwrap() && count == RECORDS);
                sum
            })
        },
        || Clock::Process.time(|| by_hand.scan()),
    );
    let plain = LsmDb::builder().open(plain).unwrap();
    // Seen 0.50 to 0.53; without the mapping 0.99.
    ratio(
        c,
        "get mapped by get unmapped",
        0.8,
        lookups(&mapped, true),
        lookups(&plain, true),
    );
    let cached = LazyCell::new(|| {
        let zlib = Compression::Zlib { level: 6 };
        let (path, dir) = file(LsmDb::builder().compression(zlib), true);
        let db = LsmDb::builder().page_cache_kib(64 * 1024).open(path);
        (db.unwrap(), dir)
    });
    // Seen 0.90 to 1.15; with a page cache of 2 MiB 19.
    ratio(
        c,
        "get cached, compressed by get mapped",
        3.0,
        || lookups(&cached.0, true)(),
        lookups(&mapped, true),
    );
    let (path, _dir) = file(LsmDb::builder(), false);
    let as_written = LsmDb::builder().mmap(Mmap::All).open(path).unwrap();
    // Seen 0.32 to 0.42; without filters 1.12 to 1.18, without the direct look-up 1.20.
    ratio(
        c,
        "get missing key by get, as written",
        0.75,
        lookups(&as_written, false),
        lookups(&as_written, true),
    );
    // Seen 1.13 to 1.21; without filters 1.67 to 2.03.
    ratio(
        c,
        "get as written by get compacted",
        1.5,
        lookups(&as_written, true),
        lookups(&mapped, true),
    );
}

/// An empty database in a folder of its own.
fn empty(builder: LsmDbBuilder) -> (LsmDb, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let db = builder.open(dir.path().join("bench.lsm")).unwrap();
    (db, dir)
}

/// Inserts one after the other into a new database.
fn inserts(clock: Clock, builder: LsmDbBuilder, writes: u64, keys: impl FnMut(u64) -> u64) -> f64 {
    let value = value(&mut SplitMix64(1));
    let (mut db, _dir) = empty(builder);
    let keys: Vec<_> = (0..writes).map(keys).map(key).collect();
    clock.time(|| {
        for key in keys {
            db.insert(key, &value).unwrap();
        }
    })
}

fn random(n: u64) -> u64 {
    SplitMix64(n).next()
}

fn writing(c: &mut Criterion<Ratio>) {
    let value = value(&mut SplitMix64(1));
    // Few keys, so that the log is most of it.
    let repeated = || inserts(Clock::Process, LsmDb::builder(), WRITES, |n| n % 64);
    // Seen 0.61 to 0.72; the log written by calls of the system: 1.03 to 1.16.
    ratio(c, "insert by insert with C", 0.9, repeated, || {
        let dir = tempfile::tempdir().unwrap();
        let mut db = ByHand::open(&dir.path().join("bench.lsm"));
        Clock::Process.time(|| {
            for n in 0..WRITES {
                db.insert(&key(n % 64), &value);
            }
        })
    });
    // The thread that writes, while others merge or not.
    let with = |mode| {
        move || {
            let builder = LsmDb::builder().autoflush_kib(1024).background(mode);
            inserts(Clock::Thread, builder, WRITES, random)
        }
    };
    // Seen 0.57 to 0.65; without threads 0.96 to 1.05.
    ratio(
        c,
        "insert with threads by without",
        0.85,
        with(BackgroundMode::MergerAndCheckpointer),
        with(BackgroundMode::None),
    );
    // Seen 0.71 to 0.84; a commit for each write: 1.04.
    ratio(
        c,
        "batches of 1000 by insert",
        0.95,
        || {
            let (mut db, _dir) = empty(LsmDb::builder());
            let mut batch = WriteBatch::new();
            Clock::Process.time(|| {
                for n in 0..WRITES / 1000 {
                    batch.clear();
                    for n in 1000 * n..1000 * (n + 1) {
                        batch.insert(key(n), &value);
                    }
                    db.write(&batch).unwrap();
                }
            })
        },
        || inserts(Clock::Process, LsmDb::builder(), WRITES, |n| n),
    );
    // Seen 0.13 to 0.16; through inserts and a flush 1.44.
    ratio(
        c,
        "ingest by insert",
        0.4,
        || {
            let (mut db, _dir) = empty(LsmDb::builder());
            let records = (0..WRITES).map(|n| (key(n), &value));
            Clock::Process.time(|| db.ingest(records).unwrap())
        },
        || inserts(Clock::Process, LsmDb::builder(), WRITES, |n| n),
    );
    // Seen 0.60 to 0.74; the log is read, and the records go to the tree in order.
    ratio(c, "recovery by insert", 1.2, recovery(&value), || {
        inserts(Clock::Process, LsmDb::builder(), WRITES, random)
    });
    synced(c, &value);
}

/// Opens what a process leaves that dies with all its records in the log.
fn recovery(value: &[u8]) -> impl FnMut() -> f64 {
    let (mut db, dir) = empty(LsmDb::builder());
    for n in 0..WRITES {
        db.insert(key(random(n)), value).unwrap();
    }
    let died = tempfile::tempdir().unwrap();
    copy_both(dir.path(), died.path());
    db.close().unwrap();
    move || {
        let dir = tempfile::tempdir().unwrap();
        copy_both(died.path(), dir.path());
        let open = || LsmDb::open(dir.path().join("bench.lsm")).unwrap();
        let mut db = None;
        let time = Clock::Process.time(|| db = Some(open()));
        let last = db.unwrap().get(key(random(WRITES - 1)));
        assert!(last.unwrap().is_some());
        time
    }
}

/// The database and its log.
fn copy_both(from: &Path, to: &Path) {
    for name in ["bench.lsm", "bench.lsm-log"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// A commit that is synced beside the least that a sync takes, in time on the wall.
fn synced(c: &mut Criterion<Ratio>, value: &[u8]) {
    let (mut db, dir) = empty(LsmDb::builder());
    let mut file = File::create(dir.path().join("bare")).unwrap();
    file.write_all(&[0; 1 << 20]).unwrap();
    file.sync_all().unwrap();
    let [mut ours, mut bare] = [0, 0];
    // Seen 0.84 to 1.09; with a second sync per commit 1.80 to 1.84.
    ratio(
        c,
        "commit with a sync by write with a sync",
        1.45,
        || {
            Clock::Wall.time(|| {
                let mut transaction = db.transaction().unwrap();
                ours += 1;
                transaction.insert(key(ours), value).unwrap();
                transaction.commit_with(Durability::Sync).unwrap();
            })
        },
        || {
            Clock::Wall.time(|| {
                bare += 1;
                file.seek(SeekFrom::Start(bare % 8192 * 128)).unwrap();
                file.write_all(&[1; 128]).unwrap();
                file.sync_data().unwrap();
            })
        },
    );
}

fn config() -> Criterion<Ratio> {
    Criterion::default()
        .with_measurement(Ratio)
        .sample_size(11)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(1000))
        .configure_from_args()
}

criterion_group! { name = benches; config = config(); targets = reading, writing }
criterion_main!(benches);
