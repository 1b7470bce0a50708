//! Word count: counts the words of a text in the store, word by word, and prints the ten most
//! frequent ones from what is stored.

mod fjall;
mod heed;
mod ours;
mod redb;

use std::cmp::Reverse;
use std::io::Write;

use super::{Program, versions};
use crate::Result;

/// A real text: the documentation of the repository.
pub const TEXT: &str = concat!(
    include_str!("../../../../../README.md"),
    include_str!("../../../../../CHANGELOG.md"),
    include_str!("../../../../../src/lsm1/README.md"),
);

pub fn program() -> Program {
    Program {
        name: "word_count",
        versions: versions!(TEXT),
    }
}

/// The words of a text, one after the other.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_between = |letter: char| !letter.is_alphanumeric();
    text.split(is_between).filter(|word| !word.is_empty())
}

/// Finds the ten most frequent words.
#[derive(Default)]
struct TopTen(Vec<(Reverse<u64>, String)>);

impl TopTen {
    fn add(&mut self, word: &str, count: u64) {
        self.0.push((Reverse(count), word.to_owned()));
    }

    fn print(mut self, out: &mut dyn Write) -> Result<()> {
        self.0.sort_unstable();
        for (Reverse(count), word) in self.0.iter().take(10) {
            writeln!(out, "{count:>5} {word}")?;
        }
        Ok(())
    }
}
