//! The picture as text: coloured half blocks on a terminal, letters elsewhere.

use std::path::Path;

use lsmlite_rs::inspect::{FileMap, Owner};

use super::grid::Grid;
use super::paint::{self, Paint};
use super::words::{self, size};

/// Lines of the map at most.
const LINES: usize = 24;
/// What comes before a line of the map.
const MARGIN: usize = 9;
/// Columns of a bar.
const BAR: usize = 24;

/// Columns of the terminal, if standard output is one.
pub fn width() -> Option<u16> {
    #[cfg(unix)]
    {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
        (size.ws_col > 0).then(|| size.ws_col.clamp(40, 200))
    }
    #[cfg(not(unix))]
    None
}

pub fn draw(file: &Path, map: &FileMap, paint: Paint, width: usize) -> String {
    let mut text = Text {
        out: String::new(),
        paint,
        style: String::new(),
    };
    text.line(&words::file_name(file));
    for line in words::summary(map) {
        text.line(&format!("  {line}"));
    }
    text.log(map, width);
    text.map(map, width);
    text.segments(map, width);
    for (owner, bytes) in words::others(map) {
        let share = words::percent(bytes, map.info.file_bytes);
        text.out.push_str("  ");
        text.swatch(owner);
        let (name, bytes) = (words::name(owner), size(bytes));
        text.line(&format!("{name:<25}{bytes:>10} {:>15} {share:>7}", ""));
    }
    if !map.problems.is_empty() {
        text.line("");
    }
    for problem in &map.problems {
        text.styled("31", "damaged");
        text.line(&format!(": {problem}"));
    }
    text.out
}

struct Text {
    out: String,
    paint: Paint,
    /// The escape sequence that is in force.
    style: String,
}

impl Text {
    fn has_colors(&self) -> bool {
        self.paint != Paint::Letters
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        let end = self.out.trim_end_matches(' ').len();
        self.out.truncate(end);
        self.out.push('\n');
    }

