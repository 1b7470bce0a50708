//! What went wrong in a call of the operating system.
//!
//! The engine passes on a number only. The words are kept per thread, since a call of the
//! engine runs its environment on the caller's thread, and end up in the caller's error.

use std::cell::Cell;
use std::ffi::c_int;
use std::io;
use std::path::Path;

use crate::ffi;

thread_local! {
    static LAST: Cell<Option<String>> = const { Cell::new(None) };
    /// Whether there are any: cheaper to ask, and asked after every call of the engine.
    static IS_KEPT: Cell<bool> = const { Cell::new(false) };
}

/// Keeps the words for [`take`] and returns the engine's code.
pub(super) fn keep(operation: &str, path: &Path, error: &io::Error) -> c_int {
    let words = words(operation, path, error);
    // The first cause counts; and a thread that is ending has nobody to tell.
    let _ = LAST.try_with(|last| {
        let first = last.take();
        last.set(Some(first.unwrap_or(words)));
        IS_KEPT.set(true);
    });
    code(error)
}

/// What failed last on this thread; asked once.
#[inline]
pub(crate) fn take() -> Option<String> {
    if !IS_KEPT.replace(false) {
        return None;
    }
    LAST.try_with(Cell::take).ok().flatten()
}

/// Operation, path and the system's own words.
pub(super) fn words(operation: &str, path: &Path, error: &io::Error) -> String {
    format!("{operation} {}: {error}", path.display())
}

/// The engine's code for it.
pub(super) fn code(error: &io::Error) -> c_int {
    if let Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) = error.raw_os_error() {
        return ffi::LSM_FULL;
    }
    match error.kind() {
        io::ErrorKind::NotFound => ffi::LSM_IOERR_NOENT,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ffi::LSM_FULL,
        io::ErrorKind::OutOfMemory => ffi::LSM_NOMEM,
        _ => ffi::LSM_IOERR,
    }
}
