//! The blocks of a run, in order.
//!
//! Each block names the next one and the previous one. The links forward are followed; where one
//! is broken, those back from the run's end show the rest. The engine may have moved blocks of the
//! oldest run, to make the file shorter: links and b-trees still say the old number then, and the
//! checkpoint says where it is now.

use std::collections::HashMap;

use super::checkpoint::Segment;
use super::layout::{CHECKSUM, Layout};
use super::pages::Pages;
use super::{Fault, be32};
use crate::compression::checksum;

/// What a checksum covers.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Kind {
    Page = 1,
    Gap = 2,
    Next = 3,
    Previous = 4,
}

/// The blocks of one run.
pub(crate) struct Chain {
    pub(crate) layout: Layout,
    pub(crate) blocks: Vec<u32>,
    place: HashMap<u32, usize>,
    pub(crate) first: u64,
    pub(crate) last: u64,
    redirects: Vec<(u32, u32)>,
    /// What marks its pages, with page checksums; `None`: not known.
    pub(crate) run: Option<u32>,
}

impl Chain {
    /// Follows the links from a run's first block to its last; `limit` is the number of blocks
    /// in the file.
    ///
    /// # Errors
    /// The run doesn't lie within the file at all. Broken links go to `faults`; blocks that can't
    /// be found are missing from the chain.
    pub(crate) fn trace(
        pages: &Pages<'_>,
        segment: &Segment,
        redirects: &[(u32, u32)],
        limit: u32,
        faults: &mut Vec<Fault>,
    ) -> Result<Chain, Fault> {
        let layout = pages.layout;
        let inside = |page: u64| {
            layout
                .block_of(page)
                .filter(|&block| block <= limit)
                .ok_or_else(|| Fault::page(page, "a run ends here, outside of the file's blocks"))
        };
        let (start, end) = (inside(segment.first)?, inside(segment.last)?);
        let mut chain = Chain {
            layout,
            blocks: vec![start],
            place: HashMap::from([(start, 0)]),
            first: segment.first,
            last: segment.last,
            redirects: redirects.to_vec(),
            run: Some(segment.run),
        };
        if start == end {
            if segment.first > segment.last {
                return Err(Fault::page(
                    segment.first,
                    format!(
                        "a run begins here and ends before, at page {}",
                        segment.last
                    ),
                ));
            }
            return Ok(chain);
        }
        let mut at = start;
        while at != end {
            match chain.neighbour(pages, at, true, limit) {
                Ok(next) if !chain.place.contains_key(&next) => {
                    match chain.neighbour(pages, next, false, limit) {
                        Ok(back) if back == at => {}
                        // Which of the two is wrong? The other direction tells, if it leads here.
                        Ok(back) => {
                            if !chain.leads(pages, end, next, limit) {
                                faults.push(Fault::block(
                                    at,
                                    format!("its link to the next block leads to block {next}, which isn't part of the run"),
                                ));
                                chain.mend(pages, end, limit);
                                return Ok(chain);
                            }
                            faults.push(Fault::block(
                                next,
                                format!("its link to the previous block leads to block {back} instead of {at}"),
                            ));
                        }
                        Err(problem) => faults.push(Fault::block(next, problem)),
                    }
                    chain.push(next);
                    at = next;
                }
                Ok(next) => {
                    faults.push(Fault::block(
                        at,
                        format!("its link to the next block leads back to block {next}"),
                    ));
                    chain.mend(pages, end, limit);
                    return Ok(chain);
                }
                Err(problem) => {
                    faults.push(Fault::block(at, problem));
                    chain.mend(pages, end, limit);
                    return Ok(chain);
                }
            }
        }
        Ok(chain)
    }

    /// A chain of these blocks, from the first page to the last.
    pub(crate) fn of_blocks(layout: Layout, blocks: Vec<u32>) -> Chain {
        let place = blocks.iter().enumerate().map(|(i, &b)| (b, i)).collect();
        Chain {
            layout,
            first: blocks.first().map_or(0, |&b| layout.first_on(b)),
            last: blocks.last().map_or(0, |&b| layout.last_on(b)),
            place,
            blocks,
            redirects: Vec::new(),
            run: None,
        }
    }

    /// Cuts the run where the file ends.
    pub(crate) fn end_at(&mut self, len: u64) {
        let end = match self.layout.packed {
            true => len.saturating_sub(1),
            false => len / self.layout.page,
        };
        if self.layout.block_of(end) == self.blocks.last().copied() {
            self.last = self.last.min(end);
        }
    }

    /// The part of the run from this page on.
    pub(crate) fn tail(&self, page: u64) -> Option<Chain> {
        let (place, _) = self.order(page)?;
        let mut tail = Chain::of_blocks(self.layout, self.blocks.get(place..)?.to_vec());
        tail.first = page;
        tail.last = self.last;
        tail.redirects.clone_from(&self.redirects);
        tail.run = self.run;
        Some(tail)
    }

    fn push(&mut self, block: u32) {
        self.place.insert(block, self.blocks.len());
        self.blocks.push(block);
    }

    /// True if the links back from `end` lead to `block` without meeting the chain.
    fn leads(&self, pages: &Pages<'_>, end: u32, block: u32, limit: u32) -> bool {
        let mut at = end;
        for _ in 0..limit {
            if at == block {
                return true;
            }
            match self.neighbour(pages, at, false, limit) {
                Ok(previous) if !self.place.contains_key(&previous) => at = previous,
                _ => return false,
            }
        }
        false
    }

