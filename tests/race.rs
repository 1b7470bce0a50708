//! Writers, readers and background threads on one file, made to be watched by
//! ThreadSanitizer: `.ci/tsan` runs this program with Rust and C instrumented.
//!
//! Each reader also checks that what it sees is one moment of the database. The threads
//! talk through relaxed atomics, which order nothing: a lock here would hide from the
//! sanitizer that the engine forgot one. (Half of the scans look first at what was
//! committed, and demand to see it: that needs an order.)
//!
//! `LSMLITE_TSAN_SECONDS` says how long each test runs.

mod common;

use std::path::PathBuf;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::{Duration, Instant};

use common::{Result, SplitMix64, retry, setting};
use lsmlite_rs::config::{BackgroundMode, Mmap, Safety};
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder, LsmErrorCode};

/// Each group of records is rewritten by one transaction.
const GROUPS: u64 = 8;
const ROWS: u64 = 25;
const READERS: u64 = 4;
const ROUND: Duration = Duration::from_secs(4);

/// Of each group, one.
type Generations = [u64; GROUPS as usize];

/// A file, and what the threads that use it know of each other.
struct Round {
    builder: fn(u64) -> LsmDbBuilder,
    number: u64,
    writers: u64,
    path: PathBuf,
    end: Instant,
    /// Of each group, the newest generation whose commit was begun, and is done.
    begun: [AtomicU64; GROUPS as usize],
    committed: [AtomicU64; GROUPS as usize],
    is_over: AtomicBool,
    scans: AtomicU64,
}

/// The contents of a group follow from its generation.
fn has_row(generation: u64, row: u64) -> bool {
    match (generation, generation % 4) {
        (0, _) => false,
        (_, 0) => row == 0,
        (_, 1) => row % 2 == 0,
        _ => true,
    }
}

fn key(group: u64, row: u64) -> Vec<u8> {
    [group.to_be_bytes(), row.to_be_bytes()].concat()
}

/// Most values are short; some are larger than a page, and some than the pieces of which
/// the tree in memory is made.
fn value(generation: u64, row: u64) -> Vec<u8> {
    let words = match generation.wrapping_add(row) % 400 {
        0 => 5_000,
        1..=9 => 200,
        n => 1 + n % 12,
    };
    generation.to_be_bytes().repeat(words as usize)
}

fn generation_of(value: &[u8]) -> u64 {
    value
        .first_chunk()
        .map_or(u64::MAX, |&bytes| u64::from_be_bytes(bytes))
}

/// Ends the round when a thread fails or panics.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

impl Round {
    /// Runs the writers and four readers.
    fn run(&self) -> Result {
        self.open(false)?.close()?;
        let alarmed = |work: &dyn Fn() -> Result| -> Result {
            let alarm = Alarm(&self.is_over);
            work()?;
            std::mem::forget(alarm);
            Ok(())
        };
        let outcomes = thread::scope(|scope| {
            let readers: Vec<_> = (0..READERS)
                .map(|me| scope.spawn(move || alarmed(&|| self.read(me))))
                .collect();
            let writers: Vec<_> = (0..self.writers)
                .map(|me| scope.spawn(move || alarmed(&|| self.write(me))))
                .collect();
            let mut outcomes: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
            self.is_over.store(true, Relaxed);
            outcomes.extend(readers.into_iter().map(|reader| reader.join()));
            outcomes
        });
        for outcome in outcomes {
            outcome.map_err(|_| format!("a panic in round {}", self.number))??;
        }
        assert!(self.scans.load(Relaxed) > 0, "nothing was read");
        Ok(())
    }

