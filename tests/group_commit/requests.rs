//! Each request stands or falls for itself.

use std::time::Duration;

use lsmlite_rs::config::{BackgroundMode, Safety};
use lsmlite_rs::env::{Call, FaultEnv};
use lsmlite_rs::{Disk, LsmDb, LsmError, LsmErrorCode, WriteBatch};

use crate::common::{Result, SplitMix64, contents};
use crate::rows::{LAST, append, assert_rows};
use crate::{Outcome, THREADS, in_threads, small};

#[test]
fn what_eight_threads_read_and_write_is_serial() -> Result {
    let dir = tempfile::tempdir()?;
    let modes = [BackgroundMode::None, BackgroundMode::MergerAndCheckpointer];
    for (mode, multi_process) in modes
        .into_iter()
        .flat_map(|mode| [(mode, false), (mode, true)])
    {
        let path = dir.path().join(format!("{mode:?}-{multi_process}.lsm"));
        let builder = small().background(mode).multi_process(multi_process);
        let writer = builder.open(&path)?.into_writer();
        let each = 400;
        let numbers =
            in_threads(|_| -> Outcome<Vec<u64>> { (0..each).map(|_| append(&writer)).collect() });
        let mut all = Vec::new();
        for numbers in numbers {
            let numbers = numbers?;
            assert!(numbers.is_sorted());
            all.extend(numbers);
        }
        all.sort();
        assert!(all.into_iter().eq(1..=each * THREADS), "{path:?}");
        writer.close()?;
        assert_rows(&LsmDb::open(&path)?, each * THREADS, "closed")?;
    }
    Ok(())
}

#[derive(Debug)]
#[allow(dead_code)] // It is shown.
enum Refused {
    Unlucky,
    Engine(LsmError),
}

impl From<LsmError> for Refused {
    fn from(error: LsmError) -> Refused {
        Refused::Engine(error)
    }
}

/// Real syncs, so that there are groups.
#[test]
fn a_request_that_fails_takes_back_itself_only() -> Result {
    let env = FaultEnv::new(0);
    env.set_delay(Call::Sync, Duration::from_micros(300));
    let open = || small().env(&env).safety(Safety::Full).open("a.lsm");
    let writer = open()?.into_writer();
    let readers = writer.reader_pool(THREADS as usize)?;
    writer.insert(LAST, "first")?;
    let before = env.calls(Call::Sync);
    writer.insert(LAST, "alone")?;
    let alone = env.calls(Call::Sync) - before;
    let outcomes = in_threads(|me| -> Result<(u64, u64)> {
        let mut random = SplitMix64::new(me);
        let (mut written, mut taken_back) = (0, 0);
        for n in 0..100_u64 {
            let key = |part: u64| [me, n, part].map(u64::to_be_bytes).concat();
            let fails = random.one_in(3);
            let outcome = writer.update(|tx| {
                tx.insert(key(0), "first")?;
                tx.remove_range(key(0)..=key(0))?;
                tx.insert(key(1), "second")?;
                // What the others see of it must go as well.
                tx.insert(LAST, key(2))?;
                match fails {
                    true => Err(Refused::Unlucky),
                    false => Ok(n),
                }
            });
            match outcome {
                Ok(number) if !fails => assert_eq!(number, n),
                Err(Refused::Unlucky) if fails => {}
                other => panic!("{other:?} of {n}"),
            }
            // Heard when it is committed, by others too.
            assert_eq!(readers.contains_key(key(1))?, !fails);
            taken_back += u64::from(fails);
            written += u64::from(!fails);
        }
        Ok((written, taken_back))
    });
    let (mut written, mut taken_back) = (0, 0);
    for outcome in outcomes {
        let outcome = outcome?;
        written += outcome.0;
        taken_back += outcome.1;
    }
    assert!(written > 300 && taken_back > 100, "{written}, {taken_back}");
    let syncs = env.calls(Call::Sync) - before - alone;
    assert!(
        4 * syncs < 3 * alone * written,
        "there were no groups: {syncs} syncs"
    );
    drop(readers);
    writer.close()?;
    let found = contents(&open()?)?;
    assert_eq!(found.len() as u64, written + 1);
    assert!(
        found
            .iter()
            .all(|(key, value)| key == LAST || value == b"second")
    );
    Ok(())
}

