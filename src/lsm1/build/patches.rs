//! Applies our patches to the text of lsm1.

use crate::checksum::Edition;
use crate::locate::Source;
use crate::rerun_if_changed;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Undoes the one word by which the carrier's text differs from SQLite's.
const TO_UPSTREAM: &str = "00-fdatasync";

pub struct PatchSet {
    patches: Vec<Patch>,
}

struct Patch {
    name: String,
    text: String,
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
}

impl PatchSet {
    /// Reads `*.patch` in `folder`, in the order of their names.
    pub fn read(folder: &Path) -> Result<Self, String> {
        rerun_if_changed(folder);
        let unreadable = |path: &Path, error: std::io::Error| {
            format!(
                "{} can't be read ({error}); it belongs to this crate's sources, so get a \
                 complete copy of them.",
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
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            patches.push(Patch { name, text });
        }
        patches.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { patches })
    }

    /// Applies all patches but those in `left_out` and those that build on them.
    pub fn apply(&self, source: &Source, left_out: &str) -> Result<String, String> {
        let skipped = self.left_out(left_out)?;
        let mut text = source.text.clone();
        for patch in &self.patches {
            let taken_back = source.edition == Edition::Upstream && patch.name == TO_UPSTREAM;
            if taken_back || skipped.contains(patch.name.as_str()) {
                continue;
            }
            text = apply(&text, patch)?;
        }
        Ok(text)
    }

    /// The named patches and, again and again, those that require one of them.
    fn left_out<'a>(&'a self, list: &'a str) -> Result<BTreeSet<&'a str>, String> {
        let mut skipped = BTreeSet::new();
        for name in names(list) {
            if !self.patches.iter().any(|patch| patch.name == name) {
                return Err(format!(
                    "LSM1_LEAVE_OUT names {name:?}, and there is no such patch; the names are \
                     those of src/lsm1/patches/ without `.patch`, with commas between them."
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

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

fn apply(text: &str, patch: &Patch) -> Result<String, String> {
    let name = &patch.name;
    let diff = diffy::Patch::from_str(&patch.text).map_err(|error| {
        format!(
            "The patch {name} is not a unified diff ({error}); mend src/lsm1/patches/{name}.patch."
        )
    })?;
    diffy::apply(text, &diff).map_err(|error| {
        format!(
            "The patch {name} does not apply to lsm1 ({error}); the lines that it quotes are not \
             there. If LSM1_LEAVE_OUT is set, leave out {name} as well, and give it a line \
             `Requires:`; otherwise mend src/lsm1/patches/{name}.patch."
        )
    })
}
