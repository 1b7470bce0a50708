//! Which file goes by which name in this process.
//!
//! lsm1 tells the databases of a process apart by their names alone. Under two names one file
//! is written by two engines at once; under one name a file that was removed and made again is
//! taken for its predecessor. Either destroys data, so both are refused here.

#![cfg_attr(not(unix), allow(dead_code, unused_variables))]

use std::ffi::CString;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::header;
use crate::error::LsmErrorCode;

/// Why a file isn't opened.
type Refusal = (LsmErrorCode, String);

/// Device and inode.
type Identity = (u64, u64);

struct Entry {
    name: CString,
    /// `None` until the file has been created.
    identity: Option<Identity>,
    connections: usize,
}

static OPEN: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// The right to have the file of this name open; ends when dropped.
pub(super) struct Registration {
    name: CString,
}

impl Registration {
    /// Registers a connection that is about to open `path` under `name`.
    ///
    /// # Errors
    /// Why the file can't be opened.
    pub(super) fn new(
        name: CString,
        path: &Path,
        read_only: bool,
    ) -> Result<Registration, Refusal> {
        if !read_only {
            refuse_hard_links(path)?;
        }
        let mut open = lock();
        // Under the lock: another thread may create and confirm the file at this moment.
        let identity = identify(path);
        if let Some(other) = open
            .iter()
            .find(|entry| entry.name != name && identity.is_some() && entry.identity == identity)
        {
            let message = format!(
                "the file is already open in this process as {}: use that name",
                other.name.to_string_lossy()
            );
            return Err((LsmErrorCode::LsmCantOpen, message));
        }
        match open.iter_mut().find(|entry| entry.name == name) {
            Some(entry) if entry.identity.is_some() && entry.identity != identity => {
                return Err(replaced());
            }
            Some(entry) => entry.connections += 1,
            None => {
                // Under the lock, so that nobody else in the process opens it meanwhile.
                if !header::may_be_a_database(path) {
                    let message = "this isn't an lsm1 database; it was left as it is";
                    return Err((LsmErrorCode::LsmCorrupt, message.to_owned()));
                }
                open.push(Entry {
                    name: name.clone(),
                    identity,
                    connections: 1,
                });
            }
        }
        Ok(Registration { name })
    }

    /// Looks at the file again once lsm1 has opened, and maybe created, it.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(super) fn confirm(&self, path: &Path) -> Result<(), Refusal> {
        let mut open = lock();
        let identity = identify(path);
        match open.iter_mut().find(|entry| entry.name == self.name) {
            Some(entry) if entry.identity.is_none() => entry.identity = identity,
            Some(entry) if entry.identity != identity => return Err(replaced()),
            _ => {}
        }
        Ok(())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = lock();
        if let Some(i) = open.iter().position(|entry| entry.name == self.name) {
            open[i].connections -= 1;
            if open[i].connections == 0 {
                open.swap_remove(i);
            }
        }
    }
}

fn replaced() -> Refusal {
    let message =
        "the file was removed or replaced while this process had it open: close all handles first";
    (LsmErrorCode::LsmCantOpen, message.to_owned())
}

fn lock() -> MutexGuard<'static, Vec<Entry>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks for the identity without opening the file: closing it again would drop the locks
/// that this process holds on it.
#[cfg(unix)]
fn identify(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// After a crash, the log of a file with two names lies beside one of them only.
#[cfg(unix)]
fn refuse_hard_links(path: &Path) -> Result<(), Refusal> {
    use std::os::unix::fs::MetadataExt;
    match path.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.nlink() > 1 => {
            let message = format!(
                "the file has {} names (hard links), and after a crash its log would be found \
                 under one of them only: keep one name",
                metadata.nlink()
            );
            Err((LsmErrorCode::LsmCantOpen, message))
        }
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn identify(path: &Path) -> Option<Identity> {
    None
}

#[cfg(not(unix))]
fn refuse_hard_links(path: &Path) -> Result<(), Refusal> {
    Ok(())
}
