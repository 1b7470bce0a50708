//! One sync for many commits.

use std::time::{Duration, Instant};

use lsmlite_rs::LsmDb;
use lsmlite_rs::config::Safety;
use lsmlite_rs::env::{Call, FaultEnv};

use crate::common::{Result, setting};
use crate::rows::{append, row};
use crate::{Outcome, THREADS, in_threads};

/// On a disk that takes two milliseconds for a sync.
#[test]
fn eight_threads_share_syncs_among_four_commits_and_are_faster_than_one() -> Result {
    const SYNC: Duration = Duration::from_millis(2);
    let mut measured = Vec::new();
    for threads in [1, THREADS] {
        let env = FaultEnv::new(0);
        env.set_delay(Call::Sync, SYNC);
        let builder = LsmDb::builder().env(&env).safety(Safety::Full);
        let writer = builder.open("a.lsm")?.into_writer();
        let before = env.calls(Call::Sync);
        let start = Instant::now();
        let written = in_threads(|me| -> Outcome<u64> {
            let mut written = 0;
            while me < threads && start.elapsed() < 200 * SYNC {
                append(&writer)?;
                written += 1;
            }
            Ok(written)
        });
        let written = written.into_iter().sum::<Outcome<u64>>()?;
        let rate = written as f64 / start.elapsed().as_secs_f64();
        let syncs = env.calls(Call::Sync) - before;
        println!("{threads} threads: {rate:.0} commits per second, {syncs} syncs");
        measured.push((rate, written as f64 / syncs as f64));
        writer.close()?;
    }
    let (one, eight) = (measured[0], measured[1]);
    // A machine that is busy with other things has taken eight threads down to 3.6 times.
    assert!(eight.0 >= 2.0 * one.0, "commits per second: {measured:?}");
    assert!(eight.1 >= 4.0 * one.1, "commits per sync: {measured:?}");
    Ok(())
}

/// `LSMLITE_SECONDS` for each. The folder for temporary files decides which disk it is.
#[test]
#[ignore = "measures the disk; run it alone, in release mode"]
fn commits_per_second_of_eight_threads_and_of_one() -> Result {
    let time = Duration::from_secs(setting("LSMLITE_SECONDS", 3));
    let mut rates = Vec::new();
    for threads in [1, 2, 4, THREADS] {
        let dir = tempfile::tempdir()?;
        let builder = LsmDb::builder().safety(Safety::Full);
        let writer = builder.open(dir.path().join("a.lsm"))?.into_writer();
        let start = Instant::now();
        let counts = in_threads(|me| -> Outcome<u64> {
            let mut written = 0;
            while me < threads && start.elapsed() < time {
                writer.insert(row(written * THREADS + me), [7; 100])?;
                written += 1;
            }
            Ok(written)
        });
        let written: u64 = counts.into_iter().sum::<Outcome<u64>>()?;
        let rate = written as f64 / start.elapsed().as_secs_f64();
        println!("{threads} threads: {rate:.0} commits per second, each synced");
        rates.push(rate);
        writer.close()?;
    }
    let factor = rates[3] / rates[0];
    println!("8 threads commit {factor:.1} times as often as one");
    assert!(factor >= 4.0);
    Ok(())
}
