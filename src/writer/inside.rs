//! Which queues this thread is carrying out a request of: it would wait for itself there.

use std::cell::RefCell;

thread_local! {
    static INSIDE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// The thread is inside as long as this lives.
pub(super) struct Inside(usize);

impl Inside {
    /// `None` if it is already.
    pub(super) fn enter(queue: usize) -> Option<Inside> {
        INSIDE.with_borrow_mut(|inside| {
            (!inside.contains(&queue)).then(|| {
                inside.push(queue);
                Inside(queue)
            })
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // The thread may be ending, and its storage gone.
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().retain(|queue| *queue != self.0));
    }
}
