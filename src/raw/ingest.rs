//! Sorted records from Rust, written by C into a run of their own.

use std::ffi::{c_int, c_void};

use super::Connection;
use super::write::MAX_ENTRY_BYTES;
use crate::env::{Process, WriteOut, take_failure};
use crate::error::{LsmError, LsmErrorCode};
use crate::{ffi, panic};

/// Where the records come from. Their keys must ascend strictly; else what is in the file
/// afterwards can't be searched.
pub(crate) trait Source {
    /// Goes to the next record; false at the end.
    ///
    /// # Errors
    /// `Stop` ends the ingestion, and nothing of it stays.
    fn advance(&mut self) -> Result<bool, Stop>;
    /// Key and value of the record, unchanged until the next call of [`advance`](Self::advance).
    fn record(&self) -> (&[u8], &[u8]);
}

/// The source knows why.
pub(crate) struct Stop;

/// What the C side calls back with.
struct Feed<'a> {
    source: &'a mut dyn Source,
    process: Process,
    /// Bytes of a record that is larger than the engine can take.
    too_large: Option<usize>,
}

impl Connection {
    /// Writes all records as one run that is newer than all there is, and makes a checkpoint.
    /// `Ok(false)` if the source stopped it.
    pub(crate) fn ingest(&mut self, source: &mut dyn Source) -> Result<bool, LsmError> {
        let db = self.idle("ingest")?;
        let mut feed = Feed {
            source,
            process: Process::current(),
            too_large: None,
        };
        let ctx: *mut Feed<'_> = &mut feed;
        let _early = WriteOut::begin();
        // SAFETY: `db` is live, open for writing, without cursor or transaction, and ours by
        // `&mut self`. `next_record` gets `ctx` on this thread and during this call only, in
        // which nothing else touches `feed`.
        let rc = unsafe { ffi::lsmlite_ingest(db, Some(next_record), ctx.cast()) };
        let stopped = rc == STOPPED;
        if stopped {
            // What failed besides and didn't matter mustn't turn up in the next error.
            take_failure();
        }
        if let (true, Some(total)) = (stopped, feed.too_large) {
            let error = self.error("ingest", LsmErrorCode::LsmConversionErr);
            return Err(error.with_message(format!(
                "key and value take {total} bytes; the limit is {MAX_ENTRY_BYTES}"
            )));
        }
        if stopped {
            panic::resume();
            self.refuse_fork("ingest")?;
            return Ok(false);
        }
        self.finish("ingest", rc).map(|()| true)
    }
}

/// What C gets, and returns, if there is to be no further record. It is no code of the engine's.
const STOPPED: c_int = ffi::LSM_ERROR | 0x7f << 8;

/// # Safety
/// `ctx` points to a [`Feed`] that nobody else uses, and the other pointers can be written to.
unsafe extern "C" fn next_record(
    ctx: *mut c_void,
    is_record: *mut c_int,
    key: *mut *const c_void,
    n_key: *mut c_int,
    value: *mut *const c_void,
    n_value: *mut c_int,
) -> c_int {
    // SAFETY: the caller's promise; no reference from an earlier call is left.
    let feed = unsafe { &mut *ctx.cast::<Feed<'_>>() };
    panic::guard(STOPPED, || {
        let advanced = feed.source.advance();
        if !feed.process.is_current() {
            // This is the child of a source that forked: the parent writes the run.
            return STOPPED;
        }
        match advanced {
            Ok(true) => {}
            Ok(false) => return ffi::LSM_OK,
            Err(Stop) => return STOPPED,
        }
        let (k, v) = feed.source.record();
        let total = k.len().saturating_add(v.len());
        let lengths = (c_int::try_from(k.len()), c_int::try_from(v.len()));
        let (true, (Ok(k_len), Ok(v_len))) = (total <= MAX_ENTRY_BYTES, lengths) else {
            feed.too_large = Some(total);
            return STOPPED;
        };
        // SAFETY: the caller's promise. The slices stay until the source advances, which is in
        // the next call.
        unsafe {
            *key = k.as_ptr().cast();
            *n_key = k_len;
            *value = v.as_ptr().cast();
            *n_value = v_len;
            *is_record = 1;
        }
        ffi::LSM_OK
    })
}
