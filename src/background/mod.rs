//! Background threads: start, back-pressure on the writer, stop, failure.
//!
//! Each thread has a connection of its own. The writer tells them when there is something
//! to do and waits only when memory or the checkpoint debt is at its limit.

mod pace;
mod signals;
mod worker;

use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::config::{BackgroundMode, Settings};
use crate::env::{Opening, Process};
use crate::error::{LsmError, LsmErrorCode};
use crate::metrics::LsmMetrics;
use crate::observe::Observer;
use crate::raw::Connection;
use pace::Pace;
use signals::{Job, Signals};
use worker::Worker;

/// The running threads of one database handle. Dropping it stops them.
pub(crate) struct Background {
    signals: Arc<Signals>,
    threads: Vec<JoinHandle<()>>,
    limits: Limits,
    merges: bool,
    /// The writer itself writes pages, so it has to watch the checkpoint debt.
    watches_debt: bool,
    pages_seen: u32,
    process: Process,
}

/// When to wake a thread and when to wait for it.
#[derive(Copy, Clone)]
pub(crate) struct Limits {
    /// Size of one in-memory tree.
    tree_kib: u32,
    /// KiB that may be written to the file without a checkpoint; 0: any amount.
    debt_kib: u32,
}

impl Limits {
    fn checkpoint_is_due(self, debt_kib: u32) -> bool {
        self.debt_kib > 0 && debt_kib >= self.debt_kib / 2
    }

    fn debt_is_full(self, debt_kib: u32) -> bool {
        self.debt_kib > 0 && debt_kib >= self.debt_kib
    }
}

impl Background {
    /// Starts the threads that the settings ask for; `None` if none.
    ///
    /// # Errors
    /// Whatever keeps a connection from being opened or a thread from being started.
    pub(crate) fn start(
        path: &Path,
        settings: &Settings,
        metrics: Option<&LsmMetrics>,
    ) -> Result<Option<Background>, LsmError> {
        let (merges, checkpoints) = match settings.background {
            _ if settings.read_only => return Ok(None),
            BackgroundMode::None => return Ok(None),
            BackgroundMode::Merger => (true, false),
            BackgroundMode::Checkpointer => (false, true),
            BackgroundMode::MergerAndCheckpointer => (true, true),
        };
        let mut background = Background {
            signals: Arc::default(),
            threads: Vec::new(),
            limits: Limits {
                tree_kib: settings.tree_kib(),
                debt_kib: settings.autocheckpoint_kib,
            },
            merges,
            watches_debt: !merges,
            pages_seen: 0,
            process: Process::current(),
        };
        if merges {
            // Alone, the merger checkpoints as it goes.
            let mut worker = background.worker(path, settings, !checkpoints, metrics)?;
            worker.reports_debt = checkpoints;
            background.spawn("lsmlite-merger", Job::Merge, worker)?;
        }
        if checkpoints {
            let worker = background.worker(path, settings, false, metrics)?;
            background.spawn("lsmlite-checkpointer", Job::Checkpoint, worker)?;
        }
        Ok(Some(background))
    }

    /// One that does nothing yet, with a connection of its own.
    fn worker(
        &self,
        path: &Path,
        settings: &Settings,
        checkpoints: bool,
        metrics: Option<&LsmMetrics>,
    ) -> Result<Worker, LsmError> {
        let connection = open(path, settings, checkpoints)?;
        Ok(Worker {
            observer: Observer::new(settings.db_metrics.as_ref(), &connection),
            connection,
            signals: Arc::clone(&self.signals),
            limits: self.limits,
            pace: Pace::new(self.limits.tree_kib, Instant::now()),
            reports_debt: false,
            metrics: metrics.cloned(),
        })
    }

    fn spawn(&mut self, name: &str, job: Job, worker: Worker) -> Result<(), LsmError> {
        let path = worker.connection.path().to_owned();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || worker.run(job))
            .map_err(|error| {
                LsmError::new(
                    "start a background thread",
                    LsmErrorCode::LsmBgThreadUnavailable,
                )
                .with_path(&path)
                .with_message(error.to_string())
            })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Tells the threads to end, and doesn't wait for it.
    pub(crate) fn halt(&self) {
        self.signals.stop();
    }

    /// Stops the threads; the failure of one that had failed by then.
    pub(crate) fn stop(self) -> Result<(), LsmError> {
        let (signals, is_ours) = (Arc::clone(&self.signals), self.process.is_current());
        drop(self);
        if is_ours { signals.check() } else { Ok(()) }
    }

    /// The failure of a thread, if one has failed: writes must not go on then.
    pub(crate) fn check(&self) -> Result<(), LsmError> {
        self.signals.check()
    }

    /// Called after each commit: wakes the threads and, at a limit, waits for them.
    ///
    /// A failure while waiting isn't returned here, since the write itself succeeded; the
    /// next [`check`](Self::check) does.
    pub(crate) fn after_commit(&mut self, writer: &Connection) -> Result<(), LsmError> {
        if self.merges {
            let size = writer.tree_size()?;
            if size.old_kib > 0 {
                self.signals.request(Job::Merge);
                if size.live_kib >= self.limits.tree_kib {
                    self.signals
                        .wait_until(Job::Merge, || Ok(writer.tree_size()?.old_kib == 0))?;
                }
            }
        }
        if self.watches_debt {
            self.pay_debt(writer)?;
        }
        Ok(())
    }

    fn pay_debt(&mut self, writer: &Connection) -> Result<(), LsmError> {
        // The debt is read from the file, so look only when the writer has added to it.
        let pages = writer.pages_written()?;
        if pages == self.pages_seen {
            return Ok(());
        }
        self.pages_seen = pages;
        let debt_kib = writer.checkpoint_debt_kib()?;
        if self.limits.checkpoint_is_due(debt_kib) {
            self.signals.request(Job::Checkpoint);
        }
        if self.limits.debt_is_full(debt_kib) {
            let limits = self.limits;
            self.signals.wait_until(Job::Checkpoint, || {
                Ok(!limits.debt_is_full(writer.checkpoint_debt_kib()?))
            })?;
        }
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !self.process.is_current() {
            // The threads stayed behind in the process that this one was forked from.
            self.threads.drain(..).for_each(mem::forget);
            return;
        }
        self.signals.stop();
        for thread in self.threads.drain(..) {
            // A panic was caught and reported in the thread itself.
            let _ = thread.join();
        }
    }
}

fn open(path: &Path, settings: &Settings, checkpoints: bool) -> Result<Connection, LsmError> {
    Connection::open(
        &settings.env,
        path,
        Opening {
            read_only: false,
            create: false,
            log: settings.use_log,
        },
        &settings.worker_params(checkpoints),
        &settings.codecs,
    )
}