    fn dots(&self) -> &'static str {
        if self.has_colors() { "…" } else { ".." }
    }

    fn set(&mut self, style: &str) {
        if self.has_colors() && self.style != style {
            // Each begins anew: what is in force doesn't matter then.
            self.out.push_str("\x1b[0");
            if !style.is_empty() {
                self.out.push(';');
                self.out.push_str(style);
            }
            self.out.push('m');
            self.style = style.to_owned();
        }
    }

    fn styled(&mut self, style: &str, text: &str) {
        self.set(style);
        self.out.push_str(text);
        self.set("");
    }

    /// Five columns that show what stands for an owner.
    fn swatch(&mut self, owner: Owner) {
        let letter = words::letter(owner);
        match (self.has_colors(), paint::color(owner)) {
            (true, Some(color)) => {
                self.out.push_str(&format!("{letter} "));
                let style = self.paint.code(color, false);
                self.styled(&style, "██");
            }
            (true, None) => {
                self.out.push_str("  ");
                self.styled("2", &format!("{0}{0}", empty(owner)));
            }
            (false, _) => self.out.push_str(&format!("{letter}   ")),
        }
        self.out.push(' ');
    }

    fn map(&mut self, map: &FileMap, width: usize) {
        if map.regions.is_empty() {
            return;
        }
        let columns = width.saturating_sub(MARGIN + 1);
        // Two rows in a line only where blocks are many: otherwise a line is easier to read.
        let mut grid = Grid::new(map, columns, LINES);
        let is_fine = self.has_colors() && grid.cells_per_block().is_none();
        let per_line = if is_fine { 2 } else { 1 };
        if is_fine {
            grid = Grid::new(map, columns, LINES * per_line);
        }
        let what = match (is_fine, self.has_colors()) {
            (true, _) => "half a column",
            (false, true) => "a column",
            (false, false) => "a letter",
        };
        self.line("");
        self.line(&format!("  block  {what} is {}", size(grid.cell_bytes)));
        let rows: Vec<_> = grid.rows().collect();
        for (n, pair) in rows.chunks(per_line).enumerate() {
            let label = grid.block_at(n * per_line).map_or(String::new(), |n| n.to_string());
            self.out.push_str(&format!("{label:>7}  "));
            match pair {
                [top, bottom] => self.halves(top, bottom),
                [row] if is_fine => self.halves(row, &[]),
                [row] if self.has_colors() => self.halves(row, row),
                [row] => self.out.extend(row.iter().map(|&owner| words::letter(owner))),
                _ => {}
            }
            self.set("");
            self.line("");
        }
        self.line("");
    }

    /// Two rows of cells in one line.
    fn halves(&mut self, top: &[Owner], bottom: &[Owner]) {
        let mut previous = None;
        for (at, &upper) in top.iter().enumerate() {
            let lower = bottom.get(at).copied();
            let colors = (paint::color(upper), lower.and_then(paint::color));
            let is_whole = lower == Some(upper);
            let (style, glyph) = match colors {
                (Some(color), Some(_)) if is_whole => {
                    let back = self.paint.code(color, true);
                    // A letter where a stretch begins that is wide enough.
                    let goes_on = (1..4).all(|n| {
                        top.get(at + n) == Some(&upper) && bottom.get(at + n) == Some(&upper)
                    });
                    let begins = previous != Some(upper) && goes_on;
                    let glyph = if begins { words::letter(upper) } else { ' ' };
                    (format!("{};{back}", self.paint.ink(color)), glyph)
                }
                (Some(upper), Some(lower)) => {
                    let (front, back) = (self.paint.code(upper, false), self.paint.code(lower, true));
                    (format!("{front};{back}"), '▀')
                }
                (Some(upper), None) => (self.paint.code(upper, false), '▀'),
                (None, Some(lower)) => (self.paint.code(lower, false), '▄'),
                (None, None) => ("2".to_owned(), empty(upper)),
            };
            self.set(&style);
            self.out.push(glyph);
            previous = is_whole.then_some(upper);
        }
    }

    fn segments(&mut self, map: &FileMap, width: usize) {
        if map.segments.is_empty() {
            return;
        }
        let bytes = |index| map.segment(index).and_then(|info| info.bytes).unwrap_or(0);
        let largest = (0..map.segments.len()).map(bytes).max().unwrap_or(0).max(1);
        self.line("  sorted runs, the newest first; size, share of the file, how full its blocks are");
        for (index, segment) in map.segments.iter().enumerate() {
            let owner = Owner::Segment(index);
            if segment.segment == 0 {
                if let Some(merge) = words::merge(map, segment.level) {
                    self.line(&format!("  {merge}"));
                }
            }
            let facts = words::facts(map, index);
            self.out.push_str("  ");
            self.swatch(owner);
            self.line(&format!(
                "{:<25}{:>10} {:>15} {:>7}  {}",
                words::segment_name(segment),
                facts.size,
                facts.pages,
                facts.share,
                facts.fill
            ));
            self.out.push_str("       ");
            self.bar(owner, bytes(index) as f64 / largest as f64, BAR);
            let keys = words::keys(map, segment, width.saturating_sub(BAR + 9), self.dots());
            self.line(&format!("  {keys}"));
            if let Some(contents) = words::contents(segment) {
                self.line(&format!("       {contents}"));
            }
        }
    }

    /// A bar of so many columns if it is full.
    fn bar(&mut self, owner: Owner, share: f64, columns: usize) {
        let eighths = (share * columns as f64 * 8.0).round() as usize;
        let eighths = eighths.clamp(1, columns * 8);
        let color = paint::color(owner).filter(|_| self.has_colors());
        let Some(color) = color else {
            let count = eighths.div_ceil(8);
            let bar = words::letter(owner).to_string().repeat(count);
            self.out.push_str(&format!("{bar:<columns$}"));
            return;
        };
        let partial = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
        let mut bar = "█".repeat(eighths / 8);
        bar.extend((eighths % 8).checked_sub(1).map(|n| partial[n]));
        let style = self.paint.code(color, false);
        self.styled(&style, &bar);
        let rest = columns - eighths.div_ceil(8);
        self.out.push_str(&" ".repeat(rest));
    }

    /// The log, on one line.
    fn log(&mut self, map: &FileMap, width: usize) {
        let columns = width.saturating_sub(MARGIN + 1);
        let Some(len) = map.info.log_bytes.filter(|&len| len > 0) else {
            return;
        };
        self.out.push_str("    log  ");
        for column in 0..columns as u64 {
            let edge = |column: u64| u128::from(len) * u128::from(column) / columns as u128;
            let (start, end) = (edge(column), edge(column + 1).max(edge(column) + 1));
            let pending = map.log.iter().any(|region| {
                region.is_pending && u128::from(region.start) < end && start < region.end.into()
            });
            match (pending, self.has_colors()) {
                (true, true) => {
                    let style = self.paint.code(paint::LOG, false);
                    self.set(&style);
                    self.out.push('━');
                }
                (true, false) => self.out.push('='),
                (false, colors) => {
                    self.set("2");
                    self.out.push(if colors { '─' } else { '-' });
                }
            }
        }
        self.set("");
        self.line("");
    }
}

/// What is shown on the background for an owner without a colour.
fn empty(owner: Owner) -> char {
    match owner {
        Owner::Free => '·',
        Owner::Unused => '-',
        Owner::Reserved => '+',
        _ => '_',
    }
}
