//! How far it is, and whether to go on.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::ArchiveError;

/// How far packing, verifying or extracting has come.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveProgress {
    /// Files that are done.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that there are.
    pub total_files: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
}

/// Shows progress, and says whether to go on.
pub(super) type Show = Box<dyn FnMut(&ArchiveProgress) -> ControlFlow<()> + Send>;

/// What several threads have done.
#[derive(Default)]
pub(super) struct Done {
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Done {
    pub(super) fn add(&self, files: u64, bytes: u64) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// # Errors
    /// It isn't to go on.
    pub(super) fn show(
        &self,
        show: &mut Option<Show>,
        (total_files, total_bytes): (u64, u64),
    ) -> Result<(), ArchiveError> {
        let progress = ArchiveProgress {
            files: self.files(),
            bytes: self.bytes(),
            total_files,
            total_bytes,
        };
        let answer = show.as_mut().map(|show| show(&progress));
        match answer.is_some_and(|answer| answer.is_break()) {
            true => Err(ArchiveError::Cancelled),
            false => Ok(()),
        }
    }
}

/// One thread per core, if nobody says otherwise.
pub(super) fn threads(wanted: Option<usize>) -> usize {
    let usual = || std::thread::available_parallelism().map_or(1, usize::from);
    wanted.unwrap_or_else(usual).clamp(1, 256)
}
