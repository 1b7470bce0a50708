//! [`DbMetrics`]: what a database does and how it is, for Prometheus.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::{Histogram, Registry, proto};

use super::Operation;
use super::families::Families;
use crate::error::{LsmError, LsmErrorCode};
use crate::stats::DbStats;

/// The metrics of one database for Prometheus, in base units, with names of their own and a label
/// `database`: so that several databases fit into one [`Registry`].
///
/// | metric | type | what it is |
/// |---|---|---|
/// | `lsmlite_write_seconds` | histogram | writes, waiting included; label `operation`: `insert`, `remove`, `remove_range`, `commit` |
/// | `lsmlite_merge_seconds` | histogram | flushing and merging on request (`flush`, `work`, `compact`, `ingest`) and by the background thread (`background`) |
/// | `lsmlite_checkpoint_seconds` | histogram | checkpoints, on request and by the background thread |
/// | `lsmlite_inserted_bytes_total` | counter | bytes of keys and values that were inserted |
/// | `lsmlite_pages_written_total` | counter | pages written to the file, by all handles, since the first one was opened |
/// | `lsmlite_pages_read_total` | counter | pages read by the handles that have these metrics and their threads |
/// | `lsmlite_page_cache_hits_total` | counter | pages that they found in their caches instead; mapped ones aren't counted |
/// | `lsmlite_busy_total` | counter | operations that another connection was in the way of for too long |
/// | `lsmlite_failed` | gauge | 1 after a failed write, until the next opening: the handle [only reads](crate::LsmDb::failure) |
/// | `lsmlite_file_bytes` | gauge | size of the file, in whole blocks |
/// | `lsmlite_free_bytes`, `lsmlite_free_blocks` | gauge | the part of it that holds nothing that is needed |
/// | `lsmlite_levels`, `lsmlite_merging_levels` | gauge | levels in the file, and those whose merge is under way |
/// | `lsmlite_segments`, `lsmlite_segment_bytes` | gauge | sorted runs that a reader has to look at |
/// | `lsmlite_live_tree_bytes`, `lsmlite_waiting_tree_bytes` | gauge | memory that takes writes, and that waits to be written |
/// | `lsmlite_log_bytes` | gauge | bytes of the log that recovery would read |
/// | `lsmlite_checkpoint_debt_bytes` | gauge | bytes written to the file since the last checkpoint |
/// | `lsmlite_page_size_bytes` | gauge | size of a page, before compression |
///
/// The gauges are those of [`DbStats`]. They are brought up to date by the handle that has
/// these metrics: when it is opened, after a write if a second has passed since the last time, and after each
/// merge or checkpoint that was asked for or done by a background thread; so they may be older than
/// the last write, and a scrape never waits for the database. Where that isn't enough, call
/// [`update`](Self::update). A read-only handle has no gauges.
///
/// Operations are the engine's: a batch, or a range whose bounds are included, counts as the inserts
/// and removals that it consists of. Merges and checkpoints that the engine does within a commit are
/// part of the commit's time. Reads aren't measured: a clock would be too dear for some of them.
///
/// Write amplification over five minutes is
/// `rate(lsmlite_pages_written_total[5m]) * lsmlite_page_size_bytes / rate(lsmlite_inserted_bytes_total[5m])`.
///
/// Clones are the same metrics. Several handles to one database may share them; handles to different
/// databases must not, as their numbers would be mixed up.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("events.lsm");
/// use lsmlite_rs::{DbMetrics, LsmDb};
/// use prometheus::{Registry, TextEncoder};
///
/// let registry = Registry::new();
/// let metrics = DbMetrics::new("events")?;
/// metrics.register(&registry)?;
///
/// let mut db = LsmDb::builder().db_metrics(metrics).open(&path)?;
/// db.insert("key", "value")?;
/// db.flush()?;
///
/// let text = TextEncoder::new().encode_to_string(&registry.gather())?;
/// for line in [
///     "# TYPE lsmlite_write_seconds histogram",
///     "lsmlite_write_seconds_count{database=\"events\",operation=\"insert\"} 1",
///     "# TYPE lsmlite_inserted_bytes_total counter",
///     "lsmlite_inserted_bytes_total{database=\"events\"} 8",
///     "# TYPE lsmlite_segments gauge",
///     "lsmlite_segments{database=\"events\"} 1",
/// ] {
///     assert!(text.lines().any(|found| found == line), "{line} isn't in {text}");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DbMetrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    families: Families,
    /// The families of operations, by their labels.
    writes: [Histogram; 4],
    merges: [Histogram; 5],
    /// The engine's own count of pages, which wraps round; `None` until it is known.
    pages_seen: Mutex<Option<u32>>,
}

