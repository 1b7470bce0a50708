//! What each preset does: loading, latency, reading, compaction, memory and space beside those of the
//! default settings, as a table in Markdown.
//!
//! Conditions: fixed seed, keys of 16 bytes in random order, each database new and in a process of its
//! own, in a temporary folder (set `TMPDIR` to measure another disk), nothing synced but checkpoints,
//! no codec. A paced insert counts from the moment when it was due. Reading begins when loading ends:
//! what is to be merged by then differs. Private memory is what the process has besides mapped files,
//! without what it had before, looked at every 2 ms (on Linux). Rounds are in turns, and their medians
//! are shown.
//!
//! `cargo bench --bench presets -- --rounds 3`; a name such as `LowLatency` chooses columns.

#![allow(missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use common::clock::Clock;
use common::{SplitMix64, key, paced};
use lsmlite_rs::config::Preset;
use lsmlite_rs::{LsmDb, LsmDbBuilder};
use tempfile::TempDir;

/// Names, and what they stand for.
const COLUMNS: [(&str, Option<Preset>); 5] = [
    ("default", None),
    ("WriteHeavy", Some(Preset::WriteHeavy)),
    ("Archive", Some(Preset::Archive)),
    ("LowLatency", Some(Preset::LowLatency)),
    ("SmallMemory", Some(Preset::SmallMemory)),
];
const RATE: u64 = 10_000;

fn main() {
    let mut words = env::args().skip(1).peekable();
    if words.next_if(|word| word == "--column").is_some() {
        let mut word = || words.next().unwrap();
        let (name, scale) = (word(), word().parse().unwrap());
        let (_, preset) = COLUMNS.into_iter().find(|(n, _)| *n == name).unwrap();
        return measure(preset, scale);
    }
    // Without `--bench` it is a test: whether it runs at all.
    let (mut scale, mut rounds, mut only) = (0.001, 1, Vec::new());
    while let Some(word) = words.next() {
        match &*word {
            "--bench" => scale = 1.0,
            "--rounds" => rounds = words.next().and_then(|n| n.parse().ok()).expect("a number"),
            _ => only.push(word),
        }
    }
    let names = COLUMNS.map(|(name, _)| name);
    let names: Vec<_> = (names.into_iter())
        .filter(|name| only.is_empty() || only.iter().any(|o| o == name))
        .collect();
    let mut figures: BTreeMap<String, Vec<Vec<f64>>> = BTreeMap::new();
    for _ in 0..rounds {
        for (column, name) in names.iter().enumerate() {
            for (row, value) in of_child(name, scale) {
                let columns = figures.entry(row).or_default();
                columns.resize(names.len(), Vec::new());
                columns[column].push(value);
            }
        }
    }
    println!("| | {} |", names.join(" | "));
    println!("|---|{}", "---:|".repeat(names.len()));
    for (row, columns) in figures {
        print!("| {} |", &row[2..]);
        for mut all in columns {
            all.sort_unstable_by(f64::total_cmp);
            print!(" {} |", digits(all[all.len() / 2]));
        }
        println!();
    }
}

/// Three digits that count.
fn digits(value: f64) -> String {
    let places = 2 - (value.max(1e-3).log10().floor() as i32).clamp(-1, 2);
    format!("{value:.*}", places as usize)
}

/// What a process prints that measures one column.
fn of_child(name: &str, scale: f64) -> Vec<(String, f64)> {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--column", name, &scale.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "measuring {name} failed");
    let lines = String::from_utf8(output.stdout).unwrap();
    let figure = |line: &str| {
        let (row, value) = line.split_once('\t').unwrap();
        (row.to_owned(), value.parse().unwrap())
    };
    lines.lines().map(figure).collect()
}

/// Prints all figures of one column; the letter orders the rows.
fn measure(preset: Option<Preset>, scale: f64) {
    let show = |row: &str, value: f64| println!("{row}\t{value}");
    let many = |count: f64| (count * scale) as u64;

    let (kib, before) = (watch_memory(), private_kib());
    let large = Load::new(preset, many(600_000.0), 1000);
    show("a load 600,000 × 1 KB, s", large.wall);
    show("b processor time of that, s", large.processor);
    show("c files after that, MB", large.megabytes());
    let kib = kib.load(Ordering::Relaxed).saturating_sub(before);
    show("d most private memory meanwhile, MB", kib as f64 / 1000.0);
    drop(large);

    let mut small = Load::new(preset, many(1_000_000.0), 100);
    show("e load 1,000,000 × 100 B, s", small.wall);
    show("f get after that, µs", small.get());
    let compaction = Clock::Wall.time(|| small.db.compact().unwrap());
    show("g compact, s", compaction);
    show("h get after that, µs", small.get());
    show("i file after that, MB", small.megabytes());
    drop(small);

    let (mut db, _dir) = open(preset);
    let mut random = SplitMix64(1);
    let times = paced(RATE, Duration::from_secs_f64(10.0 * scale), || {
        db.insert(key(random.next()), [7; 100]).unwrap();
    });
    show(
        "j insert at 10,000/s: p99.9, ms",
        times.quantile(0.999) / 1e3,
    );
    show("k the slowest, ms", times.quantile(1.0) / 1e3);
}

/// The key that is inserted after so many others.
fn nth(n: u64) -> [u8; 16] {
    key(SplitMix64(n).next())
}

fn open(preset: Option<Preset>) -> (LsmDb, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let set = |builder: LsmDbBuilder, preset| builder.preset(preset);
    let builder = preset.into_iter().fold(LsmDb::builder(), set);
    let db = builder.open(dir.path().join("bench.lsm")).unwrap();
    (db, dir)
}

/// A database that was filled.
struct Load {
    db: LsmDb,
    dir: TempDir,
    records: u64,
    /// Seconds.
    wall: f64,
    processor: f64,
}

impl Load {
    fn new(preset: Option<Preset>, records: u64, value_bytes: usize) -> Load {
        let (mut db, dir) = open(preset);
        let values = SplitMix64(1).bytes(value_bytes + 4096);
        let start = [Clock::Wall, Clock::Process].map(Clock::now);
        for n in 0..records {
            let value = &values[n as usize % 4096..][..value_bytes];
            db.insert(nth(n), value).unwrap();
        }
        Load {
            wall: Clock::Wall.now() - start[0],
            processor: Clock::Process.now() - start[1],
            db,
            dir,
            records,
        }
    }

    /// µs for each look-up of a key that is there.
    fn get(&self) -> f64 {
        let lookups = self.records / 5;
        let mut random = SplitMix64(2);
        let seconds = Clock::Wall.time(|| {
            for _ in 0..lookups {
                let key = nth(random.next() % self.records);
                let found = self.db.get_with(key, |value| black_box(value[0]));
                assert!(found.unwrap().is_some());
            }
        });
        seconds * 1e6 / lookups as f64
    }

    /// The database and its log.
    fn megabytes(&self) -> f64 {
        let bytes = |path: &Path| fs::metadata(path).unwrap().len() as f64;
        let files = fs::read_dir(self.dir.path()).unwrap();
        files.map(|file| bytes(&file.unwrap().path())).sum::<f64>() / 1e6
    }
}

fn private_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// The most private memory that the process has had from now on.
fn watch_memory() -> &'static AtomicU64 {
    static MOST: AtomicU64 = AtomicU64::new(0);
    thread::spawn(|| {
        loop {
            MOST.fetch_max(private_kib(), Ordering::Relaxed);
            thread::sleep(Duration::from_millis(2));
        }
    });
    &MOST
}
