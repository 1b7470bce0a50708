//! What is done to a damaged database: everything. Errors are fine, as long as they come back.

use std::path::Path;

use lsmlite_rs::config::Mmap;
use lsmlite_rs::{Disk, LsmDb, LsmError, LsmErrorCode};

use crate::bases::{Codec, Recipe, key};
use crate::common::{Result, SplitMix64};

/// More rows than any base has.
const ENDLESS: usize = 20_000;

/// What became of the file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Refused,
    /// It was opened; some call found damage.
    Damaged,
    /// It was opened and nothing was noticed.
    Unnoticed,
}

/// Collects errors, and fails on those that no damage may cause.
struct Findings {
    errors: u32,
}

impl Findings {
    fn note<T>(&mut self, result: std::result::Result<T, LsmError>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.code() == LsmErrorCode::LsmNoMem => {
                Err(format!("it asks for absurd amounts of memory: {error}").into())
            }
            Err(_) => {
                self.errors += 1;
                Ok(None)
            }
        }
    }
}

/// Opens the file and uses it in every way, twice.
pub fn exercise(path: &Path, recipe: &Recipe, random: &mut SplitMix64) -> Result<Outcome> {
    let mut found = Findings { errors: 0 };
    let mut builder = recipe.builder();
    if recipe.codec == Codec::None && random.one_in(2) {
        builder = builder.mmap(if random.one_in(2) {
            Mmap::All
        } else {
            Mmap::UpToKib(128)
        });
    }
    if random.one_in(8) {
        builder = builder.multi_process(true);
    }
    if random.one_in(8) {
        let reader = found.note(builder.clone().read_only(true).open(path))?;
        if let Some(db) = reader {
            read(&db, random, &mut found)?;
        }
    }
    let mut outcome = Outcome::Refused;
    for round in 0..2 {
        if let Some(mut db) = found.note(builder.clone().open(path))? {
            outcome = Outcome::Unnoticed;
            read(&db, random, &mut found)?;
            write(&mut db, random, &mut found)?;
            if round == 0 {
                found.note(db.compact())?;
                read(&db, random, &mut found)?;
            }
            found.note(db.close())?;
        }
    }
    Ok(match outcome {
        Outcome::Unnoticed if found.errors > 0 => Outcome::Damaged,
        outcome => outcome,
    })
}

fn read(db: &LsmDb, random: &mut SplitMix64, found: &mut Findings) -> Result {
    let mut scan = |reverse: bool| -> Result {
        let mut rows = db.iter();
        for n in 0.. {
            let row = if reverse {
                rows.next_back()
            } else {
                rows.next()
            };
            let Some(row) = row else { break };
            if found.note(row)?.is_none() {
                break;
            }
            if n > ENDLESS {
                return Err("a scan without end".into());
            }
        }
        Ok(())
    };
    scan(false)?;
    scan(true)?;
    for _ in 0..30 {
        let wanted = key(random.below(600));
        found.note(db.get(&wanted))?;
        let mut rows = db.range(&wanted[..]..);
        for _ in 0..3 {
            rows.next().map(|row| found.note(row)).transpose()?;
        }
        drop(rows);
        let mut rows = db.range(..=&wanted[..]);
        for _ in 0..3 {
            rows.next_back().map(|row| found.note(row)).transpose()?;
        }
    }
    // A part that both ends walk towards each other.
    let mut rows = db.range(key(2)..key(300));
    for _ in 0..10 {
        rows.next().map(|row| found.note(row)).transpose()?;
        rows.next_back().map(|row| found.note(row)).transpose()?;
    }
    drop(rows);
    found.note(db.stats())?;
    Ok(())
}

fn write(db: &mut LsmDb, random: &mut SplitMix64, found: &mut Findings) -> Result {
    for round in 0..120_u32 {
        let wanted = key(random.below(600));
        match random.below(20) {
            0 => found.note(db.remove(&wanted))?,
            1 => {
                let end = key(random.below(600));
                // The trait has only the code.
                let _ = Disk::delete_range(db, &wanted, &end);
                Some(())
            }
            2 => found.note(db.insert(&wanted, random.bytes(3000)))?,
            3 if round % 3 == 0 => found.note(db.work(32))?.map(drop),
            4 if round % 3 == 0 => found.note(db.checkpoint())?.map(drop),
            5 if round % 3 == 0 => found.note(db.flush())?,
            6 => found.note(db.get(&wanted))?.map(drop),
            _ => found.note(db.insert(&wanted, [round as u8; 90]))?,
        };
    }
    found.note(db.flush())?;
    found.note(db.work(64))?;
    Ok(())
}