    fn open(&self, read_only: bool) -> Result<LsmDb> {
        let open = || {
            (self.builder)(self.number)
                .read_only(read_only)
                .open(&self.path)
        };
        Ok(retry(open)?)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Relaxed) || Instant::now() >= self.end
    }

    /// Rewrites one group after another, with a new handle every second or so. Each writer
    /// has groups of its own.
    fn write(&self, me: u64) -> Result {
        let mut random = SplitMix64::new(self.number ^ (me << 32));
        while !self.is_over() {
            let mut db = self.open(false)?;
            let until = Instant::now() + Duration::from_millis(random.below(1500));
            while !self.is_over() && Instant::now() < until {
                let group = random.below(GROUPS / self.writers) * self.writers + me;
                match self.rewrite(&mut db, &mut random, group) {
                    // The other writer's turn.
                    Err(LsmErrorCode::LsmBusy) => {
                        db.rollback_transaction()?;
                        thread::yield_now();
                    }
                    outcome => outcome?,
                }
                match random.below(400) {
                    0 => retry(|| db.compact())?,
                    1..=5 => drop(retry(|| db.work(64))?),
                    6..=10 => drop(retry(|| db.checkpoint())?),
                    _ => {}
                }
            }
            db.close()?;
        }
        Ok(())
    }

    /// One transaction: the next generation of a group.
    fn rewrite(
        &self,
        db: &mut LsmDb,
        random: &mut SplitMix64,
        group: u64,
    ) -> std::result::Result<(), LsmErrorCode> {
        let generation = self.committed[group as usize].load(Relaxed) + 1;
        db.begin_transaction()?;
        if random.one_in(20) {
            // Nobody may ever see this.
            for row in 0..ROWS {
                db.persist(&key(group, row), &value(u64::MAX, row))?;
            }
            db.delete_range(&key(group, 0), &key(group, ROWS))?;
            db.rollback_transaction()?;
            db.begin_transaction()?;
        }
        if random.one_in(2) {
            db.delete_range(&key(group, 0), &key(group, ROWS))?;
        }
        for row in 0..ROWS {
            if has_row(generation, row) {
                db.persist(&key(group, row), &value(generation, row))?;
            } else {
                db.delete(&key(group, row))?;
            }
        }
        self.begun[group as usize].store(generation, Relaxed);
        db.commit_transaction()?;
        self.committed[group as usize].store(generation, Release);
        Ok(())
    }

    /// Reads until the round is over. The first reader keeps a handle, the second a
    /// read-only one; the others open and close theirs all the time.
    fn read(&self, me: u64) -> Result {
        let mut random = SplitMix64::new(me);
        let mut seen = Generations::default();
        let mut kept = None;
        while !self.is_over.load(Relaxed) {
            let db = match kept.take() {
                Some(db) => db,
                None => self.open(me % 2 == 1)?,
            };
            self.scan(&db, &mut random, &mut seen)?;
            self.look_up(&db, &mut random, &seen)?;
            if me < 2 {
                kept = Some(db);
            } else {
                db.close()?;
            }
        }
        Ok(())
    }

    /// Reads the whole database at one moment, and compares it with what can be there.
    fn scan(&self, db: &LsmDb, random: &mut SplitMix64, seen: &mut Generations) -> Result {
        let (backwards, informed) = (random.one_in(3), random.one_in(2));
        let (committed, mut records) = retry(|| {
            let committed = match informed {
                true => self.committed.each_ref().map(|n| n.load(Acquire)),
                false => Generations::default(),
            };
            let records = match backwards {
                true => db.iter().rev().collect::<std::result::Result<Vec<_>, _>>(),
                false => db.iter().collect(),
            };
            Ok((committed, records?))
        })?;
        let begun = self.begun.each_ref().map(|n| n.load(Relaxed));
        if backwards {
            records.reverse();
        }
        let mut records = records.into_iter().peekable();
        for group in 0..GROUPS {
            let mine = group.to_be_bytes();
            let rows: Vec<_> =
                std::iter::from_fn(|| records.next_if(|(key, _)| key[..8] == mine)).collect();
            let generation = rows.first().map_or(0, |(_, value)| generation_of(value));
            let oldest = committed[group as usize].max(seen[group as usize]);
            assert!(
                (oldest..=begun[group as usize]).contains(&generation),
                "group {group} at {generation} ({:?} in its rows): seen {seen:?}, committed \
                 {committed:?}, begun {begun:?}",
                rows.iter()
                    .map(|(_, value)| generation_of(value))
                    .collect::<Vec<_>>()
            );
            seen[group as usize] = generation;
            let expected = (0..ROWS).filter(|&row| has_row(generation, row));
            assert!(
                expected
                    .map(|row| (key(group, row), value(generation, row)))
                    .eq(rows),
                "group {group} isn't as transaction {generation} left it"
            );
        }
        assert!(records.next().is_none(), "records of no group, or no order");
        self.scans.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Reads single records, which say of which generation they are.
    fn look_up(&self, db: &LsmDb, random: &mut SplitMix64, seen: &Generations) -> Result {
        for _ in 0..20 {
            let (group, row) = (random.below(GROUPS), random.below(ROWS));
            if let Some(found) = retry(|| db.get(key(group, row)))? {
                let generation = generation_of(&found);
                let begun = self.begun[group as usize].load(Relaxed);
                assert!((seen[group as usize]..=begun).contains(&generation));
                assert!(has_row(generation, row) && found == value(generation, row));
            }
        }
        Ok(())
    }
}

/// Rounds until the time is over, each with a file of its own and the builder for its number.
fn rounds(writers: u64, builder: fn(u64) -> LsmDbBuilder) -> Result {
    let time = Duration::from_secs(setting("LSMLITE_TSAN_SECONDS", 1));
    let end = Instant::now() + time;
    let dir = tempfile::tempdir()?;
    for number in 0.. {
        let round = Round {
            builder,
            number,
            writers,
            path: dir.path().join(format!("{number}.lsm")),
            end: end.min(Instant::now() + ROUND),
            begun: Default::default(),
            committed: Default::default(),
            is_over: AtomicBool::new(false),
            scans: AtomicU64::new(0),
        };
        round.run()?;
        std::fs::remove_file(&round.path)?;
        if Instant::now() >= end {
            break;
        }
    }
    Ok(())
}

/// Small, so that every structure is used and reused.
fn small() -> LsmDbBuilder {
    LsmDb::builder()
        .safety(Safety::Off)
        .autoflush_kib(64)
        .autocheckpoint_kib(128)
        .page_size_bytes(1024)
        .block_size_kib(64)
}

#[test]
fn readers_beside_a_writer_and_two_workers_see_moments() -> Result {
    const OTHERS: [BackgroundMode; 3] = [
        BackgroundMode::None,
        BackgroundMode::Merger,
        BackgroundMode::Checkpointer,
    ];
    rounds(1, |number| {
        small()
            .background(match number % 2 {
                0 => BackgroundMode::MergerAndCheckpointer,
                _ => OTHERS[(number / 2 % 3) as usize],
            })
            .mmap(match number % 3 {
                1 => Mmap::All,
                _ => Mmap::Off,
            })
    })
}

#[test]
fn readers_beside_two_writers_that_share_memory_see_moments() -> Result {
    rounds(2, |_| small().multi_process(true))
}
