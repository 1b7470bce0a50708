//! Where the lines come from: a terminal or a script.

use std::io::{BufRead, BufReader};

use super::editor::{Editor, Event};
use crate::context::Context;
use crate::exit::Failure;
use crate::input::Input;
use crate::interrupt;

pub enum Lines {
    Terminal(Editor),
    Script { input: BufReader<Input>, number: u64 },
}

/// What is known about a line that isn't finished: where completions begin, and which there are.
pub type Complete<'a> = &'a dyn Fn(&str) -> (usize, Vec<String>);

impl Lines {
    pub fn interactive(keeps_history: bool, context: &Context) -> Result<Lines, Failure> {
        Ok(Lines::Terminal(Editor::new(keeps_history, context)?))
    }

    pub fn script() -> Lines {
        Lines::Script {
            input: BufReader::new(Input::new()),
            number: 0,
        }
    }

    pub fn is_interactive(&self) -> bool {
        matches!(self, Lines::Terminal(_))
    }

    /// The next line; `None` at the end.
    pub fn next(
        &mut self,
        prompt: &str,
        complete: Complete<'_>,
    ) -> Result<Option<String>, Failure> {
        match self {
            Lines::Terminal(editor) => loop {
                match editor.ask(prompt, complete)? {
                    Event::Line(line) => return Ok(Some(line)),
                    Event::GivenUp => {}
                    Event::End => return Ok(None),
                }
            },
            Lines::Script { input, number } => {
                let mut line = Vec::new();
                let read = input.read_until(b'\n', &mut line);
                read.map_err(|error| Failure::io("read", "standard input".as_ref(), &error))?;
                interrupt::check()?;
                *number += 1;
                if line.is_empty() {
                    return Ok(None);
                }
                let line = String::from_utf8(line);
                let line = line.map_err(|_| {
                    Failure::usage("the line isn't UTF-8")
                        .with_advice("write other bytes as \\xff, or choose another encoding")
                });
                line.map(Some).map_err(|failure| failure.within(&self.place()))
            }
        }
    }

    /// What a failure is said to be in.
    pub fn place(&self) -> String {
        match self {
            Lines::Terminal(_) => String::new(),
            Lines::Script { number, .. } => format!("line {number}"),
        }
    }

    /// Leaves the terminal as it was.
    pub fn end(&mut self) {
        if let Lines::Terminal(editor) = self {
            editor.end();
        }
    }
}
