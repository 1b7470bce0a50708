//! The end of a session: what is in memory reaches the file, whoever is last.

mod common;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use common::Result;
use lsmlite_rs::LsmDb;
use lsmlite_rs::config::BackgroundMode;

/// Closing is serialised by a lock that lsm1 only tries for: the loser went away without
/// looking, the winner still saw it there, and nobody wrote the rest to the file.
#[test]
fn connections_that_close_together_lose_nothing() -> Result {
    let dir = tempfile::tempdir()?;
    let rounds = common::setting("LSMLITE_CLOSINGS", 500);
    for round in 0..rounds {
        let path = dir.path().join("a.lsm");
        let open = || LsmDb::builder().use_log(false).open(&path);
        let mut a = open()?;
        let b = open()?;
        a.insert(b"key", b"value")?;
        let together = Barrier::new(2);
        let closed = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                together.wait();
                a.close()
            });
            together.wait();
            [b.close(), other.join().unwrap()]
        });
        for result in closed {
            result?;
        }
        let db = open()?;
        assert_eq!(db.get(b"key")?, Some(b"value".to_vec()), "round {round}");
        db.close()?;
        std::fs::remove_file(&path)?;
    }
    Ok(())
}

/// A writer that waits for its merger has to ask again: another handle may have done what it
/// asked for, made more, and gone.
#[test]
fn a_writer_beside_handles_that_come_and_go_never_waits_for_ever() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let until = Instant::now() + Duration::from_millis(common::setting("LSMLITE_RACE_MS", 1500));
    let done = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3_u32)
            .map(|thread| {
                let path = &path;
                scope.spawn(move || {
                    let mut sessions = 0_u32;
                    while Instant::now() < until {
                        let opened = LsmDb::builder()
                            .background(BackgroundMode::MergerAndCheckpointer)
                            .autoflush_kib(64)
                            .block_size_kib(64)
                            .page_size_bytes(1024)
                            .autocheckpoint_kib(128)
                            .open(path);
                        let Ok(mut db) = opened else { continue };
                        for i in 0..400_u32 {
                            // Busy is fine: there is one writer at a time.
                            let _ = db.insert((i * 7 + thread).to_be_bytes(), [1; 300]);
                        }
                        sessions += 1;
                    }
                    sessions
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum::<u32>()
    });
    assert!(done > 3, "only {done} sessions");
    Ok(())
}
