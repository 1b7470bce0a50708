//! Ctrl-C and its like.
//!
//! A command is ended at once by default: the engine survives that at any moment, as it
//! survives a crash. A command that has something to finish or to say calls [`polling`] and then
//! asks [`check`] now and then; a second signal ends it at once all the same. Either way, files
//! that were registered as [`Draft`]s are removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::exit::{Failure, Status};

/// The signal that came; 0: none yet.
static SIGNAL: AtomicU8 = AtomicU8::new(0);
static POLLING: AtomicBool = AtomicBool::new(false);
static DRAFTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Starts to listen.
pub fn listen() {
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        // Without it, signals end the process as they always do.
        if let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]) {
            std::thread::spawn(move || {
                for signal in signals.forever() {
                    receive(u8::try_from(signal).unwrap_or(0));
                }
            });
        }
    }
}

#[cfg(unix)]
fn receive(signal: u8) {
    let is_first = SIGNAL.swap(signal, Ordering::SeqCst) == 0;
    if is_first && POLLING.load(Ordering::SeqCst) {
        return;
    }
    for draft in DRAFTS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .drain(..)
    {
        remove(&draft);
    }
    let failure = failure();
    eprintln!("lsmlite: {failure}");
    std::process::exit(failure.status.number().into());
}

/// From now on the command asks [`check`] often enough, at least every second.
pub fn polling() {
    POLLING.store(true, Ordering::SeqCst);
}

/// True if the command is to come to its end.
pub fn is_pending() -> bool {
    SIGNAL.load(Ordering::Relaxed) != 0
}

/// An error if the command is to come to its end.
pub fn check() -> Result<(), Failure> {
    match is_pending() {
        true => Err(failure()),
        false => Ok(()),
    }
}

/// What an interrupted command returns, if it has nothing better to say.
pub fn failure() -> Failure {
    let signal = SIGNAL.load(Ordering::SeqCst).max(1);
    let what = match signal {
        15 => "terminated",
        _ => "interrupted",
    };
    Failure::new(Status::Interrupted(signal), what)
}

/// A file that is removed unless it is [kept](Draft::keep), also by a signal.
pub struct Draft {
    path: PathBuf,
}

impl Draft {
    pub fn new(path: PathBuf) -> Draft {
        let mut drafts = DRAFTS.lock().unwrap_or_else(PoisonError::into_inner);
        drafts.push(path.clone());
        Draft { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It has got its name, or is to stay.
    pub fn keep(self) {
        forget(&self.path);
        std::mem::forget(self);
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        forget(&self.path);
        remove(&self.path);
    }
}

fn forget(path: &Path) {
    let mut drafts = DRAFTS.lock().unwrap_or_else(PoisonError::into_inner);
    drafts.retain(|draft| draft != path);
}

/// With a log, in case it is a database. What isn't there needn't be removed.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
    let mut log = path.as_os_str().to_owned();
    log.push("-log");
    let _ = fs::remove_file(log);
}
