//! The engine's memory.

use std::ffi::c_void;
use std::ptr;

use super::{Instance, large_page};
use crate::ffi;

/// In front of each block: its length, and where it comes from. As long as the strictest
/// alignment, so that the block is aligned like any other of `malloc`.
pub(super) const HEADER_LEN: usize = size_of::<Header>();

#[repr(C, align(16))]
struct Header {
    len: usize,
    /// In a [large page](large_page), not from `malloc`.
    in_large_page: bool,
}

pub(super) unsafe extern "C" fn malloc(env: *mut ffi::lsm_env, len: usize) -> *mut c_void {
    if large_page::FILLED_BY.contains(&len) {
        // SAFETY: the engine passes the environment that it was given, which outlives it.
        let instance = unsafe { Instance::from_c(env) };
        if !instance.system.may_allocate(len) {
            return ptr::null_mut();
        }
        let start = large_page::map().cast::<Header>();
        if !start.is_null() {
            // SAFETY: the page is larger than header and block, aligned, and nobody else's.
            return unsafe { begin_block(start, len, true) };
        }
    }
    // SAFETY: a null block makes this an allocation.
    unsafe { realloc(env, ptr::null_mut(), len) }
}

pub(super) unsafe extern "C" fn realloc(
    env: *mut ffi::lsm_env,
    block: *mut c_void,
    len: usize,
) -> *mut c_void {
    // SAFETY: the engine passes the environment that it was given, which outlives it.
    let instance = unsafe { Instance::from_c(env) };
    let Some(total) = len.checked_add(HEADER_LEN) else {
        return ptr::null_mut();
    };
    if !instance.system.may_allocate(len) {
        return ptr::null_mut();
    }
    // SAFETY: the caller's block is null or was returned by this function or by `malloc`, so that a
    // header is in front of it. What begins there came from `realloc`, unless the header says
    // otherwise; null for no old block makes `realloc` allocate.
    unsafe {
        let old = header(block);
        if !old.is_null() && (*old).in_large_page {
            let new = realloc(env, ptr::null_mut(), len);
            if !new.is_null() {
                ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast(), len.min((*old).len));
                large_page::unmap(old.cast());
            }
            return new;
        }
        let new = libc::realloc(old.cast(), total).cast::<Header>();
        if new.is_null() {
            return ptr::null_mut();
        }
        begin_block(new, len, false)
    }
}

pub(super) unsafe extern "C" fn free(_: *mut ffi::lsm_env, block: *mut c_void) {
    // SAFETY: the block is null or was returned by `malloc` or `realloc`, and the engine frees it
    // once.
    unsafe {
        let header = header(block);
        match header.as_ref() {
            Some(Header {
                in_large_page: true,
                ..
            }) => large_page::unmap(header.cast()),
            _ => libc::free(header.cast()),
        }
    }
}

pub(super) unsafe extern "C" fn size(_: *mut ffi::lsm_env, block: *mut c_void) -> usize {
    if block.is_null() {
        return 0;
    }
    // SAFETY: the block was returned by `malloc` or `realloc`, which wrote a header in front of it.
    unsafe { (*header(block)).len }
}

/// The header of a block; null for none.
///
/// # Safety
/// `block` is null or has a header.
unsafe fn header(block: *mut c_void) -> *mut Header {
    match block.is_null() {
        true => ptr::null_mut(),
        // SAFETY: the header lies in front of the block, in the same allocation.
        false => unsafe { block.byte_sub(HEADER_LEN) }.cast(),
    }
}

/// Writes a header, and returns the block behind it.
///
/// # Safety
/// `start` is aligned and begins an allocation of a header and `len` bytes.
unsafe fn begin_block(start: *mut Header, len: usize, in_large_page: bool) -> *mut c_void {
    // SAFETY: there is room for the header, by what the caller promises.
    unsafe {
        start.write(Header { len, in_large_page });
        start.byte_add(HEADER_LEN).cast()
    }
}
