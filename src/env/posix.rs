//! The real operating system, on Unix.

use std::ffi::{c_int, c_short, c_void};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use super::system::{Access, Bytes, Identity, Lock, Status, System, SystemFile};
use super::{Process, holder, locks, path};

/// Locks of the open file, not of the process: another open and close of the file doesn't
/// drop them. Where the system has none, locks of the process must do.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod command {
    pub(super) const SET: i32 = libc::F_OFD_SETLK;
    pub(super) const GET: i32 = libc::F_OFD_GETLK;
}
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod command {
    pub(super) const SET: i32 = libc::F_SETLK;
    pub(super) const GET: i32 = libc::F_GETLK;
}

/// New files can be read by everyone and written by their owner, less the process's umask.
const MODE: u32 = 0o644;

pub(super) struct Posix;

struct PosixFile {
    file: File,
    process: Process,
    has_locked: AtomicBool,
}

impl System for Posix {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        path::without_links(path)
    }

    fn status(&self, path: &Path) -> io::Result<Status> {
        Ok(status(&fs::metadata(path)?))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn SystemFile>> {
        // The standard library sets O_CLOEXEC.
        let file = OpenOptions::new()
            .read(true)
            .write(access != Access::Read)
            .create_new(access == Access::CreateNew)
            .mode(MODE)
            .open(path)?;
        Ok(Box::new(PosixFile::new(file)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        match File::open(directory)?.sync_all() {
            // Some file systems have nothing to sync in a directory, and say so.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            result => result,
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(directory)?
            .map(|entry| Ok(entry?.path()))
            .collect()
    }

    fn now(&self) -> Duration {
        SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }

    fn lock_holder(&self, path: &Path, bytes: Bytes, lock: Lock) -> Option<u32> {
        let file = PosixFile::new(File::open(path).ok()?);
        let identity = file.status().ok()?.identity;
        // A lock of the process names its owner; one of an open file has to be looked for.
        match file.find_lock(bytes, lock) {
            Ok(Some(found)) if found.l_pid > 0 => u32::try_from(found.l_pid).ok(),
            Ok(Some(_)) => holder::search(identity, bytes),
            _ => None,
        }
    }
}

impl SystemFile for PosixFile {
    fn status(&self) -> io::Result<Status> {
        Ok(status(&self.file.metadata()?))
    }

    fn read_at(&self, buffer: &mut [MaybeUninit<u8>], offset: u64) -> io::Result<usize> {
        let offset = libc::off_t::try_from(offset).map_err(out_of_range)?;
        // SAFETY: the buffer is writable for its length, and the descriptor is open.
        let got = unsafe {
            libc::pread(
                self.file.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                offset,
            )
        };
        usize::try_from(got).map_err(|_| io::Error::last_os_error())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn allocate(&self, bytes: Bytes) -> io::Result<()> {
        // Not `posix_fallocate`: where the file system can't, it reads and writes back what is
        // there, and another process may have written in between.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        loop {
            let offset = libc::off_t::try_from(bytes.offset).map_err(out_of_range)?;
            let length = libc::off_t::try_from(bytes.length).map_err(out_of_range)?;
            // SAFETY: the descriptor is open; no memory is involved. Nothing uses its position.
            let hole = unsafe { libc::lseek(self.file.as_raw_fd(), offset, libc::SEEK_HOLE) };
            // Asking for space that is there would change the file's times.
            if hole >= offset.saturating_add(length) {
                return Ok(());
            }
            // SAFETY: the descriptor is open; no memory is involved.
            if unsafe { libc::fallocate(self.file.as_raw_fd(), 0, offset, length) } == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EOPNOTSUPP | libc::ENOSYS) => break,
                _ => return Err(error),
            }
        }
        self.append_zeros(bytes)
    }

    #[cfg(target_os = "linux")]
    fn start_writing(&self) {
        let flags = libc::SYNC_FILE_RANGE_WRITE;
        // SAFETY: the descriptor is open; no memory is involved. All of the file is meant. If it
        // fails, the sync at the end has more to do, and reports what is wrong.
        let _ = unsafe { libc::sync_file_range(self.file.as_raw_fd(), 0, 0, flags) };
    }

    fn sync(&self) -> io::Result<()> {
        // Mapped pages are pages of the file: one call covers them.
        self.file.sync_data()
    }

    fn lock(&self, bytes: Bytes, lock: Lock) -> io::Result<bool> {
        self.has_locked.store(true, Ordering::Relaxed);
        let mut request = request(bytes, lock)?;
        match self.control(command::SET, &mut request) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EAGAIN)) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn is_locked(&self, bytes: Bytes, lock: Lock) -> io::Result<bool> {
        Ok(self.find_lock(bytes, lock)?.is_some())
    }

    unsafe fn map(&self, bytes: Bytes, writable: bool) -> io::Result<NonNull<u8>> {
        // SAFETY: a new mapping at an address of the system's choice touches no memory that
        // is in use; the caller answers for what happens in it.
        unsafe { self.map_where(ptr::null_mut(), bytes, writable) }
    }

    fn keep_addresses(&self, length: usize) -> io::Result<NonNull<u8>> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
        // SAFETY: as in `map`, and nobody can read or write there.
        mapped(unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) })
    }

    fn page_size(&self) -> usize {
        // SAFETY: it only answers.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).unwrap_or(64 * 1024)
    }

    unsafe fn map_at(&self, at: NonNull<u8>, bytes: Bytes, writable: bool) -> io::Result<()> {
        // SAFETY: nothing but kept addresses is replaced, says the caller, and answers for what
        // happens there.
        unsafe { self.map_where(at.as_ptr().cast(), bytes, writable) }.map(drop)
    }

    unsafe fn unmap(&self, at: NonNull<u8>, length: usize) {
        // SAFETY: the caller passes a mapping of ours that nobody uses any more.
        unsafe { libc::munmap(at.as_ptr().cast(), length) };
    }
}

