//! A file as the engine needs it: whole writes, whole reads, mappings, locks, shared memory.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::database_map::DatabaseMap;
use super::locks;
use super::log_window::LogWindow;
use super::read_ahead::ReadAhead;
use super::shared_memory::SharedMemory;
use super::system::{Access, Bytes, Lock, System, SystemFile};
use super::write_out;

/// What an `lsm_file` is.
pub(super) struct EngineFile {
    system: Arc<dyn System>,
    file: Box<dyn SystemFile>,
    path: PathBuf,
    access: Access,
    mapping: Mutex<DatabaseMap>,
    log: Option<Mutex<Log>>,
    shared: Mutex<SharedMemory>,
}

/// What there is to a log that was opened for writing.
struct Log {
    window: LogWindow,
    ahead: ReadAhead,
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
        let opened = match system.open(&path, Access::ReadWrite) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(&**system, &path)?,
            result => {
                let file = result?;
                // Who made it may have died, or not have come to that yet.
                sync_parent(&**system, &path)?;
                file
            }
        };
        let mut file = EngineFile::of(system, opened, path, Access::ReadWrite);
        file.log = Some(Mutex::new(Log {
            window: LogWindow::new(system.can_map()),
            ahead: ReadAhead::default(),
        }));
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
        Ok(EngineFile::of(system, file, path, access))
    }

    fn of(
        system: &Arc<dyn System>,
        file: Box<dyn SystemFile>,
        path: PathBuf,
        access: Access,
    ) -> EngineFile {
        EngineFile {
            system: Arc::clone(system),
            file,
            path,
            access,
            mapping: Mutex::default(),
            log: None,
            shared: Mutex::default(),
        }
    }

    /// This file as a log.
    #[cfg(test)]
    pub(super) fn log(file: impl SystemFile + 'static) -> EngineFile {
        EngineFile {
            system: Arc::new(super::posix::Posix),
            file: Box::new(file),
            path: PathBuf::new(),
            access: Access::ReadWrite,
            mapping: Mutex::default(),
            log: Some(Mutex::new(Log {
                window: LogWindow::new(true),
                ahead: ReadAhead::default(),
            })),
            shared: Mutex::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// True for a log that was opened for writing.
    pub(super) fn is_log(&self) -> bool {
        self.log.is_some()
    }

    /// Fills the buffer; behind the end of the file are zeros.
    pub(super) fn read(&self, buffer: &mut [MaybeUninit<u8>], offset: u64) -> io::Result<()> {
        match &self.log {
            Some(log) => lock(log).ahead.read(&*self.file, buffer, offset),
            None => self::read(&*self.file, buffer, offset),
        }
    }

    /// A part of the file.
    pub(super) fn bytes(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut buffer = Vec::with_capacity(length);
        self.read(&mut buffer.spare_capacity_mut()[..length], offset)?;
        // SAFETY: `read` filled the first `length` bytes of the spare room.
        unsafe { buffer.set_len(length) };
        Ok(buffer)
    }

    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Some(log) = &self.log {
            let mut log = lock(log);
            log.ahead.forget();
            if log.window.write(&*self.file, bytes, offset)? {
                return Ok(());
            }
        }
        self::write(&*self.file, bytes, offset)?;
        if self.log.is_none() && write_out::is_due(bytes.len()) {
            self.file.start_writing();
        }
        Ok(())
    }

    /// Makes the file shorter; never longer.
    pub(super) fn truncate(&self, length: u64) -> io::Result<()> {
        if let Some(log) = &self.log {
            let mut log = lock(log);
            log.ahead.forget();
            log.window.end(&*self.file);
        }
        if self.file.status()?.length > length {
            self.file.truncate(length)?;
        }
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        if let Some(log) = &self.log {
            lock(log).window.note_sync();
        }
        self.file.sync()
    }

    pub(super) fn identity(&self) -> io::Result<[u64; 2]> {
        let identity = self.file.status()?.identity;
        Ok([identity.device, identity.inode])
    }

    /// Maps the whole file, which becomes at least `least` bytes long if it may be written. The
    /// old mapping ends if that works and moves it, and stays if it doesn't work.
    pub(super) fn remap(&self, least: u64) -> io::Result<Mapping> {
        let writable = self.access != Access::Read;
        lock(&self.mapping).remap(&*self.file, writable, least)
    }

    pub(super) fn unmap(&self) {
        lock(&self.mapping).end(&*self.file);
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
            lock(log).window.end(&*self.file);
        }
        // Without removing it there is nothing that can fail.
        let _ = self.drop_shared(false);
    }
}

/// Creates a file so that it is still there after a power failure.
pub(super) fn create(system: &dyn System, path: &Path) -> io::Result<Box<dyn SystemFile>> {
    let file = match system.open(path, Access::CreateNew) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            system.open(path, Access::ReadWrite)
        }
        result => result,
    }?;
    sync_parent(system, path)?;
    Ok(file)
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

/// Fills the buffer; behind the end of the file are zeros.
pub(super) fn read(
    file: &dyn SystemFile,
    buffer: &mut [MaybeUninit<u8>],
    offset: u64,
) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n.min(buffer.len() - done),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer[done..].fill(MaybeUninit::new(0));
    Ok(())
}

/// Writes all of it.
pub(super) fn write(file: &dyn SystemFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
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
