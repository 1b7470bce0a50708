//! Applies our patches to the text of lsm1.
//!
//! A patch is a header in prose and a unified diff. The lines that a hunk quotes must occur
//! exactly once in the text: so a hunk never lands in a wrong place, the line numbers don't
//! matter, and a patch can be left out without touching those that follow.

use super::checksum::Edition;
use super::locate::Source;
use super::rerun_if_changed;
use std::collections::BTreeSet;
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
struct Hunk {
    old: String,
    new: String,
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
        let mut text = source.text;
        for patch in &self.patches {
            if !skipped.contains(patch.name.as_str()) {
                patch.apply(&mut text)?;
            }
        }
        Ok(text)
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

    fn apply(&self, text: &mut String) -> Result<(), String> {
        let hunks = self.hunks()?;
        for (index, hunk) in hunks.iter().enumerate() {
            let place = only_place(text, &hunk.old).map_err(|count| {
                format!(
                    "The patch {} does not apply: the lines that its hunk {} quotes occur {count} \
                     times in lsm1, not once. Mend src/lsm1/patches/{}.patch; if LSM1_LEAVE_OUT \
                     is set, give it a line `Requires:` with the patch that it builds on.",
                    self.name,
                    index + 1,
                    self.name,
                )
            })?;
            text.replace_range(place..place + hunk.old.len(), &hunk.new);
        }
        Ok(())
    }

    fn hunks(&self) -> Result<Vec<Hunk>, String> {
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
                hunk.old.push_str(rest);
                hunk.new.push_str(rest);
            } else if let Some(rest) = line.strip_prefix('-') {
                hunk.old.push_str(rest);
            } else if let Some(rest) = line.strip_prefix('+') {
                hunk.new.push_str(rest);
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

/// Where the whole lines `wanted` begin in `text`, or how often they occur.
fn only_place(text: &str, wanted: &str) -> Result<usize, usize> {
    let starts_a_line = |place: &usize| *place == 0 || text.as_bytes()[place - 1] == b'\n';
    let mut places = text
        .match_indices(wanted)
        .map(|(place, _)| place)
        .filter(starts_a_line);
    match (places.next(), places.next()) {
        (Some(place), None) => Ok(place),
        (None, _) => Err(0),
        (Some(_), Some(_)) => Err(2 + places.count()),
    }
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
}
