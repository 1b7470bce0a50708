//! The picture as SVG: one file that needs nothing else, with colours for dark and light pages on a
//! background of its own.
//!
//! Nothing from the database gets into it but numbers and texts that [`text`] has escaped.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use lsmlite_rs::inspect::{FileMap, Owner, SegmentRole};

use super::grid::Grid;
use super::words::{self, size};
use crate::report::count;

const WIDTH: usize = 960;
const MARGIN: usize = 24;
/// Where the map begins and how wide it is.
const LEFT: usize = 72;
const ACROSS: f64 = (WIDTH - LEFT - MARGIN) as f64;
/// Where the columns of the table end.
const SIZE: usize = 520;
const PAGES: usize = 630;
const SHARE: usize = 750;
const FILL: usize = WIDTH - MARGIN;
const ROWS: usize = 24;
const COLUMNS: usize = 128;
const ROW: usize = 16;
/// The colours of segments, in turn.
const HUES: usize = 8;
/// So many letters on the map, so that it stays small.
const LETTERS: usize = 160;

/// Fills with contrast to the background and to the letters on them, also for eyes that tell fewer
/// colours apart: Okabe and Ito's, darker on light and lighter on dark.
const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}\
.h{font-size:18px;font-weight:600}.b{font-weight:600}.m{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12px}\
.d{fill:#59636e}.e{text-anchor:end}.c{text-anchor:middle}.on{fill:#fff;font-weight:600;font-size:12px;pointer-events:none}\
.page{fill:#fff}.grid{stroke:#fff;fill:none}\
.s0{fill:#0072b2}.s1{fill:#c65a00}.s2{fill:#00785a}.s3{fill:#a8437f}.s4{fill:#806400}.s5{fill:#5b5bb5}.s6{fill:#4d7c0f}.s7{fill:#7d4a3a}\
.header{fill:#59636e}.free,.tail{fill:#e4e8ec}.unused{fill:#e4e8ec}.mark{stroke:#9aa4ae;fill:none}.lost{fill:#cf222e}.log{fill:#00785a}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.d{fill:#9aa4ae}.on{fill:#0d1117}.page{fill:#0d1117}.grid{stroke:#0d1117}\
.s0{fill:#56b4e9}.s1{fill:#e69f00}.s2{fill:#2fbf95}.s3{fill:#e08bc0}.s4{fill:#f0e050}.s5{fill:#a5a5f0}.s6{fill:#b7dd6a}.s7{fill:#d49a86}\
.header{fill:#9aa4ae}.free,.tail{fill:#232a33}.unused{fill:#232a33}.mark{stroke:#5b6672}.lost{fill:#ff6a69}.log{fill:#2fbf95}}";

pub fn draw(file: &Path, map: &FileMap) -> String {
    let mut svg = Svg {
        body: String::new(),
        y: 44,
    };
    let name = words::file_name(file);
    svg.words(MARGIN, "h", &name);
    svg.y += 6;
    for line in words::summary(map) {
        svg.y += 18;
        svg.words(MARGIN, "d", &line);
    }
    svg.log(map);
    svg.map(map);
    svg.segments(map);
    svg.others(map);
    svg.problems(map);
    let height = svg.y + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"title description\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n<style>{STYLE}</style>\n\
         <defs><pattern id=\"stripes\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
         <rect class=\"unused\" width=\"6\" height=\"6\"/><path class=\"mark\" d=\"M-1 1l2 -2M0 6l6 -6M5 7l2 -2\"/>\
         </pattern><pattern id=\"crosses\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">\
         <rect class=\"unused\" width=\"8\" height=\"8\"/><path class=\"mark\" d=\"M1 4h6M4 1v6\"/></pattern></defs>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>\n",
        text(&format!("What {name} looks like inside")),
        text(&description(map)),
    );
    out.push_str(&svg.body);
    out.push_str("</svg>\n");
    out
}

/// What the picture shows, for those who don't see it.
fn description(map: &FileMap) -> String {
    let mut sentences = words::summary(map);
    for (index, segment) in map.segments.iter().enumerate() {
        let facts = words::facts(map, index);
        sentences.push(format!(
            "{}: {}, {}, {}",
            words::letter(Owner::Segment(index)),
            words::segment_name(segment),
            facts.size,
            facts.share
        ));
    }
    for (owner, bytes) in words::others(map) {
        sentences.push(format!("{}: {}", words::name(owner), size(bytes)));
    }
    sentences.join(". ")
}

/// The class or pattern with which an owner is filled.
fn fill(owner: Owner) -> String {
    match owner {
        Owner::Segment(n) => format!("class=\"s{}\"", n % HUES),
        Owner::HeaderPages => "class=\"header\"".to_owned(),
        Owner::Free => "class=\"free\"".to_owned(),
        Owner::Unused => "fill=\"url(#stripes)\"".to_owned(),
        Owner::Reserved => "fill=\"url(#crosses)\"".to_owned(),
        Owner::Tail => "class=\"tail\"".to_owned(),
        _ => "class=\"lost\"".to_owned(),
    }
}

/// Text that means itself in XML, whatever is in it.
pub fn text(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len());
    for letter in plain.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'.. => out.push(letter),
            // XML has no way to write the others, or advises against them.
            _ => out.push('\u{fffd}'),
        }
    }
    out
}

struct Svg {
    body: String,
    /// The baseline of the line that is being written.
    y: usize,
}

impl Svg {
    fn add(&mut self, part: &str) {
        self.body.push_str(part);
        self.body.push('\n');
    }

    /// Text on the line.
    fn words(&mut self, x: usize, class: &str, words: &str) {
        let y = self.y;
        self.add(&format!("<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{}</text>", text(words)));
    }

    /// A square with the letter of an owner.
    fn swatch(&mut self, owner: Owner) {
        let (y, fill) = (self.y, fill(owner));
        self.add(&format!(
            "<rect x=\"{MARGIN}\" y=\"{}\" width=\"18\" height=\"18\" rx=\"3\" {fill}/>",
            y - 14
        ));
        if let Owner::Segment(_) = owner {
            let letter = words::letter(owner);
            self.add(&format!("<text x=\"{}\" y=\"{}\" class=\"on c\">{letter}</text>", MARGIN + 9, y - 1));
        }
    }

    fn map(&mut self, map: &FileMap) {
        if map.regions.is_empty() {
            return;
        }
        let grid = Grid::new(map, COLUMNS, ROWS);
        let cell = ACROSS / grid.columns as f64;
        self.y += 34;
        self.words(MARGIN, "b", "The file, block by block");
        let y = self.y;
        let scale = match grid.cells_per_block() {
            Some(_) => format!("a row is {}", size(grid.cell_bytes * grid.columns as u64)),
            None => format!(
                "a row is {}, its smallest parts are {}",
                size(grid.cell_bytes * grid.columns as u64),
                size(grid.cell_bytes)
            ),
        };
        self.add(&format!(
            "<text x=\"{}\" y=\"{y}\" class=\"d e\">{}</text>",
            WIDTH - MARGIN,
            text(&scale)
        ));
        let top = self.y + 12;
        let mut paths: BTreeMap<usize, (Owner, String)> = BTreeMap::new();
        let mut letters = String::new();
        let mut count = 0;
        let mut bottom = top;
        for (n, row) in grid.rows().enumerate() {
            let y = top + n * (ROW + 2);
            bottom = y + ROW;
            if let Some(block) = grid.block_at(n) {
                let middle = y + 12;
                self.add(&format!(
                    "<text x=\"{}\" y=\"{middle}\" class=\"d e m\">{block}</text>",
                    LEFT - 8
                ));
            }
            for (owner, first, len) in Grid::stretches(row) {
                let (x, wide) = (LEFT as f64 + first as f64 * cell, len as f64 * cell);
                let path = paths.entry(order(owner)).or_insert((owner, String::new()));
                // Writing to a string can't fail.
                let _ = write!(path.1, "M{x:.1} {y}h{wide:.1}v{ROW}h-{wide:.1}z");
                if matches!(owner, Owner::Segment(_)) && wide >= 20.0 && count < LETTERS {
                    count += 1;
                    let _ = write!(
                        letters,
                        "<text x=\"{:.1}\" y=\"{}\" class=\"on c\">{}</text>",
                        LEFT as f64 + grid.middle(first, len) * cell,
                        y + 12,
                        words::letter(owner)
                    );
                }
            }
        }
        for (owner, path) in paths.into_values() {
            let (title, fill) = (text(&tooltip(map, owner)), fill(owner));
            self.add(&format!("<path {fill} d=\"{path}\"><title>{title}</title></path>"));
        }
        self.edges(&grid, cell, top, bottom);
        self.add(&letters);
        self.y = bottom;
    }

    /// Lines between blocks, where they aren't too many.
    fn edges(&mut self, grid: &Grid, cell: f64, top: usize, bottom: usize) {
        let Some(per_block) = grid.cells_per_block().filter(|&n| n < grid.columns) else {
            return;
        };
        let mut path = String::new();
        for column in (per_block..grid.columns).step_by(per_block) {
            let x = LEFT as f64 + column as f64 * cell;
            let _ = write!(path, "M{x:.1} {top}V{bottom}");
        }
        self.add(&format!("<path class=\"grid\" d=\"{path}\"/>"));
    }

    fn segments(&mut self, map: &FileMap) {
        if map.segments.is_empty() {
            return;
        }
        let bytes = |index| map.segment(index).and_then(|info| info.bytes).unwrap_or(0);
        let largest = (0..map.segments.len()).map(bytes).max().unwrap_or(0).max(1);
        self.y += 36;
        self.words(MARGIN, "b", "Sorted runs, the newest first");
        for (x, head) in [
            (SIZE, "size"),
            (PAGES, "pages"),
            (SHARE, "of the file"),
            (FILL, "of its blocks"),
        ] {
            let y = self.y;
            self.add(&format!("<text x=\"{x}\" y=\"{y}\" class=\"d e\">{head}</text>"));
        }
        self.y += 4;
        for (index, segment) in map.segments.iter().enumerate() {
            if segment.segment == 0 {
                if let Some(merge) = words::merge(map, segment.level) {
                    self.y += 26;
                    self.words(MARGIN, "", &merge);
                }
            }
            self.y += 28;
            let owner = Owner::Segment(index);
            self.add(&format!("<g><title>{}</title>", text(&tooltip(map, owner))));
            self.swatch(owner);
            let indent = match segment.role {
                SegmentRole::Level => 0,
                _ => 12,
            };
            self.words(MARGIN + 28 + indent, "", &words::segment_name(segment));
            let wide = (bytes(index) as f64 / largest as f64 * 200.0).max(1.5);
            let (y, fill) = (self.y, fill(owner));
            self.add(&format!(
                "<rect x=\"224\" y=\"{}\" width=\"{wide:.1}\" height=\"12\" rx=\"2\" {fill}/>",
                y - 11
            ));
            let facts = words::facts(map, index);
            let pages = facts.pages.split(' ').next().unwrap_or_default().to_owned();
            for (x, fact) in [
                (SIZE, &facts.size),
                (PAGES, &pages),
                (SHARE, &facts.share),
                (FILL, &facts.fill),
            ] {
                self.add(&format!("<text x=\"{x}\" y=\"{y}\" class=\"e\">{}</text>", text(fact)));
            }
            let keys = words::keys(map, segment, 100, "…");
            if !keys.is_empty() {
                self.y += 17;
                self.words(MARGIN + 28 + indent, "m d", &keys);
            }
            if let Some(contents) = words::contents(segment) {
                self.y += 18;
                self.words(MARGIN + 28 + indent, "d", &contents);
            }
            self.add("</g>");
        }
    }

    fn others(&mut self, map: &FileMap) {
        self.y += 10;
        for (owner, bytes) in words::others(map) {
            self.y += 26;
            self.swatch(owner);
            self.words(MARGIN + 28, "", words::name(owner));
            let y = self.y;
            for (x, fact) in [
                (SIZE, size(bytes)),
                (SHARE, words::percent(bytes, map.info.file_bytes)),
            ] {
                self.add(&format!("<text x=\"{x}\" y=\"{y}\" class=\"e\">{}</text>", text(&fact)));
            }
        }
    }

    fn log(&mut self, map: &FileMap) {
        let Some(len) = map.info.log_bytes.filter(|&len| len > 0) else {
            return;
        };
        self.y += 26;
        self.words(MARGIN, "b", "Log");
        let place = |offset: u64| LEFT as f64 + offset as f64 / len as f64 * ACROSS;
        for region in &map.log {
            let x = place(region.start);
            let wide = (place(region.end) - x).max(0.5);
            let (fill, what) = match region.is_pending {
                true => ("log", "transactions that the file hasn't yet"),
                false => ("free", "free to be written again"),
            };
            let title = format!("{}: {what}", size(region.end - region.start));
            let y = self.y - 10;
            self.add(&format!(
                "<rect x=\"{x:.1}\" y=\"{y}\" width=\"{wide:.1}\" height=\"10\" class=\"{fill}\"><title>{}</title></rect>",
                text(&title)
            ));
        }
    }

    fn problems(&mut self, map: &FileMap) {
        const SHOWN: usize = 12;
        if map.problems.is_empty() {
            return;
        }
        self.y += 36;
        let places = count(map.problems.len() as u64, "place");
        self.words(MARGIN, "b", &format!("Damaged in {places}"));
        for problem in map.problems.iter().take(SHOWN) {
            self.y += 20;
            self.words(MARGIN, "", &problem.to_string());
        }
        if map.problems.len() > SHOWN {
            self.y += 20;
            self.words(MARGIN, "d", "and so on");
        }
    }
}

/// What a mouse is told that rests on an owner's parts.
fn tooltip(map: &FileMap, owner: Owner) -> String {
    let Owner::Segment(index) = owner else {
        return format!("{}: {}", words::name(owner), size(words::owned(map, owner)));
    };
    let Some(segment) = map.segments.get(index) else {
        return String::new();
    };
    let facts = words::facts(map, index);
    let tree = if segment.has_btree { "with a b-tree" } else { "without a b-tree" };
    format!(
        "{}: {}, {tree}\n{} {}, {} of the file, {}\n{}",
        words::letter(owner),
        words::segment_name(segment),
        facts.size,
        facts.pages,
        facts.share,
        facts.fill,
        words::keys(map, segment, 120, "…")
    )
}

/// Segments first.
fn order(owner: Owner) -> usize {
    match owner {
        Owner::Segment(n) => n,
        other => usize::MAX - words::letter(other) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_end_what_it_is_in() {
        let nasty = "</title><script>&'\"\0\u{1}\u{7f}\u{fffe}\u{ffff}\u{1f600}";
        let expected = "&lt;/title&gt;&lt;script&gt;&amp;&#39;&quot;\
                        \u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{1f600}";
        assert_eq!(text(nasty), expected);
    }
}
