//! Scans: all records that a cursor comes to, where the engine has them.

use std::ffi::{c_int, c_void};
use std::ops::ControlFlow;
use std::ptr;

use super::cursor::{Cursor, Lent, Step, slice};
use crate::error::{LsmError, LsmErrorCode};
use crate::ffi;

const OPERATION: &str = "next";

/// So many records are asked for at once; a page of small ones holds about as many.
const AHEAD: usize = 64;

pub(super) const NO_RECORD: ffi::lsmlite_record = ffi::lsmlite_record {
    pKey: ptr::null(),
    pVal: ptr::null(),
    nKey: 0,
    nVal: 0,
};

impl Cursor<'_> {
    /// Moves on and on, or back and back, and shows each record where the engine has it, until
    /// `look` breaks off; then the cursor is on the record that it was shown last. `None` at the
    /// end.
    ///
    /// In all that time every other call on the connection is refused.
    #[inline]
    pub(crate) fn scan_with<T>(
        &mut self,
        step: Step,
        mut look: impl FnMut(&[u8], &[u8]) -> ControlFlow<T>,
    ) -> Result<Option<T>, LsmError> {
        self.need_position(OPERATION)?;
        let _lent = Lent::begin(self.conn);
        let mut room = [NO_RECORD; AHEAD];
        loop {
            let ahead = self.ahead(step, &mut room);
            let broken = match ahead.is_empty() {
                false => self.show_ahead(step, ahead, &mut look)?,
                true => match self.next_record(step)? {
                    Some(record) => self.show(&record, &mut look)?.break_value(),
                    None => return Ok(None),
                },
            };
            if broken.is_some() {
                return Ok(broken);
            }
        }
    }

    /// Moves on, or back, over records that can be shown without a step for each, `most` of them or
    /// [`AHEAD`], and shows each. Returns how many there were: none says that the next one takes a
    /// step, or that there is none.
    ///
    /// Until it returns every other call on the connection is refused.
    pub(crate) fn pass_with(
        &mut self,
        step: Step,
        most: usize,
        mut look: impl FnMut(&[u8], &[u8]),
    ) -> Result<usize, LsmError> {
        self.need_position(OPERATION)?;
        let _lent = Lent::begin(self.conn);
        let mut room = [NO_RECORD; AHEAD];
        let ahead = self.ahead(step, &mut room[..most.min(AHEAD)]);
        if !ahead.is_empty() {
            self.show_ahead(step, ahead, &mut |key: &[u8], value: &[u8]| {
                look(key, value);
                ControlFlow::<()>::Continue(())
            })?;
        }
        Ok(ahead.len())
    }

    /// The records that lie ahead, as far as they can be shown without a step. They stay where they
    /// are until the next call on the connection.
    #[inline]
    fn ahead<'r>(
        &self,
        step: Step,
        room: &'r mut [ffi::lsmlite_record],
    ) -> &'r [ffi::lsmlite_record] {
        let most = c_int::try_from(room.len()).unwrap_or(c_int::MAX);
        // SAFETY: `csr` came from `lsm_csr_open` and is closed only in `Drop`; the connection is
        // borrowed, so it is open, and on this thread. There is room for so many records.
        let count = unsafe {
            ffi::lsmlite_csr_ahead(self.csr.as_ptr(), step as c_int, room.as_mut_ptr(), most)
        };
        &room[..usize::try_from(count).unwrap_or(0)]
    }

    /// Shows these records, which lie ahead, and goes to the last one that was shown.
    #[inline]
    fn show_ahead<T>(
        &self,
        step: Step,
        ahead: &[ffi::lsmlite_record],
        look: &mut impl FnMut(&[u8], &[u8]) -> ControlFlow<T>,
    ) -> Result<Option<T>, LsmError> {
        let mut shown = Shown {
            cursor: self,
            step,
            count: 0,
        };
        let mut broken = None;
        for record in ahead {
            shown.count += 1;
            broken = self.show(record, look)?.break_value();
            if broken.is_some() {
                break;
            }
        }
        shown.pass()?;
        Ok(broken)
    }

    /// Shows a record where the engine has it, after its last call.
    #[inline]
    fn show<T>(
        &self,
        record: &ffi::lsmlite_record,
        look: &mut impl FnMut(&[u8], &[u8]) -> ControlFlow<T>,
    ) -> Result<ControlFlow<T>, LsmError> {
        // SAFETY: both pointers stay readable for the lengths beside them until the next call on
        // the connection. `Lent` has every such call refused while `look` runs, also if it panics,
        // and the caller makes its own when `look` is done.
        let (key, value) = unsafe {
            (
                slice(record.pKey, record.nKey),
                slice(record.pVal, record.nVal),
            )
        };
        let (Some(key), Some(value)) = (key, value) else {
            return Err(self.error(OPERATION, LsmErrorCode::LsmCorrupt));
        };
        let flow = look(key, value);
        // `look` may have forked, and this be the child.
        self.conn.refuse_fork(OPERATION)?;
        Ok(flow)
    }

    /// Moves one record on, and says where it is.
    fn next_record(&mut self, step: Step) -> Result<Option<ffi::lsmlite_record>, LsmError> {
        let mut record = NO_RECORD;
        let (key, value): (*mut *const c_void, *mut *const c_void) =
            (&mut record.pKey, &mut record.pVal);
        let mut is_record = 0;
        // SAFETY: as in `ahead`; the out-parameters are live locals.
        let rc = unsafe {
            ffi::lsmlite_csr_step(
                self.csr.as_ptr(),
                step as c_int,
                &mut is_record,
                key,
                &mut record.nKey,
                value,
                &mut record.nVal,
            )
        };
        self.moved(OPERATION, rc)?;
        Ok((is_record != 0).then_some(record))
    }
}

/// So many of the records ahead were shown: the cursor goes to the last one of them, also if it was
/// shown in vain.
struct Shown<'s, 'c> {
    cursor: &'s Cursor<'c>,
    step: Step,
    count: c_int,
}

impl Shown<'_, '_> {
    fn pass(mut self) -> Result<(), LsmError> {
        let rc = self.go();
        self.cursor.moved(OPERATION, rc)
    }

    fn go(&mut self) -> c_int {
        let count = std::mem::take(&mut self.count);
        let csr = self.cursor.csr.as_ptr();
        // SAFETY: as in `ahead`; at least so many records were shown by the call before.
        unsafe { ffi::lsmlite_csr_pass(csr, self.step as c_int, count) }
    }
}

impl Drop for Shown<'_, '_> {
    fn drop(&mut self) {
        // After an error or a panic; in the child of a fork there is nothing to move.
        if self.count > 0 && self.cursor.conn.refuse_fork(OPERATION).is_ok() {
            let rc = self.go();
            // What the caller hears of is what came before.
            let _ = self.cursor.moved(OPERATION, rc);
        }
    }
}
