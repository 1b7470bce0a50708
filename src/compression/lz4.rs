//! LZ4 blocks, as 0.2.2 writes them (id 10001).
//!
//! In Rust, or with the feature `lz4-hc` in C: either reads what the other wrote.

use super::{CodecError, LsmCompressionLib, PageCodec};

/// The highest level of the fast coder, which all builds have; the next ones are those of the
/// high-compression coder.
pub(crate) const LAST_FAST_LEVEL: u8 = 2;

pub(crate) struct Lz4 {
    #[cfg_attr(not(feature = "lz4-hc"), allow(dead_code))]
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
        // LZ4's worst case is a 255th more and 16 bytes; the coder in Rust asks for a tenth.
        plain_len + plain_len / 10 + 32
    }

    #[cfg(not(feature = "lz4-hc"))]
    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        lz4_flex::block::compress_into(plain, out).map_err(uncompressed)
    }

    #[cfg(not(feature = "lz4-hc"))]
    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        lz4_flex::block::decompress_into(packed, out).map_err(invalid)
    }

    #[cfg(feature = "lz4-hc")]
    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        use lz4_c::block::{CompressionMode, compress_to_buffer};
        let mode = if self.level <= LAST_FAST_LEVEL {
            CompressionMode::DEFAULT
        } else {
            CompressionMode::HIGHCOMPRESSION(i32::from(self.level))
        };
        compress_to_buffer(plain, Some(mode), false, out).map_err(uncompressed)
    }

    #[cfg(feature = "lz4-hc")]
    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let room =
            i32::try_from(out.len()).map_err(|_| CodecError::new("a page is too long for LZ4"))?;
        lz4_c::block::decompress_to_buffer(packed, Some(room), out).map_err(invalid)
    }
}

fn uncompressed(error: impl std::fmt::Display) -> CodecError {
    CodecError::new(format!("LZ4 could not compress a page: {error}"))
}

fn invalid(error: impl std::fmt::Display) -> CodecError {
    CodecError::new(format!("a page isn't valid LZ4 data: {error}"))
}
