//! Page checksums: what they cover, the ids of files with them, and the codec for plain pages.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use super::{CodecError, LsmCompressionLib, PageCodec};

/// Added to the id of a codec in files with page checksums.
pub(crate) const ID_OFFSET: u32 = 1_000_000_000;

/// A codec, under the id of the files that are written with it.
#[derive(Clone)]
pub(crate) struct FileCodec {
    pub(crate) id: u32,
    pub(crate) codec: Arc<dyn PageCodec>,
    pub(crate) page_checksums: bool,
}

impl FileCodec {
    pub(crate) fn new(codec: Arc<dyn PageCodec>) -> Self {
        FileCodec {
            id: codec.id(),
            codec,
            page_checksums: false,
        }
    }

    /// The same codec for files with page checksums; `None` is for plain pages.
    pub(crate) fn with_page_checksums(codec: Option<Arc<dyn PageCodec>>) -> Self {
        let codec = codec.unwrap_or_else(|| Arc::new(Plain));
        FileCodec {
            id: codec.id() + ID_OFFSET,
            codec,
            page_checksums: true,
        }
    }
}

/// The id of the codec in the id of a file, and whether the file has page checksums.
pub(crate) fn split_id(id: u32) -> (u32, bool) {
    match id.checked_sub(ID_OFFSET) {
        Some(codec) => (codec, true),
        None => (id, false),
    }
}

/// The checksum of `data`, which the engine put at `place` (a position in the file) into the run
/// of pages that has the number `run`. `kind` tells pages, paddings and links apart.
pub(crate) fn checksum(run: u32, place: i64, kind: i32, data: &[u8]) -> u32 {
    let mut head = [0; 24];
    head[..4].copy_from_slice(&run.to_le_bytes());
    head[4..8].copy_from_slice(&kind.to_le_bytes());
    head[8..16].copy_from_slice(&place.to_le_bytes());
    head[16..].copy_from_slice(&(data.len() as u64).to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&head), data)
}

/// A number for a new run of pages: any but 0, and not one that was there before.
pub(crate) fn run_number() -> u32 {
    // The standard library's only source of random numbers.
    let random = RandomState::new().build_hasher().finish();
    // The halves go into the upper ends of two numbers of the checkpoint that lsm1 reads as signed
    // ones: they must not become negative.
    (random as u32 & 0x7fff_7fff).max(1)
}

/// Stores pages as they are.
struct Plain;

impl PageCodec for Plain {
    fn id(&self) -> u32 {
        LsmCompressionLib::NoCompression as u32
    }

    fn bound(&self, plain_len: usize) -> usize {
        plain_len
    }

    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        copy(plain, out)
    }

    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        copy(packed, out)
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> Result<usize, CodecError> {
    let room = to.get_mut(..from.len());
    room.ok_or_else(|| CodecError::new("a page is longer than a page"))?
        .copy_from_slice(from);
    Ok(from.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_covers_run_place_kind_length_and_data() {
        let page = [7; 100];
        let sums = [
            checksum(1, 8200, 1, &page),
            checksum(2, 8200, 1, &page),
            checksum(1, 8201, 1, &page),
            checksum(1, 8200 + (1 << 40), 1, &page),
            checksum(1, 8200, 2, &page),
            checksum(1, 8200, 1, &page[..99]),
            checksum(1, 8200, 1, &[8; 100]),
        ];
        for (i, sum) in sums.iter().enumerate() {
            assert!(!sums[..i].contains(sum), "{i}");
        }
        // It is in files: never another one.
        assert_eq!(sums[0], 428_582_390);
    }

    #[test]
    fn ids_of_codecs_come_back_from_ids_of_files() {
        assert_eq!(split_id(10_001), (10_001, false));
        assert_eq!(split_id(1_000_010_001), (10_001, true));
        assert_eq!(FileCodec::with_page_checksums(None).id, 1_000_000_001);
    }
}
