//! Backups beside writers, and beside one another.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{Backup, Disk, LsmDb};

use crate::common::{Result, assert_same, contents, files_in, retry, setting};
use crate::generations::{
    FILLERS, filler, generation_of, small, source, state, write_generation, write_generations,
};

fn backups_while_writing(mode: BackgroundMode, seconds: u64) -> Result {
    let dir = tempfile::tempdir()?;
    let copies = tempfile::tempdir()?;
    let copy = copies.path().join("copy.lsm");
    let mut db = small(mode).open(dir.path().join("source.lsm"))?;
    let second = small(BackgroundMode::None).open(dir.path().join("source.lsm"))?;
    for (key, value) in (0..FILLERS).map(filler) {
        db.insert(key, value)?;
    }
    let (stop, committed) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let writer = {
        let (stop, committed) = (Arc::clone(&stop), Arc::clone(&committed));
        thread::spawn(move || write_generations(&mut db, &stop, &committed))
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut count = 0;
    while (Instant::now() < end || count < 2) && !writer.is_finished() {
        let before = committed.load(Ordering::SeqCst);
        let backup = Backup::new(&second)?
            .overwrite(true)
            .compact(count % 2 == 0);
        let after = committed.load(Ordering::SeqCst);
        let (ticks, seen) = (Arc::new(AtomicU64::new(0)), Arc::clone(&committed));
        let told = Arc::clone(&ticks);
        let backup = backup.on_progress(move |_| {
            // So that a good deal is written meanwhile.
            let now = seen.load(Ordering::SeqCst);
            let start = Instant::now();
            while seen.load(Ordering::SeqCst) < now + 20
                && start.elapsed() < Duration::from_millis(200)
            {
                thread::yield_now();
            }
            told.fetch_add(1, Ordering::SeqCst);
            ControlFlow::Continue(())
        });
        let report = backup.run(&copy)?;
        let n = generation_of(&copy)?;
        assert!(ticks.load(Ordering::SeqCst) > 4);
        // The one in between may have been committed but not counted yet.
        assert!(
            (before..=after + 1).contains(&n),
            "{before} <= {n} <= {after}"
        );
        assert_eq!(report.records, state(n).len() as u64 + FILLERS);
        count += 1;
    }
    stop.store(true, Ordering::SeqCst);
    writer.join().map_err(|_| "the writer panicked")??;
    let n = committed.load(Ordering::SeqCst);
    println!("{mode:?}: {count} backups during {n} generations");
    assert!(
        count > 1 && n > 100,
        "{count} backups during {n} generations"
    );
    let mut source = contents(&second)?;
    source.retain(|key, _| !key.ends_with(b"filler"));
    assert_same(&source, &state(n), "the source");
    assert_eq!(files_in(copies.path())?, ["copy.lsm"]);
    Ok(())
}

/// Longer with `LSMLITE_SECONDS`, which is divided among the modes.
#[test]
fn a_backup_taken_while_writing_goes_on_is_a_committed_state() -> Result {
    let modes = [
        BackgroundMode::None,
        BackgroundMode::Merger,
        BackgroundMode::MergerAndCheckpointer,
    ];
    let seconds = setting("LSMLITE_SECONDS", 3).div_ceil(modes.len() as u64);
    for mode in modes {
        backups_while_writing(mode, seconds)?;
    }
    Ok(())
}

#[test]
fn the_snapshot_is_that_of_new_and_outlives_the_handle() -> Result {
    let dir = tempfile::tempdir()?;
    let (source, copy) = (dir.path().join("source.lsm"), dir.path().join("copy.lsm"));
    let mut db = small(BackgroundMode::None).open(&source)?;
    for n in 1..=50 {
        write_generation(&mut db, n)?;
    }
    db.begin_transaction()?;
    db.insert("open", "transaction")?;
    let backup = Backup::new(&db)?;
    db.rollback_transaction()?;
    for n in 51..=400 {
        write_generation(&mut db, n)?;
    }
    db.compact()?;
    db.insert("generation", 0u64.to_be_bytes())?;
    db.close()?;
    thread::spawn(move || backup.run(copy)).join().unwrap()?;
    assert_eq!(generation_of(&dir.path().join("copy.lsm"))?, 50);
    // Closing beside the job left the log, with all that was committed.
    let db = LsmDb::open(&source)?;
    assert_eq!(db.get("generation")?, Some(vec![0; 8]));
    db.close()?;
    assert_eq!(files_in(dir.path())?, ["copy.lsm", "source.lsm"]);
    Ok(())
}

#[test]
fn two_backups_to_one_path_at_once_are_each_whole() -> Result {
    let (_dir, db) = source()?;
    let dir = tempfile::tempdir()?;
    let copy = dir.path().join("copy.lsm");
    let jobs: Vec<_> = (0..2)
        .map(|_| {
            let backup = Backup::new(&db)?.overwrite(true);
            let copy = copy.clone();
            Ok(thread::spawn(move || {
                retry(|| Ok(copy.clone())).and_then(|path| backup.run(path))
            }))
        })
        .collect::<Result<_>>()?;
    let mut done = 0;
    for job in jobs {
        match job.join().unwrap() {
            Ok(_) => done += 1,
            // The other one was just looking at the file.
            Err(error) => assert!(error.is_busy(), "{error}"),
        }
    }
    assert!(done > 0);
    assert_eq!(generation_of(&copy)?, 400);
    assert_eq!(files_in(dir.path())?, ["copy.lsm"]);
    Ok(())
}
