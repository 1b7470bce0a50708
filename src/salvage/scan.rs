//! What can be found in a file without a usable checkpoint.
//!
//! Sizes come from a header page whose fields make sense, or from what fits the pages. Links
//! between blocks that confirm each other make chains; each chain is walked like a run, and
//! whatever isn't a sound page is passed over. Where keys begin to fall, another run begins.
//! The engine writes newer runs behind older ones as long as it doesn't reuse space, so blocks
//! are taken from the last to the first, and within a chain the last run first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::compression::{FileCodec, PageCodec};
use crate::error::LsmError;
use crate::format::be32;
use crate::format::chain::Chain;
use crate::format::checkpoint::plausible;
use crate::format::layout::{HEADER_PAGE, Layout};
use crate::format::page::{Page, kind};
use crate::format::pages::Pages;
use crate::format::run::{Event, Manner, walk};
use crate::format::source::Source;

use super::rescue::Rescue;

/// How much of the file is looked at to find out the page size.
const SAMPLE: u64 = 16 << 20;

/// More runs in one chain are taken as one: it must be junk.
const MOST_RUNS: usize = 10_000;

/// Sizes and codec of a file, as far as they can be found out.
pub(crate) fn find_layout(
    source: &dyn Source,
    headers: &[Result<Vec<u8>, String>; 2],
    codecs: &[FileCodec],
) -> Option<(Layout, Option<Arc<dyn PageCodec>>)> {
    let stated = headers.iter().flatten().find_map(|page| plausible(page));
    if let Some((id, layout)) = stated {
        let codec = codecs.iter().find(|known| known.id == id);
        let codec = codec.map(|known| Arc::clone(&known.codec));
        if !layout.packed || codec.is_some() {
            return Some((layout, codec));
        }
    }
    let mut sample = vec![0; source.len().min(SAMPLE) as usize];
    source.read_at(0, &mut sample).ok()?;
    let plain = plain_page_size(&sample);
    let (page, codec) = match packed_page_size(&sample, codecs) {
        Some((page, known, score)) if plain.is_none_or(|(_, plain)| score > plain) => {
            (page, Some(known))
        }
        _ => (plain?.0, None),
    };
    let id = codec.as_ref().map_or(0, |known| known.id);
    let layout = block_size(source, page, id)?;
    Some((layout, codec.map(|known| known.codec)))
}

/// The page size with which most of the sample consists of pages with records, and how many.
fn plain_page_size(sample: &[u8]) -> Option<(u32, usize)> {
    let score = |size: u32| {
        let pages = sample[sample.len().min(2 * HEADER_PAGE as usize)..].len() / size as usize;
        let whole = sample.chunks_exact(size as usize).rev().take(pages);
        let sound = whole.filter(|bytes| {
            let data = bytes.to_vec();
            let page = Page { number: 0, data };
            page.cells() > 1 && page.check().is_ok()
        });
        sound.count() * size as usize
    };
    let sizes = (8..=16).map(|power| 1 << power);
    let best = sizes.map(|size| (score(size), size)).max()?;
    (best.0 > 0).then_some((best.1, best.0))
}

/// The same for packed pages, by whichever codec unpacks them.
fn packed_page_size(sample: &[u8], codecs: &[FileCodec]) -> Option<(u32, FileCodec, usize)> {
    let mut scores: HashMap<(usize, u32), usize> = HashMap::new();
    let mut at = 0;
    while let Some(head) = sample.get(at..at + 3) {
        at += 1;
        if head.iter().any(|byte| byte & 0x80 == 0) {
            continue;
        }
        let number = |i: usize| usize::from(head[i] & 0x7f);
        let size = number(0) << 14 | number(1) << 7 | number(2);
        let body = at + 2;
        let (Some(packed), Some(tail)) = (
            sample.get(body..body + size),
            sample.get(body + size..body + size + 3),
        ) else {
            continue;
        };
        if tail != head || size == 0 {
            continue;
        }
        for (i, known) in codecs.iter().enumerate() {
            // Any page size; which one it was shows in what comes out.
            let layout = Layout::new_any(65_536, 1 << 26, known.id)?;
            let pages = Pages::new(&sample, layout, Some(Arc::clone(&known.codec)));
            let Some(data) = pages.unpack_any(packed) else {
                continue;
            };
            let len = data.len();
            let page = Page { number: 0, data };
            if len.is_power_of_two() && len >= 256 && page.check().is_ok() {
                *scores.entry((i, len as u32)).or_default() += len;
                at = body + size + 3;
            }
        }
    }
    let ((codec, page), score) = scores.into_iter().max_by_key(|&(_, score)| score)?;
    Some((page, codecs.get(codec)?.clone(), score))
}

