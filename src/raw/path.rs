//! The name by which lsm1 knows a database file.

use std::ffi::{CString, OsStr};
use std::path::{Path, PathBuf};

use crate::error::{LsmError, LsmErrorCode};

/// As many links in a row as Linux follows.
const MAX_LINKS: usize = 40;

/// The file's name for lsm1: absolute and without links, because lsm1 tells databases apart
/// by their spelling and derives the log's name from it.
pub(super) fn for_engine(path: &Path) -> Result<CString, LsmError> {
    let bad = |message: String| {
        LsmError::new("open", LsmErrorCode::LsmCantOpen)
            .with_path(path)
            .with_message(message)
    };
    let name = path
        .file_name()
        .ok_or_else(|| bad("the path names no file".into()))?;
    let canonical = without_links(path, name);
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStringExt::into_vec(canonical.into_os_string());
    #[cfg(not(unix))]
    let bytes = canonical
        .into_os_string()
        .into_string()
        .map_err(|_| bad("the path isn't valid Unicode".into()))?
        .into_bytes();
    CString::new(bytes).map_err(|_| bad("the path contains a nul byte".into()))
}

/// The file that `path`, whose last part is `name`, leads to, even if it doesn't exist yet: a
/// link to nowhere must give the same name before and after the file is created. A folder that
/// doesn't exist is left to lsm1, which says so in its own code.
fn without_links(path: &Path, name: &OsStr) -> PathBuf {
    let (mut path, mut name) = (path.to_owned(), name.to_owned());
    for _ in 0..MAX_LINKS {
        if let Ok(canonical) = path.canonicalize() {
            return canonical;
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let Ok(parent) = parent.canonicalize() else {
            return path;
        };
        let file = parent.join(&name);
        let Ok(target) = file.read_link() else {
            return file;
        };
        path = parent.join(target);
        let Some(last) = path.file_name() else {
            return path;
        };
        name = last.to_owned();
    }
    // A circle: opening it fails.
    path
}
