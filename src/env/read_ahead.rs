//! Reading the log: recovery asks for 512 bytes at a time, and goes on behind them.

use std::io;
use std::mem::MaybeUninit;

use super::file::read;
use super::system::SystemFile;

/// So much is read at once.
const AHEAD: usize = 128 * 1024;

#[derive(Default)]
pub(super) struct ReadAhead {
    /// Where in the file these bytes are.
    offset: u64,
    bytes: Vec<u8>,
}

impl ReadAhead {
    /// Fills the buffer; behind the end of the file are zeros.
    pub(super) fn read(
        &mut self,
        file: &dyn SystemFile,
        buffer: &mut [MaybeUninit<u8>],
        offset: u64,
    ) -> io::Result<()> {
        if buffer.len() > AHEAD {
            return read(file, buffer, offset);
        }
        if self.find(offset, buffer.len()).is_none() {
            let mut bytes = Vec::with_capacity(AHEAD);
            self.bytes.clear();
            read(file, &mut bytes.spare_capacity_mut()[..AHEAD], offset)?;
            // SAFETY: `read` filled the first `AHEAD` bytes of the spare room.
            unsafe { bytes.set_len(AHEAD) };
            (self.offset, self.bytes) = (offset, bytes);
        }
        let found = self.find(offset, buffer.len()).unwrap_or_default();
        for (to, &byte) in buffer.iter_mut().zip(found) {
            to.write(byte);
        }
        Ok(())
    }

    fn find(&self, offset: u64, length: usize) -> Option<&[u8]> {
        let skip = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        self.bytes.get(skip..)?.get(..length)
    }

    /// The file is changed.
    pub(super) fn forget(&mut self) {
        self.bytes = Vec::new();
    }
}
