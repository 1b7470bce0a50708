//! A file as the engine needs it: whole writes, whole reads, mappings, locks, shared memory.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::locks;
use super::log_window::LogWindow;
use super::shared_memory::SharedMemory;
use super::system::{Access, Bytes, Lock, System, SystemFile};

/// A mapped file grows in these steps; the larger one above [`SMALL_FILE`].
const GROWTH: [u64; 2] = [256 << 10, 1 << 20];
const SMALL_FILE: u64 = 2 << 20;

/// What an `lsm_file` is.
pub(super) struct EngineFile {
    system: Arc<dyn System>,
    file: Box<dyn SystemFile>,
    path: PathBuf,
    access: Access,
    mapping: Mutex<Option<Mapping>>,
    is_log: bool,
    /// For a log that is written through a mapping.
    log: Option<Mutex<LogWindow>>,
    shared: Mutex<SharedMemory>,
}

#[derive(Copy, Clone)]
pub(super) struct Mapping {
    pub(super) at: NonNull<u8>,
    pub(super) length: usize,
}

// SAFETY: a mapping is memory of the process, which any thread may use and unmap.
unsafe impl Send for Mapping {}

impl EngineFile {
    /// Opens a log for writing, and makes it if there is none.
    pub(super) fn open_log(system: &Arc<dyn System>, path: PathBuf) -> io::Result<EngineFile> {
        let mut file = EngineFile::open(system, path, Access::ReadWrite, true)?;
        // Who made it may have died, or not have come to that yet.
        sync_parent(&**system, &file.path)?;
        file.is_log = true;
        file.log = system.can_map().then(Mutex::default);
        Ok(file)
    }

    /// Opens a file; `create` makes one that isn't there.
    pub(super) fn open(
        system: &Arc<dyn System>,
        path: PathBuf,
        access: Access,
        create: bool,
    ) -> io::Result<EngineFile> {
        let file = match system.open(&path, access) {
            Err(error) if create && error.kind() == io::ErrorKind::NotFound => {
                self::create(&**system, &path)?
            }
            result => result?,
        };
        Ok(EngineFile {
            system: Arc::clone(system),
            file,
            path,
            access,
            mapping: Mutex::new(None),
            is_log: false,
            log: None,
            shared: Mutex::default(),
        })
    }

