//! Zstandard frames, as 0.2.2 writes them (id 10003).

use std::cell::RefCell;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

use super::{CodecError, LsmCompressionLib, PageCodec};

thread_local! {
    // A context costs far more than a page; every thread keeps one of each.
    static COMPRESS: RefCell<Option<(u8, Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESS: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

pub(crate) struct Zstd {
    level: u8,
}

impl Zstd {
    pub(crate) fn new(level: u8) -> Self {
        Zstd { level }
    }
}

impl PageCodec for Zstd {
    fn id(&self) -> u32 {
        LsmCompressionLib::ZStd as u32
    }

    fn bound(&self, plain_len: usize) -> usize {
        zstd::zstd_safe::compress_bound(plain_len)
    }

    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let mut work = |slot: &mut Option<(u8, Compressor<'static>)>| {
            let (_, coder) = match slot {
                Some(kept) if kept.0 == self.level => kept,
                _ => {
                    let coder = Compressor::new(i32::from(self.level)).map_err(describe)?;
                    slot.insert((self.level, coder))
                }
            };
            coder.compress_to_buffer(plain, out).map_err(describe)
        };
        // While the thread ends there may be no kept context any more.
        COMPRESS
            .try_with(|slot| work(&mut slot.borrow_mut()))
            .unwrap_or_else(|_| work(&mut None))
    }

    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let mut work = |slot: &mut Option<Decompressor<'static>>| {
            let coder = match slot {
                Some(kept) => kept,
                None => slot.insert(Decompressor::new().map_err(describe)?),
            };
            coder.decompress_to_buffer(packed, out).map_err(describe)
        };
        DECOMPRESS
            .try_with(|slot| work(&mut slot.borrow_mut()))
            .unwrap_or_else(|_| work(&mut None))
    }
}

fn describe(error: io::Error) -> CodecError {
    CodecError::new(format!("zstd: {error}"))
}
