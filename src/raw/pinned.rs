//! The file as a connection's snapshot has it, to be read by others than the engine.

use std::ffi::c_int;
use std::io;
use std::mem;

use super::{Connection, Cursor};
use crate::error::{LsmError, LsmErrorCode};
use crate::ffi;
use crate::format::source::Source;

/// The most numbers in a checkpoint.
const MOST: usize = 1024;

/// A snapshot that is kept: none of its blocks is reused while this lives, by whichever thread or
/// process. An open cursor is a read lock with the snapshot's number, and a block is reused only
/// if it was freed before the oldest read lock.
pub(crate) struct Pinned<'c> {
    conn: &'c Connection,
    _cursor: Cursor<'c>,
}

impl Connection {
    /// Takes a snapshot, or keeps the one that the connection has.
    pub(crate) fn pin(&self) -> Result<Pinned<'_>, LsmError> {
        Ok(Pinned {
            conn: self,
            _cursor: self.cursor()?,
        })
    }
}

/// Snapshots that are kept without a borrow.
impl Connection {
    /// Takes a new snapshot, and keeps it until [`let_go`](Self::let_go), the next call of this,
    /// or a write.
    pub(crate) fn hold(&mut self) -> Result<(), LsmError> {
        self.let_go();
        // It stays in the connection's list of open cursors, which closes it.
        mem::forget(self.cursor()?);
        Ok(())
    }

    /// Ends the snapshot that is held, or that a leaked cursor keeps.
    pub(crate) fn let_go(&mut self) {
        if self.refuse_reentry("close a cursor").is_ok() {
            self.without_cursors();
        }
    }

    /// The number of the snapshot that the connection has, or of a new one. What was freed before
    /// it isn't in it.
    pub(crate) fn snapshot_id(&self) -> Result<u64, LsmError> {
        match self.pin()?.checkpoint()?[..] {
            [high, low, ..] => Ok(u64::from(high) << 32 | u64::from(low)),
            _ => Err(self.error("snapshot", LsmErrorCode::LsmCorrupt)),
        }
    }
}

impl Pinned<'_> {
    /// The snapshot's checkpoint, in the file's numbers.
    pub(crate) fn checkpoint(&self) -> Result<Vec<u32>, LsmError> {
        let mut words = vec![0; MOST];
        let mut n: c_int = 0;
        // SAFETY: the handle is live and used by this thread only, and `_cursor` keeps it in a
        // read transaction; there is room for the 1,024 numbers that the function may write.
        let rc =
            unsafe { ffi::lsmlite_snapshot(self.conn.db.as_ptr(), words.as_mut_ptr(), &mut n) };
        self.conn.check("verify", rc)?;
        let corrupt = || self.conn.error("verify", LsmErrorCode::LsmCorrupt);
        words.truncate(usize::try_from(n).map_err(|_| corrupt())?);
        Ok(words)
    }
}

/// Reads through the engine's own file handle: another one, when closed, would drop the locks that
/// this process has on the file. Pages that were written through a mapping are visible to it.
impl Source for Pinned<'_> {
    /// Not known: what lies behind the end reads as zeros.
    fn len(&self) -> u64 {
        u64::MAX
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let failed = |error: LsmError| io::Error::other(error.to_string());
        self.conn.refuse_reentry("verify").map_err(failed)?;
        // In pieces: a length is a C `int`.
        for (i, piece) in out.chunks_mut(1 << 20).enumerate() {
            let offset = offset.checked_add((i as u64) << 20);
            let i_off = offset.and_then(|offset| ffi::lsm_i64::try_from(offset).ok());
            let (Some(i_off), Ok(n)) = (i_off, c_int::try_from(piece.len())) else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            // SAFETY: the handle is live and used by this thread only; `piece` is writable for
            // `n` bytes.
            let rc = unsafe {
                ffi::lsmlite_read(self.conn.db.as_ptr(), i_off, piece.as_mut_ptr().cast(), n)
            };
            self.conn.outcome("verify", rc).map_err(failed)?;
        }
        Ok(())
    }
}