/// The block size with which most links between blocks confirm each other; without any, one that
/// makes the file a single block.
fn block_size(source: &dyn Source, page: u32, codec: u32) -> Option<Layout> {
    let layouts = (16..=26).filter_map(|power| Layout::new_any(page, 1 << power, codec));
    let scored = layouts.map(|layout| (links(source, &layout).len(), layout));
    let best = scored.max_by_key(|(links, layout)| (*links, layout.block));
    best.map(|(_, layout)| layout)
}

/// Blocks of the file, the last one perhaps cut.
fn blocks(source: &dyn Source, layout: &Layout) -> u32 {
    u32::try_from(source.len().div_ceil(layout.block)).unwrap_or(u32::MAX)
}

/// Each block whose next block names it as the previous one.
fn links(source: &dyn Source, layout: &Layout) -> HashMap<u32, u32> {
    let count = blocks(source, layout);
    let read = |offset: u64| {
        let mut link = [0; 4];
        source.read_at(offset, &mut link).ok()?;
        be32(&link, 0).filter(|block| (1..=count).contains(block))
    };
    let next = (1..=count).filter_map(|block| Some((block, read(layout.next_link(block))?)));
    next.filter(|&(block, next)| next != block && read(layout.prev_link(next)) == Some(block))
        .collect()
}

/// The chains of blocks, the one that begins last first.
fn chains(source: &dyn Source, layout: &Layout) -> Vec<Vec<u32>> {
    let links = links(source, layout);
    let followers: HashSet<u32> = links.values().copied().collect();
    let count = blocks(source, layout);
    let heads = (1..=count).rev().filter(|block| !followers.contains(block));
    // Circles have no head; they come last.
    let mut seen = HashSet::new();
    let mut chains = Vec::new();
    for head in heads.chain((1..=count).rev()) {
        let mut chain = Vec::new();
        let mut at = Some(head);
        while let Some(block) = at.filter(|&block| seen.insert(block)) {
            chain.push(block);
            at = links.get(&block).copied();
        }
        if !chain.is_empty() {
            chains.push(chain);
        }
    }
    chains
}

/// Copies whatever records there are.
pub(super) fn rescue(
    source: &dyn Source,
    pages: &Pages<'_>,
    rescue: &mut Rescue<'_>,
) -> Result<(), LsmError> {
    rescue.compare_all();
    for blocks in chains(source, &pages.layout) {
        let mut chain = Chain::of_blocks(pages.layout, blocks);
        chain.end_at(source.len());
        let starts = runs(pages, &chain);
        for (i, &start) in starts.iter().enumerate().rev() {
            let Some(tail) = chain.tail(start) else {
                continue;
            };
            one_run(pages, &tail, starts.get(i + 1).copied(), rescue)?;
        }
    }
    Ok(())
}

const MANNER: Manner = Manner {
    values: false,
    cut: true,
    lenient: true,
};

/// The pages on which runs begin.
fn runs(pages: &Pages<'_>, chain: &Chain) -> Vec<u64> {
    let mut starts = vec![chain.first];
    let mut last: Option<(bool, Vec<u8>)> = None;
    let _: Result<(), ()> = walk(pages, chain, MANNER, &mut |event| {
        if let Event::Record(record) = event {
            let falls = last
                .as_ref()
                .is_some_and(|(system, key)| record.rank() < (*system, &key[..]));
            if falls && starts.last() != Some(&record.page) && starts.len() < MOST_RUNS {
                starts.push(record.page);
            }
            last = Some((record.is(kind::SYSTEM), record.key));
        }
        Ok(())
    });
    starts
}

/// Copies the records that begin before the page `end`.
fn one_run(
    pages: &Pages<'_>,
    chain: &Chain,
    end: Option<u64>,
    rescue: &mut Rescue<'_>,
) -> Result<(), LsmError> {
    let manner = Manner {
        values: true,
        ..MANNER
    };
    // The end is an "error" without one.
    let walked = walk(pages, chain, manner, &mut |event| match event {
        Event::Record(record) if Some(record.page) == end => Err(None),
        Event::Record(record) => {
            let counts = record.is(kind::INSERT) && !record.is(kind::SYSTEM);
            match counts {
                true => rescue.insert(&record.key, &record.value).map_err(Some),
                false => Ok(()),
            }
        }
        Event::Page(_) => {
            rescue.page();
            Ok(())
        }
        Event::Skipped => {
            rescue.report.records_skipped += 1;
            Ok(())
        }
        Event::Fault(_) => Ok(()),
    });
    match walked {
        Err(Some(error)) => Err(error),
        _ => Ok(()),
    }
}
