//! What is left of a connection after a failed write: it reads, and nothing else.

use std::ffi::c_int;

use super::Connection;
use super::connection::{Culprit, Transaction};
use crate::error::{LsmError, LsmErrorCode};
use crate::{ffi, panic};

/// The first failure of a connection.
#[derive(Default)]
pub(super) struct Poison(Option<LsmError>);

impl Poison {
    pub(super) fn cause(&self) -> Option<&LsmError> {
        self.0.as_ref()
    }
}

/// True if an error of a call that writes says that the file and what the connection thinks of
/// it may differ from now on.
///
/// The others touch neither: somebody else was in the way, or the call was refused (by the
/// engine's own limits too: a transaction that is too large for its memory), or a page codec
/// failed, and then the page was never written.
fn poisons(error: &LsmError, culprit: Culprit) -> bool {
    use LsmErrorCode::*;
    let is_refusal = matches!(
        error.code(),
        LsmBusy | LsmReadOnly | LsmMisuse | LsmMismatch | LsmConversionErr
    );
    let is_limit = error.code() == LsmFull && culprit == Culprit::Engine;
    !is_refusal && !is_limit && culprit != Culprit::Codec
}

impl Connection {
    /// The failure after which the connection only reads.
    pub(crate) fn failure(&self) -> Option<&LsmError> {
        self.poison.cause()
    }

    /// From now on the connection only reads, and is freed without writing anything. An open
    /// transaction is taken back at once, so that what is read is what was committed.
    pub(crate) fn fail(&mut self, cause: LsmError) {
        if self.failure().is_some() {
            return;
        }
        if self.in_transaction() {
            let db = self.without_cursors();
            // SAFETY: `db` is live, without cursors, and ours by `&mut self`. This works in
            // memory alone, whatever the transaction ran into.
            unsafe { ffi::lsm_rollback(db, 0) };
            self.transaction = Transaction::Failed(cause.clone());
            self.level = 0;
        }
        self.poison = Poison(Some(cause));
    }

    /// Says why, if the connection can't write any more.
    pub(super) fn refuse_failed(&self, operation: &'static str) -> Result<(), LsmError> {
        match self.failure() {
            Some(cause) => Err(LsmError::after(operation, cause)),
            None => Ok(()),
        }
    }

    /// Reads the code of a call that may have written, and fails the connection if it must.
    /// A caught panic still waits afterwards.
    pub(super) fn settle(&mut self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        let Err((cause, culprit)) = self.diagnose(operation, rc & !ffi::LSM_COMMITTED) else {
            return Ok(());
        };
        if poisons(&cause, culprit) {
            self.fail(cause.clone());
            if rc & ffi::LSM_COMMITTED != 0 {
                // What failed is work that came after the commit. That stands, and the next
                // call says what happened.
                return Ok(());
            }
        }
        Err(cause)
    }

    /// [`settle`](Self::settle), then goes on with a caught panic.
    pub(super) fn finish(&mut self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        let result = self.settle(operation, rc);
        panic::resume();
        result
    }
}
