//! The picture: how long each peer takes for what ours does in one unit of time. An SVG that is
//! legible on light and dark ground, and without colours by the shapes.

use std::fmt::Write;

use crate::results::Results;
use crate::rows::{Goal, ROWS, Row};
use crate::table::{NO_PEERS, STORES, round};

const WIDTH: f64 = 920.0;
/// Where the scale begins and ends.
const LEFT: f64 = 310.0;
const RIGHT: f64 = 740.0;
const TOP: f64 = 84.0;
const LINE: f64 = 26.0;
/// Times that the scale shows; what lies beyond is drawn at its ends.
const LEAST: f64 = 0.1;
const MOST: f64 = 100.0;

/// Middle tones, which stand out from white and from black.
const COLOURS: [&str; 7] = [
    "#d9632b", "#3d87d6", "#1f9e77", "#c264a8", "#a88a1e", "#7f8c9a", "#9064d4",
];

pub fn svg(results: &Results) -> String {
    let present = |store: &str| results.samples.iter().any(|sample| sample.store == store);
    let peers: Vec<_> = STORES
        .iter()
        .filter(|(store, _)| !NO_PEERS.contains(store) && present(store))
        .collect();
    let rows: Vec<_> = ROWS
        .iter()
        .filter(|row| row.goals.iter().any(|goal| matches!(goal, Goal::Ratio(..))))
        .filter_map(|row| Some((row, row.cell(results, "ours")?.value)))
        .collect();
    let height = TOP + LINE * rows.len() as f64 + 44.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-label=\"Time or space of each peer divided by that of lsmlite-rs\" \
         font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\" font-size=\"13\">\n\
         <style>\n\
         .text {{ fill: #57606a }} .name {{ fill: #24292f }} .strong {{ font-weight: 600 }}\n\
         .grid {{ stroke: #8c959f; stroke-opacity: .35 }} .one {{ stroke: #57606a; stroke-width: 1.5 }}\n\
         .goal {{ stroke: #24292f; stroke-width: 2.5 }}\n\
         @media (prefers-color-scheme: dark) {{\n\
         .text {{ fill: #9ea7b1 }} .name {{ fill: #e6edf3 }} .one {{ stroke: #9ea7b1 }}\n\
         .goal {{ stroke: #e6edf3 }}\n\
         }}\n\
         </style>\n"
    );
    legend(&mut svg, &peers);
    scale(&mut svg, height);
    for (n, (row, ours)) in rows.iter().enumerate() {
        let y = TOP + LINE * (n as f64 + 0.5);
        line(&mut svg, results, row, *ours, &peers, y);
    }
    let _ = writeln!(
        svg,
        "<text class=\"text\" x=\"{LEFT}\" y=\"{:.1}\">← the peer is faster</text>\n\
         <text class=\"text\" x=\"{RIGHT}\" y=\"{0:.1}\" text-anchor=\"end\">lsmlite-rs is faster →</text>",
        height - 12.0
    );
    svg + "</svg>\n"
}

fn legend(svg: &mut String, peers: &[&(&str, &str)]) {
    let _ = writeln!(
        svg,
        "<text class=\"name strong\" x=\"16\" y=\"24\" font-size=\"15\">Time (or space) of each \
         peer ÷ that of lsmlite-rs</text>"
    );
    let mut x = 24.0;
    for (n, (_, name)) in peers.iter().enumerate() {
        mark(svg, n, x, 46.0);
        let _ = writeln!(
            svg,
            "<text class=\"text\" x=\"{:.1}\" y=\"50.5\">{name}</text>",
            x + 11.0
        );
        x += 36.0 + 7.5 * name.len() as f64;
    }
    let _ = writeln!(
        svg,
        "<path class=\"goal\" d=\"M{x:.1} 38 v16\"/>\n\
         <text class=\"text\" x=\"{:.1}\" y=\"50.5\">to reach, with the best peer</text>\n\
         <text class=\"text\" x=\"{:.1}\" y=\"50.5\">best peer</text>",
        x + 8.0,
        RIGHT + 24.0
    );
}

fn scale(svg: &mut String, height: f64) {
    let bottom = height - 36.0;
    for tick in [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0] {
        let x = place(tick);
        let class = if tick == 1.0 { "one" } else { "grid" };
        let _ = writeln!(
            svg,
            "<path class=\"{class}\" d=\"M{x:.1} {TOP} V{bottom:.1}\"/>\n\
             <text class=\"text\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\">\
             {tick}×</text>",
            TOP - 6.0
        );
    }
}

fn line(
    svg: &mut String,
    results: &Results,
    row: &Row,
    ours: f64,
    peers: &[&(&str, &str)],
    y: f64,
) {
    let _ = writeln!(
        svg,
        "<text class=\"name\" x=\"16\" y=\"{:.1}\">{}</text>",
        y + 4.5,
        row.title
    );
    let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {y:.1} H{RIGHT}\"/>");
    for (n, (store, name)) in peers.iter().enumerate() {
        if let Some(cell) = row.cell(results, store) {
            let ratio = cell.value / ours;
            let _ = writeln!(svg, "<g><title>{name}: {}×</title>", round(ratio));
            mark(svg, n, place(ratio), y);
            svg.push_str("</g>\n");
        }
    }
    if let Some(Goal::Ratio(least, of)) = row.goals.iter().find(|g| matches!(g, Goal::Ratio(..))) {
        let _ = writeln!(
            svg,
            "<path class=\"goal\" d=\"M{:.1} {:.1} v16\"/>",
            place(*least),
            y - 8.0
        );
        if let Some((name, best)) = row.best(results, of) {
            let _ = writeln!(
                svg,
                "<text class=\"text\" x=\"{:.1}\" y=\"{:.1}\">{}× ({name})</text>",
                RIGHT + 24.0,
                y + 4.5,
                round(best / ours)
            );
        }
    }
}

/// A shape of its own for each peer.
fn mark(svg: &mut String, peer: usize, x: f64, y: f64) {
    let colour = COLOURS[peer % COLOURS.len()];
    let path = match peer % COLOURS.len() {
        0 => "m-5 -5 h10 v10 h-10 z",
        1 => "m0 -6.5 l6.5 6.5 l-6.5 6.5 l-6.5 -6.5 z",
        2 => "m-5.5 0 a5.5 5.5 0 1 0 11 0 a5.5 5.5 0 1 0 -11 0",
        3 => "m0 -6 l6 10.5 h-12 z",
        4 => "m0 6 l6 -10.5 h-12 z",
        5 => "m-6 -1.5 h4.5 v-4.5 h3 v4.5 h4.5 v3 h-4.5 v4.5 h-3 v-4.5 h-4.5 z",
        _ => "m-6 -3 h12 v6 h-12 z",
    };
    let _ = writeln!(svg, "<path fill=\"{colour}\" d=\"M{x:.1} {y:.1} {path}\"/>");
}

/// On the scale, which is logarithmic.
fn place(ratio: f64) -> f64 {
    let share = (ratio.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    LEFT + share * (RIGHT - LEFT)
}
