//! Random histories of operations, each compared with a `BTreeMap` on the way.
//!
//! `LSMLITE_HISTORIES` says how many per setting, `LSMLITE_SEED` where the seeds begin.

mod common;

use std::collections::BTreeMap;
use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use common::{Model, Result, SplitMix64, assert_same, contents, setting};
#[cfg(any(feature = "lz4", feature = "zstd"))]
use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::{BackgroundMode, Mmap, Safety};
use lsmlite_rs::{Cursor, Disk, LsmCursorSeekOp, LsmDb, LsmDbBuilder};

const OPERATIONS: u64 = 1200;

/// How often each thing happened, by name.
type Counts = BTreeMap<&'static str, u64>;

/// Everything that must have happened at least once per setting.
const MUST_HAPPEN: [&str; 27] = [
    "insert new",
    "overwrite",
    "remove hit",
    "remove miss",
    "large value",
    "range delete hit",
    "range delete of nothing",
    "begin",
    "commit",
    "rollback",
    "get hit",
    "get miss",
    "scan forwards",
    "scan backwards",
    "scan from both ends",
    "range forwards",
    "range backwards",
    "range from both ends",
    "seek LE hit",
    "seek LE miss",
    "seek EQ hit",
    "seek EQ miss",
    "seek GE hit",
    "seek GE miss",
    "reopen",
    "compact",
    "flush",
];

struct History<'a> {
    random: SplitMix64,
    builder: &'a LsmDbBuilder,
    path: &'a Path,
    db: LsmDb,
    /// What is committed, while a transaction is open.
    before: Option<Model>,
    model: Model,
    counts: &'a mut Counts,
}

