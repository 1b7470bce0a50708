//! LZ4 blocks, as 0.2.2 writes them (id 10001).
#![allow(unsafe_code)]

use std::ffi::c_int;

use super::{CodecError, LsmCompressionLib, PageCodec};

/// From this level on the high-compression coder is used.
const FIRST_HC_LEVEL: u8 = 3;

pub(crate) struct Lz4 {
    level: u8,
}

impl Lz4 {
    pub(crate) fn new(level: u8) -> Self {
        Lz4 { level }
    }
}

impl PageCodec for Lz4 {
    fn id(&self) -> u32 {
        LsmCompressionLib::LZ4 as u32
    }

    fn bound(&self, plain_len: usize) -> usize {
        // The worst case that LZ4's format document gives for incompressible data.
        plain_len + plain_len / 255 + 16
    }

    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let (src_len, room) = (length(plain.len())?, length(out.len())?);
        let (src, dst) = (plain.as_ptr().cast(), out.as_mut_ptr().cast());
        // SAFETY: `src` is readable for `src_len` bytes and `dst` writable for `room` bytes:
        // both come from slices of these lengths that live for the call; LZ4 keeps neither.
        let used = unsafe {
            if self.level < FIRST_HC_LEVEL {
                lz4_sys::LZ4_compress_default(src, dst, src_len, room)
            } else {
                lz4_sys::LZ4_compress_HC(src, dst, src_len, room, c_int::from(self.level))
            }
        };
        match usize::try_from(used) {
            Ok(used) if used > 0 => Ok(used),
            _ => Err(CodecError::new("LZ4 could not compress a page")),
        }
    }

    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let (src_len, room) = (length(packed.len())?, length(out.len())?);
        let (src, dst) = (packed.as_ptr().cast(), out.as_mut_ptr().cast());
        // SAFETY: as above; the `_safe` variant stays within both lengths whatever the input.
        let used = unsafe { lz4_sys::LZ4_decompress_safe(src, dst, src_len, room) };
        usize::try_from(used).map_err(|_| CodecError::new("a page isn't valid LZ4 data"))
    }
}

fn length(len: usize) -> Result<c_int, CodecError> {
    c_int::try_from(len).map_err(|_| CodecError::new("a page is too long for LZ4"))
}
