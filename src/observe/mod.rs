//! What others get to see of an operation: a span for `tracing`, and Prometheus metrics.
//!
//! An operation is announced with [`Observer::start`] and ends with [`Observer::end`]. Where nobody
//! listens, neither looks at a clock or asks the engine for anything.

#[cfg(feature = "metrics")]
mod db_metrics;
#[cfg(not(feature = "metrics"))]
#[path = "no_metrics.rs"]
mod db_metrics;
#[cfg(feature = "metrics")]
mod families;
mod span;

use std::time::{Duration, Instant};

pub use db_metrics::DbMetrics;
pub(crate) use span::Span;

use crate::error::LsmError;
use crate::raw::Connection;
use crate::stats;

/// The metrics that describe the database are at most so much older than the last write.
const REFRESH: Duration = Duration::from_secs(1);

/// What is done with a connection.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Bytes of key and value.
    Insert(usize),
    Remove(usize),
    RemoveRange(usize),
    Commit,
    Flush,
    Work,
    Compact,
    Ingest,
    /// Flushing and merging by the background thread.
    Background,
    Checkpoint,
}

impl Operation {
    /// What it is called in labels and fields.
    #[cfg_attr(not(any(feature = "metrics", feature = "tracing")), allow(dead_code))]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Insert(_) => "insert",
            Operation::Remove(_) => "remove",
            Operation::RemoveRange(_) => "remove_range",
            Operation::Commit => "commit",
            Operation::Flush => "flush",
            Operation::Work => "work",
            Operation::Compact => "compact",
            Operation::Ingest => "ingest",
            Operation::Background => "background",
            Operation::Checkpoint => "checkpoint",
        }
    }

    /// Of keys and values that were given with it.
    pub(crate) fn bytes(self) -> u64 {
        use Operation::{Insert, Remove, RemoveRange};
        match self {
            Insert(bytes) | Remove(bytes) | RemoveRange(bytes) => bytes as u64,
            _ => 0,
        }
    }

    fn is_write(self) -> bool {
        use Operation::{Commit, Insert, Remove, RemoveRange};
        matches!(self, Insert(_) | Remove(_) | RemoveRange(_) | Commit)
    }
}

/// Shows what one connection does.
pub(crate) struct Observer {
    metrics: Option<DbMetrics>,
    /// Pages that the connection had read when the metrics were last brought up to date.
    pages_read: u32,
    /// Pages that it had found in its cache by then.
    cache_hits: u64,
    refreshed: Option<Instant>,
}

/// An operation that goes on.
#[must_use = "its end has to be told"]
pub(crate) struct Running {
    operation: Operation,
    start: Option<Instant>,
    span: Span,
    /// How many pages the connection had written before.
    pages_written: Option<u32>,
}

impl Observer {
    pub(crate) fn new(metrics: Option<&DbMetrics>, connection: &Connection) -> Observer {
        let mut observer = Observer {
            metrics: metrics.cloned(),
            pages_read: 0,
            cache_hits: 0,
            refreshed: None,
        };
        if let Some(metrics) = metrics {
            metrics.set_failed(false);
        }
        observer.refresh(connection);
        observer
    }

    pub(crate) fn start(&self, operation: Operation, connection: &Connection) -> Running {
        // A write in a transaction is shown by the commit.
        let span = match operation.is_write() && operation != Operation::Commit {
            true if connection.in_transaction() => Span::none(),
            _ => Span::of(operation, connection.path()),
        };
        let counts = span.is_wanted() && operation != Operation::Checkpoint;
        Running {
            operation,
            start: self.metrics.is_some().then(Instant::now),
            pages_written: counts.then(|| connection.pages_written().ok()).flatten(),
            span,
        }
    }

    /// Passes on the result, which for some operations says how many KiB were written.
    pub(crate) fn end<T>(
        &mut self,
        running: Running,
        connection: &Connection,
        kib: impl FnOnce(&T) -> Option<u32>,
        result: Result<T, LsmError>,
    ) -> Result<T, LsmError> {
        if running.span.is_wanted() {
            let kib = result.as_ref().ok().and_then(kib);
            let kib = kib.or_else(|| {
                let pages = connection.pages_written().ok()?;
                let pages = pages.wrapping_sub(running.pages_written?);
                Some(pages.saturating_mul(connection.page_size_bytes().ok()? / 256) / 4)
            });
            running.span.end(result.as_ref().err(), kib);
        }
        if let (Some(metrics), Some(start)) = (&self.metrics, running.start) {
            let now = Instant::now();
            metrics.observe(running.operation, now - start, result.as_ref().err());
            // Another connection, of a thread for instance, may have failed before.
            if connection.failure().is_some() {
                metrics.set_failed(true);
            }
            let is_old = (self.refreshed).is_none_or(|before| now - before >= REFRESH);
            if !connection.in_transaction() && (is_old || !running.operation.is_write()) {
                self.refresh(connection);
            }
        }
        result
    }

    /// Brings the metrics that describe the database up to date. If somebody is in the way, they
    /// stay as they are for now.
    fn refresh(&mut self, connection: &Connection) {
        let Some(metrics) = &self.metrics else {
            return;
        };
        self.refreshed = Some(Instant::now());
        if let Ok(stats) = stats::read(connection) {
            metrics.update(&stats);
            metrics.add_pages_read(
                stats.pages_read.wrapping_sub(self.pages_read),
                stats.cache_hits.saturating_sub(self.cache_hits),
            );
            (self.pages_read, self.cache_hits) = (stats.pages_read, stats.cache_hits);
        }
    }
}
