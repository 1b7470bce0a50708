//! A writer whose every commit is remembered, for tests that take its disk away.

use std::fmt;
use std::ops::Bound;

use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::{BackgroundMode, Mmap, Safety};
use lsmlite_rs::env::{Env, FaultEnv};
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder, LsmError, LsmErrorCode};

use super::{Counts, Model, SplitMix64, contents};

pub type Outcome<T = ()> = Result<T, Failed>;

/// An error of either face.
#[derive(Clone, PartialEq, Eq)]
pub struct Failed {
    pub code: LsmErrorCode,
    text: String,
}

impl From<LsmError> for Failed {
    fn from(error: LsmError) -> Failed {
        Failed {
            code: error.code(),
            text: error.to_string(),
        }
    }
}

impl From<LsmErrorCode> for Failed {
    fn from(code: LsmErrorCode) -> Failed {
        let text = format!("{code:?}");
        Failed { code, text }
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a commit changes; `None` removes the key.
pub type Writes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// A database's settings, drawn by chance: small, so that every structure is used.
#[derive(Clone, Debug)]
pub struct Setting {
    page_bytes: u32,
    block_kib: u32,
    autoflush_kib: u32,
    autocheckpoint_kib: u32,
    automerge: u32,
    max_free_list: u32,
    compression: Compression,
    mmap: bool,
    pub use_log: bool,
    pub background: BackgroundMode,
    pub multi_process: bool,
    pub safety: Safety,
}

impl Setting {
    pub fn random(random: &mut SplitMix64, safety: Safety) -> Setting {
        let mut codecs = vec![Compression::None; 4];
        if cfg!(feature = "lz4") {
            codecs.push(Compression::LZ4);
        }
        if cfg!(feature = "zlib") {
            codecs.push(Compression::Zlib { level: 1 });
        }
        if cfg!(feature = "zstd") {
            codecs.push(Compression::Zstd { level: 1 });
        }
        let background = match random.below(8) {
            0 => BackgroundMode::Merger,
            1 => BackgroundMode::Checkpointer,
            2 => BackgroundMode::MergerAndCheckpointer,
            _ => BackgroundMode::None,
        };
        Setting {
            page_bytes: random.pick(&[256, 512, 1024, 4096]),
            block_kib: random.pick(&[64, 64, 128]),
            autoflush_kib: random.pick(&[0, 4, 16, 64, 1024]),
            autocheckpoint_kib: random.pick(&[0, 64, 64, 128, 1024]),
            automerge: random.pick(&[2, 4, 8]),
            max_free_list: random.pick(&[2, 8, 24]),
            compression: random.pick(&codecs),
            mmap: random.one_in(3),
            // Full safety rests on the log.
            use_log: safety == Safety::Full || !random.one_in(4),
            background,
            multi_process: random.one_in(4),
            safety,
        }
    }

    pub fn builder(&self, env: impl Into<Env>) -> LsmDbBuilder {
        LsmDb::builder()
            .env(env)
            .page_size_bytes(self.page_bytes)
            .block_size_kib(self.block_kib)
            .autoflush_kib(self.autoflush_kib)
            .autocheckpoint_kib(self.autocheckpoint_kib)
            .automerge_segments(self.automerge)
            .max_free_list(self.max_free_list)
            .compression(self.compression)
            .mmap(if self.mmap { Mmap::All } else { Mmap::Off })
            .use_log(self.use_log)
            .background(self.background)
            .multi_process(self.multi_process)
            .safety(self.safety)
    }

    /// Opens the database, in a process of its own per handle if several may use it.
    pub fn open(&self, env: &FaultEnv) -> Outcome<LsmDb> {
        Ok(self.builder(env).open(NAME)?)
    }

    pub fn count(&self, counts: &mut Counts) {
        let mut count = |yes: bool, what| *counts.entry(what).or_default() += u64::from(yes);
        count(self.mmap, "setting: mmap");
        count(!self.use_log, "setting: no log");
        count(self.multi_process, "setting: multi-process");
        count(
            self.compression != Compression::None,
            "setting: compression",
        );
        count(
            self.background != BackgroundMode::None,
            "setting: background threads",
        );
    }
}

pub const NAME: &str = "dir/test.lsm";

/// What was committed, in order.
#[derive(Default)]
pub struct History {
    base: Model,
    commits: Vec<Writes>,
    /// So many commits are durable for certain.
    durable: usize,
    /// A commit that failed: nobody knows whether it is there.
    unknown: Option<Writes>,
}

fn apply(model: &mut Model, writes: &Writes) {
    for (key, value) in writes {
        match value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(key),
        };
    }
}

impl History {
    /// A history that begins here, with this content for certain.
    pub fn from(base: Model) -> History {
        History {
            base,
            ..History::default()
        }
    }

    pub fn all_is_durable(&mut self) {
        self.durable = self.commits.len();
    }

