//! Where there is no Unix: lsm1's own environment serves, outside the promises of this crate.

use std::ffi::{CStr, CString};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::ptr;

use crate::error::{LsmError, LsmErrorCode};
use crate::ffi;

/// Why code that the engine calls gets nothing done with a database: nobody is in its way here.
pub(crate) const NOT_INSIDE: &str = "";

/// The one environment there is.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Env;

/// How a database is to be opened.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) read_only: bool,
    pub(crate) create: bool,
    /// Nothing depends on it here.
    #[allow(dead_code)]
    pub(crate) log: bool,
}

/// The right to have a file open; ends when dropped.
pub(crate) struct Registration {
    name: CString,
}

/// There is no fork here, so each process is the current one.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process;

impl Env {
    /// Null means lsm1's own.
    pub(crate) fn as_c(&self) -> *mut ffi::lsm_env {
        ptr::null_mut()
    }

    pub(crate) fn can_map(&self) -> bool {
        true
    }

    /// Not known.
    pub(crate) fn is_open(&self, _: &Path) -> bool {
        false
    }

    pub(crate) fn holder(&self, _: &Path) -> Option<u32> {
        None
    }
}

impl Registration {
    pub(crate) fn new(_: &Env, given: &Path, how: Opening) -> Result<Registration, LsmError> {
        let refuse = |code, message: String| {
            Err(LsmError::new("open", code)
                .with_path(given)
                .with_message(message))
        };
        if let Err(error) = given.metadata() {
            if error.kind() == io::ErrorKind::NotFound && (how.read_only || !how.create) {
                return Err(LsmError::from_raw("open", ffi::LSM_IOERR_NOENT)
                    .with_path(given)
                    .with_message("there is no such file, and it wasn't to be created"));
            }
            // One spelling needs a file that exists.
            let created = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(given);
            if let Err(error) = created {
                return refuse(LsmErrorCode::LsmIOErr, error.to_string());
            }
        }
        let path = match given.canonicalize() {
            Ok(path) => path,
            Err(error) => return refuse(LsmErrorCode::LsmIOErr, error.to_string()),
        };
        let name = path.to_str().and_then(|name| CString::new(name).ok());
        let Some(name) = name else {
            let message = "the path isn't valid Unicode or contains a nul byte";
            return refuse(LsmErrorCode::LsmCantOpen, message.to_owned());
        };
        Ok(Registration { name })
    }

    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }

    pub(crate) fn confirm(&self, _: &Path) -> Result<(), LsmError> {
        Ok(())
    }
}

impl Process {
    pub(crate) fn current() -> Process {
        Process
    }

    pub(crate) fn is_current(self) -> bool {
        true
    }
}

/// lsm1's own environment keeps no words.
pub(crate) fn take_failure() -> Option<String> {
    None
}

pub(crate) fn in_storage() -> bool {
    false
}
