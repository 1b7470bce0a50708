//! `lsmlite xray`: a picture of a file.
//!
//! | file | what |
//! |---|---|
//! | `grid` | the file as rows of cells, each with the owner of most of it |
//! | `words` | what is said of a map: names, sizes, keys |
//! | `paint` | colours of terminals |
//! | `terminal` | the picture as text |
//! | `svg` | the picture as SVG |

mod grid;
mod paint;
mod svg;
mod terminal;
mod words;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use lsmlite_rs::inspect::{FileMap, MapDepth, file_map};
use serde_json::json;

use crate::context::Context;
use crate::database::{Seconds, check, explain, refuse_existing};
use crate::exit::{Failure, Outcome, Status};
use crate::interrupt::{self, Draft};
use crate::output::Output;
use crate::report::count;

use paint::Paint;

/// Draw a file: levels, sorted runs, merges, blocks, free space, log
///
/// Reads the header, the links between blocks and a few pages of each run, and nothing else: also of
/// a file that is in use, without locking it. It is as of the last checkpoint then. A letter stands for a
/// run, the newest is A.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite xray cities.lsm
  lsmlite xray cities.lsm --pages --color always | less -R
  lsmlite xray cities.lsm --svg cities.svg

The status is 3 if something is damaged, and the picture shows the rest. `lsmlite check` reads
everything.")]
pub struct Xray {
    /// The database file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the picture looks like
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Write an SVG into this new file, instead
    #[arg(long, value_name = "NEW", conflicts_with = "format")]
    svg: Option<PathBuf>,
    /// Read every page: tells data from b-trees, counts records, and how full pages are
    #[arg(short, long)]
    pages: bool,
    /// Columns of the text: those of the terminal, or 80
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=400))]
    width: Option<u16>,
    /// Wait so long if another process writes to the file all the time
    #[arg(long, value_name = "SECONDS", default_value = "0", hide_default_value = true)]
    wait: Seconds,
}

#[derive(Copy, Clone, ValueEnum)]
enum Format {
    /// Coloured blocks on a terminal, letters elsewhere
    Text,
    /// One object on one line
    Json,
    /// A picture for browsers, on dark and light pages
    Svg,
}

impl Xray {
    pub fn run(self, context: &Context) -> Outcome {
        check(&self.file, false)?;
        if let Some(target) = &self.svg {
            refuse_existing(target)?;
        }
        let map = self.read()?;
        match &self.svg {
            Some(target) => {
                write_new(target, &svg::draw(&self.file, &map))?;
                context.note(format_args!("the picture is in {}", target.display()));
            }
            None => self.print(context, &map)?,
        }
        if map.problems.is_empty() {
            return Ok(Status::Done);
        }
        let message = format!(
            "{} is damaged in {}",
            self.file.display(),
            count(map.problems.len() as u64, "place")
        );
        Err(Failure::new(Status::Damaged, message).with_advice(format!(
            "`lsmlite check {0}` says more, and `lsmlite salvage {0} NEW` copies what is readable",
            self.file.display()
        )))
    }

    fn read(&self) -> Result<FileMap, Failure> {
        let depth = match self.pages {
            true => MapDepth::Pages,
            false => MapDepth::Ends,
        };
        let start = Instant::now();
        loop {
            match file_map(&self.file, depth) {
                Err(error) if error.is_busy() && start.elapsed() < self.wait.0 => {
                    interrupt::check()?;
                }
                Err(error) if error.is_busy() => {
                    let message = format!("another process writes to {}", self.file.display());
                    return Err(Failure::new(Status::Busy, message)
                        .with_advice("try again with --wait 10, or without --pages"));
                }
                map => return map.map_err(|error| explain(error, &self.file)),
            }
        }
    }

    fn print(&self, context: &Context, map: &FileMap) -> Result<(), Failure> {
        let mut out = Output::new();
        match self.format {
            Format::Text => {
                let paint = Paint::of(context.has_colors(&io::stdout()));
                let width = self.width.or_else(terminal::width).unwrap_or(80);
                let text = terminal::draw(&self.file, map, paint, width.into());
                out.write(text.as_bytes())?;
            }
            Format::Json => {
                let file = self.file.to_string_lossy();
                let object = json!({ "file": file, "map": crate::report::json(map) });
                out.line(&object.to_string())?;
            }
            Format::Svg => out.write(svg::draw(&self.file, map).as_bytes())?,
        }
        out.finish()
    }
}

/// Writes a new file, which appears when it is whole.
fn write_new(target: &Path, content: &str) -> Result<(), Failure> {
    let draft = Draft::beside(target);
    let written = fs::write(draft.path(), content);
    written.map_err(|error| Failure::io("write", target, &error))?;
    draft.install(target)
}
