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

/// `lsm_csr_key` or `lsm_csr_value`.
type Read = unsafe extern "C" fn(*mut ffi::lsm_cursor, *mut *const c_void, *mut c_int) -> c_int;

/// How [`Cursor::step_with`] moves.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Step {
    Back = -1,
    Stay = 0,
    On = 1,
}

/// Memory of the engine's; null stands for nothing. `None` for a negative length.
///
/// # Safety
/// `data` is null, or readable for `n` bytes as long as the slice is used.
#[inline]
pub(super) unsafe fn slice<'a>(data: *const c_void, n: c_int) -> Option<&'a [u8]> {
    match usize::try_from(n).ok()? {
        0 => Some(&[]),
        _ if data.is_null() => Some(&[]),
        // SAFETY: the caller's promise.
        len => Some(unsafe { std::slice::from_raw_parts(data.cast(), len) }),
    }
}

/// A cursor on a connection. lsm1 cursors move in the direction of their last seek only.
pub(crate) struct Cursor<'c> {
    pub(super) csr: NonNull<ffi::lsm_cursor>,
    pub(super) conn: &'c Connection,
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
        self.conn.refuse_reentry("first")?;
        // SAFETY: `csr` came from `lsm_csr_open` and is closed only in
        // `Drop`; the connection is borrowed, so it is open, and on this thread.
        let rc = unsafe { ffi::lsm_csr_first(self.csr.as_ptr()) };
        self.placed("first", rc)
    }

    pub(crate) fn last(&mut self) -> Result<(), LsmError> {
        self.conn.refuse_reentry("last")?;
        // SAFETY: see `first`.
        let rc = unsafe { ffi::lsm_csr_last(self.csr.as_ptr()) };
        self.placed("last", rc)
    }

    pub(crate) fn seek(&mut self, key: &[u8], seek: Seek) -> Result<(), LsmError> {
        let n_key = self.key_len("seek", key)?;
        self.conn.refuse_reentry("seek")?;
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
            && self.conn.refuse_reentry("valid").is_ok()
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

    /// Moves as said, and shows the record where the engine has it, or that there is none. The
    /// value is empty unless it is wanted.
    ///
    /// Until `look` returns, every other call on the connection is refused.
    #[inline]
    pub(crate) fn step_with<T>(
        &mut self,
        step: Step,
        with_value: bool,
        look: impl FnOnce(Option<(&[u8], &[u8])>) -> T,
    ) -> Result<T, LsmError> {
        const OPERATION: &str = "next";
        self.need_position(OPERATION)?;
        let (mut key, mut value): (*const c_void, *const c_void) = (ptr::null(), ptr::null());
        let (mut n_key, mut n_value, mut is_record) = (0, 0, 0);
        let out: *mut *const c_void = match with_value {
            true => &mut value,
            false => ptr::null_mut(),
        };
        // SAFETY: see `first`; the out-parameters are live locals, and a null pointer for the
        // value says that it isn't wanted.
        let rc = unsafe {
            ffi::lsmlite_csr_step(
                self.csr.as_ptr(),
                step as c_int,
                &mut is_record,
                &mut key,
                &mut n_key,
                out,
                &mut n_value,
            )
        };
        self.moved(OPERATION, rc)?;
        let _lent = Lent::begin(self.conn);
        if is_record == 0 {
            return Ok(look(None));
        }
        // SAFETY: on LSM_OK both pointers stay readable for the lengths beside them until the
        // next call on the connection, and `_lent` has every such call refused until `look`
        // is done, also if it panics. The cursor can't be dropped before: it is borrowed.
        let (key, value) = unsafe { (slice(key, n_key), slice(value, n_value)) };
        let (Some(key), Some(value)) = (key, value) else {
            return Err(self.error(OPERATION, LsmErrorCode::LsmCorrupt));
        };
        Ok(look(Some((key, value))))
    }

    /// Puts the record's key and value into these, which keep their memory.
    pub(crate) fn read_into(&self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<(), LsmError> {
        self.copy_into("read a key", ffi::lsm_csr_key, key)?;
        self.copy_into("read a value", ffi::lsm_csr_value, value)
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

    fn copy(&self, operation: &'static str, read: Read) -> Result<Vec<u8>, LsmError> {
        let mut copy = Vec::new();
        self.copy_into(operation, read, &mut copy)?;
        Ok(copy)
    }

    /// Copies at once, because any other call on the connection ends the life of lsm1's
    /// pointer, and a shared borrow can't rule such a call out.
    fn copy_into(
        &self,
        operation: &'static str,
        read: Read,
        to: &mut Vec<u8>,
    ) -> Result<(), LsmError> {
        self.need_record(operation)?;
        let (data, len) = self.locate(operation, read)?;
        to.clear();
        if !data.is_null() && len > 0 {
            // SAFETY: on LSM_OK `data` points to `len` readable bytes that stay until the next
            // call on the connection; there is none before the copy is done.
            to.extend_from_slice(unsafe { std::slice::from_raw_parts(data, len) });
        }
        Ok(())
    }

    /// Where the engine has the record's key or value; null if it is empty. The cursor must be
    /// on a record.
    fn locate(&self, operation: &'static str, read: Read) -> Result<(*const u8, usize), LsmError> {
        let (mut data, mut n): (*const c_void, c_int) = (ptr::null(), 0);
        // SAFETY: see `first`; `read` is `lsm_csr_key` or `lsm_csr_value`, the cursor is on
        // a record, and both out-parameters are live locals.
        let rc = unsafe { read(self.csr.as_ptr(), &mut data, &mut n) };
        self.conn.check(operation, rc)?;
        let len =
            usize::try_from(n).map_err(|_| self.error(operation, LsmErrorCode::LsmCorrupt))?;
        Ok((data.cast(), len))
    }

    /// The result of a move that starts anywhere.
    fn placed(&self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        self.positioned.set(rc == ffi::LSM_OK);
        self.conn.check(operation, rc)
    }

    /// The result of a step; one in the wrong direction leaves the cursor where it is.
    #[inline]
    pub(super) fn moved(&self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        self.positioned
            .set(rc == ffi::LSM_OK || rc == ffi::LSM_MISUSE);
        self.conn.check(operation, rc)
    }

    /// Refuses what the connection refuses now, and to go on from nowhere.
    #[inline]
    pub(crate) fn need_position(&self, operation: &'static str) -> Result<(), LsmError> {
        self.conn.refuse_reentry(operation)?;
        if self.positioned.get() {
            return Ok(());
        }
        let error = self.error(operation, LsmErrorCode::LsmMisuse);
        Err(error.with_message("the cursor has no position: call first, last or seek"))
    }

    fn need_record(&self, operation: &'static str) -> Result<(), LsmError> {
        self.conn.refuse_reentry(operation)?;
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

    pub(super) fn error(&self, operation: &'static str, code: LsmErrorCode) -> LsmError {
        LsmError::new(operation, code).with_path(self.conn.path())
    }
}

impl Connection {
    /// Shows the value with this key where the engine has it; `None`, and `look` is still there,
    /// if there is no such record.
    ///
    /// Until `look` returns, every other call on the connection is refused.
    #[inline]
    pub(crate) fn get_with<T, F: FnOnce(&[u8]) -> T>(
        &self,
        key: &[u8],
        look: &mut Option<F>,
    ) -> Result<Option<T>, LsmError> {
        const OPERATION: &str = "get";
        let Ok(n_key) = c_int::try_from(key.len()) else {
            let error = self.error(OPERATION, LsmErrorCode::LsmConversionErr);
            return Err(error.with_message(format!("a key of {} bytes is too long", key.len())));
        };
        self.refuse_reentry(OPERATION)?;
        let (mut csr, mut value): (*mut ffi::lsm_cursor, *const c_void) =
            (ptr::null_mut(), ptr::null());
        let mut n_value = 0;
        // SAFETY: the handle is live and used by this thread only; `key` is readable for `n_key`
        // bytes, and the out-parameters are live locals.
        let rc = unsafe {
            ffi::lsmlite_get(
                self.db.as_ptr(),
                key.as_ptr().cast(),
                n_key,
                &mut csr,
                &mut value,
                &mut n_value,
            )
        };
        let _opened = Opened { csr, conn: self };
        self.check(OPERATION, rc)?;
        if csr.is_null() {
            return Ok(None);
        }
        let _lent = Lent::begin(self);
        // SAFETY: there is a cursor, so `value` stays readable for `n_value` bytes until the next
        // call on the connection, and `_lent` has every such call refused until `look` is done,
        // also if it panics. The cursor is closed after that: `_lent` is dropped first.
        let Some(value) = (unsafe { slice(value, n_value) }) else {
            return Err(self.error(OPERATION, LsmErrorCode::LsmCorrupt));
        };
        Ok(look.take().map(|look| look(value)))
    }
}

/// A cursor that nobody else knows of, or null.
struct Opened<'c> {
    csr: *mut ffi::lsm_cursor,
    conn: &'c Connection,
}

impl Drop for Opened<'_> {
    #[inline]
    fn drop(&mut self) {
        // The process may have forked meanwhile, and the child has nothing to close.
        if self.conn.refuse_reentry("close a cursor").is_ok() {
            // SAFETY: `lsmlite_get` opened it for this alone, on this thread, in a call that is
            // over; null is allowed.
            unsafe { ffi::lsm_csr_close(self.csr) };
        }
    }
}

/// Keeps the connection from being used while somebody looks at the engine's memory.
pub(super) struct Lent<'c>(&'c Connection);

impl<'c> Lent<'c> {
    pub(super) fn begin(conn: &'c Connection) -> Self {
        conn.lent.set(true);
        Lent(conn)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.lent.set(false);
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        self.conn.close_cursor(self.csr);
    }
}
