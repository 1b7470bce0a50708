//! [`Extract`]: from an archive back to a folder.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::draft::{DraftFolder, folder_of};
use super::entry::{Content, Entry};
use super::error::ArchiveError;
use super::groups::GroupReader;
use super::jobs::{self, Batch};
use super::place::{Place, merge};
use super::progress::{ArchiveProgress, Done, Show, threads};
use super::reader::{Archive, normal};
use super::tree::{self, Tree};
use super::verify::{ArchiveProblem, problem};

/// An archive to be extracted, or some of it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let (folder, file) = (dir.path().join("notes"), dir.path().join("notes.lsm"));
/// # let copy = dir.path().join("copy");
/// use lsmlite_rs::archive::{Archive, Extract, Pack};
///
/// # std::fs::create_dir(&folder)?;
/// std::fs::write(folder.join("today.txt"), "rain")?;
/// Pack::new(&folder).run(&file)?;
/// let report = Extract::new(&Archive::open(&file)?).run(&copy)?;
/// assert_eq!((report.files, report.bytes), (1, 4));
/// assert_eq!(std::fs::read(copy.join("today.txt"))?, b"rain");
/// # Ok(()) }
/// ```
///
/// # What a hostile archive can't do
/// Nothing is written outside of the folder that is named. Everything is made in a new folder that
/// nobody else may enter; an archive with names like `..`, absolute ones, or members below
/// something that isn't a folder is refused before that; links are made last, and none is ever
/// followed, neither one from the archive nor one that is there already. Content that isn't what
/// the archive's hashes say is refused. Links are made as they were packed, wherever they lead, so
/// look before you follow them. An archive may unpack to a thousand times its size:
/// [`Archive::summary`] tells before.
#[must_use = "nothing is extracted until `run`"]
pub struct Extract<'a> {
    archive: &'a Archive,
    only: Vec<PathBuf>,
    threads: Option<usize>,
    overwrite: bool,
    keep_going: bool,
    special_modes: bool,
    sync: bool,
    progress: Option<Show>,
}

/// What was extracted.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ExtractReport {
    /// Regular files.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Folders, without the one that was named.
    pub folders: u64,
    /// Symbolic links.
    pub links: u64,
    /// Damaged members that were left out, with [`keep_going`](Extract::keep_going).
    pub problems: Vec<ArchiveProblem>,
}

impl fmt::Debug for Extract<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extract")
            .field("archive", &self.archive)
            .finish_non_exhaustive()
    }
}