    pub fn commits(&self) -> usize {
        self.commits.len()
    }

    /// True once a commit has failed.
    pub fn is_unknown(&self) -> bool {
        self.unknown.is_some()
    }

    pub fn durable(&self) -> usize {
        self.durable
    }

    /// After which commit the content was this, `least` or a later one; the latest of them.
    pub fn find(&self, found: &Model, least: usize) -> Option<usize> {
        let mut model = self.base.clone();
        let mut last = None;
        let all = self.commits.iter().chain(&self.unknown);
        for (i, writes) in all.enumerate() {
            if i >= least && model == *found {
                last = Some(i);
            }
            apply(&mut model, writes);
        }
        if model == *found {
            last = Some(self.commits.len() + usize::from(self.unknown.is_some()));
        }
        last
    }

    /// What a content that isn't found lacks or has too much, compared with all commits.
    pub fn explain(&self, found: &Model) -> String {
        let mut model = self.base.clone();
        let all = self.commits.iter().chain(&self.unknown);
        let mut nearest = (usize::MAX, 0, String::new());
        for i in 0.. {
            let mut differs = Vec::new();
            for (key, value) in &model {
                match found.get(key) {
                    None => differs.push(format!("-{}", show(key))),
                    Some(other) if other != value => differs.push(format!("!{}", show(key))),
                    _ => {}
                }
            }
            for key in found.keys().filter(|key| !model.contains_key(*key)) {
                differs.push(format!("+{}", show(key)));
            }
            if differs.len() <= nearest.0 {
                let some: Vec<_> = differs.iter().take(8).cloned().collect();
                nearest = (differs.len(), i, some.join(" "));
            }
            match all.clone().nth(i) {
                Some(writes) => apply(&mut model, writes),
                None => break,
            }
        }
        format!(
            "{} records; {} commits, {} of them durable, {} unknown; nearest is the state after \
             commit {}, {} keys differ: {}",
            found.len(),
            self.commits.len(),
            self.durable,
            usize::from(self.unknown.is_some()),
            nearest.1,
            nearest.0,
            nearest.2
        )
    }
}

fn show(key: &[u8]) -> String {
    let short = &key[..key.len().min(8)];
    String::from_utf8_lossy(short).into_owned()
}

/// A writer at work.
pub struct Workload<'a> {
    pub random: SplitMix64,
    pub history: History,
    /// What is committed now.
    now: Model,
    full: bool,
    counts: &'a mut Counts,
}

impl<'a> Workload<'a> {
    /// What was committed; a commit that failed isn't in it.
    pub fn now(&self) -> &Model {
        &self.now
    }

    pub fn new(seed: u64, setting: &Setting, base: Model, counts: &'a mut Counts) -> Self {
        Workload {
            random: SplitMix64::new(seed),
            now: base.clone(),
            history: History::from(base),
            full: setting.safety == Safety::Full,
            counts,
        }
    }

    /// Does something with the database.
    ///
    /// # Errors
    /// Something failed, and the history says what is unknown now.
    pub fn step(&mut self, db: &mut LsmDb) -> Outcome {
        match self.random.below(100) {
            0..=54 => {
                let (key, value) = (self.key(), self.value());
                let result = db.insert(&key, &value);
                self.count("insert");
                self.committed(vec![(key, Some(value))], result.map_err(Into::into))
            }
            55..=66 => {
                let key = self.key();
                let result = db.remove(&key);
                self.count("remove");
                self.committed(vec![(key, None)], result.map_err(Into::into))
            }
            67..=70 => {
                let (writes, result) = self.remove_range(db);
                self.count("remove range");
                self.committed(writes, result)
            }
            71..=82 => self.transaction(db),
            83..=89 => {
                let key = self.key();
                let found = db.get(&key)?;
                assert!(
                    found.as_ref() == self.now.get(&key),
                    "get of {}",
                    show(&key)
                );
                self.count("get");
                Ok(())
            }
            90..=91 => self.scan(db),
            92 => {
                self.count("flush");
                Ok(db.flush()?)
            }
            93 => self.ingest(db),
            94..=95 => {
                self.count("work");
                let kib = self.random.below(64) as u32;
                Ok(db.work(kib).map(drop)?)
            }
            96..=97 => {
                self.count("checkpoint");
                Ok(db.checkpoint().map(drop)?)
            }
            98 => {
                db.flush()?;
                db.checkpoint()?;
                self.count("everything made durable");
                self.history.all_is_durable();
                Ok(())
            }
            _ => {
                self.count("compact");
                Ok(db.compact()?)
            }
        }
    }