    /// This file as a log.
    #[cfg(test)]
    pub(super) fn log(file: impl SystemFile + 'static) -> EngineFile {
        EngineFile {
            system: Arc::new(super::posix::Posix),
            file: Box::new(file),
            path: PathBuf::new(),
            access: Access::ReadWrite,
            mapping: Mutex::new(None),
            is_log: true,
            log: Some(Mutex::default()),
            shared: Mutex::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// True for a log that was opened for writing.
    pub(super) fn is_log(&self) -> bool {
        self.is_log
    }

    /// Fills the buffer; behind the end of the file are zeros.
    pub(super) fn read(&self, buffer: &mut [MaybeUninit<u8>], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n.min(buffer.len() - done),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer[done..].fill(MaybeUninit::new(0));
        Ok(())
    }

    /// A part of the file.
    pub(super) fn bytes(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut buffer = Vec::with_capacity(length);
        self.read(&mut buffer.spare_capacity_mut()[..length], offset)?;
        // SAFETY: `read` filled the first `length` bytes of the spare room.
        unsafe { buffer.set_len(length) };
        Ok(buffer)
    }

    pub(super) fn write(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        if let Some(log) = &self.log {
            if lock(log).write(&*self.file, bytes, offset)? {
                return Ok(());
            }
        }
        while !bytes.is_empty() {
            match self.file.write_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    let n = n.min(bytes.len());
                    bytes = &bytes[n..];
                    offset += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes the file shorter; never longer.
    pub(super) fn truncate(&self, length: u64) -> io::Result<()> {
        if let Some(log) = &self.log {
            lock(log).end(&*self.file);
        }
        if self.file.status()?.length > length {
            self.file.truncate(length)?;
        }
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    pub(super) fn identity(&self) -> io::Result<[u64; 2]> {
        let identity = self.file.status()?.identity;
        Ok([identity.device, identity.inode])
    }

    /// Maps the whole file, which becomes at least `least` bytes long if it may be written. The
    /// old mapping ends if that works, and stays if it doesn't.
    pub(super) fn remap(&self, least: u64) -> io::Result<Mapping> {
        let mut mapping = lock(&self.mapping);
        let writable = self.access != Access::Read;
        let mut length = self.file.status()?.length;
        if length < least {
            if !writable {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let step = GROWTH[usize::from(least > SMALL_FILE)];
            length = least
                .checked_next_multiple_of(step)
                .ok_or(io::ErrorKind::InvalidInput)?;
        }
        let whole = Bytes { offset: 0, length };
        if writable {
            // With space on the disk: a page that can't be written when the system gets to it
            // would end the process. What is there already may have holes, too: files that
            // were copied often do.
            reserve(&*self.file, whole)?;
        }
        // SAFETY: only the last connection cuts the file, after it has unmapped it, and only
        // the engine's C code gets at the memory, which it writes to only if it has opened the
        // file for that.
        let at = unsafe { self.file.map(whole, writable)? };
        let new = Mapping {
            at,
            length: usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?,
        };
        if let Some(old) = mapping.replace(new) {
            // SAFETY: `map` made it, and the engine asks for a new mapping only when it uses
            // nothing of the old one before it has taken over the new address.
            unsafe { self.file.unmap(old.at, old.length) };
        }
        Ok(new)
    }

    pub(super) fn unmap(&self) {
        if let Some(old) = lock(&self.mapping).take() {
            // SAFETY: as in `remap`; the engine says that it is done with it.
            unsafe { self.file.unmap(old.at, old.length) };
        }
    }

    /// False if somebody else is in the way.
    pub(super) fn lock(&self, number: u64, kind: Lock) -> io::Result<bool> {
        locks::set(&*self.file, number, kind)
    }

    /// True if [`lock`](Self::lock) would find somebody in the way.
    pub(super) fn is_locked(&self, first: u64, count: u64, kind: Lock) -> io::Result<bool> {
        self.file.is_locked(locks::bytes(first, count), kind)
    }

    /// A piece of the memory that the processes share.
    pub(super) fn shared_chunk(&self, number: usize, length: usize) -> io::Result<NonNull<u8>> {
        lock(&self.shared).chunk(&*self.system, &self.path, number, length)
    }

    pub(super) fn drop_shared(&self, remove: bool) -> io::Result<()> {
        lock(&self.shared).end(&*self.system, &self.path, remove)
    }
}

impl Drop for EngineFile {
    fn drop(&mut self) {
        self.unmap();
        if let Some(log) = &self.log {
            lock(log).end(&*self.file);
        }
        // Without removing it there is nothing that can fail.
        let _ = self.drop_shared(false);
    }
}

/// Creates a file so that it is still there after a power failure.
pub(super) fn create(system: &dyn System, path: &Path) -> io::Result<Box<dyn SystemFile>> {
    match system.open(path, Access::CreateNew) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            system.open(path, Access::ReadWrite)
        }
        result => {
            let file = result?;
            sync_parent(system, path)?;
            Ok(file)
        }
    }
}

/// Takes space on the disk for these bytes, which may be a long wait that a signal ends.
pub(super) fn reserve(file: &dyn SystemFile, bytes: Bytes) -> io::Result<()> {
    loop {
        match file.allocate(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Makes a creation or removal durable.
pub(super) fn sync_parent(system: &dyn System, path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => system.sync_directory(parent),
        None => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic leaves the contents half-changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number of the engine's that can't be negative.
pub(super) fn unsigned<T: TryInto<u64>>(number: T) -> Option<u64> {
    number.try_into().ok()
}

/// The engine's names for locks.
pub(super) fn lock_kind(kind: c_int) -> Option<Lock> {
    match kind {
        crate::ffi::LSM_LOCK_UNLOCK => Some(Lock::None),
        crate::ffi::LSM_LOCK_SHARED => Some(Lock::Shared),
        crate::ffi::LSM_LOCK_EXCL => Some(Lock::Exclusive),
        _ => None,
    }
}
