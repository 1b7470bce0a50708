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
}

/// Runs `f`; if it panics, keeps the panic for [`resume`] and returns `fallback`.
pub(crate) fn guard<T>(fallback: T, f: impl FnOnce() -> T) -> T {
    // Unwind safety: the panic is not swallowed, it continues in `resume`, and
    // what `f` may have left half-done is seen only by code that unwinds then.
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => value,
        Err(payload) => {
            STASH.with(|stash| {
                let first = stash.take().unwrap_or(payload);
                stash.set(Some(first));
            });
            fallback
        }
    }
}

/// Continues the panic that [`guard`] caught on this thread, if there was one.
pub(crate) fn resume() {
    if let Some(payload) = STASH.with(Cell::take) {
        resume_unwind(payload);
    }
}

/// Forgets a caught panic: for `Drop`, where a second panic would abort.
pub(crate) fn discard() {
    STASH.with(Cell::take);
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
        resume();
    }

    #[test]
    fn a_discarded_panic_is_gone() {
        guard((), || panic!("dropped"));
        discard();
        resume();
    }
}
