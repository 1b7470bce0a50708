//! What the peer can be asked to do. `tests/published.rs` calls the same functions for our side.

use std::error::Error;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use lsmlite_rs::*;

use crate::records::{Change, Contents, Digest, Random, changes, probes, range_deletions};
use crate::script;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A database, as the command line names it: `DIR NAME CODEC THREAD`.
#[derive(Clone, Debug)]
pub struct Target {
    pub dir: PathBuf,
    pub name: String,
    pub codec: LsmCompressionLib,
    pub thread: LsmMode,
}

impl Target {
    fn parse(args: &mut impl Iterator<Item = String>) -> Result<Self> {
        Ok(Target {
            dir: next(args)?.into(),
            name: next(args)?,
            codec: match next(args)?.as_str() {
                "none" => LsmCompressionLib::NoCompression,
                "lz4" => LsmCompressionLib::LZ4,
                "zlib" => LsmCompressionLib::ZLib,
                "zstd" => LsmCompressionLib::ZStd,
                other => return Err(format!("no codec {other}").into()),
            },
            thread: match next(args)?.as_str() {
                "none" => LsmMode::LsmNoBackgroundThreads,
                "merger" => LsmMode::LsmBackgroundMerger,
                "checkpointer" => LsmMode::LsmBackgroundCheckpointer,
                other => return Err(format!("no background thread {other}").into()),
            },
        })
    }

    pub fn conf(&self, handle_mode: LsmHandleMode) -> DbConf {
        DbConf::new_with_parameters(
            &self.dir,
            self.name.clone(),
            self.thread,
            handle_mode,
            None,
            self.codec,
        )
    }

    fn open(&self, handle_mode: LsmHandleMode) -> Result<LsmDb> {
        let mut db = LsmDb::default();
        db.initialize(self.conf(handle_mode))?;
        db.connect()?;
        Ok(db)
    }
}

fn next(args: &mut impl Iterator<Item = String>) -> Result<String> {
    args.next().ok_or_else(|| "an argument is missing".into())
}

fn number(args: &mut impl Iterator<Item = String>) -> Result<u64> {
    Ok(next(args)?.parse()?)
}

/// Carries out one command line.
pub fn run(mut args: impl Iterator<Item = String>) -> Result<()> {
    let args = &mut args;
    match next(args)?.as_str() {
        "write" => write(&Target::parse(args)?, number(args)?, number(args)?),
        "crash" => crash(&Target::parse(args)?, number(args)?, number(args)?),
        "delete-ranges" => delete_ranges(&Target::parse(args)?, number(args)?, number(args)?),
        "read" => {
            println!("{}", read(&Target::parse(args)?, number(args)?)?);
            Ok(())
        }
        "script" => {
            print!("{}", script::run(Path::new(&next(args)?)));
            Ok(())
        }
        "insert" => insert(Path::new(&next(args)?), &next(args)?, number(args)?),
        other => Err(format!("no command {other}").into()),
    }
}

/// `write TARGET SEED COUNT`: makes `COUNT` changes and closes the file.
pub fn write(target: &Target, seed: u64, count: u64) -> Result<()> {
    let mut db = target.open(LsmHandleMode::ReadWrite)?;
    make(&mut db, changes(seed, count))?;
    Ok(db.disconnect()?)
}

/// `crash TARGET SEED COUNT`: makes `COUNT` changes, says so and waits to be killed.
pub fn crash(target: &Target, seed: u64, count: u64) -> Result<()> {
    let mut db = target.open(LsmHandleMode::ReadWrite)?;
    make(&mut db, changes(seed, count))?;
    println!("ready");
    std::io::stdout().flush()?;
    // The end of the input means that the test has died. No destructor may run then either.
    let _ = std::io::stdin().read(&mut [0]);
    std::process::abort()
}

/// `delete-ranges TARGET SEED COUNT`
pub fn delete_ranges(target: &Target, seed: u64, count: u64) -> Result<()> {
    let mut db = target.open(LsmHandleMode::ReadWrite)?;
    make(&mut db, range_deletions(seed, count))?;
    Ok(db.disconnect()?)
}

fn make(db: &mut LsmDb, changes: impl Iterator<Item = Change>) -> Result<()> {
    for change in changes {
        match change {
            Change::Put(key, value) => db.persist(&key, &value)?,
            Change::Delete(key) => db.delete(&key)?,
            Change::DeleteRange(begin, end) => db.delete_range(&begin, &end)?,
        }
    }
    Ok(())
}

/// `read TARGET COUNT`: prints what is in the file; `COUNT` is that of `write`.
pub fn read(target: &Target, count: u64) -> Result<Contents> {
    let db = target.open(LsmHandleMode::ReadWrite)?;
    let [mut forward, mut backward, mut points, mut neighbours] = [(); 4].map(|()| Digest::new());
    let mut rows = 0;

    let mut cursor = db.cursor_open()?;
    cursor.first()?;
    while cursor.valid().is_ok() {
        rows += 1;
        forward.add(&cursor.get_key()?);
        forward.add(&cursor.get_value()?);
        cursor.next()?;
    }
    cursor.last()?;
    while cursor.valid().is_ok() {
        backward.add(&cursor.get_key()?);
        backward.add(&cursor.get_value()?);
        cursor.prev()?;
    }
    cursor.close()?;

    for probe in probes(count) {
        // A cursor of its own: in 0.2.2 an exact seek of a used one may rest on its last key.
        let mut cursor = db.cursor_open()?;
        cursor.seek(&probe, LsmCursorSeekOp::LsmCursorSeekEq)?;
        match cursor.valid() {
            Ok(()) => points.add(&cursor.get_value()?),
            Err(_) => points.add_nothing(),
        }
        for op in [
            LsmCursorSeekOp::LsmCursorSeekGe,
            LsmCursorSeekOp::LsmCursorSeekLe,
        ] {
            cursor.seek(&probe, op)?;
            match cursor.valid() {
                Ok(()) => neighbours.add(&cursor.get_key()?),
                Err(_) => neighbours.add_nothing(),
            }
        }
    }
    Ok(Contents::new(rows, [forward, backward, points, neighbours]))
}

/// `insert DIR random|sequential COUNT`: prints the seconds that it takes to insert `COUNT`
/// records of 16 B + 100 B with the default configuration, the close included.
fn insert(dir: &Path, order: &str, count: u64) -> Result<()> {
    let scatter = match order {
        "random" => true,
        "sequential" => false,
        other => return Err(format!("no order {other}").into()),
    };
    let mut random = Random::new(1);
    let (mut key, mut value) = ([0; 16], [0; 100]);
    let mut db = LsmDb::default();
    db.initialize(DbConf::new(dir, "insert".to_string()))?;
    db.connect()?;
    let start = Instant::now();
    for n in 0..count {
        match scatter {
            true => random.fill(&mut key),
            false => key[..8].copy_from_slice(&n.to_be_bytes()),
        }
        random.fill(&mut value);
        db.persist(&key, &value)?;
    }
    db.disconnect()?;
    println!("{:.3}", start.elapsed().as_secs_f64());
    Ok(())
}
