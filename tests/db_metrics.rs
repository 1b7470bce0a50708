//! `DbMetrics`: every family is valid, means what its name says, and stays up to date.
#![cfg(feature = "metrics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use common::Result;
use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{DbMetrics, LsmDb, LsmErrorCode};
use prometheus::{Registry, TextEncoder};

/// What a scrape says: the samples of each family, as they are written, and their values.
#[derive(Default)]
struct Scrape {
    /// Name, type and help.
    families: BTreeMap<String, (String, String)>,
    samples: BTreeMap<String, f64>,
}

impl Scrape {
    /// Reads the text format, and refuses what isn't in it.
    fn new(registry: &Registry) -> Result<Scrape> {
        let text = TextEncoder::new().encode_to_string(&registry.gather())?;
        assert!(text.ends_with('\n') || text.is_empty());
        let mut scrape = Scrape::default();
        let (mut family, mut help) = (String::new(), String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, text) = rest.split_once(' ').ok_or(line)?;
                assert!(!scrape.families.contains_key(name), "{name} twice");
                (family, help) = (name.to_owned(), text.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or(line)?;
                assert_eq!(name, family, "the type follows the help");
                let entry = (kind.to_owned(), help.clone());
                scrape.families.insert(family.clone(), entry);
            } else {
                let (sample, value) = line.rsplit_once(' ').ok_or(line)?;
                let (name, labels) = sample.split_once('{').ok_or(line)?;
                let (kind, _) = scrape.families.get(&family).ok_or(line)?;
                let suffix = name.strip_prefix(&family).ok_or(line)?;
                match &kind[..] {
                    "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix)),
                    _ => assert_eq!(suffix, "", "{line}"),
                }
                assert!(
                    labels.ends_with('}') && labels.contains("database="),
                    "{line}"
                );
                let before = scrape.samples.insert(sample.to_owned(), value.parse()?);
                assert_eq!(before, None, "{sample} twice");
            }
        }
        Ok(scrape)
    }

    /// A sample of the database `d`.
    fn get(&self, name: &str) -> f64 {
        self.labelled(name, "")
    }

    fn of(&self, name: &str, operation: &str) -> f64 {
        self.labelled(name, &format!(",operation=\"{operation}\""))
    }

    fn labelled(&self, name: &str, more: &str) -> f64 {
        let sample = format!("{name}{{database=\"d\"{more}}}");
        match self.samples.get(&sample) {
            Some(value) => *value,
            None => panic!("no {sample} in {:?}", self.samples.keys()),
        }
    }
}

/// Metrics of a database `d`, and a registry that has them.
fn registered() -> Result<(DbMetrics, Registry)> {
    let (metrics, registry) = (DbMetrics::new("d")?, Registry::new());
    metrics.register(&registry)?;
    Ok((metrics, registry))
}

fn open(path: &Path, metrics: &DbMetrics) -> Result<LsmDb> {
    Ok(LsmDb::builder().db_metrics(metrics.clone()).open(path)?)
}

fn rows(db: &mut LsmDb, rows: std::ops::Range<u32>) -> Result {
    for row in rows {
        db.insert(row.wrapping_mul(0x9e37_79b9).to_be_bytes(), [row as u8; 90])?;
    }
    Ok(())
}

#[test]
fn names_units_and_help_are_as_prometheus_wants_them() -> Result {
    let dir = tempfile::tempdir()?;
    let (metrics, registry) = registered()?;
    let mut db = open(&dir.path().join("m.lsm"), &metrics)?;
    rows(&mut db, 0..100)?;
    let scrape = Scrape::new(&registry)?;
    assert_eq!(scrape.families.len(), 21, "{:?}", scrape.families.keys());
    for (name, (kind, help)) in &scrape.families {
        let words: Vec<_> = name.split('_').collect();
        assert_eq!(words[0], "lsmlite");
        assert!(
            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{name}"
        );
        assert_eq!(
            kind == "counter",
            name.ends_with("_total"),
            "{name}: {kind}"
        );
        assert_eq!(
            kind == "histogram",
            name.ends_with("_seconds"),
            "{name}: {kind}"
        );
        for reserved in ["_count", "_sum", "_bucket", "_info"] {
            assert!(!name.ends_with(reserved), "{name}");
        }
        for not_base in ["kib", "kb", "mib", "ms", "us", "milliseconds", "percent"] {
            assert!(!words.contains(&not_base), "{name}");
        }
        for kind in ["counter", "gauge", "histogram", "summary"] {
            assert!(!words.contains(&kind), "{name}");
        }
        assert!(help.ends_with('.') && help.len() > 15, "{name}: {help}");
    }
    let labels: BTreeSet<_> = (scrape.samples.keys())
        .flat_map(|sample| sample.split(['{', ',', '}']).skip(1))
        .filter_map(|label| label.split_once('=').map(|(name, _)| name))
        .collect();
    assert_eq!(labels, BTreeSet::from(["database", "le", "operation"]));
    Ok(())
}

