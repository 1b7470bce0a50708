//! Durability, maintenance and the end of a writer.

use lsmlite_rs::config::Safety;
use lsmlite_rs::env::{Call, FaultEnv};
use lsmlite_rs::{Disk, Durability, LsmDb, LsmError, LsmErrorCode};

use crate::common::Result;
use crate::rows::{append, assert_rows};
use crate::{Outcome, in_threads, small};

#[test]
fn a_durability_that_cannot_be_had_is_refused_for_its_request_alone() -> Result {
    let dir = tempfile::tempdir()?;
    let db = LsmDb::builder()
        .safety(Safety::Off)
        .open(dir.path().join("a.lsm"))?;
    let writer = db.into_writer();
    let strict = writer.clone().with_durability(Durability::Sync);
    in_threads(|me| -> Result {
        for n in 0..50_u64 {
            let key = [me, n].map(u64::to_be_bytes).concat();
            match me {
                0 => {
                    let error = strict.insert(key, "").err().ok_or("accepted")?;
                    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
                }
                _ => writer.insert(key, "")?,
            }
        }
        Ok(())
    })
    .into_iter()
    .collect::<Result>()?;
    assert_eq!(writer.reader()?.iter().count(), 7 * 50);
    Ok(())
}

#[test]
fn a_group_waits_for_the_most_that_is_asked_for() -> Result {
    for (safety, durability, expected) in [
        (Safety::Normal, Durability::Default, false),
        (Safety::Normal, Durability::Sync, true),
        (Safety::Full, Durability::Default, true),
        (Safety::Full, Durability::None, false),
    ] {
        let env = FaultEnv::new(0);
        let db = LsmDb::builder().env(&env).safety(safety).open("a.lsm")?;
        let writer = db.into_writer();
        writer.insert("first", "")?;
        let before = env.calls(Call::Sync);
        writer
            .clone()
            .with_durability(durability)
            .insert("key", "")?;
        let syncs = env.calls(Call::Sync) - before;
        assert_eq!(syncs > 0, expected, "{durability:?} at {safety:?}");
    }
    Ok(())
}

#[test]
fn maintenance_has_the_handle_to_itself() -> Result {
    let dir = tempfile::tempdir()?;
    let writer = small()
        .safety(Safety::Full)
        .open(dir.path().join("a.lsm"))?
        .into_writer();
    in_threads(|me| -> Result {
        for n in 0..30 {
            append(&writer)?;
            if me == 0 && n % 10 == 9 {
                let segments = writer.exclusive(|db| -> Outcome<usize> {
                    db.compact()?;
                    Ok(db.stats()?.segments())
                })??;
                assert_eq!(segments, 1);
            }
        }
        Ok(())
    })
    .into_iter()
    .collect::<Result>()?;
    // What is left open is taken back.
    writer.exclusive(|db| {
        db.begin_transaction()?;
        db.persist(b"never", b"committed")
    })??;
    append(&writer)?;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        writer.exclusive(|db| {
            let _ = db.begin_transaction();
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    append(&writer)?;
    writer.exclusive(|db| assert_rows(db, 8 * 30 + 2, "at the end"))??;
    Ok(())
}

#[test]
fn a_writer_that_is_closed_says_so_to_all_its_clones() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let writer = LsmDb::open(&path)?.into_writer();
    let results = in_threads(|me| -> (u64, Option<LsmError>) {
        let mut acknowledged = 0;
        loop {
            if me == 0 && acknowledged > 100 {
                let closed = writer.clone().close();
                return (acknowledged, closed.err());
            }
            match append(&writer) {
                Ok(number) => acknowledged = number,
                Err(error) => return (acknowledged, Some(error)),
            }
        }
    });
    assert!(results[0].1.is_none(), "{:?}", results[0].1);
    for (_, error) in &results[1..] {
        let text = error.as_ref().map(LsmError::to_string).unwrap_or_default();
        assert!(text.contains("the writer is closed"), "{text}");
    }
    let error = writer.close().err().ok_or("closed twice")?;
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    let most = results.iter().map(|result| result.0).max();
    assert_rows(&LsmDb::open(&path)?, most.unwrap_or(0), "closed")?;
    Ok(())
}
