//! A cursor: owns an `lsm_cursor` and borrows its connection.

use std::cell::Cell;
use std::cmp::Ordering;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use super::Connection;
use crate::error::{LsmError, LsmErrorCode};
use crate::ffi;

/// Where a seek may come to rest.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Seek {
    /// The key, or the next smaller one.
    AtOrBefore = ffi::LSM_SEEK_LE,
    /// The key, or nowhere.
    Exactly = ffi::LSM_SEEK_EQ,
    /// The key, or the next larger one.
    AtOrAfter = ffi::LSM_SEEK_GE,
}

/// A cursor on a connection. lsm1 cursors move in the direction of their last seek only.
pub(crate) struct Cursor<'c> {
    csr: NonNull<ffi::lsm_cursor>,
    conn: &'c Connection,
    /// False after a failed move: lsm1 leaves the position undefined then.
    positioned: Cell<bool>,
    /// Not `Send`: the connection must stay on this thread as long as the cursor lives.
    _thread: PhantomData<*mut ()>,
}

impl<'c> Cursor<'c> {
    pub(super) fn new(csr: NonNull<ffi::lsm_cursor>, conn: &'c Connection) -> Self {
        Cursor {
            csr,
            conn,
            positioned: Cell::new(false),
            _thread: PhantomData,
        }
    }

    pub(crate) fn first(&mut self) -> Result<(), LsmError> {
        self.conn.refuse_codecs("first")?;
        // SAFETY: `csr` came from `lsm_csr_open` and is closed only in
        // `Drop`; the connection is borrowed, so it is open, and on this thread.
        let rc = unsafe { ffi::lsm_csr_first(self.csr.as_ptr()) };
        self.placed("first", rc)
    }

    pub(crate) fn last(&mut self) -> Result<(), LsmError> {
        self.conn.refuse_codecs("last")?;
        // SAFETY: see `first`.
        let rc = unsafe { ffi::lsm_csr_last(self.csr.as_ptr()) };
        self.placed("last", rc)
    }

    pub(crate) fn seek(&mut self, key: &[u8], seek: Seek) -> Result<(), LsmError> {
        let n_key = self.key_len("seek", key)?;
        self.conn.refuse_codecs("seek")?;
        // SAFETY: see `first`; `key` is readable for `n_key` bytes and lsm1 copies it if it
        // keeps it.
        let rc = unsafe {
            ffi::lsm_csr_seek(self.csr.as_ptr(), key.as_ptr().cast(), n_key, seek as c_int)
        };
        self.placed("seek", rc)
    }

    pub(crate) fn next(&mut self) -> Result<(), LsmError> {
        self.need_position("next")?;
        // SAFETY: see `first`.
        let rc = unsafe { ffi::lsm_csr_next(self.csr.as_ptr()) };
        self.moved("next", rc)
    }

    pub(crate) fn prev(&mut self) -> Result<(), LsmError> {
        self.need_position("prev")?;
        // SAFETY: see `first`.
        let rc = unsafe { ffi::lsm_csr_prev(self.csr.as_ptr()) };
        self.moved("prev", rc)
    }

    /// True while the cursor rests on a record.
    pub(crate) fn valid(&self) -> bool {
        // SAFETY: see `first`.
        self.positioned.get()
            && self.conn.refuse_codecs("valid").is_ok()
            && unsafe { ffi::lsm_csr_valid(self.csr.as_ptr()) } != 0
    }

    /// A copy of the record's key.
    pub(crate) fn key(&self) -> Result<Vec<u8>, LsmError> {
        self.copy("read a key", ffi::lsm_csr_key)
    }

    /// A copy of the record's value.
    pub(crate) fn value(&self) -> Result<Vec<u8>, LsmError> {
        self.copy("read a value", ffi::lsm_csr_value)
    }

    /// Compares the record's key with `key`, as `memcmp` and then by length.
    pub(crate) fn compare(&self, key: &[u8]) -> Result<Ordering, LsmError> {
        let n_key = self.key_len("compare", key)?;
        self.need_record("compare")?;
        let mut res: c_int = 0;
        // SAFETY: see `first`; the cursor is on a record, `key` is readable for `n_key`
        // bytes and `res` is a live local.
        let rc =
            unsafe { ffi::lsm_csr_cmp(self.csr.as_ptr(), key.as_ptr().cast(), n_key, &mut res) };
        self.conn.check("compare", rc)?;
        Ok(res.cmp(&0))
    }

    /// Copies at once, because any other call on the connection ends the life of lsm1's
    /// pointer, and a shared borrow can't rule such a call out.
    fn copy(
        &self,
        operation: &'static str,
        read: unsafe extern "C" fn(*mut ffi::lsm_cursor, *mut *const c_void, *mut c_int) -> c_int,
    ) -> Result<Vec<u8>, LsmError> {
        self.need_record(operation)?;
        let (mut data, mut n): (*const c_void, c_int) = (ptr::null(), 0);
        // SAFETY: see `first`; `read` is `lsm_csr_key` or `lsm_csr_value`, the cursor is on
        // a record, and both out-parameters are live locals.
        let rc = unsafe { read(self.csr.as_ptr(), &mut data, &mut n) };
        self.conn.check(operation, rc)?;
        let len =
            usize::try_from(n).map_err(|_| self.error(operation, LsmErrorCode::LsmCorrupt))?;
        if data.is_null() || len == 0 {
            return Ok(Vec::new());
        }
        // SAFETY: on LSM_OK `data` points to `n` readable bytes that stay until the next
        // call on the connection; there is none before the copy is done.
        Ok(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) }.to_vec())
    }

    /// The result of a move that starts anywhere.
    fn placed(&self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        self.positioned.set(rc == ffi::LSM_OK);
        self.conn.check(operation, rc)
    }

    /// The result of a step; one in the wrong direction leaves the cursor where it is.
    fn moved(&self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        self.positioned
            .set(rc == ffi::LSM_OK || rc == ffi::LSM_MISUSE);
        self.conn.check(operation, rc)
    }

    fn need_position(&self, operation: &'static str) -> Result<(), LsmError> {
        self.conn.refuse_codecs(operation)?;
        if self.positioned.get() {
            return Ok(());
        }
        let error = self.error(operation, LsmErrorCode::LsmMisuse);
        Err(error.with_message("the cursor has no position: call first, last or seek"))
    }

    fn need_record(&self, operation: &'static str) -> Result<(), LsmError> {
        self.conn.refuse_codecs(operation)?;
        if self.valid() {
            return Ok(());
        }
        let error = self.error(operation, LsmErrorCode::LsmError);
        Err(error.with_message("the cursor isn't on a record"))
    }

    fn key_len(&self, operation: &'static str, key: &[u8]) -> Result<c_int, LsmError> {
        c_int::try_from(key.len()).map_err(|_| {
            let error = self.error(operation, LsmErrorCode::LsmConversionErr);
            error.with_message(format!("a key of {} bytes is too long", key.len()))
        })
    }

    fn error(&self, operation: &'static str, code: LsmErrorCode) -> LsmError {
        LsmError::new(operation, code).with_path(self.conn.path())
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        self.conn.close_cursor(self.csr);
    }
}
