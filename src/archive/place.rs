//! Where an extracted folder is to be, and what is there already.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::draft::folder_of;
use super::entry::{Content, Entry};
use super::error::ArchiveError;
use super::tree::Tree;

const EMPTY_IT: &str = "name another folder, empty this one, or have it overwritten";
const MOVE_IT: &str = "move it away";

/// Where the extracted folder is to be.
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// The folder for the draft, on the same file system.
    pub(super) draft_in: PathBuf,
    /// There is something in it that stays.
    pub(super) is_merged: bool,
}

impl Place {
    pub(super) fn new(folder: &Path, overwrite: bool) -> Result<Place, ArchiveError> {
        let failed = |error| ArchiveError::io("extract to", folder, error);
        let in_the_way = |advice| ArchiveError::InTheWay {
            path: folder.to_owned(),
            advice,
        };
        match fs::symlink_metadata(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // `a/..` would be another folder once `a` is there.
                if folder.file_name().is_none() {
                    return Err(failed(error));
                }
                let parent = folder_of(folder);
                fs::metadata(&parent).map_err(|error| ArchiveError::io("open", &parent, error))?;
                return Ok(Place {
                    path: folder.to_owned(),
                    draft_in: parent,
                    is_merged: false,
                });
            }
            found => found.map_err(failed)?,
        };
        // The folder may be named by a link, by whoever calls.
        let path = fs::canonicalize(folder).map_err(failed)?;
        if !fs::metadata(&path).map_err(failed)?.is_dir() {
            return Err(in_the_way(
                "it is no folder: name another one, or move it away",
            ));
        }
        let is_empty = fs::read_dir(&path).map_err(failed)?.next().is_none();
        if !is_empty && !overwrite {
            return Err(in_the_way(EMPTY_IT));
        }
        // What can't be replaced, such as the root of a file system, can be filled.
        let is_merged = !is_empty || overwrite || path.parent().is_none();
        Ok(Place {
            draft_in: match is_merged {
                true => path.clone(),
                false => folder_of(&path),
            },
            path,
            is_merged,
        })
    }
}

/// Moves everything from the draft to where it belongs, after a look whether that is possible.
pub(super) fn merge<'e>(
    draft: &Tree,
    target: &Tree,
    entries: impl Iterator<Item = &'e Entry> + Clone,
) -> Result<(), ArchiveError> {
    let failed = |path: &[u8]| {
        let path = target.at(path);
        move |error| ArchiveError::io("write", &path, error)
    };
    let mut new_folders = Vec::new();
    for entry in entries.clone().filter(|entry| !entry.path.is_empty()) {
        let is_folder = entry.content == Content::Folder;
        match target.look(&entry.path).map_err(failed(&entry.path))? {
            None if is_folder => new_folders.push(&entry.path),
            None => {}
            Some(found) if found == is_folder => {}
            Some(_) => {
                return Err(ArchiveError::InTheWay {
                    path: target.at(&entry.path),
                    advice: MOVE_IT,
                });
            }
        }
    }
    for path in new_folders {
        target.make_folder(path).map_err(failed(path))?;
    }
    for entry in entries.filter(|entry| entry.content != Content::Folder) {
        draft
            .move_to(&entry.path, target)
            .map_err(failed(&entry.path))?;
    }
    Ok(())
}
