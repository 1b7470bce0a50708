//! LZ4 blocks, as 0.2.2 writes them (id 10001).

use ::lz4::block::{CompressionMode, compress_to_buffer, decompress_to_buffer};

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
        let mode = if self.level < FIRST_HC_LEVEL {
            CompressionMode::DEFAULT
        } else {
            CompressionMode::HIGHCOMPRESSION(i32::from(self.level))
        };
        compress_to_buffer(plain, Some(mode), false, out)
            .map_err(|error| CodecError::new(format!("LZ4 could not compress a page: {error}")))
    }

    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let room =
            i32::try_from(out.len()).map_err(|_| CodecError::new("a page is too long for LZ4"))?;
        decompress_to_buffer(packed, Some(room), out)
            .map_err(|error| CodecError::new(format!("a page isn't valid LZ4 data: {error}")))
    }
}