#[test]
fn every_operation_is_counted_as_what_it_is() -> Result {
    let dir = tempfile::tempdir()?;
    let (metrics, registry) = registered()?;
    let mut db = open(&dir.path().join("m.lsm"), &metrics)?;
    db.insert("abc", "12345")?;
    db.transact(|tx| {
        tx.insert("d", "1")?;
        tx.insert("e", "")?;
        tx.remove("abc")
    })?;
    db.remove_range("d".."e")?;
    drop(db.transaction()?);
    db.flush()?;
    while db.work(1024)? > 0 {}
    db.checkpoint()?;
    let scrape = Scrape::new(&registry)?;
    let count = |operation| scrape.of("lsmlite_write_seconds_count", operation);
    assert_eq!(count("insert"), 3.0);
    // The first key of the range is removed by itself, and all of it is one commit.
    assert_eq!((count("remove"), count("remove_range")), (2.0, 1.0));
    assert_eq!(count("commit"), 2.0);
    assert!(scrape.of("lsmlite_write_seconds_sum", "insert") > 0.0);
    assert_eq!(scrape.get("lsmlite_inserted_bytes_total"), 11.0);
    let merges = |operation| scrape.of("lsmlite_merge_seconds_count", operation);
    assert_eq!((merges("flush"), merges("background")), (1.0, 0.0));
    assert!(merges("work") >= 1.0);
    assert_eq!(scrape.get("lsmlite_checkpoint_seconds_count"), 1.0);

    db.compact()?;
    let scrape = Scrape::new(&registry)?;
    assert_eq!(scrape.of("lsmlite_merge_seconds_count", "compact"), 1.0);
    assert_eq!(scrape.get("lsmlite_busy_total"), 0.0);
    assert_eq!(scrape.get("lsmlite_failed"), 0.0);
    Ok(())
}

#[test]
fn the_gauges_are_what_stats_say() -> Result {
    let dir = tempfile::tempdir()?;
    let (metrics, registry) = registered()?;
    let builder = LsmDb::builder().block_size_kib(64).autowork(false);
    let builder = builder.db_metrics(metrics.clone());
    let mut db = builder.open(dir.path().join("m.lsm"))?;
    for i in 0..4 {
        rows(&mut db, i * 3000..(i + 1) * 3000)?;
        db.flush()?;
    }
    db.work(64)?;
    rows(&mut db, 0..100)?;
    metrics.update(&db.stats()?);
    let (stats, scrape) = (db.stats()?, Scrape::new(&registry)?);
    assert!(stats.is_merging() && stats.free_blocks + stats.checkpoint_debt_kib > 0);
    for (name, value) in [
        ("lsmlite_file_bytes", stats.file_bytes()),
        ("lsmlite_free_bytes", u64::from(stats.free_blocks) << 16),
        ("lsmlite_free_blocks", stats.free_blocks.into()),
        ("lsmlite_levels", stats.levels.len() as u64),
        ("lsmlite_merging_levels", 1),
        ("lsmlite_segments", stats.segments() as u64),
        ("lsmlite_segment_bytes", stats.segment_bytes()),
        (
            "lsmlite_live_tree_bytes",
            u64::from(stats.live_tree_kib) << 10,
        ),
        (
            "lsmlite_waiting_tree_bytes",
            u64::from(stats.waiting_tree_kib) << 10,
        ),
        ("lsmlite_log_bytes", stats.log_bytes),
        (
            "lsmlite_checkpoint_debt_bytes",
            u64::from(stats.checkpoint_debt_kib) << 10,
        ),
        ("lsmlite_page_size_bytes", 4096),
    ] {
        assert_eq!(scrape.get(name), value as f64, "{name}");
    }
    assert!(scrape.get("lsmlite_live_tree_bytes") > 0.0);
    Ok(())
}

