//! What a history needs of a database, and the safe interface as one.

use std::ops::Bound::{Excluded, Included};
use std::path::Path;

use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::{BackgroundMode, Mmap, Safety};
use lsmlite_rs::{Cursor as _, Disk, LsmCursor, LsmCursorSeekOp, LsmDb, LsmDbBuilder, LsmError};

use crate::settings::Settings;

pub type Outcome<T = ()> = Result<T, String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    Exactly,
    AtOrAfter,
    AtOrBefore,
    First,
    Last,
}

impl Seek {
    pub fn goes_up(self) -> bool {
        matches!(self, Seek::AtOrAfter | Seek::First)
    }
}

/// What can be seen of the engine's inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// For each level whether it has a left-hand run, and how many right-hand ones.
    pub levels: Vec<(bool, usize)>,
    pub free_blocks: u32,
    pub log_position: u64,
    pub log_bytes: u64,
    pub log_wrapped: bool,
    pub checkpoint_debt_kib: u32,
    pub waiting_tree_kib: u32,
}

pub trait Cursor {
    fn seek(&mut self, key: &[u8], how: Seek) -> Outcome;
    fn step(&mut self, how: Seek) -> Outcome;
    /// The record; `None` at the end.
    fn record(&self) -> Outcome<Option<(Vec<u8>, Vec<u8>)>>;
}

pub trait Store: Sized + Send + 'static {
    type Cursor<'a>: Cursor
    where
        Self: 'a;

    fn open(path: &Path, settings: &Settings) -> Outcome<Self>;
    /// A connection that only reads.
    fn open_reader(path: &Path, settings: &Settings) -> Outcome<Self>;
    fn close(self) -> Outcome;
    fn insert(&mut self, key: &[u8], value: &[u8]) -> Outcome;
    fn delete(&mut self, key: &[u8]) -> Outcome;
    fn delete_range(&mut self, a: &[u8], b: &[u8]) -> Outcome;
    /// Begins one more transaction, so that there are `depth`.
    fn begin(&mut self, depth: usize) -> Outcome;
    /// Commits until `depth` are left.
    fn commit(&mut self, depth: usize) -> Outcome;
    /// Rolls back and ends transactions until `depth` are left.
    fn roll_back(&mut self, depth: usize) -> Outcome;
    fn flush(&mut self) -> Outcome;
    fn work(&mut self, n: u32, kib: u32) -> Outcome;
    fn checkpoint(&mut self) -> Outcome;
    fn compact(&mut self) -> Outcome;
    fn auto_merge(&mut self, n: u32) -> Outcome;
    fn auto_flush(&mut self, kib: u32) -> Outcome;
    fn cursor(&self) -> Outcome<Self::Cursor<'_>>;
    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>>;
    /// The records from `a` to `b`, or without those two, read from both ends by turns.
    fn range(&self, a: &[u8], b: &[u8], inclusive: bool) -> Outcome<Vec<(Vec<u8>, Vec<u8>)>>;
    fn shape(&self) -> Outcome<Shape>;
}

fn say(error: LsmError) -> String {
    error.to_string()
}

fn say_code(error: lsmlite_rs::LsmErrorCode) -> String {
    error.to_string()
}

fn builder(settings: &Settings) -> LsmDbBuilder {
    LsmDb::builder()
        .page_size_bytes(settings.page_bytes)
        .block_size_kib(settings.block_kib)
        .autoflush_kib(settings.autoflush_kib)
        .autocheckpoint_kib(settings.autocheckpoint_kib)
        .automerge_segments(settings.automerge)
        .max_free_list(settings.free_list)
        .filter_memory_kib(settings.filter_kib)
        .mmap(match settings.mmap {
            0 => Mmap::Off,
            1 => Mmap::All,
            kib => Mmap::UpToKib(kib),
        })
        .use_log(settings.log > 0)
        .multi_process(settings.multi_process > 0)
        .safety(match settings.safety {
            0 => Safety::Off,
            1 => Safety::Normal,
            _ => Safety::Full,
        })
        .autowork(settings.autowork > 0)
        .compression(codec(settings.codec))
        .page_checksums(settings.checksums > 0)
}

fn codec(number: u32) -> Compression {
    match number {
        #[cfg(feature = "lz4")]
        1 => Compression::LZ4,
        #[cfg(feature = "zlib")]
        2 => Compression::Zlib { level: 1 },
        #[cfg(feature = "zstd")]
        3 => Compression::Zstd { level: 1 },
        _ => Compression::None,
    }
}

impl Store for LsmDb {
    type Cursor<'a> = LsmCursor<'a>;

