//! The memory that several processes share: a mapped file beside the database.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use super::file::{Mapping, reserve};
use super::system::{Access, Bytes, System, SystemFile};

/// A mapping begins at a multiple of this, which is one of every usual page size.
const GRANULE: usize = 64 * 1024;

#[derive(Default)]
pub(super) struct SharedMemory {
    file: Option<Box<dyn SystemFile>>,
    /// Mapped stretches of [`GRANULE`] bytes, by number.
    granules: Vec<Option<Mapping>>,
}

impl SharedMemory {
    /// The address of a chunk; the same one until [`end`](Self::end).
    pub(super) fn chunk(
        &mut self,
        system: &dyn System,
        database: &Path,
        number: usize,
        length: usize,
    ) -> io::Result<NonNull<u8>> {
        if length == 0 || GRANULE % length != 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if !system.can_map() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this environment has no memory that processes share",
            ));
        }
        let start = number
            .checked_mul(length)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let granule = start / GRANULE;
        if self.granules.len() <= granule {
            self.granules.resize(granule + 1, None);
        }
        let at = match self.granules[granule] {
            Some(mapping) => mapping.at,
            None => {
                let at = self.map(system, database, granule)?;
                self.granules[granule] = Some(Mapping {
                    at,
                    length: GRANULE,
                });
                at
            }
        };
        // SAFETY: the chunk is within the granule, because its length divides the granule's.
        Ok(unsafe { at.add(start % GRANULE) })
    }

    fn map(
        &mut self,
        system: &dyn System,
        database: &Path,
        granule: usize,
    ) -> io::Result<NonNull<u8>> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(system, &path(database))?),
        };
        let bytes = Bytes {
            offset: granule as u64 * GRANULE as u64,
            length: GRANULE as u64,
        };
        reserve(&**file, bytes)?;
        // SAFETY: nobody cuts this file, and only the engine's C code gets at the memory.
        unsafe { file.map(bytes, true) }
    }

    /// Unmaps everything; `remove` is for the last process to go.
    pub(super) fn end(
        &mut self,
        system: &dyn System,
        database: &Path,
        remove: bool,
    ) -> io::Result<()> {
        if let Some(file) = self.file.take() {
            for mapping in self.granules.drain(..).flatten() {
                // SAFETY: `map` made it; the engine says that nobody uses it any more.
                unsafe { file.unmap(mapping.at, mapping.length) };
            }
            if remove {
                return system.remove(&path(database));
            }
        }
        Ok(())
    }
}

fn open(system: &dyn System, path: &Path) -> io::Result<Box<dyn SystemFile>> {
    for access in [Access::ReadWrite, Access::CreateNew] {
        match system.open(path, access) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
    }
    system.open(path, Access::ReadWrite)
}

fn path(database: &Path) -> PathBuf {
    let mut path = OsString::from(database);
    path.push("-shm");
    path.into()
}
