//! The metric families of [`DbMetrics`](super::DbMetrics): their names, units and buckets.

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntGauge, Opts};

use crate::stats::DbStats;

/// What the engine tells of itself.
type Reading = fn(&DbStats) -> u64;

/// Gauges that [`DbStats`] has the values of.
const GAUGES: [(&str, &str, Reading); 12] = [
    (
        "lsmlite_file_bytes",
        "Size of the database file; its last block may be shorter.",
        DbStats::file_bytes,
    ),
    (
        "lsmlite_free_bytes",
        "Bytes in blocks of the file that hold nothing that is needed.",
        |stats| u64::from(stats.free_blocks) * u64::from(stats.block_size_kib) * 1024,
    ),
    (
        "lsmlite_free_blocks",
        "Blocks of the file that hold nothing that is needed.",
        |stats| stats.free_blocks.into(),
    ),
    (
        "lsmlite_levels",
        "Levels of sorted runs in the file.",
        |stats| stats.levels.len() as u64,
    ),
    (
        "lsmlite_merging_levels",
        "Levels that are the result of a merge that is not finished.",
        |stats| {
            stats
                .levels
                .iter()
                .filter(|level| level.is_merging())
                .count() as u64
        },
    ),
    (
        "lsmlite_segments",
        "Sorted runs in the file that a reader has to look at.",
        |stats| stats.segments() as u64,
    ),
    (
        "lsmlite_segment_bytes",
        "Bytes of all sorted runs in the file.",
        DbStats::segment_bytes,
    ),
    (
        "lsmlite_live_tree_bytes",
        "Memory that takes new writes.",
        |stats| u64::from(stats.live_tree_kib) * 1024,
    ),
    (
        "lsmlite_waiting_tree_bytes",
        "Memory that waits to be written to the file.",
        |stats| u64::from(stats.waiting_tree_kib) * 1024,
    ),
    (
        "lsmlite_log_bytes",
        "Bytes of the log that recovery would read after a crash.",
        |stats| stats.log_bytes,
    ),
    (
        "lsmlite_checkpoint_debt_bytes",
        "Bytes written to the file since the last checkpoint.",
        |stats| u64::from(stats.checkpoint_debt_kib) * 1024,
    ),
    (
        "lsmlite_page_size_bytes",
        "Size of a page, before compression.",
        |stats| stats.page_size_bytes.into(),
    ),
];

/// From 1 µs, an insert into memory, to 10 s, a writer held up by a slow disk.
const WRITE_SECONDS: [f64; 15] = [
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 1e-4, 2.5e-4, 1e-3, 2.5e-3, 1e-2, 2.5e-2, 0.1, 0.5, 1.0, 10.0,
];
/// From a millisecond to the compaction of a large file.
const WORK_SECONDS: [f64; 12] = [
    1e-3, 2.5e-3, 1e-2, 2.5e-2, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0,
];

#[derive(Debug)]
pub(super) struct Families {
    pub(super) write_seconds: HistogramVec,
    pub(super) merge_seconds: HistogramVec,
    pub(super) checkpoint_seconds: Histogram,
    pub(super) inserted_bytes: IntCounter,
    pub(super) pages_written: IntCounter,
    pub(super) pages_read: IntCounter,
    pub(super) cache_hits: IntCounter,
    pub(super) busy: IntCounter,
    pub(super) failed: IntGauge,
    /// In the order of [`GAUGES`].
    gauges: Vec<IntGauge>,
}

impl Families {
    pub(super) fn new(database: &str) -> prometheus::Result<Families> {
        let opts = |name: &str, help: &str| Opts::new(name, help).const_label("database", database);
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let opts = HistogramOpts::new(name, help).const_label("database", database);
            opts.buckets(buckets.to_vec())
        };
        let counter = |name, help| IntCounter::with_opts(opts(name, help));
        let gauge = |name, help| IntGauge::with_opts(opts(name, help));
        Ok(Families {
            write_seconds: HistogramVec::new(
                histogram(
                    "lsmlite_write_seconds",
                    "Time that writes took, waiting included.",
                    &WRITE_SECONDS,
                ),
                &["operation"],
            )?,
            merge_seconds: HistogramVec::new(
                histogram(
                    "lsmlite_merge_seconds",
                    "Time that flushing and merging took.",
                    &WORK_SECONDS,
                ),
                &["operation"],
            )?,
            checkpoint_seconds: Histogram::with_opts(histogram(
                "lsmlite_checkpoint_seconds",
                "Time that checkpoints took.",
                &WORK_SECONDS,
            ))?,
            inserted_bytes: counter(
                "lsmlite_inserted_bytes_total",
                "Bytes of keys and values that were inserted.",
            )?,
            pages_written: counter(
                "lsmlite_pages_written_total",
                "Pages written to the file, by all handles.",
            )?,
            pages_read: counter(
                "lsmlite_pages_read_total",
                "Pages read from the file by handles that write.",
            )?,
            cache_hits: counter(
                "lsmlite_page_cache_hits_total",
                "Pages found in the caches of handles that write.",
            )?,
            busy: counter(
                "lsmlite_busy_total",
                "Operations that another connection was in the way of.",
            )?,
            failed: gauge(
                "lsmlite_failed",
                "1 after a failed write: the handle only reads until it is opened again.",
            )?,
            gauges: GAUGES
                .iter()
                .map(|(name, help, _)| gauge(name, help))
                .collect::<prometheus::Result<_>>()?,
        })
    }

    pub(super) fn set(&self, stats: &DbStats) {
        for (gauge, (_, _, reading)) in self.gauges.iter().zip(GAUGES) {
            gauge.set(i64::try_from(reading(stats)).unwrap_or(i64::MAX));
        }
    }

    /// Everything that can be collected; what describes the database only if it is known.
    pub(super) fn collectors(&self, is_described: bool) -> impl Iterator<Item = &dyn Collector> {
        let always: [&dyn Collector; 8] = [
            &self.write_seconds,
            &self.merge_seconds,
            &self.checkpoint_seconds,
            &self.inserted_bytes,
            &self.pages_read,
            &self.cache_hits,
            &self.busy,
            &self.failed,
        ];
        let described = std::iter::once(&self.pages_written as &dyn Collector)
            .chain(self.gauges.iter().map(|gauge| gauge as &dyn Collector));
        always
            .into_iter()
            .chain(described.filter(move |_| is_described))
    }
}
