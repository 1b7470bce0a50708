//! Checks everything that a checkpoint refers to.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;

use super::report::{Damage, VerifyReport};
use crate::format::btree::{Entries, Entry};
use crate::format::checkpoint::Checkpoint;
use crate::format::freelist::{Listed, free_blocks};
use crate::format::page::{BtreeKey, Page, kind};
use crate::format::pages::Pages;
use crate::format::plan::{Plan, Rank, Run, before, key_at, page_of, plan};
use crate::format::run::{Event, Manner, Record, walk};
use crate::format::{Fault, Place};

/// Part of a block: first and last page, and level and place of the run that uses it.
type Use = (u64, u64, (usize, usize));

struct Check<'a> {
    pages: &'a Pages<'a>,
    checkpoint: &'a Checkpoint,
    report: &'a mut VerifyReport,
    seen: HashSet<Place>,
}

/// Checks the file as this checkpoint has it.
pub(super) fn check(pages: &Pages<'_>, checkpoint: &Checkpoint, report: &mut VerifyReport) {
    let mut check = Check {
        pages,
        checkpoint,
        report,
        seen: HashSet::new(),
    };
    check.lists();
    let plan = plan(pages, checkpoint);
    check.report.levels = checkpoint.levels.len();
    check.report.segments = checkpoint.levels.iter().map(|l| 1 + l.right.len()).sum();
    for (level, place, fault) in &plan.lost {
        check.damage(Some((*level, *place)), fault.clone());
    }
    for run in &plan.runs {
        for fault in &run.faults {
            check.damage(Some((run.level, run.place)), fault.clone());
        }
    }
    check.merges(&plan);
    let mut listed = Vec::new();
    for run in &plan.runs {
        listed.push(check.run(run, &plan));
    }
    let complete = plan.lost.is_empty();
    check.blocks(&plan, &listed, complete);
}