impl<'a> Extract<'a> {
    /// All of this archive.
    pub fn new(archive: &'a Archive) -> Extract<'a> {
        Extract {
            archive,
            only: Vec::new(),
            threads: None,
            overwrite: false,
            keep_going: false,
            special_modes: false,
            sync: true,
            progress: None,
        }
    }

    /// This member only, with all that is below it if it is a folder, and the folders above it.
    /// Called several times: those members.
    pub fn only(mut self, member: impl AsRef<Path>) -> Self {
        self.only.push(member.as_ref().to_owned());
        self
    }

    /// How many threads unpack and write files. Default: one per core.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Extracts into a folder that isn't empty, and replaces files and links there. Default: false,
    /// it is refused.
    ///
    /// What isn't in the archive stays. All files are written and synced before the first one is
    /// moved to its place; each is the old or the new one, whatever happens then, but some may be
    /// old and some new after a failure.
    pub fn overwrite(mut self, yes: bool) -> Self {
        self.overwrite = yes;
        self
    }

    /// Leaves out damaged members and reports them. Default: false, nothing is extracted then.
    pub fn keep_going(mut self, yes: bool) -> Self {
        self.keep_going = yes;
        self
    }

    /// Gives back the bits for set-user-id, set-group-id and sticky. Default: false.
    pub fn special_modes(mut self, yes: bool) -> Self {
        self.special_modes = yes;
        self
    }

    /// Makes everything durable before it gets its place. Default: true. It syncs the whole file
    /// system, which on Linux is far cheaper than to sync each file.
    pub fn sync(mut self, yes: bool) -> Self {
        self.sync = yes;
        self
    }

    /// Calls this several times a second; [`ControlFlow::Break`] ends the extraction, and nothing
    /// is left of it.
    pub fn on_progress(
        mut self,
        progress: impl FnMut(&ArchiveProgress) -> ControlFlow<()> + Send + 'static,
    ) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Extracts into `folder`, which is made, or may be there if it is empty.
    ///
    /// Everything is written into a new folder beside it (within it with
    /// [`overwrite`](Self::overwrite)), synced and renamed. When this process is killed meanwhile,
    /// that one is left; the next extraction there removes it.
    ///
    /// Permissions and times are those of the packed files, also of folders and links; who
    /// extracts owns them.
    ///
    /// # Errors
    /// [`ArchiveError::InTheWay`] if the folder isn't empty, or something else is in the way of a
    /// member; [`ArchiveError::Damaged`]; [`ArchiveError::NoMember`] if there is no such one as
    /// [`only`](Self::only) says; [`ArchiveError::Cancelled`]; [`ArchiveError::Io`] if the disk is
    /// full, or may not be written to. Nothing is left then, unless it says otherwise above.
    pub fn run(mut self, folder: impl AsRef<Path>) -> Result<ExtractReport, ArchiveError> {
        let entries = self.selected()?;
        check_paths(&entries)
            .map_err(|problem| ArchiveError::damaged(self.archive.path(), problem))?;
        let target = Place::new(folder.as_ref(), self.overwrite)?;
        let draft = DraftFolder::new(&target.draft_in)?;
        let (mut report, lost) = self.write(&entries, &draft.tree)?;
        let is_there = |entry: &&Entry| !lost.contains_key(&entry.path);
        let mut merged = None;
        if self.sync && target.is_merged {
            let synced = draft.tree.sync();
            synced.map_err(|error| ArchiveError::io("sync", &draft.tree.path, error))?;
        }
        if target.is_merged {
            let tree = Tree::open(&target.path)
                .map_err(|error| ArchiveError::io("open", &target.path, error))?;
            merge(&draft.tree, &tree, entries.iter().filter(is_there))?;
            merged = Some(tree);
        }
        let tree = merged.as_ref().unwrap_or(&draft.tree);
        // From the inside out: a folder may not let us in any more, and its time changes with
        // what is in it.
        for entry in entries.iter().rev() {
            let is_root = entry.path.is_empty();
            if entry.content == Content::Folder && !(is_root && target.is_merged) {
                let settled =
                    tree.settle(&entry.path, mode(entry, self.special_modes), entry.modified);
                settled.map_err(|error| {
                    ArchiveError::io("set permissions and time of", &tree.at(&entry.path), error)
                })?;
            }
        }
        if self.sync {
            let synced = tree.sync();
            synced.map_err(|error| ArchiveError::io("sync", &tree.path, error))?;
        }
        if !target.is_merged {
            draft.install(&target.path)?;
            if self.sync {
                let parent = folder_of(&target.path);
                let synced = fs::File::open(&parent).and_then(|parent| parent.sync_all());
                synced.map_err(|error| ArchiveError::io("sync", &parent, error))?;
            }
        }
        report.problems = lost.into_values().collect();
        report.problems.sort_by(|a, b| a.member.cmp(&b.member));
        Ok(report)
    }

    /// The entries that are wanted, with the folders that they are in.
    fn selected(&self) -> Result<Vec<Entry>, ArchiveError> {
        let mut entries = self.archive.checked_entries()?;
        if self.only.is_empty() {
            return Ok(entries);
        }
        let mut wanted = Vec::new();
        for member in &self.only {
            let path = normal(member);
            let path = path.filter(|path| entries.iter().any(|entry| entry.path == *path));
            wanted.push(path.ok_or_else(|| ArchiveError::NoMember {
                archive: self.archive.path().to_owned(),
                member: member.clone(),
            })?);
        }
        entries.retain(|entry| {
            let path = &entry.path;
            wanted
                .iter()
                .any(|wanted| is_below(path, wanted) || is_below(wanted, path))
        });
        Ok(entries)
    }

    /// Makes everything; the members that are damaged, by their paths.
    fn write(
        &mut self,
        entries: &[Entry],
        tree: &Tree,
    ) -> Result<(ExtractReport, HashMap<Vec<u8>, ArchiveProblem>), ArchiveError> {
        let failed = |path: &[u8]| {
            let path = tree.at(path);
            move |error| ArchiveError::io("write", &path, error)
        };
        let mut report = ExtractReport::default();
        let withheld = tree.withheld().map_err(failed(b""))?;
        for entry in entries {
            if entry.content == Content::Folder && !entry.path.is_empty() {
                tree.make_folder(&entry.path).map_err(failed(&entry.path))?;
                report.folders += 1;
            }
        }

        let lost = Mutex::new(HashMap::new());
        let (done, made) = (Done::default(), Done::default());
        let keep_going = self.keep_going;
        let special_modes = self.special_modes;
        let write = |entry: &Entry, reader: &mut GroupReader| {
            let mode = mode(entry, special_modes);
            let outcome = write_file(entry, mode, withheld, tree, reader);
            done.add(1, entry.size());
            match outcome {
                Ok(()) => made.add(1, entry.size()),
                Err(error) if keep_going && error.is_damaged() => {
                    let problem = problem(error)?;
                    let problem = ArchiveProblem::new(Some(entry.path().to_owned()), problem);
                    let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
                    lost.insert(entry.path.clone(), problem);
                }
                Err(error) => return Err(error),
            }
            Ok(())
        };
        let total = jobs::total(entries, |_| true);
        let batches = jobs::batches(entries, |_| true);
        let threads = threads(self.threads);
        let readers: Result<Vec<_>, _> =
            (0..threads).map(|_| self.archive.group_reader()).collect();
        let work = |batch: &Batch, reader: &mut GroupReader| match batch {
            Batch::Large(number) => write(&entries[*number], reader),
            Batch::Small(numbers) => numbers
                .iter()
                .try_for_each(|&number| write(&entries[number], reader)),
        };
        let show = jobs::showing(&done, &mut self.progress, total);
        jobs::for_each(&batches, readers?, work, || (), show)?;

        for entry in entries {
            if let Content::Link { target } = &entry.content {
                let made = tree.make_link(&entry.path, target, entry.modified);
                made.map_err(failed(&entry.path))?;
                report.links += 1;
            }
        }
        (report.files, report.bytes) = (made.files(), made.bytes());
        Ok((
            report,
            lost.into_inner().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

/// Permissions to be set.
fn mode(entry: &Entry, special: bool) -> u32 {
    match special {
        true => entry.mode,
        false => entry.mode & 0o777,
    }
}

/// One file, whole, or not there.
fn write_file(
    entry: &Entry,
    mode: u32,
    withheld: u32,
    tree: &Tree,
    reader: &mut GroupReader,
) -> Result<(), ArchiveError> {
    let failed = |error: io::Error| ArchiveError::io("write", &tree.at(&entry.path), error);
    let mut file = None;
    let outcome = reader.contents(entry, &mut |bytes| {
        let file = match &mut file {
            Some(file) => file,
            None => file.insert(tree.create(&entry.path, mode & 0o777).map_err(failed)?),
        };
        file.write_all(bytes).map_err(failed)
    });
    if let (Err(error), Some(_)) = (&outcome, &file) {
        if error.is_damaged() {
            tree.remove(&entry.path).map_err(failed)?;
        }
    }
    outcome?;
    let file = match file {
        Some(file) => file,
        None => tree.create(&entry.path, mode & 0o777).map_err(failed)?,
    };
    let missing = (mode & !0o777 != 0 || mode & withheld != 0).then_some(mode);
    tree::finish(&file, missing, entry.modified).map_err(failed)
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    match path.strip_prefix(folder) {
        Some(rest) => folder.is_empty() || rest.is_empty() || rest[0] == b'/',
        None => false,
    }
}

/// Every path is one of a file below the folder, in a folder that comes before it, with the folder
/// itself as the first.
fn check_paths(entries: &[Entry]) -> Result<(), String> {
    if entries.is_empty() {
        return Err("it has no entries, not even the folder".to_owned());
    }
    let mut folders = HashSet::new();
    for (number, entry) in entries.iter().enumerate() {
        let path = entry.path.as_slice();
        let (parent, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&path[..0], path),
        };
        let is_name = !matches!(name, b"" | b"." | b"..") && !name.contains(&0);
        let is_sound = match number {
            0 => path.is_empty() && entry.content == Content::Folder,
            _ => is_name && path[0] != b'/' && folders.contains(parent),
        };
        if !is_sound {
            let path = String::from_utf8_lossy(path);
            return Err(format!(
                "{path:?} can't be the path of a member, nothing was extracted"
            ));
        }
        if let Content::Link { target } = &entry.content {
            if target.is_empty() || target.contains(&0) {
                let path = entry.path().display();
                return Err(format!(
                    "the link {path} leads nowhere, nothing was extracted"
                ));
            }
        }
        if entry.content == Content::Folder {
            folders.insert(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::entry::Stamp;

    fn entries(paths: &[(&str, bool)]) -> Vec<Entry> {
        let entry = |&(path, is_folder): &(&str, bool)| Entry {
            path: path.as_bytes().to_vec(),
            mode: 0o755,
            modified: Stamp::default(),
            is_fresh: false,
            content: match is_folder {
                true => Content::Folder,
                false => Content::Link {
                    target: b"/etc".to_vec(),
                },
            },
        };
        paths.iter().map(entry).collect()
    }

    #[test]
    fn only_paths_below_folders_of_the_archive_are_accepted() {
        let (folder, link) = (true, false);
        for sound in [
            &[("", folder)][..],
            &[
                ("", folder),
                ("a", folder),
                ("a-b", link),
                ("a/b", link),
                ("a/c", folder),
            ],
        ] {
            assert_eq!(check_paths(&entries(sound)), Ok(()), "{sound:?}");
        }
        for hostile in [
            &[("", link)][..],
            &[("a", folder)],
            &[("", folder), ("", folder)],
            &[("", folder), ("..", folder), ("../a", link)],
            &[("", folder), (".", folder)],
            &[("", folder), ("/etc", folder)],
            &[("", folder), ("/", folder)],
            &[("", folder), ("a", link), ("a/b", link)],
            &[("", folder), ("a/b", link)],
            &[("", folder), ("a", folder), ("a/", link)],
            &[("", folder), ("a", folder), ("a//b", link)],
            &[
                ("", folder),
                ("a", folder),
                ("a/..", folder),
                ("a/../b", link),
            ],
            &[("", folder), ("a\0b", link)],
        ] {
            assert!(check_paths(&entries(hostile)).is_err(), "{hostile:?}");
        }
    }
}