#[test]
fn the_gauges_follow_without_being_asked() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("m.lsm");
    let (metrics, registry) = registered()?;
    let mut db = open(&path, &metrics)?;
    assert_eq!(Scrape::new(&registry)?.get("lsmlite_log_bytes"), 0.0);
    rows(&mut db, 0..1000)?;
    db.flush()?;
    let scrape = Scrape::new(&registry)?;
    assert_eq!(scrape.get("lsmlite_segments"), 1.0, "after a flush");
    assert!(scrape.get("lsmlite_checkpoint_debt_bytes") > 0.0);
    db.checkpoint()?;
    let scrape = Scrape::new(&registry)?;
    assert_eq!(scrape.get("lsmlite_checkpoint_debt_bytes"), 0.0);

    // Writes alone do it once a second.
    let before = Scrape::new(&registry)?.get("lsmlite_log_bytes");
    let start = Instant::now();
    for row in 0.. {
        rows(&mut db, row..row + 1)?;
        if Scrape::new(&registry)?.get("lsmlite_log_bytes") > before {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "never refreshed");
        std::thread::sleep(Duration::from_millis(1));
    }
    db.close()?;

    // What is there is known as soon as it is open.
    let (metrics, registry) = registered()?;
    let db = open(&path, &metrics)?;
    let scrape = Scrape::new(&registry)?;
    assert_eq!(
        scrape.get("lsmlite_segments"),
        db.stats()?.segments() as f64
    );
    assert!(scrape.get("lsmlite_file_bytes") > 0.0);
    Ok(())
}

#[test]
fn the_threads_are_measured_too() -> Result {
    let dir = tempfile::tempdir()?;
    let (metrics, registry) = registered()?;
    let mut db = LsmDb::builder()
        .background(BackgroundMode::MergerAndCheckpointer)
        .autoflush_kib(128)
        .autocheckpoint_kib(256)
        .db_metrics(metrics)
        .open(dir.path().join("m.lsm"))?;
    let start = Instant::now();
    for row in 0.. {
        rows(&mut db, row * 100..row * 100 + 100)?;
        let scrape = Scrape::new(&registry)?;
        let merged = scrape.of("lsmlite_merge_seconds_count", "background");
        let checkpointed = scrape.get("lsmlite_checkpoint_seconds_count");
        let pages = scrape.get("lsmlite_pages_written_total");
        if merged >= 2.0 && checkpointed >= 2.0 && pages > 100.0 {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "never measured");
    }
    let scrape = Scrape::new(&registry)?;
    assert_eq!(scrape.of("lsmlite_merge_seconds_count", "flush"), 0.0);
    assert!(scrape.get("lsmlite_pages_read_total") > 0.0, "by merging");
    Ok(())
}

#[test]
fn pages_are_counted_from_the_first_opening_on() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("m.lsm");
    let mut db = LsmDb::open(&path)?;
    rows(&mut db, 0..5000)?;
    db.close()?;

    let (metrics, registry) = registered()?;
    let mut db = open(&path, &metrics)?;
    let written = |scrape: &Scrape| scrape.get("lsmlite_pages_written_total");
    assert_eq!(written(&Scrape::new(&registry)?), 0.0, "what was before");
    let before = db.stats()?.pages_written_in_total;
    rows(&mut db, 5000..10_000)?;
    db.compact()?;
    let stats = db.stats()?;
    let more = stats.pages_written_in_total - before;
    assert!(more > 200, "{stats}");
    assert_eq!(written(&Scrape::new(&registry)?), f64::from(more));
    let inserted = Scrape::new(&registry)?.get("lsmlite_inserted_bytes_total");
    let amplification = f64::from(more) * 4096.0 / inserted;
    assert!((1.0..20.0).contains(&amplification), "{amplification}");

    // What was told earlier and comes later doesn't count backwards.
    let mut earlier = stats.clone();
    earlier.pages_written_in_total = before;
    metrics.update(&earlier);
    metrics.update(&stats);
    assert_eq!(written(&Scrape::new(&registry)?), f64::from(more));
    // And the engine's count wraps round.
    let mut later = stats.clone();
    for _ in 0..4 {
        later.pages_written_in_total = later.pages_written_in_total.wrapping_add(1 << 30);
        metrics.update(&later);
    }
    let all = f64::from(more) + 4.0 * f64::from(1 << 30);
    assert_eq!(written(&Scrape::new(&registry)?), all);

    let read = |scrape: &Scrape| scrape.get("lsmlite_pages_read_total");
    let before = read(&Scrape::new(&registry)?);
    assert_eq!(db.iter().count(), 10_000);
    db.checkpoint()?;
    let scrape = Scrape::new(&registry)?;
    let now = read(&scrape);
    assert!(now > before && now == f64::from(db.stats()?.pages_read));
    let hits = scrape.get("lsmlite_page_cache_hits_total");
    // Looking at the statistics finds pages, too.
    assert!(hits > 0.0 && hits <= db.stats()?.cache_hits as f64);
    Ok(())
}

