//! The tables in the documentation of the module `compression`: what each codec, level and page size
//! costs, as Markdown. `cargo bench --bench compression_cost` takes about a minute and a half.
//!
//! Data: orders as JSON, 100 to 300 bytes each, under keys of 8 bytes, from a fixed seed. The
//! dictionaries are trained, one for each page size, on a fifth as many orders from another seed.
//! Each file is written by `ingest`, in order, and compacted; it is in the operating system's cache
//! when it is read, in a random order and from first to last, with the default page cache of 2 MiB.

#![allow(missing_docs)]

mod common;

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use common::SplitMix64;
use lsmlite_rs::compression::{Compression, ZstdDictionary};
use lsmlite_rs::{LsmDb, LsmDbBuilder, LsmError};

const RECORDS: u64 = 50_000;
const GETS: u64 = 4000;
const PAGES_KIB: [u32; 4] = [1, 4, 16, 64];
const DICTIONARY_BYTES: usize = 16 * 1024;

/// A name, the codec, and whether it has a dictionary.
const CODECS: [(&str, Compression, bool); 9] = [
    ("none", Compression::None, false),
    ("LZ4", Compression::LZ4, false),
    ("zlib, level 6", Compression::ZLIB, false),
    ("zstd, level 1", Compression::Zstd { level: 1 }, false),
    ("zstd, level 3", Compression::Zstd { level: 3 }, false),
    ("zstd, level 9", Compression::Zstd { level: 9 }, false),
    ("zstd, level 19", Compression::Zstd { level: 19 }, false),
    (
        "zstd, level 3, dictionary",
        Compression::Zstd { level: 3 },
        true,
    ),
    (
        "zstd, level 19, dictionary",
        Compression::Zstd { level: 19 },
        true,
    ),
];

const CITIES: [&str; 12] = [
    "Oslo",
    "Bergen",
    "Malmö",
    "Aarhus",
    "Turku",
    "Tartu",
    "Riga",
    "Gdańsk",
    "Rostock",
    "Lübeck",
    "Groningen",
    "Bruges",
];
const GOODS: [&str; 16] = [
    "lamp", "chair", "table", "kettle", "blanket", "mirror", "shelf", "curtain", "carpet", "vase",
    "clock", "candle", "pillow", "basket", "drawer", "stool",
];
const STATES: [&str; 4] = ["ordered", "paid", "sent", "delivered"];

