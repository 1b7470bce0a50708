//! A toy codec in the shape that lsm1 wants: runs of zero bytes are counted, all else is
//! stored. Pages are half empty most of the time, so sizes vary.

use std::ffi::{c_char, c_int, c_void};

use super::CORRUPT;

pub unsafe extern "C" fn bound(_: *mut c_void, n: c_int) -> c_int {
    n * 2 + 16
}

pub unsafe extern "C" fn compress(
    _: *mut c_void,
    out: *mut c_char,
    n_out: *mut c_int,
    input: *const c_char,
    n_in: c_int,
) -> c_int {
    // SAFETY: lsm1 passes buffers of the lengths beside them, and they don't overlap.
    let (input, out, n_out) = unsafe {
        (
            std::slice::from_raw_parts(input.cast::<u8>(), n_in as usize),
            std::slice::from_raw_parts_mut(out.cast::<u8>(), *n_out as usize),
            &mut *n_out,
        )
    };
    let (mut i, mut o) = (0, 0);
    while i < input.len() {
        let zeros = input[i..].iter().take(255).take_while(|b| **b == 0).count();
        out[o] = input[i];
        o += 1;
        if zeros > 0 {
            out[o] = zeros as u8;
            o += 1;
        }
        i += zeros.max(1);
    }
    *n_out = o as c_int;
    0
}

pub unsafe extern "C" fn uncompress(
    _: *mut c_void,
    out: *mut c_char,
    n_out: *mut c_int,
    input: *const c_char,
    n_in: c_int,
) -> c_int {
    // SAFETY: lsm1 passes buffers of the lengths beside them, and they don't overlap.
    let (input, out, n_out) = unsafe {
        (
            std::slice::from_raw_parts(input.cast::<u8>(), n_in as usize),
            std::slice::from_raw_parts_mut(out.cast::<u8>(), *n_out as usize),
            &mut *n_out,
        )
    };
    let (mut i, mut o) = (0, 0);
    while i < input.len() {
        let zeros = if input[i] == 0 {
            usize::from(*input.get(i + 1).unwrap_or(&0))
        } else {
            1
        };
        if (input[i] == 0 && zeros == 0) || o + zeros > out.len() {
            return CORRUPT.0;
        }
        out[o..o + zeros].fill(input[i]);
        o += zeros;
        i += if input[i] == 0 { 2 } else { 1 };
    }
    *n_out = o as c_int;
    0
}
