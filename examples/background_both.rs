//! One thread merges, another syncs: the mode for a steady stream of writes.

use std::error::Error;
use std::time::{Duration, Instant};

use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{LsmDb, LsmMetrics};

const RECORDS: u32 = 50_000;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{RECORDS} inserts of 1 KiB");
    for mode in [BackgroundMode::None, BackgroundMode::MergerAndCheckpointer] {
        let dir = tempfile::tempdir()?;
        let metrics = LsmMetrics::new("events")?;
        let mut db = LsmDb::builder()
            .background(mode)
            .metrics(metrics.clone())
            .autoflush_kib(4 * 1024)
            .autocheckpoint_kib(32 * 1024)
            .open(dir.path().join("events.lsm"))?;

        let mut slowest = Duration::ZERO;
        let start = Instant::now();
        for n in 0..RECORDS {
            let before = Instant::now();
            db.insert(n.to_be_bytes(), [n as u8; 1024])?;
            slowest = slowest.max(before.elapsed());
        }
        let mean = start.elapsed() / RECORDS;
        db.close()?;

        let (merges, syncs) = (&metrics.work_times_s, &metrics.checkpoint_times_s);
        let (merges, syncs) = (merges.get_sample_count(), syncs.get_sample_count());
        println!("{mode:?}: mean {mean:.1?}, slowest {slowest:.1?}");
        println!("    in the background: {merges} merges, {syncs} checkpoints");
        assert_eq!(mode != BackgroundMode::None, merges > 0 && syncs > 0);
    }
    Ok(())
}
