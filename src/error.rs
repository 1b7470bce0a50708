//! Errors: [`LsmError`] for people, [`LsmErrorCode`] for programs.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::ffi;

/// The kind of an error, as a program may want to match on it.
///
/// The discriminants of the first eleven are lsm1's own result codes.
#[repr(C)]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LsmErrorCode {
    /// Something failed for which lsm1 has no better code; also a cursor that is not on a record.
    LsmError = 1,
    /// Another connection holds a lock that this operation needs. Try again later.
    LsmBusy = 5,
    /// Memory could not be allocated.
    LsmNoMem = 7,
    /// A write was tried through a read-only handle.
    LsmReadOnly = 8,
    /// The operating system failed to read, write, sync, open or remove a file.
    LsmIOErr = 10,
    /// The file is damaged, or isn't an lsm1 database.
    LsmCorrupt = 11,
    /// The disk, or a limit of the engine, is full.
    LsmFull = 13,
    /// The file could not be opened.
    LsmCantOpen = 14,
    /// The locking protocol failed; the file may be on a network file system.
    LsmProtocol = 15,
    /// A call that isn't allowed in this state, such as a write before `connect`.
    LsmMisuse = 21,
    /// The file was written with another page codec than the one that is set.
    LsmMismatch = 50,
    /// A length or number doesn't fit where the engine needs it.
    LsmConversionErr = 55,
    /// A metric could not be created.
    LsmMetricCreation = 56,
    /// A metric could not be registered.
    LsmMetricRegistration = 57,
    /// No metrics were configured.
    LsmMetricsEmpty = 58,
    /// A background thread could not be started, or has stopped after a failure.
    LsmBgThreadUnavailable = 59,
    /// A number that is none of the above.
    LsmUnknownCode = 60,
}

impl LsmErrorCode {
    /// Reads one of lsm1's result codes, extended ones (such as 266) included.
    pub(crate) fn from_raw(rc: i32) -> Self {
        Self::try_from(rc).unwrap_or(LsmErrorCode::LsmUnknownCode)
    }

    /// What went wrong, and what the caller can do about it.
    fn advice(self) -> &'static str {
        use LsmErrorCode::*;
        match self {
            LsmError => "the engine reported an unspecific error",
            LsmBusy => "another connection holds the database; try again when it is done",
            LsmNoMem => "memory could not be allocated; free some and try again",
            LsmReadOnly => "this handle is read-only; open the database for writing",
            LsmIOErr => {
                "the operating system failed to access the file; check path, permissions and disk"
            }
            LsmCorrupt => "the file is damaged or isn't an lsm1 database; restore it from a backup",
            LsmFull => {
                "the disk or an engine limit is full; free space or commit in smaller pieces"
            }
            LsmCantOpen => "the file could not be opened; check path and permissions",
            LsmProtocol => "the file locks don't work; keep the database on a local file system",
            LsmMisuse => "this call isn't allowed in the present state",
            LsmMismatch => "the file was written with another page codec; open it with that one",
            LsmConversionErr => "a length or value is outside the engine's range",
            LsmMetricCreation => "a metric could not be created; check names and buckets",
            LsmMetricRegistration => "a metric could not be registered; is the name taken?",
            LsmMetricsEmpty => "no metrics were configured",
            LsmBgThreadUnavailable => "a background thread could not run; reconnect to go on",
            LsmUnknownCode => "the engine returned a code that this version doesn't know",
        }
    }
}

impl std::error::Error for LsmErrorCode {}

impl fmt::Display for LsmErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl TryFrom<i32> for LsmErrorCode {
    type Error = LsmErrorCode;

    /// Reads a code. Extended I/O codes of lsm1 (such as 266, "no such file") are
    /// [`LsmErrorCode::LsmIOErr`]; an unknown number is `Err(LsmUnknownCode)`.
    fn try_from(value: i32) -> Result<Self, LsmErrorCode> {
        use LsmErrorCode::*;
        Ok(match value {
            1 => LsmError,
            5 => LsmBusy,
            7 => LsmNoMem,
            8 => LsmReadOnly,
            10 | ffi::LSM_IOERR_NOENT => LsmIOErr,
            11 => LsmCorrupt,
            13 => LsmFull,
            14 => LsmCantOpen,
            15 => LsmProtocol,
            21 => LsmMisuse,
            50 => LsmMismatch,
            55 => LsmConversionErr,
            56 => LsmMetricCreation,
            57 => LsmMetricRegistration,
            58 => LsmMetricsEmpty,
            59 => LsmBgThreadUnavailable,
            _ => return Err(LsmUnknownCode),
        })
    }
}

/// An error that says which operation failed, on which file, why, and what to do.
///
/// It converts into [`LsmErrorCode`], the error type of the traits
/// [`Disk`](crate::Disk) and [`Cursor`](crate::Cursor).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use lsmlite_rs::{LsmDb, LsmErrorCode};
///
/// let dir = tempfile::tempdir()?;
/// let error = LsmDb::builder().create(false).open(dir.path().join("no.lsm")).err().unwrap();
/// assert!(error.is_not_found());
/// assert_eq!(error.code(), LsmErrorCode::LsmIOErr);
/// assert!(error.to_string().contains("no.lsm"));
/// # Ok(()) }
/// ```
///
/// An error that [`is_poisoned`](Self::is_poisoned) has the failure that came first as its
/// [`source`](std::error::Error::source).
#[derive(Clone, Debug)]
pub struct LsmError(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    code: LsmErrorCode,
    raw: i32,
    operation: &'static str,
    path: Option<PathBuf>,
    message: Option<String>,
    /// What to do, where that isn't what the code says.
    advice: Option<&'static str>,
    /// The failure because of which the call was refused.
    earlier: Option<LsmError>,
    /// Nothing failed: the caller wanted no more.
    cancelled: bool,
}

