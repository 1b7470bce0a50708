//! What stands in the way of packing and unpacking.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::LsmError;

/// An error that says what failed, on which file, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The database beneath the archive: see [`LsmError`].
    #[error(transparent)]
    Database(#[from] LsmError),
    /// The operating system refused something.
    #[error("can't {action} {}: {source} ({})", .path.display(), advice(.source))]
    Io {
        /// What was tried, such as `"read"`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is a database, but nothing that [`Pack`](super::Pack) wrote.
    #[error("{} is a database but not an archive: name one that `pack` has made", .path.display())]
    NotAnArchive {
        /// The file.
        path: PathBuf,
    },
    /// The archive was written by a version of this crate that knows more than this one.
    #[error(
        "{} has version {version} of the archive format and this program knows up to {}: \
         take a newer one", .path.display(), super::format::VERSION
    )]
    TooNew {
        /// The archive.
        path: PathBuf,
        /// Its version.
        version: u8,
    },
    /// What is stored isn't what was packed, or never was an archive's.
    #[error(
        "{} is damaged: {problem} (restore it from a copy; `verify` names all damaged members)",
        .path.display()
    )]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
    /// There is no member of this name, or it isn't a file.
    #[error("{} has no file {}: `list` shows what there is", .archive.display(), .member.display())]
    NoMember {
        /// The archive.
        archive: PathBuf,
        /// The name that was asked for.
        member: PathBuf,
    },
    /// Something is where the result is to be.
    #[error("{} is in the way: {advice}", .path.display())]
    InTheWay {
        /// What is there already.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
    },
    /// The writer that [`Archive::copy_to`](super::Archive::copy_to) was given refused the content.
    #[error("can't write the content: {0}")]
    Output(#[source] io::Error),
    /// A progress callback ended it. What was there before is unchanged.
    #[error("cancelled, nothing was changed")]
    Cancelled,
}

impl ArchiveError {
    pub(super) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        ArchiveError::Io {
            action,
            path: path.to_owned(),
            source: source.into(),
        }
    }

    pub(super) fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        ArchiveError::Damaged {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    /// The archive, or the database that it is, is damaged.
    pub fn is_damaged(&self) -> bool {
        match self {
            ArchiveError::Damaged { .. } => true,
            ArchiveError::Database(error) => error.is_corrupt(),
            _ => false,
        }
    }

    /// A progress callback ended it.
    pub fn is_cancelled(&self) -> bool {
        match self {
            ArchiveError::Cancelled => true,
            ArchiveError::Database(error) => error.is_cancelled(),
            _ => false,
        }
    }
}

/// What to do about it.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "check who may read and write there",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free space and try again",
        io::ErrorKind::ReadOnlyFilesystem => "choose another place",
        _ => "check path, permissions and disk",
    }
}
