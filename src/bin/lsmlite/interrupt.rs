//! Ctrl-C and its like.
//!
//! A command is ended at once by default: the engine survives that at any moment, as it
//! survives a crash. A command that has something to finish or to say calls [`polling`] and then
//! asks [`check`] now and then; a second signal ends it at once all the same. Either way, files
//! that were registered as [`Draft`]s are removed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::database::refuse_existing;
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

/// Goes on after Ctrl-C, as if it hadn't come; false if it was another signal, or none.
pub fn resume() -> bool {
    const CTRL_C: u8 = 2;
    SIGNAL
        .compare_exchange(CTRL_C, 0, Ordering::SeqCst, Ordering::SeqCst)
        .is_ok()
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

/// A file that is written under a name of its own beside its target, and removed unless it is
/// [installed](Draft::install), also by a signal.
pub struct Draft {
    path: PathBuf,
}

impl Draft {
    /// The draft of a file. Nothing is made yet.
    pub fn beside(target: &Path) -> Draft {
        let mut name = target.as_os_str().to_owned();
        name.push(format!("-lsmlite-draft-{}-cli", std::process::id()));
        let path = PathBuf::from(name);
        register(path.clone());
        Draft { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file durable and gives it its name, under which there must be nothing.
    pub fn install(self, target: &Path) -> Result<(), Failure> {
        let file = File::open(&self.path).and_then(|file| file.sync_all());
        file.map_err(|error| Failure::io("sync", &self.path, &error))?;
        refuse_existing(target)?;
        let renamed = fs::rename(&self.path, target);
        renamed.map_err(|error| Failure::io("rename the new file to", target, &error))?;
        sync_folder_of(target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        forget(&self.path);
        remove(&self.path);
    }
}

/// Makes the name of a file durable.
pub fn sync_folder_of(file: &Path) -> Result<(), Failure> {
    #[cfg(unix)]
    if let Some(folder) = file.parent() {
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| Failure::io("sync", folder, &error))?;
    }
    Ok(())
}

/// Drafts that the library makes beside a file: a signal removes them.
pub struct DraftsBeside(PathBuf);

impl DraftsBeside {
    pub fn new(target: &Path) -> DraftsBeside {
        let mut prefix = target.as_os_str().to_owned();
        prefix.push(format!("-lsmlite-draft-{}-", std::process::id()));
        let prefix = PathBuf::from(prefix);
        register(prefix.clone());
        DraftsBeside(prefix)
    }
}

impl Drop for DraftsBeside {
    fn drop(&mut self) {
        forget(&self.0);
    }
}

fn register(path: PathBuf) {
    let mut drafts = DRAFTS.lock().unwrap_or_else(PoisonError::into_inner);
    drafts.push(path);
}

fn forget(path: &Path) {
    let mut drafts = DRAFTS.lock().unwrap_or_else(PoisonError::into_inner);
    drafts.retain(|draft| draft != path);
}

/// Removes every file whose name begins like this: logs and scratch files have longer names.
fn remove(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return;
    };
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let begin = name.as_encoded_bytes();
        if entry.file_name().as_encoded_bytes().starts_with(begin) {
            // Nobody is left to hear of an error.
            let _ = fs::remove_file(entry.path());
        }
    }
}
