//! The memory that holds a file: reserved once, made usable as the file grows, never moved.
//!
//! So a mapping of the file can be the memory itself, at the same address for everyone.

use std::io;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

/// The largest file. Only addresses are reserved, not memory.
#[cfg(target_pointer_width = "64")]
pub(super) const LIMIT: usize = 16 << 30;
#[cfg(not(target_pointer_width = "64"))]
pub(super) const LIMIT: usize = 64 << 20;

/// Memory becomes usable in these steps: a multiple of every page size in use.
const STEP: usize = 256 << 10;

/// From this length on, clearing gives the memory back to the system.
const LARGE: usize = 1 << 20;

/// What is mapped may be written by C at any moment, also while it is copied here, as it may
/// while a real system writes a page back. It is only ever copied and compared, through raw
/// pointers: no reference to it is made, and nobody relies on what a race leaves.
pub(super) struct Memory {
    at: NonNull<u8>,
    usable: usize,
}

// SAFETY: the memory belongs to this value until it is dropped, and isn't tied to a thread.
unsafe impl Send for Memory {}
// SAFETY: `&self` allows loads only; what others store through a mapping is theirs to order.
unsafe impl Sync for Memory {}

impl Memory {
    pub(super) fn new() -> io::Result<Memory> {
        // SAFETY: a new mapping at an address of the system's choice touches nothing in use.
        let at = unsafe {
            libc::mmap(
                ptr::null_mut(),
                LIMIT,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let at = NonNull::new(at.cast()).ok_or_else(|| io::Error::other("mapped at zero"))?;
        Ok(Memory { at, usable: 0 })
    }

    /// The address of a byte of the file. It may become usable only later.
    pub(super) fn address(&self, offset: usize) -> NonNull<u8> {
        assert!(offset <= LIMIT);
        // SAFETY: the offset is within the reservation.
        unsafe { self.at.add(offset) }
    }

    /// Makes the first bytes readable and writable; new ones are zero.
    pub(super) fn grow(&mut self, length: usize) -> io::Result<()> {
        if length <= self.usable {
            return Ok(());
        }
        if length > LIMIT {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        // Each step is a system call: take more of them the larger the file is.
        let usable = (length + self.usable / 2).next_multiple_of(STEP).min(LIMIT);
        // SAFETY: the range lies in the reservation, which is ours, and both its ends are
        // multiples of the page size.
        let rc = unsafe {
            libc::mprotect(
                self.at.as_ptr().add(self.usable).cast(),
                usable - self.usable,
                libc::PROT_READ | libc::PROT_WRITE,
            )
        };
        if rc != 0 {
            return Err(io::Error::last_os_error());
        }
        self.usable = usable;
        Ok(())
    }

    /// Fills the buffer from the bytes at `offset`, which must be usable.
    pub(super) fn read(&self, offset: usize, buffer: &mut [MaybeUninit<u8>]) {
        // SAFETY: the target is an exclusive slice of this length.
        unsafe { self.copy_out(offset, buffer.as_mut_ptr().cast(), buffer.len()) };
    }

    /// As [`read`](Self::read), over what the buffer holds already.
    pub(super) fn copy_to(&self, offset: usize, buffer: &mut [u8]) {
        // SAFETY: the target is an exclusive slice of this length.
        unsafe { self.copy_out(offset, buffer.as_mut_ptr(), buffer.len()) };
    }

    /// # Safety
    /// `to` is valid for writing `n` bytes, and nobody else uses them.
    unsafe fn copy_out(&self, offset: usize, to: *mut u8, n: usize) {
        self.check(offset, n);
        // SAFETY: the source is usable for this length, as was checked, and the target doesn't
        // lie in it, as no reference to this memory is ever made.
        unsafe { ptr::copy_nonoverlapping(self.at.as_ptr().add(offset), to, n) };
    }

    /// Puts the bytes at `offset`; that part must be usable.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.check(offset, bytes.len());
        // SAFETY: the target is usable for this length, as was checked, and the slice doesn't
        // lie in it, as no reference to this memory is ever made.
        unsafe {
            let to = self.at.as_ptr().add(offset);
            ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
    }

    /// True if these bytes are at `offset`, where as many must be usable.
    pub(super) fn holds(&self, offset: usize, bytes: &[u8]) -> bool {
        self.check(offset, bytes.len());
        // SAFETY: both are readable for this length, one of them as was checked.
        unsafe {
            let at = self.at.as_ptr().add(offset);
            libc::memcmp(at.cast(), bytes.as_ptr().cast(), bytes.len()) == 0
        }
    }

    /// Makes the bytes from `begin` to `end` zero; they must be usable.
    pub(super) fn clear(&mut self, begin: usize, end: usize) -> io::Result<()> {
        let length = end.saturating_sub(begin);
        self.check(begin, length);
        let mut zeros = begin..end.max(begin);
        if length >= LARGE {
            let pages = begin.next_multiple_of(STEP)..end - end % STEP;
            // SAFETY: the range is usable, so it lies in the reservation, which is ours; its
            // ends are multiples of the page size. The new memory has the same address and
            // protection, so that it serves those who mapped it as before.
            let at = unsafe {
                libc::mmap(
                    self.at.as_ptr().add(pages.start).cast(),
                    pages.len(),
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED,
                    -1,
                    0,
                )
            };
            if at == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            self.write_zeros(pages.end..zeros.end);
            zeros.end = pages.start;
        }
        self.write_zeros(zeros);
        Ok(())
    }

    fn write_zeros(&mut self, range: std::ops::Range<usize>) {
        const ZEROS: [u8; 4096] = [0; 4096];
        for at in range.clone().step_by(ZEROS.len()) {
            let n = ZEROS.len().min(range.end - at);
            self.write(at, &ZEROS[..n]);
        }
    }

    fn check(&self, offset: usize, length: usize) {
        let fits = offset
            .checked_add(length)
            .is_some_and(|end| end <= self.usable);
        assert!(fits, "a simulated file was accessed beyond its memory");
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the reservation is ours; whoever mapped a part of it holds the file, and so
        // this value.
        unsafe { libc::munmap(self.at.as_ptr().cast(), LIMIT) };
    }
}