impl fmt::Display for LsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for LsmError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let earlier = self.0.earlier.as_ref()?;
        Some(earlier)
    }
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.operation)?;
        if let Some(path) = &self.path {
            write!(f, " on {}", path.display())?;
        }
        if let Some(earlier) = &self.earlier {
            return write!(
                f,
                ": the handle only reads since an earlier failure; close it, mend the cause and \
                 open the database again. What happened first: {earlier}"
            );
        }
        if self.cancelled {
            return write!(f, ": the progress callback stopped it, nothing was changed");
        }
        match (&self.message, self.advice) {
            (Some(message), Some(advice)) => write!(f, ": {message} ({advice})")?,
            // What is said about a misuse says what to do instead.
            (Some(message), None) if self.code == LsmErrorCode::LsmMisuse => {
                write!(f, ": {message}")?;
            }
            (Some(message), None) => write!(f, ": {message} ({})", self.code.advice())?,
            (None, advice) => write!(f, ": {}", advice.unwrap_or(self.code.advice()))?,
        }
        write!(f, " [{:?}, code {}]", self.code, self.raw)
    }
}

impl LsmError {
    /// An error that we found before the engine was asked.
    pub(crate) fn new(operation: &'static str, code: LsmErrorCode) -> Self {
        LsmError(Box::new(Details {
            code,
            raw: code as i32,
            operation,
            path: None,
            message: None,
            advice: None,
            earlier: None,
            cancelled: false,
        }))
    }

    /// The refusal of a call because of a failure before it.
    pub(crate) fn after(operation: &'static str, earlier: &LsmError) -> Self {
        LsmError(Box::new(Details {
            code: earlier.0.code,
            raw: earlier.0.raw,
            operation,
            path: earlier.0.path.clone(),
            message: None,
            advice: None,
            earlier: Some(earlier.clone()),
            cancelled: false,
        }))
    }

    /// An error from one of lsm1's result codes; the raw number is kept.
    pub(crate) fn from_raw(operation: &'static str, rc: i32) -> Self {
        let mut error = Self::new(operation, LsmErrorCode::from_raw(rc));
        error.0.raw = rc;
        error
    }

    /// The end of an operation that a progress callback stopped.
    pub(crate) fn cancelled(operation: &'static str) -> Self {
        let mut error = Self::new(operation, LsmErrorCode::LsmError);
        error.0.cancelled = true;
        error
    }

    /// The same error, as one of a larger operation.
    pub(crate) fn during(mut self, operation: &'static str) -> Self {
        self.0.operation = operation;
        self
    }

    pub(crate) fn with_path(mut self, path: &Path) -> Self {
        self.0.path = Some(path.to_owned());
        self
    }

    pub(crate) fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// What to do, where that isn't what the code says.
    pub(crate) fn with_advice(mut self, advice: &'static str) -> Self {
        self.0.advice = Some(advice);
        self
    }

    /// The kind of the error.
    pub fn code(&self) -> LsmErrorCode {
        self.0.code
    }

    /// lsm1's own number, extended part included: 266 is "no such file", 10 any other I/O error.
    pub fn raw_code(&self) -> i32 {
        self.0.raw
    }

    /// The operation that failed, such as `"open"` or `"insert"`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The database file, where one is known.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// What the engine or a codec said about it, where it said anything.
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// Another connection is in the way: trying again later may work.
    pub fn is_busy(&self) -> bool {
        self.0.code == LsmErrorCode::LsmBusy
    }

    /// The call was refused because a write or sync of this handle has failed before: the
    /// handle only reads, until it is closed. [`code`](Self::code) is that of the earlier
    /// failure, and [`LsmDb::failure`](crate::LsmDb::failure) has all of it.
    pub fn is_poisoned(&self) -> bool {
        self.0.earlier.is_some()
    }

    /// A progress callback stopped the operation. Nothing was changed by it, nothing is left of it.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled
    }

    /// The file is damaged or isn't an lsm1 database.
    pub fn is_corrupt(&self) -> bool {
        self.0.code == LsmErrorCode::LsmCorrupt
    }

    /// A file or folder doesn't exist.
    pub fn is_not_found(&self) -> bool {
        self.0.raw == ffi::LSM_IOERR_NOENT
    }
}

impl From<LsmError> for LsmErrorCode {
    fn from(error: LsmError) -> Self {
        error.0.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_an_io_error_that_keeps_its_number() {
        let error = LsmError::from_raw("open", 266).with_path(Path::new("/data/a.lsm"));
        assert_eq!(error.code(), LsmErrorCode::LsmIOErr);
        assert_eq!(error.raw_code(), 266);
        assert!(error.is_not_found());
        let text = error.to_string();
        assert!(text.starts_with("open failed on /data/a.lsm: "), "{text}");
        assert!(text.ends_with("[LsmIOErr, code 266]"), "{text}");
    }

    #[test]
    fn every_code_reads_back_from_its_number() {
        for n in -300..300 {
            if let Ok(code) = LsmErrorCode::try_from(n) {
                assert!(code as i32 == n || n == 266, "{n}");
            }
        }
        assert_eq!(
            LsmErrorCode::try_from(60),
            Err(LsmErrorCode::LsmUnknownCode)
        );
        assert_eq!(LsmErrorCode::from_raw(9999), LsmErrorCode::LsmUnknownCode);
    }
}
