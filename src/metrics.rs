//! [`LsmMetrics`]: Prometheus histograms of what a database does.

#[cfg(not(feature = "metrics"))]
pub use disabled::LsmMetrics;
#[cfg(feature = "metrics")]
pub use enabled::LsmMetrics;

#[cfg(feature = "metrics")]
mod enabled {
    use std::time::Duration;

    use prometheus::{Histogram, HistogramOpts, Registry};

    use crate::error::{LsmError, LsmErrorCode};

    /// The histograms that a database observes, the five of 0.2.2.
    ///
    /// Make them with [`new`](Self::new), or fill in histograms with buckets and names of
    /// your own. Nothing is ever registered with the global registry.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lsmlite_rs::{LsmDb, LsmMetrics};
    ///
    /// let registry = prometheus::Registry::new();
    /// let metrics = LsmMetrics::new("events")?;
    /// metrics.register(&registry)?;
    ///
    /// let dir = tempfile::tempdir()?;
    /// let mut db = LsmDb::builder().metrics(metrics.clone()).open(dir.path().join("e.lsm"))?;
    /// db.insert(b"key", b"value")?;
    /// assert_eq!(metrics.write_times_s.get_sample_count(), 1);
    /// # Ok(()) }
    /// ```
    #[derive(Clone, Debug)]
    pub struct LsmMetrics {
        /// Seconds that each write took: inserts, deletes and commits, waiting included.
        pub write_times_s: Histogram,
        /// KiB that each round of flushing and merging wrote. Background merger only.
        pub work_kbs: Histogram,
        /// Seconds that each such round took. Background merger only.
        pub work_times_s: Histogram,
        /// KiB that each checkpoint made durable. Background checkpointer only.
        pub checkpoint_kbs: Histogram,
        /// Seconds that each such checkpoint took. Background checkpointer only.
        pub checkpoint_times_s: Histogram,
    }

    /// From 1 µs, an insert into memory, to 10 s, a writer held up by a slow disk.
    const WRITE_SECONDS: [f64; 15] = [
        1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 1e-4, 2.5e-4, 1e-3, 2.5e-3, 1e-2, 2.5e-2, 0.1, 0.5, 1.0,
        10.0,
    ];
    /// Rounds of work and checkpoints take from a millisecond to a minute.
    const WORK_SECONDS: [f64; 12] = [
        1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 10.0, 60.0,
    ];
    /// From 256 KiB to 256 MiB.
    const WORK_KIB: [f64; 11] = [
        256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 32768.0, 65536.0, 131072.0, 262144.0,
    ];

    impl LsmMetrics {
        /// Histograms named `{prefix}_write_times_s` and so on, with buckets that suit a
        /// local disk.
        ///
        /// # Errors
        /// `LsmMetricCreation` if `prefix` can't begin a Prometheus name.
        pub fn new(prefix: &str) -> Result<Self, LsmError> {
            let make = |name: &str, help: &str, buckets: &[f64]| {
                let opts = HistogramOpts::new(format!("{prefix}_{name}"), help);
                Histogram::with_opts(opts.buckets(buckets.to_vec())).map_err(|error| {
                    LsmError::new("create metrics", LsmErrorCode::LsmMetricCreation)
                        .with_message(error.to_string())
                })
            };
            Ok(LsmMetrics {
                write_times_s: make(
                    "write_times_s",
                    "Seconds per write, waiting included.",
                    &WRITE_SECONDS,
                )?,
                work_kbs: make("work_kbs", "KiB written per round of merging.", &WORK_KIB)?,
                work_times_s: make(
                    "work_times_s",
                    "Seconds per round of merging.",
                    &WORK_SECONDS,
                )?,
                checkpoint_kbs: make("checkpoint_kbs", "KiB per checkpoint.", &WORK_KIB)?,
                checkpoint_times_s: make(
                    "checkpoint_times_s",
                    "Seconds per checkpoint.",
                    &WORK_SECONDS,
                )?,
            })
        }

        /// Registers all five with `registry`.
        ///
        /// # Errors
        /// `LsmMetricRegistration` if one of the names is taken; those before it stay
        /// registered.
        pub fn register(&self, registry: &Registry) -> Result<(), LsmError> {
            for histogram in [
                &self.write_times_s,
                &self.work_kbs,
                &self.work_times_s,
                &self.checkpoint_kbs,
                &self.checkpoint_times_s,
            ] {
                registry
                    .register(Box::new(histogram.clone()))
                    .map_err(|error| {
                        LsmError::new("register metrics", LsmErrorCode::LsmMetricRegistration)
                            .with_message(error.to_string())
                    })?;
            }
            Ok(())
        }

        pub(crate) fn observe_write(&self, took: Duration) {
            self.write_times_s.observe(took.as_secs_f64());
        }

        pub(crate) fn observe_work(&self, took: Duration, kib: u32) {
            self.work_times_s.observe(took.as_secs_f64());
            self.work_kbs.observe(f64::from(kib));
        }

        pub(crate) fn observe_checkpoint(&self, took: Duration, kib: u32) {
            self.checkpoint_times_s.observe(took.as_secs_f64());
            self.checkpoint_kbs.observe(f64::from(kib));
        }
    }
}

#[cfg(not(feature = "metrics"))]
mod disabled {
    use std::convert::Infallible;
    use std::time::Duration;

    /// The metrics of a build without the feature `metrics`: there are none to be had, so
    /// only `None` can be passed where an `Option<LsmMetrics>` is asked for.
    #[derive(Clone, Debug)]
    pub struct LsmMetrics {
        never: Infallible,
    }

    impl LsmMetrics {
        pub(crate) fn observe_write(&self, _took: Duration) {
            match self.never {}
        }

        pub(crate) fn observe_work(&self, _took: Duration, _kib: u32) {
            match self.never {}
        }

        pub(crate) fn observe_checkpoint(&self, _took: Duration, _kib: u32) {
            match self.never {}
        }
    }
}
