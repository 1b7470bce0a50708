//! How long writes take, down to the one in ten thousand: at full rate, at 10,000 and at 200 a
//! second, with the default settings and with the presets for writing.
//!
//! A paced write counts from the moment when it was due, so that one that waits makes those after
//! it late as well. A loop that only waits for the same moments runs beside it in a process of its
//! own: what that one takes is the machine's part.
//!
//! Conditions: fixed seed, keys of 16 and values of 100 bytes, random order, a new database for
//! each line in a temporary folder (set `TMPDIR` to measure another disk), nothing synced but
//! checkpoints. `cargo bench --bench latency -- --seconds 60`; a word such as `LowLatency` or
//! `200/s` chooses lines.
//!
//! `commit` is a write at safety full, in turns with 128 bytes that are written over others in a
//! file and synced. `open` is opening: after a clean close, and after a process that died with a
//! million records in the log.

#![allow(missing_docs)]

mod common;

use std::env;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::histogram::Histogram;
use common::{SplitMix64, key, paced};
use lsmlite_rs::config::{Preset, Safety};
use lsmlite_rs::{LsmDb, LsmDbBuilder};

/// So many records at full rate.
const RECORDS: u64 = 1_000_000;
const RATES: [u64; 2] = [10_000, 200];
const LOADS: [&str; 3] = ["full", "commit", "open"];

struct Options {
    records: u64,
    time: Duration,
    only: Vec<String>,
}

impl Options {
    fn wants(&self, load: &str, settings: &str) -> bool {
        let mut groups = [vec![], vec![]];
        for word in &self.only {
            let is_load = LOADS.contains(&word.as_str()) || word.ends_with("/s");
            groups[usize::from(is_load)].push(word.as_str());
        }
        let [presets, loads] = groups;
        (presets.is_empty() || presets.contains(&settings))
            && (loads.is_empty() || loads.contains(&load))
    }
}

fn main() {
    let mut words = env::args().skip(1).peekable();
    if words.next_if(|word| word == "--idle").is_some() {
        let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap();
        let (rate, seconds) = (number(), number());
        print!(
            "{}",
            paced(rate as u64, Duration::from_secs_f64(seconds), || ())
        );
        return;
    }
    // Without `--bench` it is a test: whether it runs at all.
    let mut options = Options {
        records: 1000,
        time: Duration::from_millis(20),
        only: Vec::new(),
    };
    while let Some(word) = words.next() {
        match &*word {
            "--bench" => {
                options.records = RECORDS;
                options.time = Duration::from_secs(10);
            }
            "--seconds" => {
                let seconds = words.next().and_then(|word| word.parse().ok());
                options.time = Duration::from_secs(seconds.expect("a number of seconds"));
            }
            _ => options.only.push(word),
        }
    }
    println!("µs                            p50       p99     p99.9    p99.99       max");
    if options.wants("commit", "default") {
        let (ours, bare) = synced(options.records / 500);
        show("commit", "safety full", ours);
        show("commit", "bare file", bare);
    }
    if options.wants("open", "default") {
        opening(options.records);
    }
    for (name, builder) in settings() {
        if options.wants("full", name) {
            show("full", name, at_full_rate(builder(), options.records));
        }
        for rate in RATES {
            let load = format!("{rate}/s");
            if options.wants(&load, name) {
                let idle = idle_beside(rate, options.time);
                show(&load, name, at_rate(builder(), rate, options.time));
                show(&load, "idle loop", result(idle));
            }
        }
    }
}

type Settings = (&'static str, fn() -> LsmDbBuilder);

fn settings() -> [Settings; 3] {
    [
        ("default", || LsmDb::builder()),
        ("WriteHeavy", || LsmDb::builder().preset(Preset::WriteHeavy)),
        ("LowLatency", || LsmDb::builder().preset(Preset::LowLatency)),
    ]
}

fn show(load: &str, what: &str, figures: impl std::fmt::Display) {
    println!("{load:<8} {what:<14}{figures}");
}

/// A new database, and a write of the next record.
fn with_records<T>(builder: LsmDbBuilder, measure: impl FnOnce(&mut dyn FnMut()) -> T) -> T {
    let dir = tempfile::tempdir().unwrap();
    let mut db = builder.open(dir.path().join("bench.lsm")).unwrap();
    let mut random = SplitMix64(1);
    let mut write = || {
        let (key, value) = record(&mut random);
        db.insert(key, value).unwrap();
    };
    measure(&mut write)
}

fn record(random: &mut SplitMix64) -> ([u8; 16], [u8; 100]) {
    let mut value = [b'v'; 100];
    value[..8].copy_from_slice(&random.next().to_be_bytes());
    (key(random.next()), value)
}

/// Commits that are synced, and the least that a sync takes, in turns.
fn synced(commits: u64) -> (Histogram, Histogram) {
    let dir = tempfile::tempdir().unwrap();
    let mut file = File::create(dir.path().join("bare")).unwrap();
    file.write_all(&[0; 1 << 20]).unwrap();
    file.sync_all().unwrap();
    let [mut ours, mut bare] = [Histogram::default(), Histogram::default()];
    with_records(LsmDb::builder().safety(Safety::Full), |write| {
        for n in 0..commits {
            let start = Instant::now();
            write();
            ours.record(start.elapsed());
            let start = Instant::now();
            file.seek(SeekFrom::Start(n % 8192 * 128)).unwrap();
            file.write_all(&[1; 128]).unwrap();
            file.sync_data().unwrap();
            bare.record(start.elapsed());
        }
    });
    (ours, bare)
}

fn opening(records: u64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bench.lsm");
    // One tree: all of it stays in the log.
    let builder = || LsmDb::builder().autoflush_kib(1024 * 1024);
    let mut db = builder().open(&path).unwrap();
    let mut random = SplitMix64(1);
    for _ in 0..records {
        let (key, value) = record(&mut random);
        db.insert(key, value).unwrap();
    }
    // What a process leaves that dies now.
    let died = dir.path().join("died.lsm");
    for suffix in ["", "-log"] {
        let [from, to] = [&path, &died].map(|path| format!("{}{suffix}", path.display()));
        fs::copy(from, to).unwrap();
    }
    db.close().unwrap();
    let mut times = Histogram::default();
    for _ in 0..200 {
        let start = Instant::now();
        let db = builder().open(&path).unwrap();
        times.record(start.elapsed());
        db.close().unwrap();
    }
    show("open", "after a close", times);
    let start = Instant::now();
    let db = builder().open(&died).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    show(
        "open",
        "after a crash",
        format_args!(
            "{seconds:>10.3} s, {:.0} records/s",
            records as f64 / seconds
        ),
    );
    drop(db);
}

fn at_full_rate(builder: LsmDbBuilder, records: u64) -> Histogram {
    with_records(builder, |write| {
        let mut times = Histogram::default();
        for _ in 0..records {
            let start = Instant::now();
            write();
            times.record(start.elapsed());
        }
        times
    })
}

fn at_rate(builder: LsmDbBuilder, rate: u64, time: Duration) -> Histogram {
    with_records(builder, |write| paced(rate, time, write))
}

fn idle_beside(rate: u64, time: Duration) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--idle", &rate.to_string(), &time.as_secs_f64().to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn result(mut child: Child) -> String {
    let mut figures = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut figures)
        .unwrap();
    assert!(child.wait().unwrap().success());
    figures
}