    /// Adds what the links back from the end show.
    fn mend(&mut self, pages: &Pages<'_>, end: u32, limit: u32) {
        let mut tail = Vec::new();
        let mut at = end;
        while tail.len() < limit as usize && !self.place.contains_key(&at) && !tail.contains(&at) {
            tail.push(at);
            match self.neighbour(pages, at, false, limit) {
                Ok(previous) => at = previous,
                Err(_) => break,
            }
        }
        tail.into_iter().rev().for_each(|block| self.push(block));
    }

    /// The block that the link of `block` names, after redirection.
    fn neighbour(
        &self,
        pages: &Pages<'_>,
        block: u32,
        next: bool,
        limit: u32,
    ) -> Result<u32, String> {
        let (offset, word) = match next {
            true => (self.layout.next_link(block), "next"),
            false => (self.layout.prev_link(block), "previous"),
        };
        let mut link = [0; 8];
        let (link, rest) = link.split_at_mut(self.layout.link() as usize);
        debug_assert!(rest.len() <= 4);
        pages
            .read(offset, link)
            .map_err(|problem| format!("its link to the {word} block {problem}"))?;
        let kind = if next { Kind::Next } else { Kind::Previous };
        if !self.matches(offset, kind, link) {
            return Err(format!("its link to the {word} block has a wrong checksum"));
        }
        let stated = be32(link, 0).unwrap_or(0);
        let real = self.redirect_block(stated);
        match (1..=limit).contains(&real) {
            true => Ok(real),
            false => Err(format!(
                "its link to the {word} block names block {stated} of {limit}"
            )),
        }
    }

    /// With page checksums: true if the last four bytes are the checksum of the rest, which was
    /// written at this offset.
    pub(crate) fn matches(&self, offset: u64, kind: Kind, bytes: &[u8]) -> bool {
        let (true, Some(run)) = (self.layout.checked, self.run) else {
            return true;
        };
        let Some(len) = bytes.len().checked_sub(CHECKSUM as usize) else {
            return false;
        };
        let (data, stored) = bytes.split_at(len);
        let Ok(place) = i64::try_from(self.written_at(offset)) else {
            return false;
        };
        be32(stored, 0) == Some(checksum(run, place, kind as i32, data))
    }

    /// Where what is at an offset was before its block was moved.
    fn written_at(&self, offset: u64) -> u64 {
        let block = u32::try_from(offset / self.layout.block + 1).unwrap_or(0);
        let moved = self.redirects.iter().find(|(_, to)| *to == block);
        moved.map_or(offset, |&(from, to)| self.layout.moved(offset, to, from))
    }

    fn redirect_block(&self, block: u32) -> u32 {
        let to = self.redirects.iter().find(|(from, _)| *from == block);
        to.map_or(block, |&(_, to)| to)
    }

    /// Where a page is now that a b-tree, or a record of a newer run, mentions.
    pub(crate) fn redirect(&self, page: u64) -> u64 {
        let Some(block) = self.layout.block_of(page) else {
            return page;
        };
        match self.redirect_block(block) {
            to if to == block => page,
            to => self.layout.moved(page, block, to),
        }
    }

    /// Where a page comes in the run: compares like the order of the run. `None` if it isn't part
    /// of it.
    pub(crate) fn order(&self, page: u64) -> Option<(usize, u64)> {
        let block = self.layout.block_of(page)?;
        let place = *self.place.get(&block)?;
        let (from, to) = self.span(place)?;
        (from..=to).contains(&page).then_some((place, page))
    }

    /// First and last page that the run has on its n-th block.
    pub(crate) fn span(&self, place: usize) -> Option<(u64, u64)> {
        let block = *self.blocks.get(place)?;
        let last_place = self.blocks.len() - 1;
        let from = match place {
            0 => self.first,
            _ => self.layout.first_on(block),
        };
        let to = match place == last_place && self.layout.block_of(self.last) == Some(block) {
            true => self.last,
            false => self.layout.last_on(block),
        };
        Some((from, to))
    }

    /// The place and offset `count` bytes after an offset on the block at `place`, with a codec;
    /// at most one block further.
    pub(crate) fn advance(&self, place: usize, offset: u64, count: u64) -> Option<(usize, u64)> {
        let block = *self.blocks.get(place)?;
        let end = self.layout.last_on(block);
        let target = offset.checked_add(count)?;
        if target <= end {
            return Some((place, target));
        }
        let next = *self.blocks.get(place + 1)?;
        let target = self.layout.first_on(next) + (target - end - 1);
        (target <= self.layout.last_on(next)).then_some((place + 1, target))
    }

    /// The inverse of [`advance`](Self::advance).
    #[cfg(feature = "tools")]
    pub(crate) fn retreat(&self, place: usize, offset: u64, count: u64) -> Option<(usize, u64)> {
        let start = self.layout.first_on(*self.blocks.get(place)?);
        let before = offset.checked_sub(start)?;
        if count <= before {
            return Some((place, offset - count));
        }
        let place = place.checked_sub(1)?;
        let previous = *self.blocks.get(place)?;
        let end = self.layout.last_on(previous);
        let target = (end + 1).checked_sub(count - before)?;
        (self.layout.first_on(previous)..=end)
            .contains(&target)
            .then_some((place, target))
    }

    /// The block that was taken for the pages to come, when the run's last page filled its block.
    #[cfg(feature = "tools")]
    pub(crate) fn taken_ahead(&self, pages: &Pages<'_>, limit: u32) -> Option<u32> {
        let &block = self.blocks.last()?;
        if self.last != self.layout.last_on(block) {
            return None;
        }
        self.neighbour(pages, block, true, limit).ok()
    }
}
