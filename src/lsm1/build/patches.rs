//! Applies our patches to the text of lsm1.
//!
//! A patch is a header in prose and a unified diff. The lines that a hunk quotes must occur
//! exactly once in the text: so a hunk never lands in a wrong place, the line numbers don't
//! matter, and a patch can be left out without touching those that follow.

use super::checksum::Edition;
use super::locate::Source;
use super::rerun_if_changed;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::Path;

/// Takes back the one word in which the carrier's text differs from SQLite's.
const TO_UPSTREAM: &str = "00-fdatasync";

pub struct PatchSet {
    patches: Vec<Patch>,
}

pub struct Patch {
    /// The file's name without `.patch`.
    pub name: String,
    pub text: String,
}

/// The lines that a hunk expects, and those that it puts there.
#[derive(Default)]
struct Hunk<'a> {
    old: Vec<&'a str>,
    new: Vec<&'a str>,
}

/// Where a patch comes in the order: after those with smaller numbers.
pub fn place(name: &str) -> (u32, &str) {
    let digits = name.find(|c: char| !c.is_ascii_digit());
    let number = &name[..digits.unwrap_or(name.len())];
    (number.parse().unwrap_or(u32::MAX), name)
}

impl PatchSet {
    /// Reads `*.patch` in `folder`, in the order of their numbers.
    pub fn read(folder: &Path) -> Result<Self, String> {
        rerun_if_changed(folder);
        let unreadable = |path: &Path, error: io::Error| {
            format!(
                "{} can't be read ({error}); get a complete copy of this crate's sources.",
                path.display()
            )
        };
        let mut patches = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
            let path = entry.map_err(|error| unreadable(folder, error))?.path();
            if path
                .extension()
                .is_none_or(|extension| extension != "patch")
            {
                continue;
            }
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            patches.push(Patch {
                name: name.into_owned(),
                text,
            });
        }
        patches.sort_by(|a, b| place(&a.name).cmp(&place(&b.name)));
        Ok(Self { patches })
    }

    /// Applies all patches but those in the list `left_out` and those that build on them.
    pub fn apply(&self, source: Source, left_out: &str) -> Result<String, String> {
        let mut skipped = self.skipped(left_out)?;
        if source.edition == Edition::Upstream {
            skipped.insert(TO_UPSTREAM);
        }
        let mut lines = Lines::of(&source.text);
        for patch in &self.patches {
            if !skipped.contains(patch.name.as_str()) {
                patch.apply(&mut lines)?;
            }
        }
        Ok(lines.text())
    }

    /// The patches in the list `left_out` and, again and again, those that require one.
    fn skipped<'a>(&'a self, left_out: &'a str) -> Result<BTreeSet<&'a str>, String> {
        let mut skipped = BTreeSet::new();
        for name in names(left_out) {
            if !self.patches.iter().any(|patch| patch.name == name) {
                return Err(format!(
                    "LSM1_LEAVE_OUT names {name:?}, and there is no such patch; use the names \
                     of the files in src/lsm1/patches/ without `.patch`, with commas between."
                ));
            }
            skipped.insert(name);
        }
        loop {
            let before = skipped.len();
            for patch in &self.patches {
                if patch.requires().any(|name| skipped.contains(name)) {
                    skipped.insert(&patch.name);
                }
            }
            if skipped.len() == before {
                return Ok(skipped);
            }
        }
    }
}

impl Patch {
    /// The patches that this one builds on.
    fn requires(&self) -> impl Iterator<Item = &str> {
        let header = self
            .text
            .lines()
            .take_while(|line| !line.starts_with("--- "));
        header
            .filter_map(|line| line.strip_prefix("Requires:"))
            .flat_map(names)
    }

