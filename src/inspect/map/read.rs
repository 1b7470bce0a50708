//! Reading what a map needs.

use std::path::Path;

use super::contents::contents;
use super::regions::{blocks, regions};
use super::{FileMap, LogRegion, MapDepth, SegmentMap, SegmentRole};
use crate::env::Env;
use crate::error::{LsmError, LsmErrorCode};
use crate::format::Fault;
use crate::format::checkpoint::{Checkpoint, Header, Segment};
use crate::format::ends::{Ends, ends};
use crate::format::freelist::free_blocks;
use crate::format::log;
use crate::format::plan::{Plan, Run, plan};
use crate::format::source::{FileSource, Source};
use crate::inspect::info::{checkpoint_of, info_of, layout, log_of, pages_of};
use crate::verify::{self, Damage};

const OPERATION: &str = "map the file";

/// So often it is tried to read a file while no checkpoint is written.
const PATIENCE: u32 = 8;

/// Reads what each part of a file is used for, without opening it as a database. Nothing is locked
/// or written; of a database that another process writes to, it is what the last checkpoint says.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("demo.lsm");
/// # let mut db = lsmlite_rs::LsmDb::open(&path)?;
/// # db.insert("Bergen", "291940")?;
/// # db.insert("Oslo", "717710")?;
/// # db.close()?;
/// use lsmlite_rs::inspect::{MapDepth, Owner, file_map};
///
/// let map = file_map(&path, MapDepth::Ends)?;
/// let owners: Vec<_> = map.regions.iter().map(|region| region.owner).collect();
/// assert_eq!(owners[..2], [Owner::HeaderPages, Owner::Segment(0)]);
/// assert_eq!(map.segments[0].last_key.as_deref(), Some(&b"Oslo"[..]));
/// # Ok(()) }
/// ```
///
/// # Errors
/// The file can't be read; it isn't a database, or its header is damaged (`LsmCorrupt`); this
/// process has it open (`LsmMisuse`); checkpoints were written to it all the time (`LsmBusy`). Damage
/// elsewhere than in the header is among the map's [problems](FileMap::problems).
pub fn file_map(path: impl AsRef<Path>, depth: MapDepth) -> Result<FileMap, LsmError> {
    let path = path.as_ref();
    let failed = |code, message: &str| {
        let error = LsmError::new(OPERATION, code).with_path(path);
        Err(error.with_message(message))
    };
    if Env::default().is_open(path) {
        return failed(
            LsmErrorCode::LsmMisuse,
            "this process has it open: close it first",
        );
    }
    for _ in 0..PATIENCE {
        let source = FileSource::open(path).map_err(|error| verify::io_error(&error, path))?;
        let headers = verify::headers(&source);
        let map = read(&source, &headers, path, depth);
        let ids = |headers: &[Header; 2]| headers.each_ref().map(|h| h.checkpoint().map(|c| c.id));
        if ids(&verify::headers(&source)) == ids(&headers) {
            return map;
        }
    }
    failed(
        LsmErrorCode::LsmBusy,
        "the file is being written to by another process",
    )
}

fn read(
    source: &FileSource,
    headers: &[Header; 2],
    path: &Path,
    depth: MapDepth,
) -> Result<FileMap, LsmError> {
    let checkpoint = checkpoint_of(headers, OPERATION, path)?;
    let (log, found) = log_of(path, checkpoint);
    let mut map = FileMap {
        info: info_of(source.len(), headers, log.as_ref(), found, None),
        segments: Vec::new(),
        free_blocks: Vec::new(),
        reserved_blocks: Vec::new(),
        unlisted_blocks: Vec::new(),
        regions: Vec::new(),
        log: Vec::new(),
        problems: Vec::new(),
        is_readable: true,
    };
    if let Some(log) = &log {
        let stretches = found.map(|found| log::stretches(log, &found));
        map.log = log_regions(log.len(), stretches.unwrap_or_default());
    }
    let Some(checkpoint) = checkpoint else {
        map.regions = regions(source.len(), None, &[], &map);
        return Ok(map);
    };
    let pages = pages_of(source, checkpoint);
    let plan = plan(&pages, checkpoint);
    map.info.layout = Some(layout(checkpoint, &plan.runs));
    map.is_readable = pages.can_be_read();
    report_lost(&plan, checkpoint, &mut map);
    let mut all_ends = Vec::new();
    if map.is_readable {
        for run in &plan.runs {
            let ends = ends(&pages, checkpoint, run);
            let place = Some((run.level, run.place));
            for fault in &ends.faults {
                map.add(Damage::of(place, fault.clone()));
            }
            all_ends.push(ends);
        }
    }
    for (l, level) in checkpoint.levels.iter().enumerate() {
        let segments = std::iter::once(&level.left).chain(&level.right);
        for (place, segment) in segments.enumerate() {
            let at = plan
                .runs
                .iter()
                .position(|run| (run.level, run.place) == (l, place));
            let run = at.and_then(|at| plan.runs.get(at));
            let ends = at.and_then(|at| all_ends.get(at));
            let role = match (level.right.is_empty(), place) {
                (true, _) => SegmentRole::Level,
                (_, 0) => SegmentRole::MergeOutput,
                _ => SegmentRole::MergeInput,
            };
            let mut entry = segment_map((l, place), role, segment, run, ends);
            if let (MapDepth::Pages, true, Some(run)) = (depth, map.is_readable, run) {
                let (contents, faults) = contents(&pages, run);
                entry.pages = Some(contents.data_pages + contents.btree_pages);
                entry.contents = Some(contents);
                for fault in faults {
                    map.add(Damage::of(Some((l, place)), fault));
                }
            }
            map.segments.push(entry);
        }
    }
    let listed: Vec<_> = all_ends.into_iter().map(|ends| ends.listed).collect();
    if map.is_readable {
        map.free_blocks = free_blocks(checkpoint, &listed);
    }
    blocks(&pages, checkpoint, &plan, source.len(), &mut map);
    map.regions = regions(source.len(), Some(checkpoint), &plan.runs, &map);
    Ok(map)
}

