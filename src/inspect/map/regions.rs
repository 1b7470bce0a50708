//! Who owns which bytes of the file.

use std::collections::HashSet;

use super::read::of_block;
use super::{FileMap, Owner, Region};
use crate::format::checkpoint::Checkpoint;
use crate::format::layout::{HEADER_PAGE, Layout};
use crate::format::pages::Pages;
use crate::format::plan::{Plan, Run};

/// Sorts the blocks that no segment uses; the list of free ones is there already.
pub(super) fn blocks(
    pages: &Pages<'_>,
    checkpoint: &Checkpoint,
    plan: &Plan,
    file_bytes: u64,
    map: &mut FileMap,
) {
    let used = used(&plan.runs);
    let exists = |block: u32| (1..=checkpoint.blocks).contains(&block);
    for block in std::mem::take(&mut map.free_blocks) {
        if !exists(block) {
            let blocks = checkpoint.blocks;
            let problem = format!("the list of free blocks names it, and there are {blocks}");
            map.add(of_block(block, problem));
        } else if used.contains(&block) {
            let problem = "it is in use and on the list of free blocks".to_owned();
            map.add(of_block(block, problem));
        } else {
            map.free_blocks.push(block);
        }
    }
    let free: HashSet<u32> = map.free_blocks.iter().copied().collect();
    let ahead = plan.runs.iter().filter_map(|run| {
        // Only the result of a merge is still being written.
        let written = run.place == 0 && run.split.is_some();
        written
            .then(|| run.chain.taken_ahead(pages, checkpoint.blocks))
            .flatten()
    });
    let append = checkpoint.append.iter();
    let append = append.filter_map(|&page| checkpoint.layout.block_of(page));
    let taken = |block: &u32| exists(*block) && !used.contains(block) && !free.contains(block);
    let mut reserved: Vec<u32> = ahead.chain(append).filter(taken).collect();
    reserved.sort_unstable();
    reserved.dedup();
    // However many blocks the header states.
    let written = file_bytes.div_ceil(checkpoint.layout.block);
    let written = u32::try_from(written)
        .unwrap_or(u32::MAX)
        .min(checkpoint.blocks);
    let unlisted = (1..=written).filter(|block| taken(block) && !reserved.contains(block));
    map.unlisted_blocks = unlisted.collect();
    map.reserved_blocks = reserved;
    for run in &plan.runs {
        let end = (0..run.chain.blocks.len())
            .filter_map(|place| part(run, place))
            .map(|(_, end)| end)
            .max();
        // The last link of a block need not be written yet.
        let links = checkpoint.layout.link();
        if let Some(end) = end.filter(|end| end - links > file_bytes) {
            let problem = format!("the file ends at {file_bytes} bytes, amid the segment");
            let block = u32::try_from(file_bytes / checkpoint.layout.block + 1);
            let mut damage = of_block(block.unwrap_or(u32::MAX), problem);
            (damage.level, damage.segment) = (Some(run.level), Some(run.place));
            debug_assert!(end > file_bytes);
            map.add(damage);
        }
    }
}

fn used(runs: &[Run]) -> HashSet<u32> {
    runs.iter()
        .flat_map(|run| run.chain.blocks.iter().copied())
        .collect()
}

/// Where the pages lie that a run has on its n-th block; the block's links belong to the run that
/// has the pages beside them.
fn part(run: &Run, place: usize) -> Option<(u64, u64)> {
    let layout = &run.chain.layout;
    let block = *run.chain.blocks.get(place)?;
    let (from, to) = run.chain.span(place)?;
    let start = match from == layout.first_on(block) {
        true => beginning(layout, block),
        false => offset(layout, from),
    };
    let end = match to == layout.last_on(block) {
        true => layout.offset_of(block) + layout.block,
        false => offset(layout, to + 1),
    };
    (start < end).then_some((start, end))
}

fn offset(layout: &Layout, page: u64) -> u64 {
    match layout.packed {
        true => page,
        false => page.saturating_sub(1).saturating_mul(layout.page),
    }
}

/// A block's first byte that isn't the header's, or a remainder behind it where pages are larger.
fn beginning(layout: &Layout, block: u32) -> u64 {
    match block {
        1 if layout.packed => 2 * HEADER_PAGE,
        1 => offset(layout, layout.first_on(1)),
        _ => layout.offset_of(block),
    }
}

/// The regions of the file, in order. Where two parts overlap, the one that begins first has the
/// bytes, and there is a problem.
pub(super) fn regions(
    file_bytes: u64,
    checkpoint: Option<&Checkpoint>,
    runs: &[Run],
    map: &FileMap,
) -> Vec<Region> {
    let header = match checkpoint {
        Some(checkpoint) => beginning(&checkpoint.layout, 1),
        None => 2 * HEADER_PAGE,
    };
    let mut parts = vec![(0, header, Owner::HeaderPages)];
    let mut fill = Fill {
        regions: Vec::new(),
        file_bytes,
        layout: checkpoint.map(|checkpoint| checkpoint.layout),
        blocks_end: 0,
        used: used(runs),
    };
    if let Some(checkpoint) = checkpoint {
        let layout = checkpoint.layout;
        fill.blocks_end = u64::from(checkpoint.blocks) * layout.block;
        for run in runs {
            let owner = map
                .segments
                .iter()
                .position(|segment| (segment.level, segment.segment) == (run.level, run.place));
            let Some(owner) = owner.map(Owner::Segment) else {
                continue;
            };
            let places = (0..run.chain.blocks.len()).filter_map(|place| part(run, place));
            parts.extend(places.map(|(start, end)| (start, end, owner)));
        }
        let whole = |block: &u32| {
            let end = layout.offset_of(*block) + layout.block;
            (beginning(&layout, *block), end)
        };
        for (blocks, owner) in [
            (&map.free_blocks, Owner::Free),
            (&map.reserved_blocks, Owner::Reserved),
        ] {
            let blocks = blocks.iter().map(whole);
            parts.extend(blocks.map(|(start, end)| (start, end, owner)));
        }
    }
    parts.sort_by_key(|part| part.0);
    let mut at = 0;
    for (start, end, owner) in parts {
        fill.gap(at, start);
        fill.push(start.max(at), end, owner);
        at = at.max(end);
    }
    fill.gap(at, file_bytes);
    fill.regions
}

struct Fill {
    regions: Vec<Region>,
    file_bytes: u64,
    layout: Option<Layout>,
    /// Where the last block ends.
    blocks_end: u64,
    /// Blocks that segments use, at least in part.
    used: HashSet<u32>,
}

impl Fill {
    fn push(&mut self, start: u64, end: u64, owner: Owner) {
        let end = end.min(self.file_bytes);
        match self.regions.last_mut() {
            _ if start >= end => {}
            Some(last) if last.owner == owner => last.end = end,
            _ => self.regions.push(Region { start, end, owner }),
        }
    }

    /// What no part covers, block by block.
    fn gap(&mut self, start: u64, end: u64) {
        let mut at = start;
        let end = end.min(self.file_bytes);
        while at < end {
            let (until, owner) = match self.layout {
                Some(layout) if at < self.blocks_end => {
                    let block = u32::try_from(at / layout.block + 1).unwrap_or(u32::MAX);
                    let owner = match self.used.contains(&block) {
                        true => Owner::Unused,
                        false => Owner::Unlisted,
                    };
                    ((at / layout.block + 1) * layout.block, owner)
                }
                _ => (end, Owner::Tail),
            };
            self.push(at, until.min(end), owner);
            at = until;
        }
    }
}