impl Check<'_> {
    fn damage(&mut self, run: Option<(usize, usize)>, fault: Fault) {
        self.report.add(Damage::of(run, fault));
    }

    /// The checkpoint's own lists name blocks of the file.
    fn lists(&mut self) {
        let blocks = self.checkpoint.blocks;
        let inside = |block: u32| (1..=blocks).contains(&block);
        for &(from, to) in &self.checkpoint.redirects {
            if !inside(from) || !inside(to) {
                let problem =
                    format!("the checkpoint says that it moved to block {to} of {blocks}");
                self.damage(None, Fault::block(from, problem));
            }
        }
        for &(block, _) in &self.checkpoint.free {
            if !inside(block) {
                let problem = format!("the list of free blocks names it, and there are {blocks}");
                self.damage(None, Fault::block(block, problem));
            }
        }
    }

    /// A merge that is under way goes on at pages of its inputs.
    fn merges(&mut self, plan: &Plan) {
        for (l, level) in self.checkpoint.levels.iter().enumerate() {
            let Some(merge) = &level.merge else {
                continue;
            };
            if !(level.right.len()..=level.right.len() + 1).contains(&merge.inputs.len()) {
                let problem = format!(
                    "a merge has {} inputs for {} segments",
                    merge.inputs.len(),
                    level.right.len()
                );
                self.damage(Some((l, 0)), Fault::page(level.left.first, problem));
            }
            for (i, input) in merge.inputs.iter().enumerate().take(level.right.len()) {
                let right = plan
                    .runs
                    .iter()
                    .find(|run| (run.level, run.place) == (l, i + 1));
                let Some(run) = right.filter(|_| input.page != 0) else {
                    continue;
                };
                let cells = match self.pages.page(&run.chain, run.chain.redirect(input.page)) {
                    Ok(page) => page.cells(),
                    Err(fault) => {
                        self.fault(run, fault);
                        continue;
                    }
                };
                if u64::from(input.cell) >= cells as u64 {
                    let problem = format!(
                        "a merge goes on at its record {}, and it has {cells}",
                        input.cell
                    );
                    self.damage(Some((l, i + 1)), Fault::page(input.page, problem));
                }
            }
        }
    }

    /// A fault of a page is reported once, however often it is met.
    fn fault(&mut self, run: &Run, fault: Fault) {
        if page_of(&fault).is_none() || self.seen.insert(fault.place) {
            self.damage(Some((run.level, run.place)), fault);
        }
    }

    /// Walks through a run; returns the engine's own records in it.
    fn run(&mut self, run: &Run, plan: &Plan) -> Listed {
        let entries = match run.root {
            0 => None,
            root => match Entries::new(self.pages, &run.chain, root, run.cut) {
                Ok(entries) => entries,
                Err(fault) => {
                    self.fault(run, fault);
                    None
                }
            },
        };
        let lower = run.older.and_then(|i| plan.runs.get(i));
        let mut state = RunState {
            has_tree: entries.is_some(),
            entries,
            ahead: None,
            run,
            lower: lower.filter(|lower| lower.root == 0 && !is_single_page(lower)),
            heads: VecDeque::new(),
            first: None,
            last: None,
            damaged: false,
            pointer: 0,
            listed: Listed::of(run),
        };
        let manner = Manner {
            cut: run.cut,
            ..Manner::default()
        };
        let _: Result<(), Infallible> = walk(self.pages, &run.chain, manner, &mut |event| {
            match event {
                Event::Page(page) => state.page(self, page),
                Event::Record(record) => state.record(self, &record),
                // The reason is reported, too.
                Event::Skipped => {}
                Event::Fault(fault) => {
                    state.damaged = true;
                    self.fault(run, fault);
                }
            }
            Ok(())
        });
        state.end(self);
        state.listed
    }

    /// No block is used twice, or used and free.
    fn blocks(&mut self, plan: &Plan, listed: &[Listed], complete: bool) {
        let mut used: HashMap<u32, Vec<Use>> = HashMap::new();
        for run in &plan.runs {
            for (place, &block) in run.chain.blocks.iter().enumerate() {
                let Some((from, to)) = run.chain.span(place) else {
                    continue;
                };
                let name = (run.level, run.place);
                let uses = used.entry(block).or_default();
                let other = uses.iter().find(|(a, b, _)| *a <= to && from <= *b);
                if let Some(&(a, b, other)) = other {
                    let problem = format!(
                        "its pages {} to {} belong to two segments, also to segment {} of level {}",
                        a.max(from),
                        b.min(to),
                        other.1,
                        other.0
                    );
                    self.damage(Some(name), Fault::block(block, problem));
                } else {
                    uses.push((from, to, name));
                }
            }
        }
        let free = free_blocks(self.checkpoint, listed);
        self.report.free_blocks = free.len();
        for block in free {
            if block == 0 || block > self.checkpoint.blocks {
                let problem = format!(
                    "the list of free blocks names it, and there are {}",
                    self.checkpoint.blocks
                );
                self.damage(None, Fault::block(block, problem));
            } else if let Some(uses) = used.get(&block) {
                if let (Some((_, _, name)), true) = (uses.first(), complete) {
                    let problem = "it is in use and on the list of free blocks";
                    self.damage(Some(*name), Fault::block(block, problem));
                }
            }
        }
    }
}

/// The engine searches such a run from its page, whatever the records of the newer run say.
fn is_single_page(run: &Run) -> bool {
    run.chain.first == run.chain.last
}

/// What is known while walking through a run.
struct RunState<'a> {
    run: &'a Run,
    has_tree: bool,
    entries: Option<Entries<'a>>,
    /// An entry that was taken too early.
    ahead: Option<Entry>,
    /// The next older run, if it is searched through this one's records.
    lower: Option<&'a Run>,
    /// Pages whose first record is still to come, and whether the b-tree skips them.
    heads: VecDeque<(u64, bool)>,
    /// The first page with records.
    first: Option<u64>,
    last: Option<Rank>,
    damaged: bool,
    /// The page number of the record before.
    pointer: u64,
    listed: Listed,
}

