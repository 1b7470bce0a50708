//! Writing out early: who writes much in one go and syncs it at the end has the system begin in
//! between, so that the disk works while more is made and the sync finds little left.

use std::cell::Cell;

/// So much is written before the disk is told to begin with it.
const PORTION_BYTES: u64 = 8 << 20;

thread_local! {
    /// What this thread has written since the disk was told; `None`: it isn't to be told.
    static WRITTEN: Cell<Option<u64>> = const { Cell::new(None) };
}

/// As long as it lives, what its thread writes to databases is written out early.
pub(crate) struct WriteOut(());

impl WriteOut {
    pub(crate) fn begin() -> WriteOut {
        WRITTEN.set(Some(0));
        WriteOut(())
    }
}

impl Drop for WriteOut {
    fn drop(&mut self) {
        WRITTEN.set(None);
    }
}

/// So many bytes more were written; true if the disk should begin.
pub(super) fn is_due(bytes: usize) -> bool {
    let Some(written) = WRITTEN.get() else {
        return false;
    };
    let written = written.saturating_add(bytes as u64);
    let is_due = written >= PORTION_BYTES;
    WRITTEN.set(Some(if is_due { 0 } else { written }));
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_told_after_each_portion_and_only_meanwhile() {
        assert!(!is_due(usize::MAX));
        {
            let _early = WriteOut::begin();
            assert!(!is_due((PORTION_BYTES - 1) as usize));
            assert!(is_due(1));
            assert!(!is_due(1));
        }
        assert!(!is_due(usize::MAX));
    }
}
