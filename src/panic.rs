//! Keeps a Rust panic from crossing into C.
//!
//! lsm1 calls back into Rust (page codecs, log sink). A panic must not unwind
//! through C frames, so the trampoline catches it here, C gets an error code,
//! and the panic goes on when the C function has returned to Rust.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

type Payload = Box<dyn Any + Send>;

thread_local! {
    /// The first panic caught since the last [`resume`] on this thread.
    static STASH: Cell<Option<Payload>> = const { Cell::new(None) };
    /// Whether there is one: cheaper to ask, and asked after every call of the engine.
    static IS_STASHED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`; if it panics, keeps the panic for [`resume`] and returns `fallback`.
pub(crate) fn guard<T>(fallback: T, f: impl FnOnce() -> T) -> T {
    // Unwind safety: the panic is not swallowed, it continues in `resume`, and
    // what `f` may have left half-done is seen only by code that unwinds then.
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => value,
        Err(payload) => {
            // The first panic is the one to report. Others are dropped; so is one that comes
            // while the thread's storage is being torn down.
            let mut payload = Some(payload);
            let _ = STASH.try_with(|stash| {
                let first = stash.take().or_else(|| payload.take());
                stash.set(first);
                IS_STASHED.set(true);
            });
            bury(payload);
            fallback
        }
    }
}

/// Continues the panic that [`guard`] caught on this thread, if there was one.
pub(crate) fn resume() {
    if let Some(payload) = take() {
        resume_unwind(payload);
    }
}

/// True if [`resume`] would panic.
pub(crate) fn is_pending() -> bool {
    let pending = take();
    let is_pending = pending.is_some();
    let _ = STASH.try_with(|stash| stash.set(pending));
    IS_STASHED.set(is_pending);
    is_pending
}

/// Forgets a caught panic: for `Drop`, where a second panic would abort.
pub(crate) fn discard() {
    bury(take());
}

/// Drops a payload, whose own `Drop` may panic once more.
fn bury(payload: Option<Payload>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

#[inline]
fn take() -> Option<Payload> {
    // A cell without a destructor can be read until the thread is gone.
    if !IS_STASHED.replace(false) {
        return None;
    }
    STASH.try_with(Cell::take).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caught_panic_continues_when_resumed() {
        assert_eq!(guard(7, || panic!("first")), 7);
        assert_eq!(guard(8, || panic!("second")), 8);
        let payload = catch_unwind(resume).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"first"));
        assert!(!is_pending());
        resume();
    }

    #[test]
    fn a_discarded_panic_is_gone() {
        guard((), || panic!("dropped"));
        assert!(is_pending());
        discard();
        resume();
    }
}
