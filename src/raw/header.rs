//! Tells lsm1 databases from other files.
//!
//! lsm1 takes any file without a valid header for an empty database and overwrites it. This
//! look at the header is coarse on purpose: a database whose header was cut by a power failure
//! must pass, since its log may still have everything.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A file begins with two header pages of this size, whatever its page size is.
const HEADER_PAGE: usize = 4096;

/// Fields of a header page, as indices of big-endian 32-bit numbers.
const INTEGERS: usize = 2;
const BLOCK_BYTES: usize = 5;
const PAGE_BYTES: usize = 7;

/// True unless the file can be read and is neither empty nor anything like a database.
///
/// Opens and closes the file, which drops this process's locks on it: call this only while
/// nobody in the process has it open.
pub(super) fn may_be_a_database(path: &Path) -> bool {
    let mut header = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take(2 * HEADER_PAGE as u64).read_to_end(&mut header));
    // What can't be read, or doesn't exist, is for lsm1 to report.
    read.is_err()
        || header.iter().all(|&byte| byte == 0)
        || header.chunks(HEADER_PAGE).any(is_plausible)
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