impl FileMap {
    /// A problem, unless it is known.
    pub(super) fn add(&mut self, damage: Damage) {
        if !self.problems.contains(&damage) {
            self.problems.push(damage);
        }
    }
}

/// What prevented runs from being found as a whole.
fn report_lost(plan: &Plan, checkpoint: &Checkpoint, map: &mut FileMap) {
    for (level, place, fault) in &plan.lost {
        // A merge's split key can't be read without the codec.
        let is_split = *place == 0
            && checkpoint
                .levels
                .get(*level)
                .is_some_and(|level| !level.right.is_empty())
            && plan
                .runs
                .iter()
                .any(|run| (run.level, run.place) == (*level, 0));
        if map.is_readable || !is_split {
            map.add(Damage::of(Some((*level, *place)), fault.clone()));
        }
    }
    for run in &plan.runs {
        for fault in &run.faults {
            map.add(Damage::of(Some((run.level, run.place)), fault.clone()));
        }
    }
}

fn segment_map(
    (level, place): (usize, usize),
    role: SegmentRole,
    segment: &Segment,
    run: Option<&Run>,
    ends: Option<&Ends>,
) -> SegmentMap {
    let unmerged = ends.and_then(|ends| match (ends.is_read, ends.merged_to) {
        (true, _) => Some(0),
        (false, Some(page)) => run.and_then(|run| from(run, page)),
        (false, None) => None,
    });
    let pages = run.filter(|run| !run.chain.layout.packed).map(|run| {
        let spans = (0..run.chain.blocks.len()).filter_map(|place| run.chain.span(place));
        spans.map(|(from, to)| (to + 1).saturating_sub(from)).sum()
    });
    SegmentMap {
        level,
        segment: place,
        role,
        pages,
        has_btree: segment.root != 0,
        first_key: ends.and_then(|ends| ends.first.clone()),
        last_key: ends.and_then(|ends| ends.last.clone()),
        unmerged_bytes: unmerged,
        contents: None,
    }
}

/// Bytes of a run from one of its pages on.
fn from(run: &Run, page: u64) -> Option<u64> {
    let (first, _) = run.chain.order(page)?;
    let unit = match run.chain.layout.packed {
        true => 1,
        false => run.chain.layout.page,
    };
    let spans = (first..run.chain.blocks.len()).filter_map(|place| {
        let (from, to) = run.chain.span(place)?;
        let from = if place == first { page } else { from };
        Some((to + 1).saturating_sub(from))
    });
    Some(spans.sum::<u64>() * unit)
}

/// The log in order, from where its transactions lie.
fn log_regions(len: u64, mut stretches: Vec<(u64, u64)>) -> Vec<LogRegion> {
    stretches.sort_unstable();
    let mut regions: Vec<LogRegion> = Vec::new();
    let mut at = 0;
    for (start, end) in stretches {
        let (start, end) = (start.clamp(at, len), end.clamp(at, len));
        for (start, end, is_pending) in [(at, start, false), (start, end, true)] {
            match regions.last_mut() {
                _ if start >= end => {}
                Some(last) if last.is_pending == is_pending => last.end = end,
                _ => regions.push(LogRegion {
                    start,
                    end,
                    is_pending,
                }),
            }
        }
        at = at.max(end);
    }
    if at < len {
        regions.push(LogRegion {
            start: at,
            end: len,
            is_pending: false,
        });
    }
    regions
}

/// A fault of the file as a whole, in terms of a block.
pub(super) fn of_block(block: u32, problem: String) -> Damage {
    Damage::of(None, Fault::block(block, problem))
}