    fn open(path: &Path, settings: &Settings) -> Outcome<Self> {
        let mode = match settings.background {
            0 => BackgroundMode::None,
            1 => BackgroundMode::Merger,
            2 => BackgroundMode::Checkpointer,
            _ => BackgroundMode::MergerAndCheckpointer,
        };
        builder(settings).background(mode).open(path).map_err(say)
    }

    fn open_reader(path: &Path, settings: &Settings) -> Outcome<Self> {
        let builder = builder(settings).read_only(settings.read_only > 0);
        builder.open(path).map_err(say)
    }

    fn close(self) -> Outcome {
        LsmDb::close(self).map_err(say)
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) -> Outcome {
        LsmDb::insert(self, key, value).map_err(say)
    }

    fn delete(&mut self, key: &[u8]) -> Outcome {
        self.remove(key).map_err(say)
    }

    fn delete_range(&mut self, a: &[u8], b: &[u8]) -> Outcome {
        Disk::delete_range(self, a, b).map_err(say_code)
    }

    fn begin(&mut self, _: usize) -> Outcome {
        self.begin_transaction().map_err(say_code)
    }

    fn commit(&mut self, _: usize) -> Outcome {
        self.commit_transaction().map_err(say_code)
    }

    fn roll_back(&mut self, _: usize) -> Outcome {
        self.rollback_transaction().map_err(say_code)
    }

    fn flush(&mut self) -> Outcome {
        LsmDb::flush(self).map_err(say)
    }

    fn work(&mut self, _: u32, kib: u32) -> Outcome {
        LsmDb::work(self, kib).map(drop).map_err(say)
    }

    fn checkpoint(&mut self) -> Outcome {
        LsmDb::checkpoint(self).map(drop).map_err(say)
    }

    fn compact(&mut self) -> Outcome {
        LsmDb::compact(self).map_err(say)
    }

    fn auto_merge(&mut self, _: u32) -> Outcome {
        Ok(()) // In force from the next opening on.
    }

    fn auto_flush(&mut self, _: u32) -> Outcome {
        Ok(())
    }

    fn cursor(&self) -> Outcome<LsmCursor<'_>> {
        self.cursor_open().map_err(say_code)
    }

    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        let value = LsmDb::get(self, key).map_err(say)?;
        if self.contains_key(key).map_err(say)? != value.is_some() {
            return Err(String::from("contains_key says otherwise"));
        }
        Ok(value)
    }

    fn range(&self, a: &[u8], b: &[u8], inclusive: bool) -> Outcome<Vec<(Vec<u8>, Vec<u8>)>> {
        let bound = if inclusive { Included } else { Excluded };
        let mut records = LsmDb::range::<&[u8]>(self, (bound(a), bound(b)));
        let (mut front, mut back) = (Vec::new(), Vec::new());
        while let Some(record) = records.next() {
            front.push(record.map_err(say)?);
            if front.len() % 3 == 0 {
                continue;
            }
            match records.next_back() {
                Some(record) => back.push(record.map_err(say)?),
                None => break,
            }
        }
        front.extend(back.into_iter().rev());
        Ok(front)
    }

    fn shape(&self) -> Outcome<Shape> {
        let stats = self.stats().map_err(say)?;
        let levels = stats.levels.iter();
        Ok(Shape {
            levels: levels
                .map(|level| (level.bytes > 0, level.merging_bytes.len()))
                .collect(),
            free_blocks: stats.free_blocks,
            log_position: stats.log_position,
            log_bytes: stats.log_bytes,
            log_wrapped: stats.log_wrapped,
            checkpoint_debt_kib: stats.checkpoint_debt_kib,
            waiting_tree_kib: stats.waiting_tree_kib,
        })
    }
}

impl Cursor for LsmCursor<'_> {
    fn seek(&mut self, key: &[u8], how: Seek) -> Outcome {
        let mut to = |how| lsmlite_rs::Cursor::seek(self, key, how);
        match how {
            Seek::Exactly => to(LsmCursorSeekOp::LsmCursorSeekEq),
            Seek::AtOrAfter => to(LsmCursorSeekOp::LsmCursorSeekGe),
            Seek::AtOrBefore => to(LsmCursorSeekOp::LsmCursorSeekLe),
            Seek::First => self.first(),
            Seek::Last => self.last(),
        }
        .map_err(say_code)
    }

    fn step(&mut self, how: Seek) -> Outcome {
        match how.goes_up() {
            true => self.next(),
            false => self.prev(),
        }
        .map_err(say_code)
    }

    fn record(&self) -> Outcome<Option<(Vec<u8>, Vec<u8>)>> {
        if self.valid().is_err() {
            return Ok(None);
        }
        let key = self.get_key().map_err(say_code)?;
        Ok(Some((key, self.get_value().map_err(say_code)?)))
    }
}
