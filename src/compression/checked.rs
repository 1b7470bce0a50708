//! Puts a checksum around a codec that we didn't write.

use std::sync::Arc;

use super::{CodecError, PageCodec};

/// Length of the CRC-32C (little-endian, of the plain page) in front of the packed bytes.
const CRC_LEN: usize = 4;

/// A user's codec with a checksum of the plain page in front of what it wrote.
///
/// The C engine trusts the layout of a page. A codec in safe Rust must not be able to
/// hand it anything else than what was compressed, so what comes back is compared.
pub(crate) struct Checked {
    id: u32,
    inner: Arc<dyn PageCodec>,
}

impl Checked {
    pub(crate) fn new(id: u32, inner: Arc<dyn PageCodec>) -> Self {
        Checked { id, inner }
    }
}

impl PageCodec for Checked {
    fn id(&self) -> u32 {
        self.id
    }

    fn bound(&self, plain_len: usize) -> usize {
        self.inner.bound(plain_len).saturating_add(CRC_LEN)
    }

    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let Some((head, tail)) = out.split_at_mut_checked(CRC_LEN) else {
            return Err(CodecError::new("the output buffer is too small"));
        };
        let used = self.inner.compress(plain, tail)?;
        head.copy_from_slice(&crc32c::crc32c(plain).to_le_bytes());
        Ok(used.saturating_add(CRC_LEN))
    }

    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let Some((head, tail)) = packed.split_first_chunk::<CRC_LEN>() else {
            return Err(CodecError::new("a compressed page is too short"));
        };
        let used = self.inner.decompress(tail, out)?;
        let plain = out.get(..used).ok_or_else(|| {
            CodecError::new(format!("the codec claims {used} bytes for one page"))
        })?;
        if crc32c::crc32c(plain) != u32::from_le_bytes(*head) {
            return Err(CodecError::new(format!(
                "codec {} gave back other bytes than it was given",
                self.id
            )));
        }
        Ok(used)
    }
}
