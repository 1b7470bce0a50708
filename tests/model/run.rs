//! Runs one history and compares on the way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::compare::{compare_value, contents, everything, walk};
use crate::expected::{Expected, Written};
use crate::ops::Op;
use crate::reader::Reader;
use crate::settings::Settings;
use crate::store::{Outcome, Seek, Shape, Store};

/// How often each thing happened.
pub type Counts = BTreeMap<&'static str, u64>;

/// Runs the operations on a new database in `dir`; tells the first difference.
pub fn run<S: Store>(
    settings: &Settings,
    ops: &[Op],
    dir: &Path,
    counts: &mut Counts,
) -> Result<(), String> {
    let mut run = Run::<S>::begin(settings, dir, counts)?;
    for (at, op) in ops.iter().enumerate() {
        run.at = at as u32;
        run.step(*op)
            .map_err(|error| format!("operation {at}, {op}: {error}"))?;
    }
    run.end().map_err(|error| format!("at the end: {error}"))
}

struct Run<'a, S: Store> {
    settings: Settings,
    keys: Arc<Vec<Vec<u8>>>,
    dir: &'a Path,
    path: PathBuf,
    /// `None` only while it is being opened again.
    store: Option<S>,
    readers: Vec<Option<Reader>>,
    expected: Expected,
    counts: &'a mut Counts,
    at: u32,
    crashes: u32,
    commits: u32,
    /// Deletes since memory was last written to the file: points, ranges.
    deleted: (u32, u32),
    last: Shape,
    looks: u32,
}

