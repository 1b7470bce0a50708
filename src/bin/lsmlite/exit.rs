//! How the program ends: statuses, and failures that say what to do.

use std::fmt;
use std::io;
use std::path::Path;

use lsmlite_rs::{LsmError, LsmErrorCode};

/// What every command returns.
pub type Outcome = Result<Status, Failure>;

/// Exit statuses, as the help lists them.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done; what was asked for is there, what was checked is healthy.
    Done,
    /// The answer is no: a key isn't there.
    No,
    /// Wrong arguments; the same number as the argument parser's own.
    Usage,
    /// A database or a dump is damaged.
    Damaged,
    /// The file isn't a database, or not a dump.
    Foreign,
    /// There is no such file.
    Missing,
    /// The operating system doesn't allow it.
    Forbidden,
    /// Somebody else has the database.
    Busy,
    /// The codec isn't known here.
    Codec,
    /// The target exists already.
    Exists,
    /// Everything else: disk full, device errors, limits.
    Failed,
    /// Ctrl-C, or another signal to stop.
    Interrupted(u8),
    /// The reader of the output went away.
    BrokenPipe,
}

/// The part of `--help` on exit statuses; a test compares it with [`Status::number`].
pub const HELP: &str = "\
Exit status:
    0  done; found; healthy
    1  no: there is no such record
    2  wrong usage
    3  the database or dump is damaged
    4  the file isn't a database, or not a dump
    5  there is no such file
    6  the operating system doesn't permit it
    7  another process has the database
    8  the page codec isn't known
    9  the target exists already
   10  any other failure: disk full, I/O error, a limit
  130  interrupted by Ctrl-C (143: terminated)
  141  the reader of the output went away

`lsmlite COMMAND --help` shows an example of each command.";

/// What to do if something isn't permitted.
pub const PERMISSIONS: &str = "check who owns the file and its folder, and their permissions";

impl Status {
    pub fn number(self) -> u8 {
        match self {
            Status::Done => 0,
            Status::No => 1,
            Status::Usage => 2,
            Status::Damaged => 3,
            Status::Foreign => 4,
            Status::Missing => 5,
            Status::Forbidden => 6,
            Status::Busy => 7,
            Status::Codec => 8,
            Status::Exists => 9,
            Status::Failed => 10,
            Status::Interrupted(signal) => 128 + signal,
            Status::BrokenPipe => 141,
        }
    }
}

/// Why a command couldn't do its work, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    pub status: Status,
    /// A sentence without a full stop. Empty: there is nothing to say.
    message: String,
    /// What to do, another sentence; may be empty.
    advice: String,
}

impl Failure {
    pub fn new(status: Status, message: impl Into<String>) -> Failure {
        Failure {
            status,
            message: message.into(),
            advice: String::new(),
        }
    }

    /// Wrong arguments that the parser couldn't see.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Status::Usage, message)
    }

    pub fn with_advice(mut self, advice: impl Into<String>) -> Failure {
        self.advice = advice.into();
        self
    }

    /// A failure of the file system: `can't WHAT PATH: why`.
    pub fn io(what: &str, path: &Path, error: &io::Error) -> Failure {
        let (status, advice) = match error.kind() {
            io::ErrorKind::NotFound => (Status::Missing, "check the path"),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                (Status::Forbidden, PERMISSIONS)
            }
            io::ErrorKind::AlreadyExists => (Status::Exists, "choose another name"),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (Status::Failed, "free space and try again")
            }
            io::ErrorKind::BrokenPipe => (Status::BrokenPipe, ""),
            io::ErrorKind::IsADirectory => (Status::Foreign, "name a file in it"),
            _ => (Status::Failed, ""),
        };
        let message = format!(
            "can't {what} {}: {}",
            path.display(),
            without_number(&error.to_string())
        );
        Failure::new(status, message).with_advice(advice)
    }

    /// Says where, unless there is nothing to say.
    pub fn within(mut self, place: &str) -> Failure {
        if !self.is_silent() {
            self.message = format!("{place}: {}", self.message);
        }
        self
    }

    /// True if nothing is to be printed.
    pub fn is_silent(&self) -> bool {
        self.message.is_empty()
    }
}

/// Without Rust's "(os error 2)".
pub fn without_number(text: &str) -> &str {
    match text.find(" (os error ") {
        Some(at) => &text[..at],
        None => text,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.advice.is_empty() {
            true => Ok(()),
            false => write!(f, "; {}", self.advice),
        }
    }
}

/// The engine's errors say what to do themselves.
impl From<LsmError> for Failure {
    fn from(error: LsmError) -> Failure {
        let status = match error.code() {
            _ if error.is_cancelled() => return crate::interrupt::failure(),
            _ if error.is_not_found() => Status::Missing,
            LsmErrorCode::LsmBusy => Status::Busy,
            LsmErrorCode::LsmCorrupt => Status::Damaged,
            LsmErrorCode::LsmMismatch => Status::Codec,
            LsmErrorCode::LsmReadOnly => Status::Forbidden,
            _ => Status::Failed,
        };
        Failure::new(status, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_status() {
        use Status::*;
        let all = [
            Done,
            No,
            Usage,
            Damaged,
            Foreign,
            Missing,
            Forbidden,
            Busy,
            Codec,
            Exists,
            Failed,
            Interrupted(2),
            BrokenPipe,
        ];
        let listed: Vec<u8> = HELP
            .lines()
            .filter_map(|line| line.trim_start().split_once("  ")?.0.parse().ok())
            .collect();
        assert_eq!(listed, all.map(Status::number));
    }
}
