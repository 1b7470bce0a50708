//! How far a backup is, and what it wrote.

use std::fmt;

/// What a backup is doing.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupStep {
    /// It copies records, and keeps the space and memory that its snapshot needs.
    Copying,
    /// The source is needed no more; the copy is being merged into one sorted run.
    Compacting,
    /// The copy is being read once more; no more progress is shown until the end.
    Verifying,
}

/// How far a backup has come.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupProgress {
    /// What it is doing.
    pub step: BackupStep,
    /// Records that were copied.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Bytes of the source's file. With a codec there may be many more bytes to copy, with free
    /// blocks fewer, so it says how large the job is, not when it is done.
    pub source_file_bytes: u64,
}

/// What a backup or a restoration wrote.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Records that were copied; of a restoration, those that were counted when it was verified.
    pub records: u64,
    /// Bytes of their keys and values; 0 for a restoration.
    pub bytes: u64,
    /// Bytes of the new file.
    pub file_bytes: u64,
    /// True if the new file was read by [`verify_file`](crate::verify_file)'s reader before it got
    /// its name.
    pub is_verified: bool,
}

impl fmt::Display for BackupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records", self.records)?;
        if self.bytes > 0 {
            write!(f, " of {} bytes", self.bytes)?;
        }
        let verified = match self.is_verified {
            true => "verified",
            false => "not verified",
        };
        write!(f, " in a file of {} bytes, {verified}", self.file_bytes)
    }
}
