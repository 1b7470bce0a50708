//! Memory in one large page of the processor, for what is searched at random: the trees.
//!
//! Linux knows them as transparent huge pages. It is asked for one, and may give small ones.

use std::ffi::c_void;
use std::ops::RangeInclusive;
use std::ptr;

use super::heap::HEADER_LEN;

/// As x86-64 and ARM with small pages of 4 KiB have them. Elsewhere it is only a block of memory.
const LEN: usize = 2 << 20;

/// Blocks that leave little of a page unused. The engine asks for 63 chunks of 32 KiB.
pub(super) const FILLED_BY: RangeInclusive<usize> = LEN - (64 << 10)..=LEN - HEADER_LEN;

/// A page that begins at a multiple of its length, or null.
pub(super) fn map() -> *mut c_void {
    if cfg!(miri) || !cfg!(any(target_os = "linux", target_os = "android")) {
        return ptr::null_mut();
    }
    // SAFETY: anonymous memory at an address that the system chooses.
    let start = unsafe {
        libc::mmap(
            ptr::null_mut(),
            2 * LEN,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return ptr::null_mut();
    }
    let before = start.align_offset(LEN);
    // SAFETY: of twice the length, a page remains that begins at a multiple of the length; what lies
    // before and behind it is ours, and nobody uses it yet.
    unsafe {
        let page = start.byte_add(before);
        if before > 0 {
            libc::munmap(start, before);
        }
        libc::munmap(page.byte_add(LEN), LEN - before);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        libc::madvise(page, LEN, libc::MADV_HUGEPAGE);
        page
    }
}

/// # Safety
/// [`map`] returned it, and nobody uses it any more.
pub(super) unsafe fn unmap(page: *mut c_void) {
    // SAFETY: it was mapped with this length.
    unsafe { libc::munmap(page, LEN) };
}
