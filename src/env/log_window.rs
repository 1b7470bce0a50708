//! Writing the log: by copying into mapped stretches of it.
//!
//! A commit writes some hundred bytes behind the last one. A copy takes a tenth of the time of
//! a system call, and once copied the bytes belong to the operating system, as written ones do:
//! they outlive the process. Whether they outlive a loss of power is decided by the sync that
//! follows, as ever.
//!
//! What was mapped once stays so, because the log comes back to its beginning after each
//! checkpoint: then there is nothing to reserve, to map or to unmap any more.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::ptr::{self, NonNull};

use super::file::{Mapping, reserve, write};
use super::system::{Bytes, SystemFile};

/// The log is mapped in steps of this, and of a quarter of its length when that is more, up to
/// [`LONGEST`].
const STEP: u64 = 256 * 1024;
const LONGEST: u64 = 4 * 1024 * 1024;
/// So much stays mapped; it is no memory of the process, but it takes addresses.
const MOST: u64 = if usize::BITS < 64 { 64 << 20 } else { 1 << 30 };

#[derive(Default)]
pub(super) struct LogWindow {
    /// By where they begin in the file.
    stretches: BTreeMap<u64, Stretch>,
    /// A copy of the one that was written to last.
    current: Option<Stretch>,
    mapped: u64,
    /// The last write was synced, so that the next one will be, too.
    syncs: bool,
    /// The file is at least so long.
    length: u64,
    /// The file system doesn't map files for writing: some of networks and of users don't.
    is_refused: bool,
}

/// A mapped part of the file.
#[derive(Copy, Clone)]
struct Stretch {
    start: u64,
    mapping: Mapping,
    /// Up to here in the file there are pages to copy into.
    ready: u64,
}

impl LogWindow {
    pub(super) fn new(can_map: bool) -> LogWindow {
        LogWindow {
            is_refused: !can_map,
            ..LogWindow::default()
        }
    }

    /// False if all is still to be written, in the plain way: where files can't be mapped for
    /// writing, and what is synced at once. From a mapping, a sync writes more than was copied, and
    /// the next copy waits until the page can be written to again.
    pub(super) fn write(
        &mut self,
        file: &dyn SystemFile,
        mut bytes: &[u8],
        mut offset: u64,
    ) -> io::Result<bool> {
        if self.is_refused {
            return Ok(false);
        }
        if mem::take(&mut self.syncs) {
            self.lengthen(file, offset.saturating_add(bytes.len() as u64))?;
            return Ok(false);
        }
        while !bytes.is_empty() {
            let Some((at, length)) = self.find(file, offset)? else {
                return Ok(false);
            };
            let (now, later) = bytes.split_at(bytes.len().min(length));
            // SAFETY: `length` bytes are mapped for writing there, and nobody has a reference
            // to this memory.
            unsafe { ptr::copy_nonoverlapping(now.as_ptr(), at.as_ptr(), now.len()) };
            bytes = later;
            offset += now.len() as u64;
        }
        Ok(true)
    }

    /// Where this offset is mapped, and how many bytes from there can be copied into.
    fn find(
        &mut self,
        file: &dyn SystemFile,
        offset: u64,
    ) -> io::Result<Option<(NonNull<u8>, usize)>> {
        if let Some(found) = self.current.and_then(|current| current.at(offset)) {
            return Ok(Some(found));
        }
        let before = self.stretches.range(..=offset).next_back();
        let known = before.map(|(_, &stretch)| stretch);
        let mut stretch = match known.filter(|stretch| offset < stretch.end()) {
            Some(stretch) => stretch,
            None => match self.extend(file, offset - offset % STEP)? {
                Some(stretch) => stretch,
                None => return Ok(None),
            },
        };
        stretch.make_ready(file, offset)?;
        self.stretches.insert(stretch.start, stretch);
        self.current = Some(stretch);
        Ok(stretch.at(offset))
    }

    /// Maps a stretch that begins here.
    fn extend(&mut self, file: &dyn SystemFile, start: u64) -> io::Result<Option<Stretch>> {
        if self.mapped >= MOST {
            self.end(file);
        }
        let grown = start / 4 - start / 4 % STEP;
        let next = self.stretches.range(start..).next();
        let room = next.map_or(LONGEST, |(&next, _)| next - start);
        let bytes = Bytes {
            offset: start,
            length: grown.clamp(STEP, LONGEST).min(room),
        };
        // SAFETY: the engine never cuts its log, and only `write` gets at the memory, where
        // `make_ready` has been.
        let at = match unsafe { file.map(bytes, true) } {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENODEV | libc::EINVAL)) => {
                self.is_refused = true;
                return Ok(None);
            }
            result => result?,
        };
        let length = usize::try_from(bytes.length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let stretch = Stretch {
            start,
            mapping: Mapping { at, length },
            ready: start,
        };
        self.stretches.insert(start, stretch);
        self.mapped += bytes.length;
        Ok(Some(stretch))
    }

    pub(super) fn note_sync(&mut self) {
        self.syncs = true;
    }

    /// Writes zeros up to this offset and farther, if the file ends before. A sync takes twice as
    /// long if the file has become longer.
    fn lengthen(&mut self, file: &dyn SystemFile, end: u64) -> io::Result<()> {
        if end <= self.length {
            return Ok(());
        }
        self.length = file.status()?.length;
        while self.length < end {
            let zeros = [0; 64 * 1024];
            write(file, &zeros, self.length)?;
            self.length += zeros.len() as u64;
        }
        Ok(())
    }

    /// Unmaps everything.
    pub(super) fn end(&mut self, file: &dyn SystemFile) {
        self.current = None;
        self.mapped = 0;
        self.length = 0;
        while let Some((_, Stretch { mapping, .. })) = self.stretches.pop_first() {
            // SAFETY: `extend` made it, and `write` uses it under `&mut self` only.
            unsafe { file.unmap(mapping.at, mapping.length) };
        }
    }
}

impl Stretch {
    fn end(&self) -> u64 {
        self.start + self.mapping.length as u64
    }

    /// The address of an offset, and the bytes from there that are ready.
    fn at(&self, offset: u64) -> Option<(NonNull<u8>, usize)> {
        let skip = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let rest = self.ready.checked_sub(offset).filter(|&rest| rest > 0)?;
        // SAFETY: what is ready is mapped, so that this is less than its length.
        let at = unsafe { self.mapping.at.add(skip) };
        Some((at, usize::try_from(rest).unwrap_or(usize::MAX)))
    }

    /// Makes pages to copy into, up to this offset and a little farther.
    ///
    /// With space on the disk: a mapped page that there is no space for ends the process. Behind
    /// the end of the file zeros are written. To copy into a page that was only reserved makes the
    /// system read it first, with megabytes of what follows; and a sync has to note in the file
    /// system that it is used now, which takes as long as the sync itself.
    fn make_ready(&mut self, file: &dyn SystemFile, offset: u64) -> io::Result<()> {
        let zeros = [0; 16 * 1024];
        while self.ready <= offset {
            let rest = self.end() - self.ready;
            // What others have written meanwhile must stay.
            let length = match file.status()?.length.checked_sub(self.ready) {
                None | Some(0) => {
                    let n = usize::try_from(rest).map_or(zeros.len(), |n| n.min(zeros.len()));
                    write(file, &zeros[..n], self.ready)?;
                    n as u64
                }
                Some(old) => {
                    let old = Bytes {
                        offset: self.ready,
                        length: old.min(rest),
                    };
                    reserve(file, old)?;
                    old.length
                }
            };
            self.ready += length;
        }
        Ok(())
    }
}