impl<'a, S: Store> Run<'a, S> {
    fn begin(settings: &Settings, dir: &'a Path, counts: &'a mut Counts) -> Outcome<Self> {
        let path = dir.join("model.lsm");
        Ok(Run {
            store: Some(S::open(&path, settings).map_err(|e| format!("open: {e}"))?),
            settings: settings.clone(),
            keys: Arc::new(settings.all_keys()),
            dir,
            path,
            readers: (0..settings.readers).map(|_| None).collect(),
            expected: Expected::new(),
            counts,
            at: 0,
            crashes: 0,
            commits: 0,
            deleted: (0, 0),
            last: Shape::default(),
            looks: 0,
        })
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn count_if(&mut self, yes: bool, what: &'static str) {
        if yes {
            self.count(what);
        }
    }

    fn store(&mut self) -> Outcome<&mut S> {
        self.store.as_mut().ok_or_else(|| String::from("not open"))
    }

    fn key(&self, k: u32) -> Outcome<Vec<u8>> {
        let key = self.keys.get(k as usize).cloned();
        key.ok_or_else(|| format!("no key {k}"))
    }

    fn step(&mut self, op: Op) -> Outcome {
        match op {
            Op::Insert { k, len } => self.insert(k, len),
            Op::Delete { k } => self.delete(k),
            Op::DeleteRange { a, b } => self.delete_range(a, b),
            Op::Begin => self.begin_transaction(),
            Op::Commit => self.commit(self.expected.depth().saturating_sub(1)),
            Op::Undo => self.roll_back(self.expected.depth().saturating_sub(1)),
            Op::CommitAll => self.commit(0),
            Op::UndoAll => self.roll_back(0),
            Op::Flush | Op::Work { .. } | Op::Checkpoint | Op::Compact => self.maintain(op),
            Op::Reopen => self.reopen(),
            Op::Abandon => self.abandon(),
            Op::CrashCopy => self.crash(false),
            Op::Crash => self.crash(true),
            Op::AutoMerge { n } => {
                self.settings.automerge = n;
                self.store()?.auto_merge(n)
            }
            Op::AutoFlush { kib } => {
                self.settings.autoflush_kib = kib;
                self.store()?.auto_flush(kib)
            }
            Op::Exact { .. }
            | Op::From { .. }
            | Op::UpTo { .. }
            | Op::Again { .. }
            | Op::Range { .. }
            | Op::Forwards
            | Op::Backwards => self.read(op),
            Op::ReaderPin { r }
            | Op::ReaderFrom { r, .. }
            | Op::ReaderUpTo { r, .. }
            | Op::ReaderScan { r }
            | Op::ReaderRelease { r }
            | Op::ReaderReopen { r } => self.reader(r as usize, op),
        }
    }

    fn insert(&mut self, k: u32, len: u32) -> Outcome {
        let key = self.key(k)?;
        let written = Written {
            version: self.at,
            len,
        };
        self.store()?.insert(&key, &written.bytes())?;
        self.commits += 1;
        self.count_if(len > self.settings.page_bytes, "value longer than a page");
        self.count_if(
            key.len() > self.settings.page_bytes as usize,
            "key longer than a page",
        );
        let hit = self.expected.insert(k, written);
        self.count(if hit { "overwrite" } else { "insert" });
        Ok(())
    }

    fn delete(&mut self, k: u32) -> Outcome {
        let key = self.key(k)?;
        self.store()?.delete(&key)?;
        self.commits += 1;
        self.deleted.0 += 1;
        let hit = self.expected.remove(k);
        self.count(if hit { "delete" } else { "delete of nothing" });
        Ok(())
    }

    fn delete_range(&mut self, a: u32, b: u32) -> Outcome {
        let (begin, end) = (self.key(a)?, self.key(b)?);
        self.store()?.delete_range(&begin, &end)?;
        self.commits += 1;
        self.deleted.1 += u32::from(a < b);
        let hit = self.expected.remove_between(a, b);
        self.count(match hit {
            true => "range delete",
            false => "range delete of nothing",
        });
        Ok(())
    }

    fn begin_transaction(&mut self) -> Outcome {
        let depth = self.expected.depth() + 1;
        if depth > self.settings.nesting as usize {
            return Ok(());
        }
        self.store()?.begin(depth)?;
        self.expected.begin();
        self.count(if depth > 1 { "nested begin" } else { "begin" });
        Ok(())
    }

    fn commit(&mut self, depth: usize) -> Outcome {
        if self.expected.depth() == 0 {
            return Ok(());
        }
        self.store()?.commit(depth)?;
        self.expected.commit(depth);
        self.commits += u32::from(depth == 0);
        self.count(if depth > 0 { "nested commit" } else { "commit" });
        Ok(())
    }

    fn roll_back(&mut self, depth: usize) -> Outcome {
        if self.expected.depth() == 0 {
            return Ok(());
        }
        self.store()?.roll_back(depth)?;
        self.expected.roll_back(depth);
        self.count(match depth {
            0 => "rollback",
            _ => "rollback of a nested transaction",
        });
        Ok(())
    }

    fn maintain(&mut self, op: Op) -> Outcome {
        if self.expected.depth() > 0 {
            return Ok(());
        }
        let on_a_file = !self.last.levels.is_empty();
        let store = self.store()?;
        match op {
            Op::Flush => store.flush()?,
            Op::Work { n, kib } => store.work(n, kib)?,
            Op::Checkpoint => store.checkpoint()?,
            _ => store.compact()?,
        }
        match op {
            Op::Flush => {
                // Nothing is below them, so deletes in the first run aren't kept.
                let (points, ranges) = std::mem::take(&mut self.deleted);
                self.count_if(on_a_file && points > 0, "point tombstones written");
                self.count_if(on_a_file && ranges > 0, "range tombstones written");
                self.count("flush");
            }
            Op::Work { .. } => self.count("work"),
            Op::Checkpoint => self.count("checkpoint"),
            _ => self.count("compact"),
        }
        self.look()
    }

    /// Looks inside and counts what it sees.
    fn look(&mut self) -> Outcome {
        self.looks += 1;
        if self.settings.background > 0 && self.looks % 8 != 0 {
            return Ok(()); // It would have to wait for the threads.
        }
        let shape = self.store()?.shape()?;
        let last = std::mem::replace(&mut self.last, shape.clone());
        self.count_if(
            shape.levels.iter().any(|level| level.1 > 0),
            "merge left part-way",
        );
        self.count_if(
            shape.levels.iter().any(|level| level.0 && level.1 > 1),
            "part-way with several right-hand runs",
        );
        self.count_if(
            shape.levels.iter().filter(|level| level.1 > 0).count() > 1,
            "two merges part-way",
        );
        self.count_if(shape.levels.len() > 4, "more than four levels");
        self.count_if(shape.free_blocks > 0, "free blocks");
        self.count_if(shape.free_blocks < last.free_blocks, "blocks reused");
        self.count_if(shape.log_wrapped, "log wrapped");
        self.count_if(
            shape.checkpoint_debt_kib < last.checkpoint_debt_kib,
            "checkpoint of something",
        );
        self.count_if(shape.waiting_tree_kib > 0, "tree waiting");
        Ok(())
    }

    fn reopen(&mut self) -> Outcome {
        self.commit(0)?;
        let store = self.store.take().ok_or("not open")?;
        store.close()?;
        self.open_again()?;
        self.count("reopen");
        self.count_if(
            self.readers.iter().flatten().any(|r| r.pinned.is_some()),
            "reopen beside a snapshot",
        );
        Ok(())
    }

    fn abandon(&mut self) -> Outcome {
        self.count_if(self.expected.depth() > 0, "handle dropped in a transaction");
        self.expected.roll_back(0);
        self.store = None;
        self.open_again()
    }

    fn open_again(&mut self) -> Outcome {
        let store = S::open(&self.path, &self.settings).map_err(|e| format!("open: {e}"))?;
        let result = everything(&store, &self.keys, self.expected.map());
        self.store = Some(store);
        result.map_err(|e| format!("after opening: {e}"))?;
        self.look()
    }

    /// Copies the files as they are and opens the copy; goes on with it or with the original.
    fn crash(&mut self, go_on: bool) -> Outcome {
        if self.settings.background > 0 {
            return Ok(()); // The threads would change one file after the other was copied.
        }
        self.look()?;
        self.crashes += 1;
        let copy = self.dir.join(format!("crash{}.lsm", self.crashes));
        for end in ["", "-log", "-shm"] {
            let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
            // The shared memory of the dead is there or not.
            if name(&self.path).exists() && (end != "-shm" || self.crashes % 2 == 0) {
                std::fs::copy(name(&self.path), name(&copy)).map_err(|e| format!("copy: {e}"))?;
            }
        }
        let store = S::open(&copy, &self.settings).map_err(|e| format!("open a copy: {e}"))?;
        if self.settings.log > 0 {
            everything(&store, &self.keys, self.expected.committed())
                .map_err(|e| format!("after the crash: {e}"))?;
            self.count_if(self.last.log_bytes > 0, "recovery from the log");
        } else {
            self.count("recovery without a log");
        }
        if go_on {
            for reader in self.readers.iter_mut().filter_map(Option::take) {
                reader.close()?;
            }
            self.expected.roll_back(0);
            let found = contents(&store, &self.keys)?;
            if self.settings.log == 0 && !self.expected.go_back_to(&found) {
                return Err(format!("{} records that were never committed", found.len()));
            }
            self.store = Some(store);
            self.path = copy;
            self.last = Shape::default();
            self.count("went on after a crash");
            return Ok(());
        }
        if self.settings.log == 0 {
            let found = contents(&store, &self.keys)?;
            if !self.expected.was_committed(&found) {
                return Err(format!("{} records that were never committed", found.len()));
            }
        }
        store.close().map_err(|e| format!("close a copy: {e}"))?;
        let _ = std::fs::remove_file(&copy);
        Ok(())
    }

    fn read(&mut self, op: Op) -> Outcome {
        let keys = Arc::clone(&self.keys);
        let map = self.expected.map();
        let store = self.store.as_ref().ok_or("not open")?;
        let what = match op {
            Op::Exact { k } => {
                let hit = map.get(&k);
                compare_value(store.get(&self.key(k)?)?, hit)?;
                walk(&mut store.cursor()?, &keys, map, Seek::Exactly, k, 0)?;
                ["exact miss", "exact hit"][usize::from(hit.is_some())]
            }
            Op::From { k, n } => {
                let how = Seek::AtOrAfter;
                walk(&mut store.cursor()?, &keys, map, how, k, n as usize)?;
                ["GE miss", "GE hit"][usize::from(map.contains_key(&k))]
            }
            Op::UpTo { k, n } => {
                let how = Seek::AtOrBefore;
                walk(&mut store.cursor()?, &keys, map, how, k, n as usize)?;
                ["LE miss", "LE hit"][usize::from(map.contains_key(&k))]
            }
            Op::Again { k, l, n } => {
                let mut cursor = store.cursor()?;
                let n = n as usize;
                walk(&mut cursor, &keys, map, Seek::Exactly, k, 0)?;
                walk(&mut cursor, &keys, map, Seek::Exactly, l, 0)?;
                walk(&mut cursor, &keys, map, Seek::AtOrBefore, l, n)?;
                walk(&mut cursor, &keys, map, Seek::AtOrAfter, k, n)?;
                walk(&mut cursor, &keys, map, Seek::Exactly, k, 0)?;
                "cursor reused"
            }
            Op::Range { a, b } => {
                let inclusive = (a + b) % 2 == 0;
                let found = store.range(&self.key(a)?, &self.key(b)?, inclusive)?;
                let mut found = found.into_iter();
                let mut expected = match inclusive {
                    true if a <= b => map.range(a..=b),
                    false if a < b => map.range(a + 1..b),
                    _ => map.range(0..0),
                };
                loop {
                    let expected = expected.next();
                    crate::compare::compare_record(found.next(), &keys, expected)?;
                    if expected.is_none() {
                        break;
                    }
                }
                "range"
            }
            Op::Forwards => {
                let cursor = &mut store.cursor()?;
                walk(cursor, &keys, map, Seek::First, 0, usize::MAX)?;
                "scan forwards"
            }
            _ => {
                let cursor = &mut store.cursor()?;
                walk(cursor, &keys, map, Seek::Last, 0, usize::MAX)?;
                "scan backwards"
            }
        };
        self.count(what);
        Ok(())
    }

    fn reader(&mut self, r: usize, op: Op) -> Outcome {
        let in_transaction = self.expected.depth() > 0;
        let Some(place) = self.readers.get_mut(r) else {
            return Ok(());
        };
        let reader = match place {
            Some(reader) => reader,
            None => place.insert(Reader::open::<S>(&self.path, &self.settings, &self.keys)?),
        };
        match op {
            Op::ReaderPin { .. } => {
                reader.pin(self.expected.committed(), self.commits)?;
                self.count("snapshot");
                self.count_if(in_transaction, "snapshot beside a transaction");
            }
            Op::ReaderRelease { .. } => reader.release()?,
            Op::ReaderReopen { .. } => {
                if let Some(reader) = place.take() {
                    reader.close()?;
                }
                self.count("reader closed");
            }
            _ => {
                let (how, k, n) = match op {
                    Op::ReaderFrom { k, n, .. } => (Seek::AtOrAfter, k, n as usize),
                    Op::ReaderUpTo { k, n, .. } => (Seek::AtOrBefore, k, n as usize),
                    _ if self.at % 2 == 0 => (Seek::First, 0, usize::MAX),
                    _ => (Seek::Last, 0, usize::MAX),
                };
                reader.read(how, k, n)?;
                let age = reader.pinned.map(|then| self.commits - then);
                self.count_if(age.is_some(), "read from a snapshot");
                self.count_if(age > Some(100), "read from an old snapshot");
            }
        }
        Ok(())
    }

    fn end(mut self) -> Outcome {
        self.roll_back(0)?;
        self.look()?;
        let store = self.store.take().ok_or("not open")?;
        everything(&store, &self.keys, self.expected.map())?;
        for reader in self.readers.iter_mut().filter_map(Option::take) {
            reader.close()?;
        }
        store.close()?;
        let store = S::open(&self.path, &self.settings).map_err(|e| format!("open: {e}"))?;
        everything(&store, &self.keys, self.expected.map())
            .map_err(|e| format!("closed and reopened: {e}"))
    }
}
