//! Requests that share a commit, and wait for it.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::error::LsmError;

/// The outcome of a commit, for all whose writes are in it.
#[derive(Default)]
pub(super) struct Group {
    outcome: Mutex<Option<Result<(), LsmError>>>,
    known: Condvar,
}

impl Group {
    pub(super) fn tell(&self, outcome: Result<(), LsmError>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.known.notify_all();
    }

    /// Waits for [`tell`](Self::tell).
    pub(super) fn hear(&self) -> Result<(), LsmError> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = &*outcome {
                return outcome.clone();
            }
            outcome = self
                .known
                .wait(outcome)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
