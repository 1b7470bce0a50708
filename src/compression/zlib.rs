//! zlib streams, as 0.2.2 writes them (id 10002).

use std::cell::RefCell;

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::{CodecError, LsmCompressionLib, PageCodec};

thread_local! {
    // The coders' state is large; every thread keeps one of each.
    static COMPRESS: RefCell<Option<(u8, Compress)>> = const { RefCell::new(None) };
    static DECOMPRESS: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

pub(crate) struct Zlib {
    level: u8,
}

impl Zlib {
    pub(crate) fn new(level: u8) -> Self {
        Zlib { level }
    }
}

impl PageCodec for Zlib {
    fn id(&self) -> u32 {
        LsmCompressionLib::ZLib as u32
    }

    fn bound(&self, plain_len: usize) -> usize {
        // Incompressible data is stored in blocks of at most 31 KiB with 5 bytes each;
        // 10 % and 128 bytes more cover what a coder emits before it notices.
        128 + plain_len + plain_len / 10 + (plain_len / (31 * 1024) + 1) * 5
    }

    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let mut work = |slot: &mut Option<(u8, Compress)>| {
            if slot.as_ref().is_none_or(|(level, _)| *level != self.level) {
                let level = flate2::Compression::new(u32::from(self.level));
                *slot = Some((self.level, Compress::new(level, true)));
            }
            let Some((_, coder)) = slot else {
                return Err(CodecError::new("no zlib coder"));
            };
            coder.reset();
            match coder.compress(plain, out, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => to_len(coder.total_out()),
                Ok(_) => Err(CodecError::new("zlib needs more room than its bound")),
                Err(error) => Err(CodecError::new(format!("zlib: {error}"))),
            }
        };
        // While the thread ends there may be no kept coder any more.
        COMPRESS
            .try_with(|slot| work(&mut slot.borrow_mut()))
            .unwrap_or_else(|_| work(&mut None))
    }

    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let mut work = |slot: &mut Option<Decompress>| {
            let coder = slot.get_or_insert_with(|| Decompress::new(true));
            coder.reset(true);
            match coder.decompress(packed, out, FlushDecompress::Finish) {
                Ok(Status::StreamEnd) => to_len(coder.total_out()),
                Ok(_) => Err(CodecError::new("a zlib page is cut short")),
                Err(error) => Err(CodecError::new(format!(
                    "a page isn't valid zlib data: {error}"
                ))),
            }
        };
        DECOMPRESS
            .try_with(|slot| work(&mut slot.borrow_mut()))
            .unwrap_or_else(|_| work(&mut None))
    }
}

fn to_len(total: u64) -> Result<usize, CodecError> {
    usize::try_from(total).map_err(|_| CodecError::new("a page is too long for zlib"))
}
