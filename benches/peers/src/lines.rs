//! How long the programs are.

use std::fmt::Write;

use crate::programs::{Program, STORES, all};

/// Lines that are neither blank nor a comment alone.
pub fn code_lines(source: &str) -> usize {
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    source.lines().map(str::trim).filter(is_code).count()
}

impl Program {
    /// The lines of each version, in the order of [`STORES`].
    pub fn lines(&self) -> [usize; STORES.len()] {
        self.versions.map(|version| code_lines(version.source))
    }
}

/// The lines of all programs, as a table in Markdown.
pub fn table() -> String {
    let mut table = format!("| program | {} |\n", STORES.join(" | "));
    table += &format!("|---|{}\n", "---|".repeat(STORES.len()));
    for program in all() {
        let lines = program.lines().map(|lines| lines.to_string());
        let _ = writeln!(table, "| {} | {} |", program.name, lines.join(" | "));
    }
    table
}
