//! What a background thread does.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::Limits;
use super::pace::Pace;
use super::signals::{Job, Signals};
use crate::error::{LsmError, LsmErrorCode};
use crate::metrics::LsmMetrics;
use crate::observe::{Observer, Operation};
use crate::raw::Connection;

/// How much is merged between two looks at the stop flag and the checkpoint debt: when there is
/// time, and when somebody waits or will soon.
const STEP_KIB: [u32; 2] = [256, 1024];
/// Pause when another connection holds the lock that the work needs.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

pub(super) struct Worker {
    pub(super) connection: Connection,
    pub(super) signals: Arc<Signals>,
    pub(super) limits: Limits,
    pub(super) pace: Pace,
    /// Another thread checkpoints: tell it when to, and wait when it falls behind.
    pub(super) reports_debt: bool,
    pub(super) metrics: Option<LsmMetrics>,
    pub(super) observer: Observer,
}

impl Worker {
    /// Does its job each time it is asked for, until told to stop or until it fails.
    pub(super) fn run(mut self, job: Job) {
        // Unwind safety: after a panic the worker is only dropped.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            while self.signals.await_request(job) {
                match job {
                    Job::Merge => self.shown(Operation::Background, Worker::merge)?,
                    Job::Checkpoint => self.shown(Operation::Checkpoint, Worker::checkpoint)?,
                }
            }
            Ok(())
        }));
        let error: LsmError = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(payload) => LsmError::new("background work", LsmErrorCode::LsmBgThreadUnavailable)
                .with_path(self.connection.path())
                .with_message(format!("the thread panicked: {}", text(&*payload))),
        };
        self.signals.fail(error);
    }

    /// Does work that says how many KiB there were, and shows it to those who listen.
    fn shown(
        &mut self,
        operation: Operation,
        work: impl FnOnce(&mut Worker) -> Result<u32, LsmError>,
    ) -> Result<(), LsmError> {
        let running = self.observer.start(operation, &self.connection);
        let result = work(self);
        let result = (self.observer).end(running, &self.connection, |kib| Some(*kib), result);
        result.map(|_| ())
    }

    /// Writes the old tree to the file and merges until nothing is left to merge.
    fn merge(&mut self) -> Result<u32, LsmError> {
        let start = Instant::now();
        let mut total_kib: u32 = 0;
        let mut in_haste = true;
        let mut paused = Duration::ZERO;
        while !self.signals.is_stopping() {
            let step = Instant::now();
            let kib = match (self.connection).work(0, Some(STEP_KIB[usize::from(in_haste)])) {
                Ok(kib) => kib,
                Err(error) if error.is_busy() => {
                    thread::sleep(BUSY_PAUSE);
                    continue;
                }
                Err(error) => return Err(error),
            };
            total_kib = total_kib.saturating_add(kib);
            self.signals.progressed();
            if self.reports_debt {
                self.report_debt()?;
            }
            let size = self.connection.tree_size()?;
            if kib == 0 && size.old_kib == 0 {
                break;
            }
            let pause = self.pace.pause(step.elapsed(), size, Instant::now());
            in_haste = pause.is_zero();
            if !in_haste {
                let pause_began = Instant::now();
                self.signals.pause(pause);
                paused += pause_began.elapsed();
            }
        }
        if let Some(metrics) = &self.metrics {
            metrics.observe_work(start.elapsed().saturating_sub(paused), total_kib);
        }
        Ok(total_kib)
    }

    fn report_debt(&self) -> Result<(), LsmError> {
        let debt_kib = self.connection.checkpoint_debt_kib()?;
        if self.limits.checkpoint_is_due(debt_kib) {
            self.signals.request(Job::Checkpoint);
        }
        if self.limits.debt_is_full(debt_kib) {
            self.signals.wait_until(Job::Checkpoint, || {
                Ok(!self
                    .limits
                    .debt_is_full(self.connection.checkpoint_debt_kib()?))
            })?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<u32, LsmError> {
        let start = Instant::now();
        while !self.signals.is_stopping() {
            match self.connection.checkpoint() {
                Ok(kib) => {
                    self.signals.progressed();
                    if let Some(metrics) = &self.metrics {
                        metrics.observe_checkpoint(start.elapsed(), kib);
                    }
                    return Ok(kib);
                }
                Err(error) if error.is_busy() => thread::sleep(BUSY_PAUSE),
                Err(error) => return Err(error),
            }
        }
        Ok(0)
    }
}

/// What a panic said, where it was a string.
fn text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "no message"
    }
}