    fn apply<'a>(&'a self, lines: &mut Lines<'a>) -> Result<(), String> {
        for (index, hunk) in self.hunks()?.iter().enumerate() {
            lines.replace(hunk).map_err(|count| {
                format!(
                    "The patch {} does not apply: the lines that its hunk {} quotes occur {count} \
                     times in lsm1, not once. Mend src/lsm1/patches/{}.patch; if LSM1_LEAVE_OUT \
                     is set, give it a line `Requires:` with the patch that it builds on.",
                    self.name,
                    index + 1,
                    self.name,
                )
            })?;
        }
        Ok(())
    }

    fn hunks(&self) -> Result<Vec<Hunk<'_>>, String> {
        let mut hunks: Vec<Hunk> = Vec::new();
        let diff = self
            .text
            .split_inclusive('\n')
            .skip_while(|line| !line.starts_with("--- "));
        for line in diff.skip_while(|line| !line.starts_with("@@ ")) {
            if line.starts_with("@@ ") {
                hunks.push(Hunk::default());
            }
            let Some(hunk) = hunks.last_mut() else { break };
            if let Some(rest) = line.strip_prefix(' ') {
                hunk.old.push(rest);
                hunk.new.push(rest);
            } else if let Some(rest) = line.strip_prefix('-') {
                hunk.old.push(rest);
            } else if let Some(rest) = line.strip_prefix('+') {
                hunk.new.push(rest);
            } else if !line.starts_with("@@ ") {
                return Err(self.malformed(line));
            }
        }
        if hunks.iter().any(|hunk| hunk.old.is_empty()) || hunks.is_empty() {
            return Err(self.malformed("(no lines that say where it belongs)"));
        }
        Ok(hunks)
    }

    fn malformed(&self, line: &str) -> String {
        let name = &self.name;
        format!(
            "src/lsm1/patches/{name}.patch is not a unified diff below its header: {}; make it \
             anew with `diff -U2`.",
            line.trim_end()
        )
    }
}

/// A text in which lines are found and replaced without going through all of it: each is in a
/// chain with its neighbours, and in a table by what it says.
struct Lines<'a> {
    /// Line 0 is the end, before the first and behind the last.
    lines: Vec<Line<'a>>,
    places: HashMap<&'a str, Vec<usize>>,
}

struct Line<'a> {
    text: &'a str,
    previous: usize,
    next: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let end = Line {
            text: "",
            previous: 0,
            next: 0,
        };
        let mut lines = Self {
            lines: vec![end],
            places: HashMap::new(),
        };
        for line in text.split_inclusive('\n') {
            lines.insert_before(0, line);
        }
        lines
    }

    fn insert_before(&mut self, next: usize, text: &'a str) {
        let at = self.lines.len();
        let previous = self.lines[next].previous;
        self.lines.push(Line {
            text,
            previous,
            next,
        });
        self.lines[previous].next = at;
        self.lines[next].previous = at;
        self.places.entry(text).or_default().push(at);
    }

    fn remove(&mut self, at: usize) {
        let Line {
            text,
            previous,
            next,
        } = self.lines[at];
        self.lines[previous].next = next;
        self.lines[next].previous = previous;
        if let Some(places) = self.places.get_mut(text) {
            places.retain(|place| *place != at);
        }
    }

    /// Puts a hunk's new lines in the place of its old ones, or tells how often those occur.
    fn replace(&mut self, hunk: &Hunk<'a>) -> Result<(), usize> {
        let occurrences = |line: &&str| self.places.get(line).map_or(0, Vec::len);
        let rarest = (0..hunk.old.len()).min_by_key(|index| occurrences(&hunk.old[*index]));
        let rarest = rarest.unwrap_or_default();
        let mut found = Vec::new();
        for place in self.places.get(hunk.old[rarest]).into_iter().flatten() {
            let begin = (0..rarest).fold(*place, |at, _| self.lines[at].previous);
            let mut at = begin;
            let same = hunk.old.iter().all(|old| {
                let line = &self.lines[at];
                at = line.next;
                line.text == *old
            });
            if same {
                found.push(begin);
            }
        }
        let [mut at] = found[..] else {
            return Err(found.len());
        };
        for _ in &hunk.old {
            let next = self.lines[at].next;
            self.remove(at);
            at = next;
        }
        for line in &hunk.new {
            self.insert_before(at, line);
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut at = self.lines[0].next;
        while at != 0 {
            text.push_str(self.lines[at].text);
            at = self.lines[at].next;
        }
        text
    }
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
}
