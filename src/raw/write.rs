//! Writing through a connection: records, and work on the file.

use std::ffi::c_int;
use std::ptr;

use super::Connection;
use super::connection::Transaction;
use super::scan::NO_RECORD;
use crate::error::{LsmError, LsmErrorCode};
use crate::{ffi, panic};

/// The most bytes of one key and its value together: a little less than 1 GiB. lsm1 counts
/// in `int`, and its log buffer holds up to two entries with what is added to them.
pub(crate) const MAX_ENTRY_BYTES: usize = (1 << 30) - (1 << 16);

/// So many keys at once [`expect`](Connection::expect) makes use of.
pub(crate) const MAX_EXPECTED: usize = 16;

impl Connection {
    /// Inserts or replaces. In a transaction, an error dooms the transaction.
    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmError> {
        let (n_key, n_val) = self.entry_len("insert", key, value)?;
        let db = self.writable("insert")?;
        // SAFETY: `db` is live, has no cursors and is ours by `&mut self`; both pointers
        // are readable for the lengths beside them, and lsm1 copies what it keeps.
        let rc = unsafe {
            ffi::lsm_insert(db, key.as_ptr().cast(), n_key, value.as_ptr().cast(), n_val)
        };
        self.written("insert", rc)
    }

    /// Says which keys are inserted or deleted next, in the open transaction, so that they are found
    /// faster; the first [`MAX_EXPECTED`] of them.
    pub(crate) fn expect<'k>(&mut self, keys: impl IntoIterator<Item = &'k [u8]>) {
        let Ok(db) = self.writable("write") else {
            return;
        };
        let mut records = [NO_RECORD; MAX_EXPECTED];
        let mut count = 0;
        for (record, key) in records.iter_mut().zip(keys) {
            // Too long a key is refused when it is written.
            let Ok(n_key) = c_int::try_from(key.len()) else {
                return;
            };
            (record.pKey, record.nKey) = (key.as_ptr().cast(), n_key);
            count += 1;
        }
        // SAFETY: `db` is live and ours by `&mut self`; so many of the records are filled in, and
        // their keys, which outlive this call, are readable for the lengths beside them.
        unsafe { ffi::lsmlite_expect(db, records.as_ptr(), count) };
    }

    /// Deletes a key; it need not exist.
    pub(crate) fn delete(&mut self, key: &[u8]) -> Result<(), LsmError> {
        let (n_key, _) = self.entry_len("remove", key, &[])?;
        let db = self.writable("remove")?;
        // SAFETY: as in `insert`.
        let rc = unsafe { ffi::lsm_delete(db, key.as_ptr().cast(), n_key) };
        self.written("remove", rc)
    }

    /// Deletes the keys strictly between the two.
    pub(crate) fn delete_range(&mut self, begin: &[u8], end: &[u8]) -> Result<(), LsmError> {
        let (n_begin, n_end) = self.entry_len("remove_range", begin, end)?;
        let db = self.writable("remove_range")?;
        // SAFETY: as in `insert`.
        let rc = unsafe {
            ffi::lsm_delete_range(
                db,
                begin.as_ptr().cast(),
                n_begin,
                end.as_ptr().cast(),
                n_end,
            )
        };
        self.written("remove_range", rc)
    }

    /// Flushes the old tree and merges segments, `n_merge` at a time (0: as configured), until
    /// `kib` were written (`None`: all there is); returns the KiB written.
    pub(crate) fn work(&mut self, n_merge: u32, kib: Option<u32>) -> Result<u32, LsmError> {
        let db = self.idle("work")?;
        let n_merge = c_int::try_from(n_merge).unwrap_or(c_int::MAX);
        let n_kb = kib.map_or(-1, |kib| c_int::try_from(kib).unwrap_or(c_int::MAX));
        // lsm1's own count leaves out the flush and converts pages to KiB upside down.
        let before = self.pages_written()?;
        // SAFETY: `db` is live, open for writing, without cursor or transaction, and ours
        // by `&mut self`; a null pointer means that the count isn't wanted.
        let rc = unsafe { ffi::lsm_work(db, n_merge, n_kb, ptr::null_mut()) };
        self.finish("work", rc)?;
        let pages = self.pages_written()?.wrapping_sub(before);
        Ok(pages.saturating_mul(self.page_size_bytes()? / 256) / 4)
    }

    /// Writes both in-memory trees to the database file.
    pub(crate) fn flush(&mut self) -> Result<(), LsmError> {
        let db = self.idle("flush")?;
        // SAFETY: as in `work`.
        let rc = unsafe { ffi::lsm_flush(db) };
        self.finish("flush", rc)
    }

    /// Makes the database file itself durable up to its last change; returns the KiB that
    /// had been written since the checkpoint before.
    pub(crate) fn checkpoint(&mut self) -> Result<u32, LsmError> {
        let db = self.idle("checkpoint")?;
        let mut written_kb: c_int = 0;
        // SAFETY: as in `work`.
        let rc = unsafe { ffi::lsm_checkpoint(db, &mut written_kb) };
        self.finish("checkpoint", rc)?;
        Ok(u32::try_from(written_kb).unwrap_or(0))
    }

    fn writable(&mut self, operation: &'static str) -> Result<*mut ffi::lsm_db, LsmError> {
        self.refuse_read_only(operation)?;
        self.refuse_failed(operation)?;
        if let Transaction::Failed(error) = &self.transaction {
            return Err(error.clone());
        }
        self.exclusive(operation)
    }

    /// The handle for work on the file, which lsm1 allows only outside of transactions.
    pub(super) fn idle(&mut self, operation: &'static str) -> Result<*mut ffi::lsm_db, LsmError> {
        self.refuse_read_only(operation)?;
        self.refuse_failed(operation)?;
        if self.in_transaction() {
            let error = self.error(operation, LsmErrorCode::LsmMisuse);
            return Err(error.with_message("a transaction is open: end it first"));
        }
        self.exclusive(operation)
    }

    fn entry_len(
        &self,
        operation: &'static str,
        key: &[u8],
        value: &[u8],
    ) -> Result<(c_int, c_int), LsmError> {
        let total = key.len().saturating_add(value.len());
        let lengths = (c_int::try_from(key.len()), c_int::try_from(value.len()));
        if let (true, (Ok(n_key), Ok(n_val))) = (total <= MAX_ENTRY_BYTES, lengths) {
            return Ok((n_key, n_val));
        }
        let message = format!("key and value take {total} bytes; the limit is {MAX_ENTRY_BYTES}");
        let error = self.error(operation, LsmErrorCode::LsmConversionErr);
        Err(error.with_message(message))
    }

    fn written(&mut self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        let result = self.settle(operation, rc);
        if self.in_transaction() {
            // Recorded before a caught panic goes on: it dooms the transaction too.
            match &result {
                Err(error) => self.transaction = Transaction::Failed(error.clone()),
                Ok(()) if panic::is_pending() => {
                    let error = self.error(operation, LsmErrorCode::LsmError);
                    let error = error.with_message("a page codec panicked");
                    self.transaction = Transaction::Failed(error);
                }
                Ok(()) => {}
            }
        }
        panic::resume();
        result
    }
}
