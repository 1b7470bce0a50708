//! What is in an archive: files, folders and links.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file, folder or symbolic link in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) mode: u32,
    pub(super) modified: Stamp,
    /// The file may have changed after it was read without its time showing it.
    pub(super) is_fresh: bool,
    pub(super) content: Content,
}

/// A time as file systems have it.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub(super) seconds: i64,
    /// Since then, below 1,000,000,000.
    pub(super) nanoseconds: u32,
}

/// What an entry is, and what it takes to have it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Folder,
    File {
        size: u64,
        hash: [u8; 32],
        pieces: Vec<Piece>,
    },
    Link {
        target: Vec<u8>,
    },
}

/// Some bytes of an unpacked group.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Piece {
    pub(super) group: u32,
    pub(super) offset: u32,
    pub(super) bytes: u32,
}

/// What an [`Entry`] is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
}

impl Entry {
    /// The path below the folder that was packed, with `/` between names; `.` for that folder
    /// itself. Names are bytes, not always UTF-8.
    pub fn path(&self) -> &Path {
        match self.path.is_empty() {
            true => Path::new("."),
            false => Path::new(OsStr::from_bytes(&self.path)),
        }
    }

    /// What it is.
    pub fn kind(&self) -> EntryKind {
        match self.content {
            Content::Folder => EntryKind::Folder,
            Content::File { .. } => EntryKind::File,
            Content::Link { .. } => EntryKind::Link,
        }
    }

    /// Bytes of a file, 0 for anything else.
    pub fn size(&self) -> u64 {
        match self.content {
            Content::File { size, .. } => size,
            _ => 0,
        }
    }

    /// Permissions, with the bits for set-user-id, set-group-id and sticky: up to 0o7777.
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// When the content was changed last.
    pub fn modified(&self) -> SystemTime {
        let before = Duration::from_secs(self.modified.seconds.unsigned_abs());
        let whole = match self.modified.seconds < 0 {
            true => UNIX_EPOCH.checked_sub(before),
            false => UNIX_EPOCH.checked_add(before),
        };
        let rest = Duration::from_nanos(self.modified.nanoseconds.into());
        whole
            .and_then(|time| time.checked_add(rest))
            .unwrap_or(UNIX_EPOCH)
    }

    /// [`modified`](Self::modified) as seconds since 1970, which may be negative, and nanoseconds
    /// since that second.
    pub fn modified_parts(&self) -> (i64, u32) {
        (self.modified.seconds, self.modified.nanoseconds)
    }

    /// BLAKE3 of a file's content.
    pub fn hash(&self) -> Option<[u8; 32]> {
        match self.content {
            Content::File { hash, .. } => Some(hash),
            _ => None,
        }
    }

    /// What a symbolic link points to.
    pub fn target(&self) -> Option<&Path> {
        match &self.content {
            Content::Link { target } => Some(Path::new(OsStr::from_bytes(target))),
            _ => None,
        }
    }
}
