//! The names of the files: now, on the disk, and in between.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::power::PowerLoss;
use super::random::Random;

type Names<F> = BTreeMap<PathBuf, Arc<F>>;

/// A change of names that the disk may not have yet.
enum Change<F> {
    Create(PathBuf, Arc<F>),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl<F> Change<F> {
    fn names(&self) -> impl Iterator<Item = &PathBuf> {
        let (first, second) = match self {
            Change::Create(path, _) | Change::Remove(path) => (path, None),
            Change::Rename(from, to) => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }

    fn apply(&self, names: &mut Names<F>) {
        match self {
            Change::Create(path, file) => {
                names.insert(path.clone(), Arc::clone(file));
            }
            Change::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Change::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

/// Directories need not be made: each one is there as soon as a file in it is.
pub(super) struct Directory<F> {
    now: Names<F>,
    durable: Names<F>,
    /// In the order in which they were made.
    pending: Vec<Change<F>>,
    keeps_durable: bool,
}

impl<F> Directory<F> {
    pub(super) fn new(keeps_durable: bool) -> Self {
        Directory {
            now: Names::new(),
            durable: Names::new(),
            pending: Vec::new(),
            keeps_durable,
        }
    }

    pub(super) fn get(&self, path: &Path) -> Option<&Arc<F>> {
        self.now.get(path)
    }

    pub(super) fn is_directory(&self, path: &Path) -> bool {
        path == Path::new("/")
            || self
                .now
                .keys()
                .any(|file| file != path && file.starts_with(path))
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&PathBuf, &Arc<F>)> {
        self.now.iter()
    }

    /// The files and directories in this directory.
    pub(super) fn list(&self, directory: &Path) -> Vec<PathBuf> {
        let children = self.now.keys().filter_map(|file| {
            let below = file.strip_prefix(directory).ok()?;
            Some(directory.join(below.components().next()?))
        });
        children.collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn create(&mut self, path: &Path, file: Arc<F>) {
        self.change(Change::Create(path.to_owned(), file));
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        self.change(Change::Rename(from.to_owned(), to.to_owned()));
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.change(Change::Remove(path.to_owned()));
    }

    /// A file that is there, and on the disk, from now on; or that isn't any more.
    pub(super) fn settle(&mut self, path: &Path, file: Option<Arc<F>>) {
        self.sync(path.parent().unwrap_or(path));
        for names in [&mut self.now, &mut self.durable] {
            match &file {
                Some(file) => names.insert(path.to_owned(), Arc::clone(file)),
                None => names.remove(path),
            };
        }
    }

    fn change(&mut self, change: Change<F>) {
        change.apply(&mut self.now);
        if self.keeps_durable {
            self.pending.push(change);
        }
    }

    /// The names in this directory reach the disk.
    pub(super) fn sync(&mut self, directory: &Path) {
        // Backwards, to find what a change in the directory builds on.
        let mut needed = BTreeSet::new();
        let mut reaches = vec![false; self.pending.len()];
        for (i, change) in self.pending.iter().enumerate().rev() {
            if change
                .names()
                .any(|name| name.parent() == Some(directory) || needed.contains(name))
            {
                needed.extend(change.names().cloned());
                reaches[i] = true;
            }
        }
        let mut reaches = reaches.into_iter();
        self.pending.retain(|change| {
            let reaches = reaches.next().unwrap_or(false);
            if reaches {
                change.apply(&mut self.durable);
            }
            !reaches
        });
    }

    /// The names that the disk holds after the power was lost now. A change that is there
    /// implies the earlier ones of the same names.
    pub(super) fn after_power_loss(&self, random: &mut Random, loss: &mut PowerLoss) -> Names<F> {
        let eighths = [0, 4, 8][random.index(3)];
        let mut after = self.durable.clone();
        let mut lost = BTreeSet::new();
        for change in &self.pending {
            if change.names().any(|name| lost.contains(name)) || !random.chance(eighths) {
                lost.extend(change.names());
                loss.names_lost += 1;
            } else {
                change.apply(&mut after);
            }
        }
        after
    }
}