#[test]
fn a_request_that_panics_takes_back_itself_only() -> Result {
    let env = FaultEnv::new(0);
    env.set_delay(Call::Sync, Duration::from_micros(300));
    let writer = small()
        .env(&env)
        .safety(Safety::Full)
        .open("a.lsm")?
        .into_writer();
    in_threads(|me| -> Result {
        for n in 0..40_u64 {
            let key = [me, n].map(u64::to_be_bytes).concat();
            let work = || {
                writer.update(|tx| {
                    tx.insert(&key, "value")?;
                    assert!((me + n) % 4 != 0, "on purpose");
                    Ok::<_, LsmError>(())
                })
            };
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            match outcome {
                Ok(outcome) => outcome?,
                Err(payload) => assert_eq!(crate::common::panic_text(&*payload), "on purpose"),
            }
        }
        Ok(())
    })
    .into_iter()
    .collect::<Result>()?;
    assert_eq!(writer.reader()?.iter().count(), 8 * 30);
    Ok(())
}

#[test]
fn batches_of_several_threads_are_whole() -> Result {
    let dir = tempfile::tempdir()?;
    let writer = small().open(dir.path().join("a.lsm"))?.into_writer();
    let reader = writer.reader_pool(2)?;
    in_threads(|me| -> Result {
        let mut batch = WriteBatch::new();
        for n in 0..60_u64 {
            batch.clear();
            batch.remove_range::<&[u8]>(..);
            for row in 0..20_u64 {
                batch.insert(row.to_be_bytes(), [me, n].map(u64::to_be_bytes).concat());
            }
            writer.write(&batch)?;
            let found = reader.reader()?.iter().collect::<Outcome<Vec<_>>>()?;
            assert_eq!(found.len(), 20);
            assert!(found.iter().all(|record| record.1 == found[0].1), "mixed");
        }
        Ok(())
    })
    .into_iter()
    .collect()
}

#[test]
fn a_request_within_a_request_is_refused_and_does_not_hang() -> Result {
    let dir = tempfile::tempdir()?;
    let writer = LsmDb::open(dir.path().join("a.lsm"))?.into_writer();
    let other = LsmDb::open(dir.path().join("b.lsm"))?.into_writer();
    writer.update(|tx| {
        tx.insert("a", "1")?;
        other.insert("b", "2")?;
        for error in [
            writer.insert("a", "2").err(),
            writer.reader().err(),
            writer.exclusive(|_| ()).err(),
            writer.clone().close().err(),
        ] {
            let error = error.expect("it would wait for itself");
            assert_eq!(error.code(), LsmErrorCode::LsmMisuse, "{error}");
        }
        Ok::<_, LsmError>(())
    })?;
    assert!(writer.reader()?.contains_key("a")?);
    assert!(other.reader()?.contains_key("b")?);
    Ok(())
}

#[test]
fn what_stands_in_the_way_of_a_transaction_is_heard_by_each_request() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let writer = LsmDb::open(&path)?.into_writer();
    let mut other = LsmDb::open(&path)?;
    other.begin_transaction()?;
    other.insert("other", "")?;
    let busy = in_threads(|_| append(&writer).is_err_and(|error| error.is_busy()));
    assert_eq!(busy, [true; THREADS as usize]);
    other.commit_transaction()?;
    other.close()?;
    assert_eq!(append(&writer)?, 1);
    // The last clone closes it.
    drop((writer.clone(), writer));
    let db = LsmDb::builder().read_only(true).open(&path)?;
    assert_eq!(db.iter().count(), 3);
    let error = append(&db.into_writer()).err().ok_or("written")?;
    assert_eq!(error.code(), LsmErrorCode::LsmReadOnly);
    let nothing = LsmDb::default().into_writer();
    assert_eq!(
        append(&nothing).map_err(|error| error.code()),
        Err(LsmErrorCode::LsmMisuse)
    );
    Ok(())
}