#[test]
fn two_databases_fit_into_one_registry_and_one_name_once() -> Result {
    let dir = tempfile::tempdir()?;
    let registry = Registry::new();
    // Whatever the name is, it is one label.
    let strange = "a \"b\"\\\n{c=\"d\"} 1";
    let mut handles = Vec::new();
    for (file, name) in [("a.lsm", "first"), ("b.lsm", strange)] {
        let metrics = DbMetrics::new(name)?;
        metrics.register(&registry)?;
        handles.push(open(&dir.path().join(file), &metrics)?);
    }
    handles[0].insert("key", "value")?;
    let text = TextEncoder::new().encode_to_string(&registry.gather())?;
    let escaped = r#"a \"b\"\\\n{c=\"d\"} 1"#;
    for (name, bytes) in [("first", 8), (escaped, 0)] {
        let line = format!("lsmlite_inserted_bytes_total{{database=\"{name}\"}} {bytes}");
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert_eq!(
        text.matches("# TYPE lsmlite_inserted_bytes_total").count(),
        1
    );

    let error = DbMetrics::new("first")?.register(&registry).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMetricRegistration);
    Ok(())
}

#[test]
fn a_busy_write_is_counted_and_has_inserted_nothing() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("m.lsm");
    let (metrics, registry) = registered()?;
    let mut db = open(&path, &metrics)?;
    let mut other = LsmDb::open(&path)?;
    let transaction = other.transaction()?;
    assert!(db.insert("key", "value").unwrap_err().is_busy());
    drop(transaction);
    let scrape = Scrape::new(&registry)?;
    assert_eq!(scrape.get("lsmlite_busy_total"), 1.0);
    assert_eq!(scrape.get("lsmlite_inserted_bytes_total"), 0.0);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_handle_that_failed_says_so() -> Result {
    use lsmlite_rs::env::FaultEnv;

    let env = FaultEnv::new(1);
    let (metrics, registry) = registered()?;
    let builder = LsmDb::builder().env(&env).db_metrics(metrics);
    let mut db = builder.clone().open("m.lsm")?;
    let mut other = builder.clone().open("m.lsm")?;
    rows(&mut db, 0..10)?;
    assert_eq!(Scrape::new(&registry)?.get("lsmlite_failed"), 0.0);
    env.set_capacity_bytes(0);
    let mut row = 10;
    while db.failure().is_none() {
        let _ = rows(&mut db, row..row + 1000);
        row += 1000;
        assert!(row < 1_000_000, "never failed");
    }
    assert_eq!(Scrape::new(&registry)?.get("lsmlite_failed"), 1.0);
    assert_eq!(other.work(1)?, 0);
    assert!(other.failure().is_none());
    assert_eq!(Scrape::new(&registry)?.get("lsmlite_failed"), 1.0, "still");
    drop(other);
    assert!(db.close().is_err());

    env.set_capacity_bytes(u64::MAX);
    let mut db = builder.open("m.lsm")?;
    db.insert("key", "value")?;
    assert_eq!(Scrape::new(&registry)?.get("lsmlite_failed"), 0.0);
    Ok(())
}

#[test]
fn a_read_only_handle_does_not_claim_that_everything_is_zero() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("m.lsm");
    LsmDb::open(&path)?.close()?;
    let (metrics, registry) = registered()?;
    let builder = LsmDb::builder().read_only(true).db_metrics(metrics);
    let db = builder.open(&path)?;
    assert_eq!(db.iter().count(), 0);
    let scrape = Scrape::new(&registry)?;
    assert!(!scrape.families.contains_key("lsmlite_file_bytes"));
    assert_eq!(scrape.get("lsmlite_failed"), 0.0);
    Ok(())
}
