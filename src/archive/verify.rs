//! [`Verify`]: is everything in an archive what was packed?

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::entry::{Content, Entry};
use super::error::ArchiveError;
use super::groups::GroupReader;
use super::jobs::{self, Batch};
use super::progress::{ArchiveProgress, Done, Show, threads};
use super::reader::Archive;
use crate::error::LsmError;
use crate::verify::VerifyReport;

/// A check of a whole archive: its database, its index, and each file against its hash.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let (folder, file) = (dir.path().join("notes"), dir.path().join("notes.lsm"));
/// use lsmlite_rs::archive::{Archive, Pack, Verify};
///
/// # std::fs::create_dir(&folder)?;
/// std::fs::write(folder.join("today.txt"), "rain")?;
/// Pack::new(&folder).run(&file)?;
/// let check = Verify::new(&Archive::open(&file)?).run()?;
/// assert!(check.is_sound(), "{check}");
/// assert_eq!(check.files, 1);
/// # Ok(()) }
/// ```
#[must_use = "nothing is checked until `run`"]
pub struct Verify<'a> {
    archive: &'a Archive,
    threads: Option<usize>,
    progress: Option<Show>,
}

/// What [`Verify`] found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ArchiveCheck {
    /// The database's structure, as [`LsmDb::verify`](crate::LsmDb::verify) sees it; `None` if it
    /// can't be read at all, which is among the problems.
    pub database: Option<VerifyReport>,
    /// Files whose content is what was packed.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Damaged members, in the order of their paths, and what else isn't as it was packed.
    pub problems: Vec<ArchiveProblem>,
}

/// One thing that isn't as it was packed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveProblem {
    /// The member whose content is lost; `None` for the archive itself.
    pub member: Option<PathBuf>,
    /// A sentence about it.
    pub problem: String,
}

impl ArchiveCheck {
    /// Everything is as it was packed.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.database.as_ref().is_some_and(VerifyReport::is_clean)
    }
}

impl fmt::Display for ArchiveCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} files of {} bytes are as they were packed",
            self.files, self.bytes
        )?;
        for problem in &self.problems {
            write!(f, "\n{problem}")?;
        }
        for damage in self.database.iter().flat_map(|report| &report.damage) {
            write!(f, "\n{damage}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ArchiveProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.member {
            Some(member) => write!(f, "{}: {}", member.display(), self.problem),
            None => self.problem.fmt(f),
        }
    }
}

impl fmt::Debug for Verify<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify")
            .field("archive", &self.archive)
            .finish_non_exhaustive()
    }
}

impl<'a> Verify<'a> {
    /// Everything in this archive.
    pub fn new(archive: &'a Archive) -> Verify<'a> {
        Verify {
            archive,
            threads: None,
            progress: None,
        }
    }

    /// How many threads unpack and hash. Default: one per core.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Calls this several times a second; [`ControlFlow::Break`] ends the check.
    pub fn on_progress(
        mut self,
        progress: impl FnMut(&ArchiveProgress) -> ControlFlow<()> + Send + 'static,
    ) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Reads everything. Content that several files have is checked for one of them.
    ///
    /// # Errors
    /// Damage is reported, not returned as an error. [`ArchiveError::Cancelled`], no memory or
    /// threads, or a disk that can't be read.
    pub fn run(mut self) -> Result<ArchiveCheck, ArchiveError> {
        let archive = self.archive;
        let mut problems = Vec::new();
        let entries = archive.checked_entries();
        let (entries, is_index_whole) = match entries {
            Ok(entries) => (entries, true),
            Err(error) if error.is_damaged() => {
                problems.push(ArchiveProblem::new(None, problem(error)?));
                (archive.entries().map_while(Result::ok).collect(), false)
            }
            Err(error) => return Err(error),
        };
        if let (Err(problem), true) = (archive.check_totals(&entries), is_index_whole) {
            problems.push(ArchiveProblem::new(None, problem));
        }

        let found = Mutex::new(Vec::new());
        let (done, sound) = (Done::default(), Done::default());
        let total = jobs::total(&entries, |_| true);
        let batches = jobs::batches(&entries, |_| true);
        let threads = threads(self.threads);
        let readers: Result<Vec<_>, _> = (0..threads).map(|_| archive.group_reader()).collect();
        let check = |batch: &Batch, reader: &mut GroupReader| {
            check(batch, &entries, reader, &mut |entry, outcome| {
                done.add(1, entry.size());
                match outcome {
                    Ok(()) => sound.add(1, entry.size()),
                    Err(problem) => {
                        let problem = ArchiveProblem::new(Some(entry.path().into()), problem);
                        found
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(problem);
                    }
                }
            })
        };
        let show = jobs::showing(&done, &mut self.progress, total);
        let database = jobs::for_each(&batches, readers?, check, || archive.db.verify(), show)?;
        let database = match database {
            Ok(report) => Some(report),
            Err(error) if error.is_corrupt() => {
                problems.push(ArchiveProblem::new(None, error.to_string()));
                None
            }
            Err(error) => return Err(error.into()),
        };
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by(|a, b| a.member.cmp(&b.member));
        problems.extend(found);
        Ok(ArchiveCheck {
            database,
            files: sound.files(),
            bytes: sound.bytes(),
            problems,
        })
    }
}

impl ArchiveProblem {
    pub(super) fn new(member: Option<PathBuf>, problem: String) -> ArchiveProblem {
        ArchiveProblem { member, problem }
    }
}

/// What is wrong, if it is damage.
pub(super) fn problem(error: ArchiveError) -> Result<String, ArchiveError> {
    match error {
        ArchiveError::Damaged { problem, .. } => Ok(problem),
        ArchiveError::Database(error) if error.is_corrupt() => Ok(LsmError::to_string(&error)),
        other => Err(other),
    }
}

/// Tells about each entry of a batch whether its content is what was packed.
fn check(
    batch: &Batch,
    entries: &[Entry],
    reader: &mut GroupReader,
    tell: &mut dyn FnMut(&Entry, Result<(), String>),
) -> Result<(), ArchiveError> {
    match batch {
        Batch::Large(number) => {
            let entry = &entries[*number];
            let outcome = reader.contents(entry, &mut |_| Ok(()));
            tell(entry, told(outcome)?);
        }
        Batch::Small(numbers) => {
            let mut last: Option<(&Content, Result<(), String>)> = None;
            for &number in numbers {
                let entry = &entries[number];
                let outcome = match last.take() {
                    Some((content, outcome)) if *content == entry.content => outcome,
                    _ => told(reader.contents(entry, &mut |_| Ok(())))?,
                };
                tell(entry, outcome.clone());
                last = Some((&entry.content, outcome));
            }
        }
    }
    Ok(())
}

fn told(outcome: Result<(), ArchiveError>) -> Result<Result<(), String>, ArchiveError> {
    match outcome {
        Ok(()) => Ok(Ok(())),
        Err(error) => problem(error).map(Err),
    }
}
