//! Writing the log: by copying into a mapped stretch of it.
//!
//! A commit writes some hundred bytes behind the last one. A copy takes a tenth of the time of
//! a system call, and once copied the bytes belong to the operating system, as written ones do:
//! they outlive the process. Whether they outlive a loss of power is decided by the sync that
//! follows, as ever.

use std::io;
use std::ptr::{self, NonNull};

use super::file::{Mapping, reserve};
use super::system::{Bytes, SystemFile};

/// The stretch that is mapped; the log grows in these steps.
const WINDOW_LEN: usize = 256 * 1024;

#[derive(Default)]
pub(super) struct LogWindow {
    /// Where in the file the mapped stretch begins, and its memory.
    current: Option<(u64, Mapping)>,
    /// The file system doesn't map files for writing: some of networks and of users don't.
    is_refused: bool,
}

impl LogWindow {
    /// False if files can't be mapped for writing here: then all is still to be written.
    pub(super) fn write(
        &mut self,
        file: &dyn SystemFile,
        mut bytes: &[u8],
        mut offset: u64,
    ) -> io::Result<bool> {
        while !bytes.is_empty() {
            let within = offset % WINDOW_LEN as u64;
            let Some(at) = self.move_to(file, offset - within)? else {
                return Ok(false);
            };
            let skip = usize::try_from(within).map_err(|_| io::ErrorKind::InvalidInput)?;
            let (now, later) = bytes.split_at(bytes.len().min(WINDOW_LEN - skip));
            // SAFETY: the window is mapped for writing, `skip + now.len()` is at most its
            // length, and nobody has a reference to its memory.
            unsafe { ptr::copy_nonoverlapping(now.as_ptr(), at.as_ptr().add(skip), now.len()) };
            bytes = later;
            offset += now.len() as u64;
        }
        Ok(true)
    }

    /// Maps the window that begins here.
    fn move_to(&mut self, file: &dyn SystemFile, start: u64) -> io::Result<Option<NonNull<u8>>> {
        match self.current {
            _ if self.is_refused => return Ok(None),
            Some((current, mapping)) if current == start => return Ok(Some(mapping.at)),
            _ => self.end(file),
        }
        let bytes = Bytes {
            offset: start,
            length: WINDOW_LEN as u64,
        };
        // With space on the disk: a mapped page that there is no space for ends the process.
        reserve(file, bytes)?;
        // SAFETY: the engine never cuts its log, and only `write` gets at the memory.
        let at = match unsafe { file.map(bytes, true) } {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENODEV | libc::EINVAL)) => {
                self.is_refused = true;
                return Ok(None);
            }
            result => result?,
        };
        let mapping = Mapping {
            at,
            length: WINDOW_LEN,
        };
        self.current = Some((start, mapping));
        Ok(Some(at))
    }

    /// Unmaps the window.
    pub(super) fn end(&mut self, file: &dyn SystemFile) {
        if let Some((_, mapping)) = self.current.take() {
            // SAFETY: `move_to` made it, and `write` uses it under `&mut self` only.
            unsafe { file.unmap(mapping.at, mapping.length) };
        }
    }
}
