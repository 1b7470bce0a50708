//! The engine's memory.

use std::ffi::c_void;
use std::ptr;

use super::Instance;
use crate::ffi;

/// In front of each block: its length. As long as the strictest alignment, so that the block
/// is aligned like any other of `malloc`.
const HEADER_LEN: usize = 16;

pub(super) unsafe extern "C" fn malloc(env: *mut ffi::lsm_env, len: usize) -> *mut c_void {
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
    // SAFETY: `block` is null or was returned by this function, so that its allocation begins
    // one header before it; null for no old block makes `realloc` allocate.
    unsafe {
        let old = if block.is_null() {
            ptr::null_mut()
        } else {
            block.byte_sub(HEADER_LEN)
        };
        let new = libc::realloc(old, total);
        if new.is_null() {
            return new;
        }
        new.cast::<usize>().write(len);
        new.byte_add(HEADER_LEN)
    }
}

pub(super) unsafe extern "C" fn free(_: *mut ffi::lsm_env, block: *mut c_void) {
    if !block.is_null() {
        // SAFETY: the block was returned by `realloc`, one header after its allocation began,
        // and the engine frees it once.
        unsafe { libc::free(block.byte_sub(HEADER_LEN)) };
    }
}

pub(super) unsafe extern "C" fn size(_: *mut ffi::lsm_env, block: *mut c_void) -> usize {
    if block.is_null() {
        return 0;
    }
    // SAFETY: the block was returned by `realloc`, which wrote its length one header before.
    unsafe { block.byte_sub(HEADER_LEN).cast::<usize>().read() }
}