impl DbMetrics {
    /// Metrics whose label `database` is this name: one of your own, as a label is no place for
    /// paths with changing parts.
    ///
    /// # Errors
    /// `LsmMetricCreation`, which isn't expected: any name is possible.
    pub fn new(database: &str) -> Result<DbMetrics, LsmError> {
        let fail = |error: prometheus::Error| {
            LsmError::new("create metrics", LsmErrorCode::LsmMetricCreation)
                .with_message(error.to_string())
        };
        let families = Families::new(database).map_err(fail)?;
        let write = |operation: Operation| {
            (families.write_seconds).get_metric_with_label_values(&[operation.name()])
        };
        let merge = |operation: Operation| {
            (families.merge_seconds).get_metric_with_label_values(&[operation.name()])
        };
        let writes = [
            write(Operation::Insert(0)).map_err(fail)?,
            write(Operation::Remove(0)).map_err(fail)?,
            write(Operation::RemoveRange(0)).map_err(fail)?,
            write(Operation::Commit).map_err(fail)?,
        ];
        let merges = [
            merge(Operation::Flush).map_err(fail)?,
            merge(Operation::Work).map_err(fail)?,
            merge(Operation::Compact).map_err(fail)?,
            merge(Operation::Background).map_err(fail)?,
            merge(Operation::Ingest).map_err(fail)?,
        ];
        Ok(DbMetrics(Arc::new(Inner {
            families,
            writes,
            merges,
            pages_seen: Mutex::new(None),
        })))
    }

    /// Registers them; the same as registering a clone as a [`Collector`].
    ///
    /// # Errors
    /// `LsmMetricRegistration` if the registry has metrics of a database of this name.
    pub fn register(&self, registry: &Registry) -> Result<(), LsmError> {
        registry.register(Box::new(self.clone())).map_err(|error| {
            LsmError::new("register metrics", LsmErrorCode::LsmMetricRegistration)
                .with_message(error.to_string())
        })
    }

    /// Sets the gauges, and counts the pages that were written, by what
    /// [`LsmDb::stats`](crate::LsmDb::stats) has told.
    pub fn update(&self, stats: &DbStats) {
        self.0.families.set(stats);
        let now = stats.pages_written_in_total;
        let mut seen = self.pages_seen();
        // What another thread was told earlier may arrive later.
        let more = now.wrapping_sub(seen.unwrap_or(now));
        if more <= u32::MAX / 2 {
            self.0.families.pages_written.inc_by(more.into());
            *seen = Some(now);
        }
    }

    pub(crate) fn observe(&self, operation: Operation, took: Duration, error: Option<&LsmError>) {
        if error.is_some_and(LsmError::is_busy) {
            self.0.families.busy.inc();
        }
        if let (Operation::Insert(bytes), None) = (operation, error) {
            self.0.families.inserted_bytes.inc_by(bytes as u64);
        }
        let histogram = match operation {
            Operation::Insert(_) => &self.0.writes[0],
            Operation::Remove(_) => &self.0.writes[1],
            Operation::RemoveRange(_) => &self.0.writes[2],
            Operation::Commit => &self.0.writes[3],
            Operation::Flush => &self.0.merges[0],
            Operation::Work => &self.0.merges[1],
            Operation::Compact => &self.0.merges[2],
            Operation::Background => &self.0.merges[3],
            Operation::Ingest => &self.0.merges[4],
            Operation::Checkpoint => &self.0.families.checkpoint_seconds,
        };
        histogram.observe(took.as_secs_f64());
    }

    pub(crate) fn set_failed(&self, failed: bool) {
        self.0.families.failed.set(failed.into());
    }

    pub(crate) fn add_pages_read(&self, pages: u32, cache_hits: u64) {
        self.0.families.pages_read.inc_by(pages.into());
        self.0.families.cache_hits.inc_by(cache_hits);
    }

    fn pages_seen(&self) -> MutexGuard<'_, Option<u32>> {
        // Nothing that can panic happens while it is locked.
        self.0
            .pages_seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// All of them at once.
impl Collector for DbMetrics {
    fn desc(&self) -> Vec<&Desc> {
        let all = self.0.families.collectors(true);
        all.flat_map(|collector| collector.desc()).collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let is_described = self.pages_seen().is_some();
        let known = self.0.families.collectors(is_described);
        known.flat_map(|collector| collector.collect()).collect()
    }
}
