//! A new file under a name of its own, until it is whole.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::db::LsmDb;
use crate::env::Env;
use crate::error::{LsmError, LsmErrorCode};
use crate::ffi;

/// Between the target's name and the numbers that make a draft's name unique.
const MARK: &str = "-lsmlite-draft-";

const NAME_A_FILE: &str = "name the file that the database is to be";
const CHOOSE: &str = "choose another path, or set overwrite(true)";

/// The drafts of this process, by number: those that exist, and the number of the next one.
static OWN: Mutex<(BTreeSet<u64>, u64)> = Mutex::new((BTreeSet::new(), 0));

fn own() -> MutexGuard<'static, (BTreeSet<u64>, u64)> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a database is to be.
pub(crate) struct Target<'a> {
    operation: &'static str,
    path: PathBuf,
    given: &'a Path,
    overwrite: bool,
}

/// A file beside the target. It is removed when it is dropped before it took the target's name.
pub(crate) struct Draft {
    path: PathBuf,
    number: u64,
    is_installed: bool,
}

impl<'a> Target<'a> {
    /// Checks that a database may be put there.
    ///
    /// # Errors
    /// There is something already, and it isn't to be overwritten; or it is open.
    pub(crate) fn new(
        operation: &'static str,
        given: &'a Path,
        overwrite: bool,
    ) -> Result<Target<'a>, LsmError> {
        let mut target = Target {
            operation,
            path: given.to_owned(),
            given,
            overwrite,
        };
        if given.file_name().is_none() {
            return Err(target.refuse_path("the path names no file", NAME_A_FILE));
        }
        target.check()?;
        target.follow()?;
        Ok(target)
    }

    /// The place of a database that the caller has open, and closes before the draft is installed.
    #[cfg(feature = "tools")]
    pub(crate) fn of_own(operation: &'static str, given: &'a Path) -> Result<Target<'a>, LsmError> {
        let mut target = Target {
            operation,
            path: given.to_owned(),
            given,
            overwrite: true,
        };
        target.follow()?;
        Ok(target)
    }

    /// The file is replaced, not the link to it.
    fn follow(&mut self) -> Result<(), LsmError> {
        if self.overwrite && self.exists() {
            let real = fs::canonicalize(self.given);
            self.path = real.map_err(|error| self.io(self.given, "find", &error))?;
        }
        Ok(())
    }

    /// The path as it was given.
    pub(crate) fn given(&self) -> &Path {
        self.given
    }

    fn check(&self) -> Result<(), LsmError> {
        if Env::default().is_open(&self.path) {
            let message = "this process has it open: close it first";
            return Err(self.refuse(LsmErrorCode::LsmBusy, message));
        }
        if self.path.is_dir() {
            return Err(self.refuse_path("this is a directory", NAME_A_FILE));
        }
        if self.overwrite {
            return Ok(());
        }
        if self.exists() {
            let message = "there is a file already, and it isn't to be overwritten";
            return Err(self.refuse_path(message, CHOOSE));
        }
        let log = with_suffix(&self.path, "-log");
        if log.symlink_metadata().is_ok() {
            // The new database would take it for its own.
            let message = format!(
                "there is the log of another database, {}: move it away, or overwrite both",
                log.display()
            );
            return Err(self.refuse_path(message, CHOOSE));
        }
        Ok(())
    }

    fn exists(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    /// Makes an empty file beside the target, and removes those that a process which was killed
    /// has left. Nobody else may read it: it gets its permissions when it is whole.
    pub(crate) fn draft(&self) -> Result<Draft, LsmError> {
        self.draft_with_mode(0o600)
    }

    /// The same with the permissions that new files usually have.
    #[cfg(all(unix, feature = "tools"))]
    pub(crate) fn draft_for_all(&self) -> Result<Draft, LsmError> {
        self.draft_with_mode(0o666)
    }

    fn draft_with_mode(&self, _mode: u32) -> Result<Draft, LsmError> {
        self.remove_stale_drafts();
        loop {
            let mut drafts = own();
            let number = drafts.1;
            drafts.1 += 1;
            drafts.0.insert(number);
            drop(drafts);
            let mut draft = Draft {
                path: with_suffix(&self.path, format!("{MARK}{}-{number}", process::id())),
                number,
                is_installed: false,
            };
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, _mode);
            match options.open(&draft.path) {
                Ok(_) => return Ok(draft),
                Err(error) => {
                    draft.is_installed = true; // The file isn't ours.
                    if error.kind() != io::ErrorKind::AlreadyExists {
                        return Err(self.io(&draft.path, "create", &error));
                    }
                }
            }
        }
    }

    fn remove_stale_drafts(&self) {
        let (Some(directory), Some(name)) = (directory_of(&self.path), self.path.file_name())
        else {
            return;
        };
        let prefix = with_suffix(Path::new(name), MARK);
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match numbers(&entry.file_name(), prefix.as_os_str()) {
                Some(numbers) if is_abandoned(&entry.path(), numbers) => remove(&entry.path()),
                _ => {}
            }
        }
    }

    /// Makes the draft durable and gives it the target's name, and the permissions of `like`.
    ///
    /// # Errors
    /// Until the renaming, the target is as it was and the draft is removed. If the last step
    /// fails, making the name durable, the new database is in place.
    pub(crate) fn install(&self, mut draft: Draft, like: Option<&Path>) -> Result<(), LsmError> {
        let file = OpenOptions::new().write(true).open(&draft.path);
        let file = file.map_err(|error| self.io(&draft.path, "open", &error))?;
        if let Some(permissions) = like.and_then(|like| like.metadata().ok()) {
            let done = file.set_permissions(permissions.permissions());
            done.map_err(|error| self.io(&draft.path, "set the permissions of", &error))?;
        }
        let synced = file.sync_all();
        synced.map_err(|error| self.io(&draft.path, "sync", &error))?;
        drop(file);

        // Time has passed.
        self.check()?;
        if self.overwrite {
            self.clear_the_way()?;
        }
        let renamed = fs::rename(&draft.path, &self.path);
        renamed.map_err(|error| self.io(&self.path, "rename the new file to", &error))?;
        draft.is_installed = true;
        self.sync_directory()
    }

    /// Brings home what is in the old database's log, so that nothing is lost if we are killed
    /// before the renaming, and removes the log, which the new database would take for its own.
    fn clear_the_way(&self) -> Result<(), LsmError> {
        if self.exists() {
            let old = LsmDb::builder().create(false).open(&self.path);
            match old.and_then(LsmDb::close) {
                Err(error) if !error.is_corrupt() => return Err(error.during(self.operation)),
                _ => {}
            }
        }
        for suffix in ["-log", "-shm"] {
            let path = with_suffix(&self.path, suffix);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.io(&path, "remove", &error));
                }
                _ => {}
            }
        }
        self.sync_directory()
    }

    fn sync_directory(&self) -> Result<(), LsmError> {
        #[cfg(unix)]
        if let Some(directory) = directory_of(&self.path) {
            let synced = fs::File::open(&directory).and_then(|directory| directory.sync_all());
            synced.map_err(|error| self.io(&directory, "sync", &error))?;
        }
        Ok(())
    }

    fn refuse(&self, code: LsmErrorCode, message: impl Into<String>) -> LsmError {
        let error = LsmError::new(self.operation, code);
        error.with_path(self.given).with_message(message)
    }

    /// Nothing can be put at this path.
    fn refuse_path(&self, message: impl Into<String>, advice: &'static str) -> LsmError {
        let refusal = self.refuse(LsmErrorCode::LsmCantOpen, message);
        refusal.with_advice(advice)
    }

    /// An error of the file system, in its words.
    pub(crate) fn io(&self, path: &Path, what: &str, error: &io::Error) -> LsmError {
        let failed = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                LsmError::new(self.operation, LsmErrorCode::LsmFull)
            }
            io::ErrorKind::NotFound => LsmError::from_raw(self.operation, ffi::LSM_IOERR_NOENT),
            _ => LsmError::new(self.operation, LsmErrorCode::LsmIOErr),
        };
        let message = format!("can't {what} {}: {error}", path.display());
        failed.with_path(self.given).with_message(message)
    }
}

