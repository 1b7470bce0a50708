//! What the writer and the background threads tell each other.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::LsmError;

/// Longest wait without looking again: covers changes that nobody signals, such as work
/// done by another connection.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Something for a thread to do.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// Flush the old tree and merge segments.
    Merge,
    /// Make the file durable.
    Checkpoint,
}

#[derive(Default)]
pub(super) struct Signals {
    state: Mutex<State>,
    changed: Condvar,
    // Copies of parts of `state`, so that the writer needn't lock on each write.
    merge_requested: AtomicBool,
    failed: AtomicBool,
}

#[derive(Default)]
struct State {
    merge: bool,
    checkpoint: bool,
    stop: bool,
    /// Counts the calls of [`Signals::progressed`].
    progress: u64,
    failure: Option<LsmError>,
}

impl State {
    fn flag(&mut self, job: Job) -> &mut bool {
        match job {
            Job::Merge => &mut self.merge,
            Job::Checkpoint => &mut self.checkpoint,
        }
    }
}

impl Signals {
    /// Asks for a job to be done.
    pub(super) fn request(&self, job: Job) {
        if job == Job::Merge && self.merge_requested.swap(true, Ordering::AcqRel) {
            return;
        }
        *self.lock().flag(job) = true;
        self.changed.notify_all();
    }

    /// Waits until the job is asked for; false when the thread is to stop.
    pub(super) fn await_request(&self, job: Job) -> bool {
        let mut state = self.lock();
        loop {
            if state.stop {
                return false;
            }
            // Before the work begins.
            if self.take(&mut state, job) {
                return true;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for this long in the middle of merging, or until more is asked for.
    pub(super) fn pause(&self, time: Duration) {
        let mut state = self.lock();
        // What was asked for by now is what goes on after the pause.
        self.take(&mut state, Job::Merge);
        drop(
            self.changed
                .wait_timeout_while(state, time, |state| !state.stop && !state.merge)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Whether the job is asked for; what comes later is a new request.
    fn take(&self, state: &mut State, job: Job) -> bool {
        let requested = mem::take(state.flag(job));
        if requested && job == Job::Merge {
            self.merge_requested.store(false, Ordering::Release);
        }
        requested
    }

    /// Tells those in [`wait_until`](Self::wait_until) to look again.
    pub(super) fn progressed(&self) {
        self.lock().progress += 1;
        self.changed.notify_all();
    }

    /// Waits until `done` says so, a thread has failed, or all are to stop.
    ///
    /// Asks for `job` on each turn: what there was to do when it was last asked for may have
    /// been done by another handle, which then made more.
    pub(super) fn wait_until(
        &self,
        job: Job,
        mut done: impl FnMut() -> Result<bool, LsmError>,
    ) -> Result<(), LsmError> {
        loop {
            // Without the lock, because `done` may read the file; the counter tells whether
            // something happened in between.
            let seen = self.lock().progress;
            if done()? {
                return Ok(());
            }
            let mut state = self.lock();
            if state.failure.is_some() || state.stop {
                return Ok(());
            }
            if state.progress == seen {
                *state.flag(job) = true;
                self.changed.notify_all();
                drop(
                    self.changed
                        .wait_timeout(state, LOOK_AGAIN)
                        .unwrap_or_else(PoisonError::into_inner),
                );
            }
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stop
    }

    /// Records the first failure; it stays until the handle is closed.
    pub(super) fn fail(&self, error: LsmError) {
        self.lock().failure.get_or_insert(error);
        self.failed.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    /// The failure, if there was one.
    pub(super) fn check(&self) -> Result<(), LsmError> {
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        match &self.lock().failure {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock leaves the flags inconsistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
