//! Compactions in steps.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use lsmlite_rs::{Disk, LsmDb, LsmErrorCode, verify_file};

use crate::common::{Model, Result, SplitMix64, assert_same, contents};
use crate::generations::{source, state, write_generation};

#[test]
fn a_compaction_stops_when_told_and_goes_on_later() -> Result {
    for (name, builder) in [
        ("plain", LsmDb::builder()),
        ("packed", LsmDb::builder().page_checksums(true)),
    ] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("source.lsm");
        // Many blocks: so many free ones that the engine lists them in runs of their own.
        let builder = || builder.clone().autowork(false).block_size_kib(64);
        let mut db = builder().open(&path)?;
        let mut model = Model::new();
        let mut random = SplitMix64::new(1);
        for _ in 0..4 {
            for _ in 0..9000 {
                let (key, value) = (random.bytes(8), random.bytes(400));
                db.insert(&key, &value)?;
                model.insert(key, value);
            }
            db.flush()?;
        }
        assert_eq!(db.stats()?.segments(), 4);
        let (mut rounds, mut written) = (0, 0);
        loop {
            let (mut calls, mut last) = (0, None);
            let done = db.compact_with(|so_far| {
                calls += 1;
                last = Some(*so_far);
                assert_eq!(so_far.written_kib > 0, calls > 1);
                match calls {
                    1 => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            })?;
            let last = last.ok_or("never called")?;
            written += last.written_kib;
            if done {
                assert_eq!(last.remaining_kib, 0, "{last:?}");
                break;
            }
            assert!(last.remaining_kib > 0, "{last:?}");
            assert!(
                rounds > 0 || (13_000..18_000).contains(&last.total_kib),
                "{last:?}"
            );
            rounds += 1;
            assert!(rounds < 20, "no end: {last:?}");
            // What was merged isn't lost by closing, and nothing else either.
            assert_same(&contents(&db)?, &model, "on the way");
            db.close()?;
            db = builder().open(&path)?;
        }
        println!("{name}: {rounds} rounds, {written} KiB");
        assert!(
            rounds >= 1 && written < 70_000,
            "{rounds} rounds, {written} KiB written"
        );
        let stats = db.stats()?;
        let largest = stats
            .levels
            .iter()
            .map(|level| level.bytes)
            .max()
            .unwrap_or(0);
        assert!(stats.segment_bytes() - largest <= largest / 200, "{stats}");
        assert!(!stats.is_merging(), "{stats}");
        assert_same(&contents(&db)?, &model, "compacted");
        assert!(verify_file_of(db, &path)?);
    }
    Ok(())
}

fn verify_file_of(db: LsmDb, path: &Path) -> Result<bool> {
    db.close()?;
    Ok(verify_file(path)?.is_clean())
}

#[test]
fn a_compaction_to_the_end_leaves_one_run_and_the_usual_settings() -> Result {
    let (dir, mut db) = source()?;
    assert!(db.stats()?.segments() > 1);
    let mut last = None;
    assert!(db.compact_with(|so_far| {
        last = Some(*so_far);
        ControlFlow::Continue(())
    })?);
    let stats = db.stats()?;
    assert_eq!(
        (stats.segments(), stats.checkpoint_debt_kib),
        (1, 0),
        "{stats}"
    );
    let last = last.ok_or("never called")?;
    assert_eq!((last.segments, last.remaining_kib), (1, 0), "{last:?}");
    assert_same(&contents(&db)?, &state(400), "compacted");
    // Again moves blocks to the front, whose old places may become a list in a run of its own.
    assert!(db.compact_with(|_| ControlFlow::Continue(()))?);
    let stats = db.stats()?;
    let largest = stats.levels.iter().map(|level| level.bytes).max();
    let rest = stats.segment_bytes() - largest.unwrap_or(0);
    assert!(rest <= stats.segment_bytes() / 200, "{stats}");
    db.begin_transaction()?;
    let error = db.compact_with(|_| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    db.rollback_transaction()?;
    for n in 401..=450 {
        write_generation(&mut db, n)?;
    }
    assert_same(&contents(&db)?, &state(450), "and on");

    // It frees what is at the end of the file, which is cut off when it is closed.
    assert!(db.compact_with(|_| ControlFlow::Continue(()))?);
    let bytes = db.stats()?.segment_bytes();
    db.close()?;
    let length = fs::metadata(dir.path().join("source.lsm"))?.len();
    assert!(length < bytes + (3 << 16), "{length} bytes for {bytes}");
    Ok(())
}
