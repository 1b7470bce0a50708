//! A folder under a name of its own, until it is whole.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FlockOperation;

use super::error::ArchiveError;
use super::tree::Tree;

const MARK: &str = ".lsmlite-extract-";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Removed with all that is in it when it is dropped before it is in its place.
///
/// It is locked as long as it is used: one that isn't was left by a process that was killed.
pub(super) struct DraftFolder {
    pub(super) tree: Tree,
    is_installed: bool,
}

impl DraftFolder {
    /// Makes one in `parent`, and removes those that were left there.
    pub(super) fn new(parent: &Path) -> Result<DraftFolder, ArchiveError> {
        remove_stale(parent);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("{MARK}{}-{number}", process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => {
                    made.map_err(|error| ArchiveError::io("make a folder in", parent, error))?;
                }
            }
            let failed = |error| ArchiveError::io("open", &path, error);
            let tree = match Tree::open(&path) {
                // Somebody took it for one that was left.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.map_err(failed)?,
            };
            if lock(&tree) && fs::metadata(&path).is_ok_and(|found| found.is_dir()) {
                return Ok(DraftFolder {
                    tree,
                    is_installed: false,
                });
            }
        }
    }

    /// Gives it the place of `target`, where there is nothing or an empty folder.
    pub(super) fn install(mut self, target: &Path) -> Result<(), ArchiveError> {
        let failed = |error| ArchiveError::io("rename the new folder to", target, error);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let renamed = {
            use rustix::fs::{CWD, RenameFlags, renameat, renameat_with};
            use rustix::io::Errno;
            match renameat_with(CWD, &self.tree.path, CWD, target, RenameFlags::NOREPLACE) {
                // An empty folder may be replaced, and nothing else is when a folder comes.
                Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS) => {
                    renameat(CWD, &self.tree.path, CWD, target).map_err(io::Error::from)
                }
                renamed => renamed.map_err(io::Error::from),
            }
        };
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let renamed = fs::rename(&self.tree.path, target);
        renamed.map_err(failed)?;
        self.is_installed = true;
        Ok(())
    }
}

impl Drop for DraftFolder {
    fn drop(&mut self) {
        if !self.is_installed {
            remove(&self.tree.path);
        }
    }
}

fn lock(tree: &Tree) -> bool {
    rustix::fs::flock(tree.root(), FlockOperation::NonBlockingLockExclusive).is_ok()
}

fn remove_stale(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(MARK.as_bytes())
        {
            let path = entry.path();
            match Tree::open(&path) {
                Ok(tree) if lock(&tree) => remove(&path),
                _ => {}
            }
        }
    }
}

/// Nobody is left to hear of what can't be removed.
fn remove(path: &Path) {
    if fs::remove_dir_all(path).is_ok() {
        return;
    }
    let _ = open_up(path);
    let _ = fs::remove_dir_all(path);
}

/// Folders that may not be written to can't be emptied.
fn open_up(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)?.flatten() {
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// The folder that something is in.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
