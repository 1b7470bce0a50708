//! Metrics: every write is timed, background work is measured, nothing is global.
#![cfg(feature = "metrics")]

mod common;

use std::time::{Duration, Instant};

use common::Result;
use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{
    DbConf, Disk, LsmCompressionLib, LsmDb, LsmErrorCode, LsmHandleMode, LsmMetrics, LsmMode,
};
use prometheus::Registry;

/// 0.2.2 times inserts only.
#[test]
fn every_kind_of_write_adds_one_observation() -> Result {
    let dir = tempfile::tempdir()?;
    let metrics = LsmMetrics::new("writes")?;
    let mut db = LsmDb::default();
    db.initialize(DbConf::new_with_parameters(
        dir.path(),
        "timed".into(),
        LsmMode::LsmNoBackgroundThreads,
        LsmHandleMode::ReadWrite,
        Some(metrics.clone()),
        LsmCompressionLib::NoCompression,
    ))?;
    db.connect()?;
    let mut seen = 0;
    let mut one_more = |what: &str| {
        seen += 1;
        assert_eq!(metrics.write_times_s.get_sample_count(), seen, "{what}");
    };
    db.persist(b"a", b"1")?;
    one_more("persist");
    db.update(b"a", b"2")?;
    one_more("update");
    db.delete(b"a")?;
    one_more("delete");
    db.delete_range(b"a", b"z")?;
    one_more("delete_range");
    db.begin_transaction()?;
    db.persist(b"b", b"3")?;
    one_more("persist in a transaction");
    db.commit_transaction()?;
    one_more("commit");
    db.insert(b"c", b"4")?;
    one_more("insert");
    db.remove(b"c")?;
    one_more("remove");
    assert!(metrics.write_times_s.get_sample_sum() > 0.0);

    let _ = db.get(b"b")?;
    assert_eq!(db.iter().count(), 1);
    db.begin_transaction()?;
    db.rollback_transaction()?;
    db.disconnect()?;
    assert_eq!(metrics.write_times_s.get_sample_count(), seen, "no writes");
    assert_eq!(metrics.work_kbs.get_sample_count(), 0);
    assert_eq!(metrics.work_times_s.get_sample_count(), 0);
    assert_eq!(metrics.checkpoint_kbs.get_sample_count(), 0);
    assert_eq!(metrics.checkpoint_times_s.get_sample_count(), 0);
    Ok(())
}

/// Writes until both histograms of a thread have an observation.
fn written_until(
    mode: BackgroundMode,
    metrics: &LsmMetrics,
    enough: impl Fn(&LsmMetrics) -> bool,
) -> Result<u64> {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::builder()
        .background(mode)
        .metrics(metrics.clone())
        .autoflush_kib(128)
        .autocheckpoint_kib(256)
        .open(dir.path().join("m.lsm"))?;
    let start = Instant::now();
    let mut rows = 0_u64;
    while !enough(metrics) {
        assert!(start.elapsed() < Duration::from_secs(30), "never observed");
        db.insert(rows.to_be_bytes(), [7; 200])?;
        rows += 1;
    }
    db.close()?;
    Ok(rows)
}

#[test]
fn the_merger_observes_work_only() -> Result {
    let metrics = LsmMetrics::new("merger")?;
    let rows = written_until(BackgroundMode::Merger, &metrics, |m| {
        m.work_kbs.get_sample_sum() > 0.0
    })?;
    assert_eq!(
        metrics.work_kbs.get_sample_count(),
        metrics.work_times_s.get_sample_count()
    );
    assert!(metrics.work_times_s.get_sample_sum() > 0.0);
    assert_eq!(metrics.checkpoint_kbs.get_sample_count(), 0);
    assert_eq!(metrics.checkpoint_times_s.get_sample_count(), 0);
    assert_eq!(metrics.write_times_s.get_sample_count(), rows);
    Ok(())
}

#[test]
fn the_checkpointer_observes_checkpoints_only() -> Result {
    let metrics = LsmMetrics::new("checkpointer")?;
    written_until(BackgroundMode::Checkpointer, &metrics, |m| {
        m.checkpoint_kbs.get_sample_sum() > 0.0
    })?;
    assert_eq!(
        metrics.checkpoint_kbs.get_sample_count(),
        metrics.checkpoint_times_s.get_sample_count()
    );
    assert!(metrics.checkpoint_times_s.get_sample_sum() > 0.0);
    assert_eq!(metrics.work_kbs.get_sample_count(), 0);
    assert_eq!(metrics.work_times_s.get_sample_count(), 0);
    Ok(())
}

#[test]
fn both_threads_observe() -> Result {
    let metrics = LsmMetrics::new("both")?;
    written_until(BackgroundMode::MergerAndCheckpointer, &metrics, |m| {
        m.checkpoint_kbs.get_sample_sum() > 0.0 && m.work_kbs.get_sample_sum() > 0.0
    })?;
    Ok(())
}

#[test]
fn registering_twice_is_an_error() -> Result {
    let registry = Registry::new();
    let metrics = LsmMetrics::new("twice")?;
    metrics.register(&registry)?;
    let error = metrics.register(&registry).expect_err("registered twice");
    assert_eq!(error.code(), LsmErrorCode::LsmMetricRegistration);
    assert!(error.to_string().contains("register metrics"), "{error}");
    let mut names: Vec<_> = registry
        .gather()
        .iter()
        .map(|family| family.name().to_owned())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "twice_checkpoint_kbs",
            "twice_checkpoint_times_s",
            "twice_work_kbs",
            "twice_work_times_s",
            "twice_write_times_s",
        ]
    );
    Ok(())
}

#[test]
fn a_prefix_that_prometheus_refuses_is_an_error() {
    let error = LsmMetrics::new("not a name").expect_err("spaces in a name");
    assert_eq!(error.code(), LsmErrorCode::LsmMetricCreation);
}

/// In 0.2.2 a second database in one process can't register its metrics.
#[test]
fn the_global_registry_is_left_alone() -> Result {
    let dir = tempfile::tempdir()?;
    for _ in 0..2 {
        let metrics = LsmMetrics::new("global")?;
        metrics.register(&Registry::new())?;
        let mut db = LsmDb::builder()
            .metrics(metrics)
            .open(dir.path().join("g.lsm"))?;
        db.insert(b"k", b"v")?;
        db.close()?;
    }
    // What the process itself reports is there by default.
    let ours: Vec<_> = prometheus::default_registry()
        .gather()
        .into_iter()
        .map(|family| family.name().to_owned())
        .filter(|name| !name.starts_with("process_"))
        .collect();
    assert!(ours.is_empty(), "{ours:?}");
    Ok(())
}