    /// Looks at a handle that has just failed: if that was in writing, it only reads from now
    /// on, and says why.
    pub fn assert_failed(&mut self, db: &mut LsmDb, error: &Failed) {
        let Some(cause) = db.failure() else {
            let harmless = [LsmErrorCode::LsmBusy, LsmErrorCode::LsmMisuse];
            assert!(
                !self.history.is_unknown() || harmless.contains(&error.code),
                "a write failed and isn't remembered: {error:?}"
            );
            return;
        };
        self.count("poisoned");
        let refused = db.insert("key", "value").expect_err("poisoned");
        assert!(refused.is_poisoned(), "{refused}");
        assert_eq!(refused.code(), cause.code());
        if let Ok(found) = contents(db) {
            assert!(
                found == self.now,
                "after an error: {}",
                History::from(self.now.clone()).explain(&found)
            );
            self.count("reading went on");
        }
    }

    /// Everything that is there must be what was committed.
    pub fn scan(&mut self, db: &LsmDb) -> Outcome {
        let found = contents(db)?;
        assert!(
            found == self.now,
            "scan: {}",
            History::from(self.now.clone()).explain(&found)
        );
        self.count("scan");
        Ok(())
    }

    fn transaction(&mut self, db: &mut LsmDb) -> Outcome {
        let before = self.now.clone();
        let mut writes = Vec::new();
        let filled = self.fill(db, &mut writes);
        let rollback = filled.is_err() || self.random.one_in(4);
        self.now = before;
        if rollback {
            let result = db.rollback_transaction();
            self.count("rollback");
            return filled.and(result.map_err(Into::into));
        }
        let result = db.commit_transaction();
        self.count("transaction");
        self.committed(writes, result.map_err(Into::into))
    }

    fn fill(&mut self, db: &mut LsmDb, writes: &mut Writes) -> Outcome {
        db.begin_transaction()?;
        let many = self.random.one_in(12);
        for _ in 0..self.random.below(if many { 150 } else { 12 }) {
            let new = match self.random.below(10) {
                0 => {
                    let key = self.key();
                    db.remove(&key)?;
                    vec![(key, None)]
                }
                1 => {
                    let (removed, result) = self.remove_range(db);
                    result?;
                    removed
                }
                _ => {
                    let (key, value) = (self.key(), self.value());
                    db.insert(&key, &value)?;
                    vec![(key, Some(value))]
                }
            };
            apply(&mut self.now, &new);
            writes.extend(new);
        }
        if self.random.one_in(4) {
            self.scan(db)?;
        }
        Ok(())
    }

    /// Removes what lies strictly between two keys; returns what that was.
    fn remove_range(&mut self, db: &mut LsmDb) -> (Writes, Outcome) {
        let (a, b) = (self.key(), self.key());
        let (begin, end) = if a < b { (a, b) } else { (b, a) };
        let mut writes = Vec::new();
        if begin < end {
            let range = (Bound::Excluded(&begin), Bound::Excluded(&end));
            let keys = self.now.range::<Vec<u8>, _>(range);
            writes.extend(keys.map(|(key, _)| (key.clone(), None)));
        }
        let result = db.delete_range(&begin, &end);
        (writes, result.map_err(Into::into))
    }

    /// Sorted records past the log.
    fn ingest(&mut self, db: &mut LsmDb) -> Outcome {
        let mut records = Model::new();
        let many = self.random.one_in(8);
        for _ in 0..1 + self.random.below(if many { 150 } else { 20 }) {
            records.insert(self.key(), self.value());
        }
        let result = db.ingest(&records).map(drop);
        self.count("ingest");
        let writes = records.into_iter().map(|(key, value)| (key, Some(value)));
        let writes: Writes = writes.collect();
        if let (Err(_), Some(_)) = (&result, db.failure()) {
            // If it was the checkpoint that failed they are there, for now.
            let mut then = self.now.clone();
            apply(&mut then, &writes);
            if contents(db).is_ok_and(|found| found == then) {
                self.count("ingested, and not durable");
                self.now = then;
            }
        }
        let ingested = result.is_ok();
        self.committed(writes, result.map_err(Into::into))?;
        if ingested {
            self.history.all_is_durable();
        }
        Ok(())
    }

    fn committed(&mut self, writes: Writes, result: Outcome) -> Outcome {
        match &result {
            Ok(()) => {
                apply(&mut self.now, &writes);
                self.history.commits.push(writes);
                if self.full {
                    self.history.all_is_durable();
                }
            }
            Err(_) => self.history.unknown = Some(writes),
        }
        result
    }

    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn key(&mut self) -> Vec<u8> {
        let n = self.random.below(150);
        let mut key = format!("{n:03}").into_bytes();
        if n % 16 == 0 {
            key.resize(400, b'k');
        }
        key
    }

    fn value(&mut self) -> Vec<u8> {
        let len = match self.random.below(30) {
            0 => 0,
            1 => 5000,
            2..=5 => 700,
            _ => self.random.below(120) as usize,
        };
        let mut value = self.random.bytes(len.min(60));
        value.resize(len, b'v');
        value
    }
}
