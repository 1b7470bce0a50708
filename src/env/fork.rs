//! Tells a process from the child that it forked.
//!
//! A child has a copy of every handle. Used or closed there, it would write to the parent's
//! file and remove its log.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// Forks between the first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);
static WATCH: Once = Once::new();

/// Stands for the process in which it was made.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn current() -> Process {
        WATCH.call_once(|| {
            // SAFETY: the handler only adds to an atomic number, which is allowed in a child
            // of a process with many threads. Without memory for it (the one failure) forks
            // go unnoticed.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        });
        Process(FORKS.load(Ordering::Relaxed))
    }

    pub(crate) fn is_current(self) -> bool {
        self.0 == FORKS.load(Ordering::Relaxed)
    }
}

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