impl<'a> History<'a> {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Few enough keys that they meet again; some share long beginnings, some are longer than
    /// a small page.
    fn key(&mut self) -> Vec<u8> {
        let n = self.random.below(250) as u16;
        match self.random.below(12) {
            0 => Vec::new(),
            1 => [vec![b'p'; 300], n.to_be_bytes().to_vec()].concat(),
            2 | 3 => [b"prefix/".to_vec(), n.to_string().into_bytes()].concat(),
            4 => n.to_be_bytes()[1..].to_vec(),
            _ => n.to_be_bytes().to_vec(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let len = match self.random.below(40) {
            0 => 0,
            1..=3 => 700,
            4 => {
                self.count("large value");
                9_000
            }
            _ => self.random.below(60) as usize,
        };
        let byte = self.random.next() as u8;
        let mut value = vec![byte; len];
        if let Some(first) = value.first_mut() {
            *first = self.random.next() as u8;
        }
        value
    }

    fn bound(&mut self) -> Bound<Vec<u8>> {
        match self.random.below(5) {
            0 => Unbounded,
            1 | 2 => Included(self.key()),
            _ => Excluded(self.key()),
        }
    }

    fn step(&mut self) -> Result {
        match self.random.below(1000) {
            0..=429 => self.insert(),
            430..=549 => self.remove(),
            550..=589 => self.remove_range(),
            590..=639 => self.transaction(),
            640..=729 => self.get(),
            730..=769 => self.scan(),
            770..=849 => self.range(),
            850..=959 => self.seek(),
            960..=967 => self.reopen(),
            _ => self.maintain(),
        }
    }

    fn insert(&mut self) -> Result {
        let (key, value) = (self.key(), self.value());
        self.db.insert(&key, &value)?;
        let old = self.model.insert(key, value);
        self.count(if old.is_some() {
            "overwrite"
        } else {
            "insert new"
        });
        Ok(())
    }

    fn remove(&mut self) -> Result {
        let key = self.key();
        self.db.remove(&key)?;
        let old = self.model.remove(&key);
        self.count(if old.is_some() {
            "remove hit"
        } else {
            "remove miss"
        });
        Ok(())
    }

    fn remove_range(&mut self) -> Result {
        let (begin, mut end) = (self.key(), self.key());
        if self.random.one_in(2) {
            // A short one, beginning and ending beside keys.
            end = begin.clone();
            end.push(0xff);
        }
        self.db.delete_range(&begin, &end)?;
        let gone: Vec<_> = match begin < end {
            true => self
                .model
                .range((Excluded(begin), Excluded(end)))
                .map(|(key, _)| key.clone())
                .collect(),
            false => Vec::new(),
        };
        gone.iter().for_each(|key| drop(self.model.remove(key)));
        self.count(match gone.is_empty() {
            true => "range delete of nothing",
            false => "range delete hit",
        });
        Ok(())
    }

    fn transaction(&mut self) -> Result {
        match self.before.take() {
            None => {
                self.db.begin_transaction()?;
                self.before = Some(self.model.clone());
                self.count("begin");
            }
            Some(before) if self.random.one_in(2) => {
                self.db.rollback_transaction()?;
                self.model = before;
                self.count("rollback");
            }
            Some(_) => {
                self.db.commit_transaction()?;
                self.count("commit");
            }
        }
        Ok(())
    }

    fn get(&mut self) -> Result {
        let key = self.key();
        let expected = self.model.get(&key);
        assert_eq!(self.db.get(&key)?.as_ref(), expected, "get {key:?}");
        assert_eq!(self.db.contains_key(&key)?, expected.is_some());
        let hit = expected.is_some();
        self.count(if hit { "get hit" } else { "get miss" });
        Ok(())
    }

    fn scan(&mut self) -> Result {
        self.read((Unbounded, Unbounded), |way| match way {
            0 => "scan forwards",
            1 => "scan backwards",
            _ => "scan from both ends",
        })
    }

    fn range(&mut self) -> Result {
        let range = (self.bound(), self.bound());
        self.read(range, |way| match way {
            0 => "range forwards",
            1 => "range backwards",
            _ => "range from both ends",
        })
    }

    /// Reads a range forwards (0), backwards (1) or from both ends by turns (2).
    fn read(
        &mut self,
        range: (Bound<Vec<u8>>, Bound<Vec<u8>>),
        name: fn(u64) -> &'static str,
    ) -> Result {
        let way = self.random.below(3);
        // A map panics where ours is empty.
        let valid = match (&range.0, &range.1) {
            (Unbounded, _) | (_, Unbounded) => true,
            (Excluded(a), Excluded(b)) => a < b,
            (Included(a) | Excluded(a), Included(b) | Excluded(b)) => a <= b,
        };
        let mut expected = valid
            .then(|| self.model.range(range.clone()))
            .into_iter()
            .flatten();
        let mut records = self.db.range(range.clone());
        loop {
            let from_the_back = match way {
                0 => false,
                1 => true,
                _ => self.random.one_in(2),
            };
            let (found, expected) = match from_the_back {
                false => (records.next(), expected.next()),
                true => (records.next_back(), expected.next_back()),
            };
            let found = found.transpose()?;
            assert_eq!(
                found.as_ref().map(|(key, value)| (key, value)),
                expected,
                "in {range:?}, way {way}"
            );
            if found.is_none() {
                break;
            }
            if self.random.one_in(200) {
                break;
            }
        }
        drop(records);
        self.count(name(way));
        Ok(())
    }

    fn seek(&mut self) -> Result {
        let key = self.key();
        let db = &self.db;
        let mut cursor = db.cursor_open()?;
        let mut what = "";
        // The same cursor several times: a used one must do as well as a new one.
        for _ in 0..1 + self.random.below(3) {
            let mode = self.random.pick(&[-1, 0, 1]);
            cursor.seek(&key, LsmCursorSeekOp::try_from(mode)?)?;
            let hit = self.model.contains_key(&key);
            let mut down = self.model.range::<Vec<u8>, _>(..=&key).rev();
            let mut up = self.model.range::<Vec<u8>, _>(&key..);
            for step in 0..self.random.below(20) {
                let expected = match mode {
                    -1 => down.next(),
                    0 => self.model.get_key_value(&key),
                    _ => up.next(),
                };
                assert_eq!(
                    cursor.valid().is_ok(),
                    expected.is_some(),
                    "seek {key:?}, mode {mode}, step {step}"
                );
                let Some((expected_key, expected_value)) = expected else {
                    break;
                };
                assert_eq!(&cursor.get_key()?, expected_key, "{key:?} {mode} {step}");
                assert_eq!(&cursor.get_value()?, expected_value, "{key:?} {mode}");
                assert_eq!(cursor.compare(&key)?, expected_key.cmp(&key));
                match mode {
                    -1 => cursor.prev()?,
                    0 => break,
                    _ => cursor.next()?,
                }
            }
            what = match (mode, hit) {
                (-1, true) => "seek LE hit",
                (-1, false) => "seek LE miss",
                (0, true) => "seek EQ hit",
                (0, false) => "seek EQ miss",
                (_, true) => "seek GE hit",
                (_, false) => "seek GE miss",
            };
        }
        drop(cursor);
        self.count(what);
        Ok(())
    }

    fn end_transaction(&mut self) -> Result {
        while self.before.is_some() {
            self.transaction()?;
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result {
        match self.random.below(3) {
            0 => {
                // Dropped as it is, so that an open transaction ends too.
                if let Some(before) = self.before.take() {
                    self.model = before;
                }
                self.db = LsmDb::default();
                self.db = self.builder.clone().open(self.path)?;
            }
            _ => {
                self.end_transaction()?;
                self.db.disconnect()?;
                self.db.connect()?;
            }
        }
        assert_same(&contents(&self.db)?, &self.model, "reopened");
        self.count("reopen");
        Ok(())
    }

    fn maintain(&mut self) -> Result {
        self.end_transaction()?;
        let what = self
            .random
            .pick(&["flush", "flush", "checkpoint", "compact"]);
        match what {
            "flush" => self.db.flush()?,
            "checkpoint" => drop(self.db.checkpoint()?),
            _ => self.db.compact()?,
        }
        self.count(what);
        Ok(())
    }
}

fn run(builder: &LsmDbBuilder, seed: u64, counts: &mut Counts) -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("history.lsm");
    let mut history = History {
        random: SplitMix64::new(seed),
        builder,
        path: &path,
        db: builder.clone().open(&path)?,
        before: None,
        model: Model::new(),
        counts,
    };
    for _ in 0..OPERATIONS {
        history.step()?;
    }
    history.end_transaction()?;
    assert_same(&contents(&history.db)?, &history.model, "at the end");
    history.db.close()?;
    let db = builder.clone().open(&path)?;
    assert_same(&contents(&db)?, &history.model, "closed and reopened");
    Ok(())
}

/// Runs the histories of one setting and checks that they contained everything.
fn histories(name: &str, builder: &LsmDbBuilder) -> Result {
    let first = setting("LSMLITE_SEED", 1);
    let mut counts = Counts::new();
    for seed in first..first + setting("LSMLITE_HISTORIES", 8) {
        match catch_unwind(AssertUnwindSafe(|| run(builder, seed, &mut counts))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                return Err(
                    format!("{name}: LSMLITE_SEED={seed} LSMLITE_HISTORIES=1: {error}").into(),
                );
            }
            Err(payload) => {
                println!("{name}: LSMLITE_SEED={seed} LSMLITE_HISTORIES=1");
                std::panic::resume_unwind(payload);
            }
        }
    }
    println!("{name}: {counts:?}");
    for what in MUST_HAPPEN.iter().chain(&["checkpoint"]) {
        assert!(counts.contains_key(what), "{name}: never did {what:?}");
    }
    Ok(())
}

/// Small pages, blocks and trees: everything happens often.
fn small() -> LsmDbBuilder {
    LsmDb::builder()
        .safety(Safety::Off)
        .autoflush_kib(8)
        .autocheckpoint_kib(64)
        .page_size_bytes(512)
        .block_size_kib(64)
}

#[test]
fn the_default_settings_behave_like_a_map() -> Result {
    histories("default", &LsmDb::builder().safety(Safety::Off))
}

#[test]
fn small_pages_behave_like_a_map() -> Result {
    histories("small", &small())
}

#[test]
fn tiny_pages_and_many_segments_behave_like_a_map() -> Result {
    histories(
        "tiny",
        &small()
            .page_size_bytes(256)
            .autoflush_kib(1)
            .automerge_segments(2)
            .max_free_list(2),
    )
}

#[test]
fn mapped_files_behave_like_a_map() -> Result {
    histories("mapped", &small().mmap(Mmap::All))?;
    histories("partly mapped", &small().mmap(Mmap::UpToKib(32)))
}

#[cfg(feature = "lz4")]
#[test]
fn compressed_files_behave_like_a_map() -> Result {
    histories("lz4", &small().compression(Compression::LZ4))
}

#[cfg(feature = "zstd")]
#[test]
fn compressed_large_pages_behave_like_a_map() -> Result {
    let compression = Compression::Zstd { level: 1 };
    let builder = small().page_size_bytes(8192).compression(compression);
    histories("zstd", &builder)
}

#[test]
fn without_automatic_work_it_behaves_like_a_map() -> Result {
    histories("no autowork", &small().autowork(false))
}

#[test]
fn multi_process_files_behave_like_a_map() -> Result {
    histories("multi-process", &small().multi_process(true))
}

#[test]
fn with_a_merger_it_behaves_like_a_map() -> Result {
    histories("merger", &small().background(BackgroundMode::Merger))
}

#[test]
fn with_a_checkpointer_it_behaves_like_a_map() -> Result {
    let builder = small().background(BackgroundMode::Checkpointer);
    histories("checkpointer", &builder)
}

#[test]
fn with_both_threads_it_behaves_like_a_map() -> Result {
    let builder = small().background(BackgroundMode::MergerAndCheckpointer);
    histories("both", &builder)
}
