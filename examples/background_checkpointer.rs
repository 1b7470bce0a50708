//! A thread syncs the file, so that inserts don't wait for the disk.

use std::error::Error;
use std::time::{Duration, Instant};

use lsmlite_rs::{DbConf, Disk, LsmCompressionLib, LsmDb, LsmHandleMode, LsmMetrics, LsmMode};

const RECORDS: u32 = 50_000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let metrics = LsmMetrics::new("checkpoint")?;
    let conf = DbConf::new_with_parameters(
        dir.path(),
        "events".to_string(),
        LsmMode::LsmBackgroundCheckpointer,
        LsmHandleMode::ReadWrite,
        Some(metrics.clone()),
        LsmCompressionLib::NoCompression,
    );
    let mut db = LsmDb::default();
    db.initialize(conf)?;
    db.connect()?;

    let mut slowest = Duration::ZERO;
    let start = Instant::now();
    for n in 0..RECORDS {
        let before = Instant::now();
        db.persist(&n.to_be_bytes(), &[n as u8; 1024])?;
        slowest = slowest.max(before.elapsed());
    }
    let mean = start.elapsed() / RECORDS;
    println!("{RECORDS} inserts of 1 KiB: mean {mean:.1?}, slowest {slowest:.1?}");

    // Stops the thread, then writes the rest.
    db.disconnect()?;

    let rounds = metrics.checkpoint_times_s.get_sample_count();
    let mib = metrics.checkpoint_kbs.get_sample_sum() / 1024.0;
    let seconds = metrics.checkpoint_times_s.get_sample_sum();
    println!(
        "meanwhile, the thread made durable {mib:.0} MiB in {rounds} rounds of {seconds:.2} s in all"
    );
    assert!(rounds > 0);
    Ok(())
}
