//! The one path of a file that may have several.

use std::io;
use std::path::{Path, PathBuf};

/// As many links in a row as Linux follows.
const MAX_LINKS: usize = 40;

/// The file that `path` leads to, even if it doesn't exist yet: a link to nowhere must give
/// the same path before and after the file is created.
pub(super) fn without_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        let name = path
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?
            .to_owned();
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let parent = parent.canonicalize()?;
        let file = parent.join(name);
        match file.read_link() {
            Ok(target) => path = parent.join(target),
            Err(_) => return Ok(file),
        }
    }
    Err(io::Error::other("the path is a circle of links"))
}
