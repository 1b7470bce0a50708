//! Which runs a checkpoint consists of, from the newest to the oldest, and what counts in each.

use super::chain::Chain;
use super::checkpoint::{Checkpoint, Level, Merge, Position};
use super::page::BtreeKey;
use super::pages::Pages;
use super::run::{Event, Manner, walk};
use super::{Fault, Place};

/// A key and whether it is one of the engine's own, as runs are sorted.
pub(crate) type Rank = (bool, Vec<u8>);

/// Compares a record's rank with an owned one.
pub(crate) fn before(rank: (bool, &[u8]), other: &Rank) -> bool {
    rank < (other.0, &other.1[..])
}

/// A run, found in the file.
pub(crate) struct Run {
    /// Its level, counted from 0, the newest.
    pub(crate) level: usize,
    /// Its place among the level's runs: 0 is the one that isn't merged, or the left one.
    pub(crate) place: usize,
    pub(crate) root: u64,
    pub(crate) chain: Chain,
    /// A right run: a merge may have given up its beginning.
    pub(crate) cut: bool,
    /// The level's split key, if it is being merged. A right run counts from it on, a left one
    /// ends below it.
    pub(crate) split: Option<Rank>,
    /// The run that is searched next, by its index: one without a b-tree is searched through the
    /// page numbers in this run's records.
    pub(crate) older: Option<usize>,
    /// Links of its blocks that had to be guessed.
    pub(crate) faults: Vec<Fault>,
}

impl Run {
    pub(crate) fn is_right(&self) -> bool {
        self.place > 0
    }
}

/// All runs, and what is wrong with those that can't be found.
pub(crate) struct Plan {
    pub(crate) runs: Vec<Run>,
    /// Level and place of the run, and the damage.
    pub(crate) lost: Vec<(usize, usize, Fault)>,
}

/// Finds the runs of a checkpoint.
pub(crate) fn plan(pages: &Pages<'_>, checkpoint: &Checkpoint) -> Plan {
    let mut plan = Plan {
        runs: Vec::new(),
        lost: Vec::new(),
    };
    let oldest = checkpoint.levels.len().saturating_sub(1);
    for (l, level) in checkpoint.levels.iter().enumerate() {
        let segments = std::iter::once(&level.left).chain(&level.right);
        for (place, segment) in segments.enumerate() {
            let moved = l == oldest && place == level.right.len();
            let redirects: &[_] = if moved { &checkpoint.redirects } else { &[] };
            let mut faults = Vec::new();
            match Chain::trace(pages, segment, redirects, checkpoint.blocks, &mut faults) {
                Ok(chain) => plan.runs.push(Run {
                    level: l,
                    place,
                    root: segment.root,
                    chain,
                    cut: place > 0,
                    split: None,
                    older: None,
                    faults,
                }),
                Err(fault) => plan.lost.push((l, place, fault)),
            }
        }
    }
    for (l, level) in checkpoint.levels.iter().enumerate() {
        if let Some(merge) = &level.merge {
            match split(pages, &plan, l, level, merge) {
                Ok(key) => {
                    for run in plan.runs.iter_mut().filter(|run| run.level == l) {
                        run.split = Some(key.clone());
                    }
                }
                Err(fault) => plan.lost.push((l, 0, fault)),
            }
        }
    }
    for i in 0..plan.runs.len() {
        plan.runs[i].older = older(&plan, checkpoint, i);
    }
    plan
}

/// The index of the run that the engine searches after this one.
fn older(plan: &Plan, checkpoint: &Checkpoint, i: usize) -> Option<usize> {
    let run = &plan.runs[i];
    let rights = |level: usize| checkpoint.levels.get(level).map(|l| l.right.len());
    let wanted = match run.place {
        place if place > 0 && place < rights(run.level)? => (run.level, place + 1),
        // The next level is entered at its newest right run, if it is being merged.
        _ => (run.level + 1, rights(run.level + 1)?.min(1)),
    };
    let found = |run: &Run| (run.level, run.place) == wanted;
    plan.runs.iter().position(found)
}

/// The key at which a merge has arrived.
fn split(
    pages: &Pages<'_>,
    plan: &Plan,
    l: usize,
    level: &Level,
    merge: &Merge,
) -> Result<Rank, Fault> {
    let Position { page, cell } = merge.split;
    let inputs = merge.inputs.len();
    let input = merge.inputs.iter().position(|input| input.page == page);
    let input = input.unwrap_or(inputs);
    // The last input may be the b-tree of the next level's run.
    let from_next = inputs == level.right.len() + 1 && input + 1 >= inputs;
    let wanted = if from_next {
        (l + 1, 0)
    } else {
        (l, input + 1)
    };
    let lost = || Fault::page(page, "the split key of a merge can't be found on it");
    let run = plan
        .runs
        .iter()
        .find(|run| (run.level, run.place) == wanted);
    let chain = &run.ok_or_else(lost)?.chain;
    let real = chain.redirect(page);
    let found = pages.page(chain, real)?;
    found
        .check()
        .map_err(|problem| Fault::page(real, problem))?;
    let cell = usize::try_from(cell).map_err(|_| lost())?;
    if !found.is_btree() {
        return key_at(pages, chain, real, cell).map_err(|_| lost());
    }
    match found.btree_cell(cell).ok_or_else(lost)?.1 {
        BtreeKey::Inline { system, key } => Ok((system, key)),
        BtreeKey::FirstOf(page) => key_at(pages, chain, chain.redirect(page), 0),
    }
}

/// The key of one record, which may go on over several pages.
pub(crate) fn key_at(
    pages: &Pages<'_>,
    chain: &Chain,
    page: u64,
    cell: usize,
) -> Result<Rank, Fault> {
    let lost = || Fault::page(page, format!("its record {cell} can't be read"));
    // Mostly the key is all on this page.
    let whole = pages.page(chain, page)?;
    let head = whole.cell(cell).ok_or_else(lost)?;
    let until = head.body.saturating_add(head.key);
    if let Some(key) = whole.data[..whole.end()].get(head.body..until) {
        return Ok((head.kind & super::page::kind::SYSTEM != 0, key.to_vec()));
    }
    let tail = chain.tail(page).ok_or_else(lost)?;
    let manner = Manner {
        cut: true,
        ..Manner::default()
    };
    // The key ends the walk as its "error"; so does damage.
    let found = walk(pages, &tail, manner, &mut |event| match event {
        Event::Record(record) if record.page == page && record.cell == cell => {
            Err(Some((record.is(super::page::kind::SYSTEM), record.key)))
        }
        Event::Record(record) if record.page != page => Err(None),
        Event::Fault(_) => Err(None),
        _ => Ok(()),
    });
    match found {
        Err(Some(rank)) => Ok(rank),
        _ => Err(lost()),
    }
}

/// Which page a fault is about, if it is about one.
pub(crate) fn page_of(fault: &Fault) -> Option<u64> {
    match fault.place {
        Place::Page(page) => Some(page),
        _ => None,
    }
}