impl Drop for PosixFile {
    /// A process that was forked meanwhile, to start another program for instance, has a copy
    /// of the open file, and closing ours wouldn't end the lock.
    fn drop(&mut self) {
        if self.process.is_current() && *self.has_locked.get_mut() {
            // What can't be unlocked, the system unlocks later.
            let _ = self.lock(locks::ALL, Lock::None);
        }
    }
}

impl PosixFile {
    fn new(file: File) -> PosixFile {
        PosixFile {
            file,
            process: Process::current(),
            has_locked: AtomicBool::new(false),
        }
    }

    fn control(&self, command: c_int, request: &mut libc::flock) -> io::Result<()> {
        // SAFETY: the descriptor is open, and these commands take a `struct flock`, which is a
        // live local of the caller.
        match unsafe { libc::fcntl(self.file.as_raw_fd(), command, ptr::from_mut(request)) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Maps at this address, or at one of the system's choice if it is null.
    ///
    /// # Safety
    /// As [`map`](SystemFile::map), and as [`map_at`](SystemFile::map_at) unless it is null.
    unsafe fn map_where(
        &self,
        at: *mut c_void,
        bytes: Bytes,
        writable: bool,
    ) -> io::Result<NonNull<u8>> {
        let length = usize::try_from(bytes.length).map_err(out_of_range)?;
        let offset = libc::off_t::try_from(bytes.offset).map_err(out_of_range)?;
        let protection = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
        let flags = libc::MAP_SHARED | if at.is_null() { 0 } else { libc::MAP_FIXED };
        let file = self.file.as_raw_fd();
        // SAFETY: the caller vouches for the address and for what happens in the mapping.
        mapped(unsafe { libc::mmap(at, length, protection, flags, file, offset) })
    }

    /// The lock that stands in the way of this one.
    fn find_lock(&self, bytes: Bytes, lock: Lock) -> io::Result<Option<libc::flock>> {
        let mut request = request(bytes, lock)?;
        self.control(command::GET, &mut request)?;
        Ok((c_int::from(request.l_type) != libc::F_UNLCK as c_int).then_some(request))
    }

    /// Makes the file longer by writing, which takes space for sure.
    ///
    /// Other processes may do the same at this moment, and then use what they wrote. On Linux
    /// zeros are appended wherever the end is by then; elsewhere such a process could lose.
    fn append_zeros(&self, bytes: Bytes) -> io::Result<()> {
        let zeros = [0; 64 * 1024];
        let end = bytes.offset.saturating_add(bytes.length);
        loop {
            let length = self.status()?.length;
            if length >= end {
                return Ok(());
            }
            let step = usize::try_from(end - length).map_or(zeros.len(), |n| n.min(zeros.len()));
            match self.append(&zeros[..step], length) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => drop(result?),
            }
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn append(&self, bytes: &[u8], _: u64) -> io::Result<usize> {
        /// Write behind the last byte, wherever that is.
        const RWF_APPEND: c_int = 0x10;
        let part = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        let (parts, count) = (ptr::from_ref(&part), 1_usize);
        // SAFETY: the descriptor is open, and one live part is readable for its length. The
        // offset (two zeros) isn't used with this flag.
        let written = unsafe {
            libc::syscall(
                libc::SYS_pwritev2,
                self.file.as_raw_fd(),
                parts,
                count,
                0_usize,
                0_usize,
                RWF_APPEND,
            )
        };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn append(&self, bytes: &[u8], end: u64) -> io::Result<usize> {
        self.file.write_at(bytes, end)
    }
}

/// What `mmap` answered.
fn mapped(at: *mut c_void) -> io::Result<NonNull<u8>> {
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(at.cast()).ok_or_else(|| io::Error::other("mapped at address zero"))
}

fn request(bytes: Bytes, lock: Lock) -> io::Result<libc::flock> {
    // SAFETY: `flock` is a plain C structure, for which zeros are a valid value.
    let mut request: libc::flock = unsafe { mem::zeroed() };
    request.l_type = match lock {
        Lock::None => libc::F_UNLCK as c_short,
        Lock::Shared => libc::F_RDLCK as c_short,
        Lock::Exclusive => libc::F_WRLCK as c_short,
    };
    request.l_whence = libc::SEEK_SET as c_short;
    request.l_start = libc::off_t::try_from(bytes.offset).map_err(out_of_range)?;
    request.l_len = libc::off_t::try_from(bytes.length).map_err(out_of_range)?;
    Ok(request)
}

fn status(metadata: &fs::Metadata) -> Status {
    Status {
        identity: Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
        },
        length: metadata.len(),
        names: metadata.nlink(),
        modified: metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()),
        is_file: metadata.is_file(),
    }
}

fn out_of_range(_: std::num::TryFromIntError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a file offset is out of range")
}

#[cfg(test)]
mod tests {
    use super::super::file::EngineFile;
    use super::*;

    /// Storing into a mapped hole on a full disk would end the process.
    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn a_mapped_file_that_may_be_written_has_no_holes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let used = || file.as_file().metadata().unwrap().blocks() * 512;
        let open = |access| {
            let system = std::sync::Arc::new(Posix) as std::sync::Arc<dyn System>;
            EngineFile::open(&system, file.path().to_owned(), access, false).unwrap()
        };
        file.as_file().set_len(1 << 20).unwrap();
        if used() > 0 {
            return; // This file system has no holes.
        }
        let reader = open(Access::Read);
        assert_eq!(reader.remap(4096).unwrap().length, 1 << 20);
        assert_eq!(used(), 0, "a reader doesn't change the file");
        assert!(reader.remap((1 << 20) + 1).is_err());
        assert_eq!(open(Access::ReadWrite).remap(4096).unwrap().length, 1 << 20);
        assert!(used() >= 1 << 20);
    }

    #[test]
    fn a_mapped_file_grows_in_place_and_moves_when_there_is_no_room() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let system = std::sync::Arc::new(Posix) as std::sync::Arc<dyn System>;
        let open = EngineFile::open(&system, file.path().to_owned(), Access::ReadWrite, false);
        let open = open.unwrap();
        let first = open.remap(4096).unwrap();
        // In tests the addresses are enough for 4 MiB.
        let grown = open.remap(4 << 20).unwrap();
        assert_eq!(first.at, grown.at);
        assert_eq!((first.length, grown.length), (256 << 10, 4 << 20));
        for at in [0, first.length - 1, first.length, grown.length - 1] {
            // SAFETY: within the mapping, of which there is no reference.
            unsafe { grown.at.add(at).write(7) };
        }
        assert_eq!(open.remap(4096).unwrap().at, grown.at, "nothing to do");
        let moved = open.remap((4 << 20) + 1).unwrap();
        assert_ne!(moved.at, grown.at);
        for at in [0, first.length - 1, first.length, grown.length - 1] {
            // SAFETY: as above.
            assert_eq!(unsafe { moved.at.add(at).read() }, 7);
            assert_eq!(open.bytes(at as u64, 1).unwrap(), [7]);
        }
    }

