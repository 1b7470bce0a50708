//! What is to be packed: everything below a folder.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::entry::Stamp;
use super::error::ArchiveError;

/// Something below the folder, and the folder itself, with an empty path.
pub(super) struct Found {
    pub(super) path: Vec<u8>,
    pub(super) mode: u32,
    pub(super) modified: Stamp,
    pub(super) what: What,
}

pub(super) enum What {
    Folder,
    File { size: u64 },
    Link { target: Vec<u8> },
}

/// Something that isn't in the archive, or not as it was when packing began.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// What it is about.
    pub path: PathBuf,
    /// Why.
    pub cause: SkipCause,
}

/// Why something isn't in an archive as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipCause {
    /// It can't be read, in the words of the operating system. It isn't in the archive.
    Unreadable(String),
    /// It is a pipe, a socket or a device, and not in the archive.
    Special,
    /// It changed while it was read. It is in the archive, but perhaps as it never was.
    Changed,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.cause {
            SkipCause::Unreadable(why) => write!(f, "{path} is left out, it can't be read: {why}"),
            SkipCause::Special => {
                write!(
                    f,
                    "{path} is left out, as it is neither file, folder nor link"
                )
            }
            SkipCause::Changed => write!(f, "{path} changed while it was read"),
        }
    }
}

impl Skipped {
    pub(super) fn new(path: &Path, cause: SkipCause) -> Skipped {
        Skipped {
            path: path.to_owned(),
            cause,
        }
    }

    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Skipped {
        Skipped::new(path, SkipCause::Unreadable(error.to_string()))
    }
}

/// When a file's content was changed last.
pub(super) fn stamp(metadata: &Metadata) -> Stamp {
    Stamp {
        seconds: metadata.mtime(),
        nanoseconds: u32::try_from(metadata.mtime_nsec()).unwrap_or(0),
    }
}

/// Everything below `root` in the order of paths. `leave_out` are files that are about to be
/// replaced.
///
/// # Errors
/// `root` isn't a folder that can be read. What is below it and can't be read is in the list.
pub(super) fn find(
    root: &Path,
    leave_out: &dyn Fn(&Path) -> bool,
    skipped: &mut Vec<Skipped>,
) -> Result<Vec<Found>, ArchiveError> {
    let metadata = fs::metadata(root).map_err(|error| ArchiveError::io("read", root, error))?;
    if !metadata.is_dir() {
        let error = io::Error::from(io::ErrorKind::NotADirectory);
        return Err(ArchiveError::io("pack", root, error));
    }
    let mut all = Vec::new();
    for entry in WalkDir::new(root) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.depth() == 0 => {
                return Err(ArchiveError::io("read", root, error));
            }
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                skipped.push(Skipped::unreadable(&path, &error.into()));
                continue;
            }
        };
        match found(root, &entry, leave_out) {
            Ok(Some(found)) => all.push(found),
            Ok(None) => {}
            Err(cause) => skipped.push(Skipped::new(entry.path(), cause)),
        }
    }
    all.sort_unstable_by(|a: &Found, b: &Found| a.path.cmp(&b.path));
    drop_orphans(&mut all);
    Ok(all)
}

/// Without what is below a folder that isn't there, because it went away meanwhile.
fn drop_orphans(found: &mut Vec<Found>) {
    let mut folders: HashSet<Vec<u8>> = HashSet::new();
    found.retain(|found| {
        let parent = found
            .path
            .iter()
            .rposition(|&byte| byte == b'/')
            .unwrap_or(0);
        let has_parent = found.path.is_empty() || folders.contains(&found.path[..parent]);
        if has_parent && matches!(found.what, What::Folder) {
            folders.insert(found.path.clone());
        }
        has_parent
    });
}

fn found(
    root: &Path,
    entry: &walkdir::DirEntry,
    leave_out: &dyn Fn(&Path) -> bool,
) -> Result<Option<Found>, SkipCause> {
    let path = entry.path();
    let unreadable = |error: io::Error| SkipCause::Unreadable(error.to_string());
    let below = path
        .strip_prefix(root)
        .map_err(|error| unreadable(io::Error::other(error)))?;
    // The folder itself may have been named by a link.
    let metadata = match entry.depth() {
        0 => fs::metadata(path),
        _ => fs::symlink_metadata(path),
    };
    let metadata = metadata.map_err(unreadable)?;
    let kind = metadata.file_type();
    let what = if kind.is_dir() {
        What::Folder
    } else if kind.is_symlink() {
        let target = fs::read_link(path).map_err(unreadable)?;
        What::Link {
            target: target.into_os_string().into_vec(),
        }
    } else if kind.is_file() {
        if leave_out(path) {
            return Ok(None);
        }
        What::File {
            size: metadata.len(),
        }
    } else {
        return Err(SkipCause::Special);
    };
    Ok(Some(Found {
        path: below.as_os_str().as_bytes().to_vec(),
        mode: metadata.mode() & 0o7777,
        modified: stamp(&metadata),
        what,
    }))
}
