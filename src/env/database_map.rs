//! The mapping of a database file, which grows with the file and stays where it is.
//!
//! Addresses are kept free behind it, so that growing maps the new part only. To map everything
//! once more would throw away what the system knows of every page that was used, and make the
//! engine correct its pointers.

use std::io;

use super::file::{Mapping, reserve};
use super::system::{Bytes, SystemFile};

/// A mapped file grows in these steps; the larger one above [`SMALL_FILE`].
const GROWTH: [u64; 2] = [256 << 10, 1 << 20];
const SMALL_FILE: u64 = 2 << 20;

/// So many addresses are kept free for a file, or [`TIMES`] its length if that is more.
const ADDRESSES: u64 = if cfg!(test) { 4 << 20 } else { 16 << 30 };
const TIMES: u64 = 4;
#[derive(Default)]
pub(super) struct DatabaseMap {
    mapping: Option<Mapping>,
    /// Bytes from its beginning that are ours, mapped or free.
    kept: usize,
}

impl DatabaseMap {
    /// Maps the whole file, which becomes at least `least` bytes long if it may be written. If it
    /// moves, the old mapping ends; if it doesn't work, it stays.
    pub(super) fn remap(
        &mut self,
        file: &dyn SystemFile,
        writable: bool,
        least: u64,
    ) -> io::Result<Mapping> {
        let mut length = file.status()?.length;
        if length < least {
            if !writable {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let step = GROWTH[usize::from(least > SMALL_FILE)];
            length = least
                .checked_next_multiple_of(step)
                .ok_or(io::ErrorKind::InvalidInput)?;
        }
        let total = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let old = (self.mapping)
            .filter(|old| (old.length..=self.kept).contains(&total))
            .filter(|old| old.length % file.page_size() == 0);
        let offset = old.map_or(0, |old| old.length as u64);
        let part = Bytes {
            offset,
            length: length - offset,
        };
        if writable && part.length > 0 {
            // With space on the disk: a page that can't be written when the system gets to it
            // would end the process. What is there already may have holes, too: files that
            // were copied often do.
            reserve(file, part)?;
        }
        let new = match old {
            Some(old) => {
                if part.length > 0 {
                    // SAFETY: of what was kept, nothing is mapped from `old.length` on; for the
                    // rest see `move_to`.
                    unsafe { file.map_at(old.at.add(old.length), part, writable)? };
                }
                Mapping {
                    at: old.at,
                    length: total,
                }
            }
            None => self.move_to(file, part, total, writable)?,
        };
        self.mapping = Some(new);
        Ok(new)
    }

    /// Maps everything at other addresses.
    fn move_to(
        &mut self,
        file: &dyn SystemFile,
        whole: Bytes,
        length: usize,
        writable: bool,
    ) -> io::Result<Mapping> {
        let wanted = whole.length.saturating_mul(TIMES).max(ADDRESSES);
        let free = usize::try_from(wanted).ok().and_then(|wanted| {
            let at = file.keep_addresses(wanted).ok()?;
            Some((at, wanted))
        });
        // SAFETY: only the last connection cuts the file, after it has unmapped it, and only the
        // engine's C code gets at the memory, which it writes to only if it has opened the file
        // for that. What was kept is longer than the file, and nobody else's.
        let mapped = unsafe {
            match free {
                Some((at, kept)) => match file.map_at(at, whole, writable) {
                    Ok(()) => Ok((at, kept)),
                    Err(error) => {
                        file.unmap(at, kept);
                        Err(error)
                    }
                },
                None => file.map(whole, writable).map(|at| (at, length)),
            }
        };
        let (at, kept) = mapped?;
        self.end(file);
        self.kept = kept;
        Ok(Mapping { at, length })
    }

    /// Unmaps the file.
    pub(super) fn end(&mut self, file: &dyn SystemFile) {
        if let Some(old) = self.mapping.take() {
            // SAFETY: `move_to` made it, of this length; the engine is done with it, or asks for
            // a new mapping only when it uses nothing of the old one before it has taken over the
            // new address.
            unsafe { file.unmap(old.at, self.kept) };
        }
    }
}