impl Draft {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_installed {
            remove(&self.path);
        }
        own().0.remove(&self.number);
    }
}

/// What isn't there needn't be removed, and nobody is left to hear of the rest.
fn remove(draft: &Path) {
    for suffix in ["", "-log"] {
        let _ = fs::remove_file(with_suffix(draft, suffix));
    }
}

/// The process and the number in a draft's name; `None` for other names.
fn numbers(name: &OsStr, prefix: &OsStr) -> Option<(u32, u64)> {
    let (name, prefix) = (name.as_encoded_bytes(), prefix.as_encoded_bytes());
    let numbers = std::str::from_utf8(name.strip_prefix(prefix)?).ok()?;
    let (process, number) = numbers.split_once('-')?;
    let found = (process.parse().ok()?, number.parse().ok()?);
    // Numbers can be written in other ways, but not by us.
    (format!("{}-{}", found.0, found.1) == numbers).then_some(found)
}

/// True if the process that made the draft has died. Where that can't be found out, false.
fn is_abandoned(draft: &Path, (process, number): (u32, u64)) -> bool {
    if process == process::id() {
        return !own().0.contains(&number);
    }
    let proc = Path::new("/proc");
    if !proc.join("self").exists() || proc.join(process.to_string()).exists() {
        return false;
    }
    // Its number may mean another process here than where it runs, in a container.
    match LsmDb::builder().read_only(true).open(draft) {
        Ok(_) => true,
        Err(error) => error.is_corrupt(),
    }
}

fn with_suffix(path: &Path, suffix: impl AsRef<OsStr>) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn directory_of(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(match parent.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => parent.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_making_are_drafts() {
        let read = |name| numbers(OsStr::new(name), OsStr::new("a.lsm-lsmlite-draft-"));
        assert_eq!(read("a.lsm-lsmlite-draft-17-0"), Some((17, 0)));
        for other in [
            "a.lsm",
            "a.lsm-lsmlite-draft-",
            "a.lsm-lsmlite-draft-17",
            "a.lsm-lsmlite-draft-17-",
            "a.lsm-lsmlite-draft-17-+1",
            "a.lsm-lsmlite-draft-17-0-log",
            "a.lsm-lsmlite-draft-17-0-1",
            "b.lsm-lsmlite-draft-17-0",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