/// An order of 100 to 300 bytes.
fn order(number: u64, random: &mut SplitMix64) -> String {
    let mut pick = |n: usize| (random.next() % n as u64) as usize;
    let mut text = format!(
        r#"{{"order":{number},"customer":"c{:06}","city":"{}","state":"{}","time":"2026-{:02}-{:02}T{:02}:{:02}:{:02}Z","items":["#,
        pick(1_000_000),
        CITIES[pick(12)],
        STATES[pick(4)],
        pick(12) + 1,
        pick(28) + 1,
        pick(24),
        pick(60),
        pick(60),
    );
    for i in 0..pick(4) {
        let comma = if i > 0 { "," } else { "" };
        let (what, count, cents) = (GOODS[pick(16)], pick(9) + 1, pick(100_000));
        text += &format!(r#"{comma}{{"what":"{what}","count":{count},"cents":{cents}}}"#);
    }
    text + "]}"
}

fn orders(seed: u64, records: u64) -> Vec<([u8; 8], String)> {
    let mut random = SplitMix64(seed);
    let order = |n: u64| (n.to_be_bytes(), order(n, &mut random));
    (0..records).map(order).collect()
}

fn builder(page_kib: u32) -> LsmDbBuilder {
    LsmDb::builder()
        .page_size_bytes(page_kib * 1024)
        .block_size_kib(1024)
}

fn trained(page_kib: u32) -> Result<ZstdDictionary, LsmError> {
    let dir = tempfile::tempdir().unwrap();
    let mut db = builder(page_kib).open(dir.path().join("sample.lsm"))?;
    db.ingest(orders(2, RECORDS / 5))?;
    db.train_zstd_dictionary(1, DICTIONARY_BYTES)
}

/// What one file cost.
struct Cost {
    bytes: u64,
    load: Duration,
    get: Duration,
    scanned: Duration,
}

/// The middle one of five runs, or of fewer if they take more than a second.
fn median(mut run: impl FnMut() -> Result<Duration, LsmError>) -> Result<Duration, LsmError> {
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.is_empty() || times.len() < 5 && start.elapsed() < Duration::from_secs(1) {
        times.push(run()?);
    }
    times.sort();
    Ok(times[times.len() / 2])
}

fn measure(builder: &LsmDbBuilder, orders: &[([u8; 8], String)]) -> Result<Cost, LsmError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orders.lsm");
    let load = median(|| {
        let _ = fs::remove_file(&path);
        let start = Instant::now();
        let mut db = builder.clone().open(&path)?;
        db.ingest(orders.iter().map(|(key, value)| (key, value)))?;
        db.close()?;
        Ok(start.elapsed())
    })?;
    let mut db = builder.clone().open(&path)?;
    db.compact()?;
    db.close()?;
    let db = builder.clone().open(&path)?;
    let mut random = SplitMix64(7);
    let get = median(|| {
        let start = Instant::now();
        for _ in 0..GETS {
            let (key, value) = &orders[(random.next() % RECORDS) as usize];
            assert!(db.get_with(key, |found| found == value.as_bytes())? == Some(true));
        }
        Ok(start.elapsed())
    })?;
    let scanned = median(|| {
        let start = Instant::now();
        assert_eq!(black_box(db.iter().count() as u64), RECORDS);
        Ok(start.elapsed())
    })?;
    Ok(Cost {
        bytes: fs::metadata(&path).unwrap().len(),
        load,
        get: get / GETS as u32,
        scanned: scanned / RECORDS as u32,
    })
}

fn main() -> Result<(), LsmError> {
    let orders = orders(1, RECORDS);
    let plain: usize = orders
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    println!(
        "{RECORDS} orders, {:.1} MB of keys and values\n",
        plain as f64 / 1e6
    );
    let mut dictionaries = Vec::new();
    for page_kib in PAGES_KIB {
        let start = Instant::now();
        dictionaries.push(trained(page_kib)?);
        eprintln!(
            "trained for pages of {page_kib} KiB in {:.1?}",
            start.elapsed()
        );
    }
    let mut rows = Vec::new();
    for (name, codec, has_dictionary) in CODECS {
        let mut costs = Vec::new();
        for (page_kib, dictionary) in PAGES_KIB.into_iter().zip(&dictionaries) {
            let mut builder = builder(page_kib).compression(codec);
            if has_dictionary {
                builder = builder.zstd_dictionary(dictionary.clone());
            }
            costs.push(measure(&builder, &orders)?);
        }
        eprintln!("{name}");
        rows.push((name, costs));
    }
    let table = |title: &str, show: &dyn Fn(&Cost) -> String| {
        let sizes = PAGES_KIB.map(|kib| format!(" pages of {kib} KiB |"));
        println!("| {title} |{}\n|---|---:|---:|---:|---:|", sizes.concat());
        for (name, costs) in &rows {
            let cells: Vec<_> = costs
                .iter()
                .map(|cost| format!(" {} |", show(cost)))
                .collect();
            println!("| {name} |{}", cells.concat());
        }
        println!();
    };
    table("size of the file, MB", &|cost| {
        format!("{:.2}", cost.bytes as f64 / 1e6)
    });
    table("loading, s", &|cost| {
        format!("{:.2}", cost.load.as_secs_f64())
    });
    table("a `get`, µs", &|cost| {
        format!("{:.1}", cost.get.as_secs_f64() * 1e6)
    });
    table("a scanned record, ns", &|cost| {
        cost.scanned.as_nanos().to_string()
    });
    Ok(())
}