impl RunState<'_> {
    fn page(&mut self, check: &mut Check<'_>, page: &Page) {
        check.report.pages += 1;
        if !page.is_btree() && page.cells() > 0 {
            self.first.get_or_insert(page.number);
            self.heads.push_back((page.number, page.is_skipped()));
        }
    }

    fn record(&mut self, check: &mut Check<'_>, record: &Record) {
        let counts = |kinds: u8| record.is(kinds) && !record.is(kind::SYSTEM);
        check.report.records += u64::from(counts(kind::INSERT));
        check.report.tombstones +=
            u64::from(counts(kind::DELETE | kind::BEGIN_DELETE | kind::END_DELETE));
        if self.last.as_ref().is_some_and(|last| {
            let last = (last.0, &last.1[..]);
            record.rank() <= last
        }) {
            self.damaged = true;
            let problem = format!(
                "its record {} isn't larger than the one before",
                record.cell
            );
            check.fault(self.run, Fault::page(record.page, problem));
        }
        self.last = Some((record.is(kind::SYSTEM), record.key.clone()));
        if record.is(kind::SYSTEM) {
            if let Err(problem) = self.listed.add(record) {
                check.fault(self.run, Fault::page(record.page, problem));
            }
        }
        if record.cell == 0 {
            while let Some((page, skipped)) = self.heads.pop_front() {
                if page == record.page {
                    if !skipped && (self.first != Some(page) || self.run.cut) {
                        self.indexed(check, record);
                    }
                    break;
                }
            }
        }
        self.leads_down(check, record);
    }

    /// The b-tree has an entry for the first record of a page.
    fn indexed(&mut self, check: &mut Check<'_>, record: &Record) {
        let Some(entries) = &mut self.entries else {
            return;
        };
        let chain = &self.run.chain;
        let own = chain.order(record.page);
        let may_miss = self.run.cut && self.first == Some(record.page);
        loop {
            let next = self.ahead.take().map(Ok).or_else(|| entries.next());
            let entry = match next {
                Some(Ok(entry)) => entry,
                Some(Err(fault)) => {
                    self.damaged = true;
                    check.fault(self.run, fault);
                    continue;
                }
                None => {
                    self.entries = None;
                    if !may_miss {
                        let problem = "the segment's b-tree has no entry for it";
                        check.fault(self.run, Fault::page(record.page, problem));
                    }
                    return;
                }
            };
            if entry.leads_to == record.page {
                let same = match &entry.key {
                    BtreeKey::Inline { system, key } => record.rank() == (*system, &key[..]),
                    BtreeKey::FirstOf(page) => *page == record.page,
                };
                if !same {
                    let problem = format!(
                        "this b-tree page has another key for page {} than that page itself",
                        record.page
                    );
                    check.fault(self.run, Fault::page(entry.on, problem));
                }
                return;
            }
            if self.damaged && chain.order(entry.leads_to) < own {
                continue;
            }
            if may_miss && chain.order(entry.leads_to) > own {
                // It is the first page of the whole run, which has no entry.
                self.ahead = Some(entry);
                return;
            }
            let problem = format!(
                "this b-tree page leads to page {} where page {} is due",
                entry.leads_to, record.page
            );
            check.fault(self.run, Fault::page(entry.on, problem));
            self.entries = None;
            return;
        }
    }

    /// The next older run is searched through page numbers in this one's records.
    fn leads_down(&mut self, check: &mut Check<'_>, record: &Record) {
        let Some(lower) = self.lower else {
            return;
        };
        let pointer = record.pointer;
        if pointer == 0 || pointer == self.pointer || record.is(kind::BEGIN_DELETE) {
            return;
        }
        let stale = |run: &Run| {
            run.is_right()
                && run
                    .split
                    .as_ref()
                    .is_some_and(|split| before(record.rank(), split))
        };
        if stale(self.run) || stale(lower) {
            return;
        }
        self.pointer = pointer;
        let target = lower.chain.redirect(pointer);
        let problem = match check.pages.page(&lower.chain, target) {
            Err(fault) => fault.problem,
            Ok(page) if page.check().is_err() => return,
            Ok(page) if page.is_btree() || page.cells() == 0 => "no record begins there".to_owned(),
            Ok(_) => match key_at(check.pages, &lower.chain, target, 0) {
                Ok((system, key)) if (system, &key[..]) > record.rank() => {
                    if lower.chain.first == target || lower.cut {
                        return;
                    }
                    "it begins behind the record's key".to_owned()
                }
                _ => return,
            },
        };
        let problem = format!(
            "its record {} leads to page {pointer} of the next older segment: {problem}",
            record.cell
        );
        check.fault(self.run, Fault::page(record.page, problem));
    }

    fn end(&mut self, check: &mut Check<'_>) {
        if self.damaged || !self.has_tree {
            return;
        }
        let ahead = self.ahead.take().map(Ok);
        if let Some(entry) = ahead.or_else(|| self.entries.as_mut()?.next()) {
            let fault = match entry {
                Ok(entry) => Fault::page(
                    entry.on,
                    format!(
                        "this b-tree page leads to page {}, which has no first record",
                        entry.leads_to
                    ),
                ),
                Err(fault) => fault,
            };
            check.fault(self.run, fault);
        }
    }
}
