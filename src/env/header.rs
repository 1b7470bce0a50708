//! Tells lsm1 databases from other files.
//!
//! lsm1 takes any file without a valid header for an empty database and overwrites it. This
//! look at the header is coarse on purpose: a database whose header was cut by a power failure
//! must pass, since its log may still have everything.

use std::io;

use super::file::EngineFile;

/// A file begins with two header pages of this size, whatever its page size is.
const HEADER_PAGE: usize = 4096;

/// Fields of a header page, as indices of big-endian 32-bit numbers.
const INTEGERS: usize = 2;
const BLOCK_BYTES: usize = 5;
const PAGE_BYTES: usize = 7;

/// True if the file is empty or looks like a database.
pub(super) fn may_be_a_database(file: &EngineFile) -> io::Result<bool> {
    let header = file.bytes(0, 2 * HEADER_PAGE)?;
    Ok(header.iter().all(|&byte| byte == 0) || header.chunks(HEADER_PAGE).any(is_plausible))
}

/// True if the page states sizes that a database can have.
fn is_plausible(page: &[u8]) -> bool {
    let field = |index: usize| {
        let bytes = page.get(4 * index..)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*bytes))
    };
    let power_of_two_in = |index, range: std::ops::RangeInclusive<u32>| {
        field(index).is_some_and(|n| n.is_power_of_two() && range.contains(&n))
    };
    field(INTEGERS).is_some_and(|n| (9..=1024).contains(&n))
        && power_of_two_in(BLOCK_BYTES, 64 << 10..=64 << 20)
        && power_of_two_in(PAGE_BYTES, 256..=65_536)
}
