//! Below one folder, and never outside of it, whatever links there are.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};

use super::entry::Stamp;

/// An open folder. Paths are those of entries: names with `/` between them; none for the folder.
pub(super) struct Tree {
    root: OwnedFd,
    pub(super) path: PathBuf,
}

const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);

impl Tree {
    /// # Errors
    /// It isn't a folder, or a link to one.
    pub(super) fn open(path: &Path) -> io::Result<Tree> {
        Ok(Tree {
            root: rustix::fs::open(path, FOLDER | OFlags::RDONLY, Mode::empty())?,
            path: path.to_owned(),
        })
    }

    pub(super) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// Where something is, for people.
    pub(super) fn at(&self, path: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(path))
    }

    /// Opens without following any link on the way, nor at the end.
    fn open_at(&self, path: &[u8], flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::fs::ResolveFlags;
            use rustix::io::Errno;
            // One call instead of one for each name, where the kernel has it and lets us.
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let name: &[u8] = if path.is_empty() { b"." } else { path };
            match rustix::fs::openat2(&self.root, name, flags, mode, resolve) {
                Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => {}
                opened => return Ok(opened?),
            }
        }
        self.open_by_name(path, flags, mode)
    }

    fn open_by_name(&self, path: &[u8], flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let mut folder = None;
        let mut names = path.split(|&byte| byte == b'/').peekable();
        while let Some(name) = names.next() {
            let at = folder.as_ref().unwrap_or(&self.root).as_fd();
            let (flags, mode) = match names.peek() {
                Some(_) => (FOLDER | OFlags::RDONLY, Mode::empty()),
                None => (flags, mode),
            };
            let name: &[u8] = if path.is_empty() { b"." } else { name };
            folder = Some(rustix::fs::openat(at, name, flags, mode)?);
        }
        folder.ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn folder(&self, path: &[u8]) -> io::Result<OwnedFd> {
        self.open_at(path, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty())
    }

    /// The folder that something is in, and its name there.
    fn parent<'p>(&self, path: &'p [u8]) -> io::Result<(OwnedFd, &'p [u8])> {
        match path.iter().rposition(|&byte| byte == b'/') {
            Some(at) => Ok((self.folder(&path[..at])?, &path[at + 1..])),
            None => Ok((self.folder(b"")?, path)),
        }
    }

    /// Makes a file that isn't there yet.
    pub(super) fn create(&self, path: &[u8], mode: u32) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        self.open_at(path, flags, Mode::from_raw_mode(mode))
            .map(File::from)
    }

    /// Makes a folder, for us only until it is [settled](Self::settle).
    pub(super) fn make_folder(&self, path: &[u8]) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        Ok(rustix::fs::mkdirat(parent, name, Mode::RWXU)?)
    }

    /// Removes what isn't a folder.
    pub(super) fn remove(&self, path: &[u8]) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?)
    }

    pub(super) fn make_link(&self, path: &[u8], target: &[u8], time: Stamp) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        rustix::fs::symlinkat(target, &parent, name)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::utimensat(parent, name, &times(time), flags)?)
    }

    /// Gives a folder its permissions and time.
    pub(super) fn settle(&self, path: &[u8], mode: u32, time: Stamp) -> io::Result<()> {
        let folder = self.folder(path)?;
        rustix::fs::futimens(&folder, &times(time))?;
        Ok(rustix::fs::fchmod(folder, Mode::from_raw_mode(mode))?)
    }

    /// Whether there is a folder (true) or something else (false).
    pub(super) fn look(&self, path: &[u8]) -> io::Result<Option<bool>> {
        let found = self.parent(path).and_then(|(parent, name)| {
            Ok(rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?)
        });
        match found {
            Ok(stat) => Ok(Some(
                FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Moves something to the same place below another folder, and over what is there.
    pub(super) fn move_to(&self, path: &[u8], other: &Tree) -> io::Result<()> {
        let (from, name) = self.parent(path)?;
        let (to, _) = other.parent(path)?;
        Ok(rustix::fs::renameat(from, name, to, name)?)
    }

    /// Which of the permissions new files here don't get.
    pub(super) fn withheld(&self) -> io::Result<u32> {
        let name = b".lsmlite-probe";
        let probe = self.create(name, 0o777)?;
        let mode = rustix::fs::fstat(&probe)?.st_mode;
        rustix::fs::unlinkat(&self.root, &name[..], AtFlags::empty())?;
        Ok(!mode & 0o777)
    }

    /// Makes durable what was written here.
    pub(super) fn sync(&self) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        rustix::fs::syncfs(&self.root)?;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        rustix::fs::sync();
        Ok(())
    }
}

/// Gives a file its time, and the permissions that it didn't get when it was made.
pub(super) fn finish(file: &File, mode: Option<u32>, time: Stamp) -> io::Result<()> {
    if let Some(mode) = mode {
        rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?;
    }
    Ok(rustix::fs::futimens(file, &times(time))?)
}

fn times(time: Stamp) -> Timestamps {
    let time = Timespec {
        tv_sec: time.seconds,
        tv_nsec: time.nanoseconds.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways of opening, with a link to elsewhere on the way and at the end.
    #[test]
    fn no_link_is_followed() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let (inside, outside) = (dir.path().join("inside"), dir.path().join("outside"));
        std::fs::create_dir(&inside)?;
        std::fs::create_dir(inside.join("real"))?;
        std::fs::create_dir(&outside)?;
        std::fs::write(outside.join("file"), "")?;
        std::os::unix::fs::symlink(&outside, inside.join("folder"))?;
        std::os::unix::fs::symlink(outside.join("file"), inside.join("real/file"))?;
        let tree = Tree::open(&inside)?;
        for path in ["folder/file", "folder/new", "real/file", "folder"] {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW;
            let mode = Mode::from_raw_mode(0o600);
            assert!(
                tree.open_at(path.as_bytes(), flags, mode).is_err(),
                "{path}"
            );
            assert!(
                tree.open_by_name(path.as_bytes(), flags, mode).is_err(),
                "{path}"
            );
            assert!(tree.folder(path.as_bytes()).is_err(), "{path}");
        }
        let new = tree.open_by_name(b"real/new", OFlags::WRONLY | OFlags::CREATE, Mode::RWXU);
        assert!(new.is_ok() && inside.join("real/new").exists());
        assert!(tree.open_by_name(b"", FOLDER, Mode::empty()).is_ok());
        assert!(!outside.join("new").exists());
        assert!(Tree::open(&inside.join("folder")).is_err());
        Ok(())
    }
}
