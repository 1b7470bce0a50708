//! Sizes, and the arithmetic between page numbers, blocks and offsets.

use crate::compression::split_id;

/// Length of a header page; there are two of them.
pub(crate) const HEADER_PAGE: u64 = 4096;

/// Length of a block number.
const NUMBER: u64 = 4;

/// Length of a checksum.
pub(crate) const CHECKSUM: u64 = 4;

/// The sizes of a file. Both are powers of two, and a block holds at least two pages.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes per page.
    pub(crate) page: u64,
    /// Bytes per block.
    pub(crate) block: u64,
    /// Pages are packed by a codec; page numbers are offsets.
    pub(crate) packed: bool,
    /// Page records and links have checksums.
    pub(crate) checked: bool,
}

impl Layout {
    /// Checks the sizes that a header page states.
    pub(crate) fn new(page: u32, block: u32, codec: u32) -> Result<Layout, String> {
        if !page.is_power_of_two() || !(256..=65_536).contains(&page) {
            return Err(format!("states a page size of {page} bytes"));
        }
        if !block.is_power_of_two() || !(1 << 16..=1 << 26).contains(&block) {
            return Err(format!("states a block size of {block} bytes"));
        }
        if block / page < 2 {
            return Err(format!(
                "states pages of {page} bytes in blocks of {block}, which no engine can handle"
            ));
        }
        Ok(Layout {
            page: page.into(),
            block: block.into(),
            packed: codec > 1,
            checked: split_id(codec).1,
        })
    }

    /// Sizes that are tried.
    pub(crate) fn new_any(page: u32, block: u32, codec: u32) -> Option<Layout> {
        Layout::new(page, block, codec).ok()
    }

    /// Length of a block's link to its neighbour.
    pub(crate) fn link(&self) -> u64 {
        match self.checked {
            true => NUMBER + CHECKSUM,
            false => NUMBER,
        }
    }

    fn pages_per_block(&self) -> u64 {
        self.block / self.page
    }

    /// The number of a block's first page; the offset of its first byte behind the link, with a
    /// codec.
    pub(crate) fn first_on(&self, block: u32) -> u64 {
        match (self.packed, block) {
            (true, 1) => 2 * HEADER_PAGE + self.link(),
            (true, _) => self.offset_of(block) + self.link(),
            (false, 1) => 1 + (2 * HEADER_PAGE).div_ceil(self.page),
            (false, _) => 1 + u64::from(block.saturating_sub(1)) * self.pages_per_block(),
        }
    }

    /// The number of a block's last page; the offset of its last byte before the link, with a
    /// codec.
    pub(crate) fn last_on(&self, block: u32) -> u64 {
        match self.packed {
            true => u64::from(block) * self.block - self.link() - 1,
            false => u64::from(block) * self.pages_per_block(),
        }
    }

    /// The block of a page; `None` for numbers that no page has.
    pub(crate) fn block_of(&self, page: u64) -> Option<u32> {
        let index = match self.packed {
            true => page / self.block,
            false => page.checked_sub(1)? / self.pages_per_block(),
        };
        let block = u32::try_from(index.checked_add(1)?).ok()?;
        (self.first_on(block)..=self.last_on(block))
            .contains(&page)
            .then_some(block)
    }

    /// The same page when its block's content has moved.
    pub(crate) fn moved(&self, page: u64, from: u32, to: u32) -> u64 {
        let unit = match self.packed {
            true => self.block,
            false => self.pages_per_block(),
        };
        page.wrapping_sub(u64::from(from) * unit)
            .wrapping_add(u64::from(to) * unit)
    }

    /// Offset of a block's first byte.
    pub(crate) fn offset_of(&self, block: u32) -> u64 {
        u64::from(block.saturating_sub(1)) * self.block
    }

    /// Offset of the number of the next block.
    pub(crate) fn next_link(&self, block: u32) -> u64 {
        self.offset_of(block) + self.block - self.link()
    }

    /// Offset of the number of the previous block.
    pub(crate) fn prev_link(&self, block: u32) -> u64 {
        match self.packed {
            true => self.first_on(block) - self.link(),
            false => (self.first_on(block) - 1) * self.page,
        }
    }

    /// Where an unpacked page's content lies in the file, without links: offset and length.
    pub(crate) fn content(&self, page: u64, block: u32) -> (u64, usize) {
        let (mut offset, mut len) = (page.saturating_sub(1).saturating_mul(self.page), self.page);
        if page == self.first_on(block) {
            offset += NUMBER;
            len -= NUMBER;
        } else if page == self.last_on(block) {
            len -= NUMBER;
        }
        // A page has 64 KiB at most.
        (offset, len as usize)
    }
}