    /// A real file, on a file system that maps nothing for writing.
    struct Unmapped(PosixFile);

    impl SystemFile for Unmapped {
        fn status(&self) -> io::Result<Status> {
            self.0.status()
        }
        fn read_at(&self, buffer: &mut [MaybeUninit<u8>], offset: u64) -> io::Result<usize> {
            self.0.read_at(buffer, offset)
        }
        fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
            self.0.write_at(bytes, offset)
        }
        fn truncate(&self, length: u64) -> io::Result<()> {
            self.0.truncate(length)
        }
        fn allocate(&self, bytes: Bytes) -> io::Result<()> {
            self.0.allocate(bytes)
        }
        fn sync(&self) -> io::Result<()> {
            self.0.sync()
        }
        fn lock(&self, bytes: Bytes, lock: Lock) -> io::Result<bool> {
            self.0.lock(bytes, lock)
        }
        fn is_locked(&self, bytes: Bytes, lock: Lock) -> io::Result<bool> {
            self.0.is_locked(bytes, lock)
        }
        unsafe fn map(&self, _: Bytes, _: bool) -> io::Result<NonNull<u8>> {
            Err(io::Error::from_raw_os_error(libc::ENODEV))
        }
        unsafe fn unmap(&self, _: NonNull<u8>, _: usize) {
            unreachable!("nothing was mapped")
        }
    }

    #[test]
    fn a_log_that_can_not_be_mapped_is_written_all_the_same() {
        let file = Unmapped(PosixFile::new(tempfile::tempfile().unwrap()));
        let log = EngineFile::log(file);
        log.write(b"one", 0).unwrap();
        log.write(b"two", 300_000).unwrap();
        assert_eq!(log.bytes(0, 3).unwrap(), b"one");
        assert_eq!(log.bytes(300_000, 3).unwrap(), b"two");
    }

    #[test]
    fn appended_zeros_make_the_file_longer_and_keep_what_is_there() {
        let file = PosixFile::new(tempfile::tempfile().unwrap());
        file.file.write_all_at(b"content", 0).unwrap();
        let bytes = Bytes {
            offset: 4096,
            length: 200_000,
        };
        file.append_zeros(bytes).unwrap();
        assert_eq!(file.status().unwrap().length, 204_096);
        let mut content = [1; 100];
        file.file.read_exact_at(&mut content, 0).unwrap();
        assert_eq!(&content[..7], b"content");
        assert_eq!(content[7..], [0; 93]);
        file.append_zeros(bytes).unwrap();
        assert_eq!(file.status().unwrap().length, 204_096);
    }
}
