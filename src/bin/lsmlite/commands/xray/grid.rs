//! The file as rows of cells.

use std::collections::HashSet;

use lsmlite_rs::inspect::{FileMap, Owner};

/// Rows of cells, each of which stands for as many bytes.
pub struct Grid {
    pub cell_bytes: u64,
    pub columns: usize,
    /// Whose each cell is.
    pub cells: Vec<Owner>,
    block_bytes: u64,
}

impl Grid {
    /// Cells as small as possible, but not much less than a page, on so many rows and columns at most. Blocks and
    /// rows begin together: a row has several blocks, or a block several rows.
    pub fn new(map: &FileMap, columns: usize, rows: usize) -> Grid {
        let layout = map.info.layout.as_ref();
        let page = layout.map_or(4096, |layout| u64::from(layout.page_size_bytes));
        let block = layout.map_or(1 << 16, |layout| u64::from(layout.block_size_kib) * 1024);
        let mut cell_bytes = page.clamp(512, 4096);
        let (count, columns) = loop {
            let count = usize::try_from(map.info.file_bytes.div_ceil(cell_bytes));
            let count = count.unwrap_or(usize::MAX);
            let wide = aligned(columns.max(1), block, cell_bytes);
            if count <= wide.saturating_mul(rows) || cell_bytes >= 1 << 60 {
                break (count.min(wide * rows), wide);
            }
            cell_bytes *= 2;
        };
        Grid {
            cell_bytes,
            columns,
            cells: cells(map, cell_bytes, count),
            block_bytes: block,
        }
    }

    pub fn rows(&self) -> impl Iterator<Item = &[Owner]> {
        self.cells.chunks(self.columns)
    }

    /// The block with which a row begins, if one does.
    pub fn block_at(&self, row: usize) -> Option<u64> {
        let offset = row as u64 * self.columns as u64 * self.cell_bytes;
        (offset % self.block_bytes == 0).then_some(offset / self.block_bytes + 1)
    }

    /// Cells of a block; `None` if a cell has more than one block.
    pub fn cells_per_block(&self) -> Option<usize> {
        let cells = usize::try_from(self.block_bytes / self.cell_bytes).ok()?;
        (cells > 1).then_some(cells)
    }

    /// The middle of a stretch of cells, as far as it lies in one block if there is room for a
    /// letter.
    pub fn middle(&self, first: usize, len: usize) -> f64 {
        let per_block = self.cells_per_block().unwrap_or(self.columns);
        let end = first + len;
        let edge = (first / per_block + 1) * per_block;
        let room = self.columns.div_ceil(40);
        let (from, to) = match edge {
            _ if edge >= end || edge - first >= room => (first, edge.min(end)),
            _ => (edge, (edge + per_block).min(end)),
        };
        (from + to) as f64 / 2.0
    }

    /// The stretches of a row with one owner: owner, first cell, how many.
    pub fn stretches(row: &[Owner]) -> Vec<(Owner, usize, usize)> {
        let mut found: Vec<(Owner, usize, usize)> = Vec::new();
        for (at, &owner) in row.iter().enumerate() {
            match found.last_mut() {
                Some((last, _, count)) if *last == owner => *count += 1,
                _ => found.push((owner, at, 1)),
            }
        }
        found
    }
}

/// So many columns at most that rows and blocks begin together.
fn aligned(columns: usize, block: u64, cell: u64) -> usize {
    match usize::try_from(block / cell).unwrap_or(usize::MAX) {
        0 | 1 => columns / 8 * 8,
        per_block if per_block <= columns => columns / per_block * per_block,
        _ => 1 << columns.ilog2(),
    }
    .max(1)
}

fn cells(map: &FileMap, cell_bytes: u64, count: usize) -> Vec<Owner> {
    let mut cells = Vec::with_capacity(count);
    // The cell that an owner has most of.
    let mut best: Vec<(Owner, u64, usize)> = Vec::new();
    let mut regions = map.regions.iter().peekable();
    for cell in 0..count {
        let (start, end) = (cell as u64 * cell_bytes, (cell as u64 + 1) * cell_bytes);
        let mut parts: Vec<(Owner, u64)> = Vec::new();
        while let Some(region) = regions.peek() {
            let bytes = region.end.min(end).saturating_sub(region.start.max(start));
            match parts.iter_mut().find(|(owner, _)| *owner == region.owner) {
                Some((_, sum)) => *sum += bytes,
                None => parts.push((region.owner, bytes)),
            }
            if region.end > end {
                break;
            }
            regions.next();
        }
        for &(owner, bytes) in &parts {
            match best.iter_mut().find(|(known, _, _)| *known == owner) {
                Some(known) if known.1 < bytes => (known.1, known.2) = (bytes, cell),
                Some(_) => {}
                None => best.push((owner, bytes, cell)),
            }
        }
        let most = parts.iter().rev().max_by_key(|(_, bytes)| *bytes);
        cells.push(most.map_or(Owner::Tail, |(owner, _)| *owner));
    }
    // Whoever has too little anywhere still gets the cell that it has most of.
    let shown: HashSet<Owner> = cells.iter().copied().collect();
    for (owner, bytes, cell) in best {
        if bytes > 0 && !shown.contains(&owner) {
            cells[cell] = owner;
        }
    }
    cells
}
