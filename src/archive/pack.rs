//! [`Pack`]: from a folder to an archive.

use std::fmt;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::Access;

use super::draft::folder_of;
use super::entry::{Content, Entry};
use super::error::ArchiveError;
use super::find::{Found, Skipped, What, find};
use super::format::{self, HEADER_KEY, Header};
use super::index::Block;
use super::plan::{self, Plan};
use super::progress::{ArchiveProgress, Done, Show, threads};
use super::reader::{Archive, ArchiveSummary};
use super::workers::{State, Work};
use crate::backup::Target;
use crate::config::Safety;
use crate::db::LsmDb;
use crate::error::{LsmError, LsmErrorCode};

const OPERATION: &str = "pack";

/// Up to so much content pages and blocks are small, so that the file is.
const SMALL_BYTES: u64 = 4 << 20;

/// An archive to be made of a folder.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let (folder, file) = (dir.path().join("notes"), dir.path().join("notes.lsm"));
/// use lsmlite_rs::archive::Pack;
///
/// # std::fs::create_dir(&folder)?;
/// std::fs::write(folder.join("monday.txt"), "rain")?;
/// Pack::new(&folder).page_checksums(true).run(&file)?;
///
/// std::fs::write(folder.join("tuesday.txt"), "more rain")?;
/// std::fs::remove_file(folder.join("monday.txt"))?;
/// let report = Pack::new(&folder).page_checksums(true).update(true).run(&file)?;
/// assert_eq!(report.summary.files, 1);
/// assert!(report.skipped.is_empty());
/// # Ok(()) }
/// ```
#[must_use = "nothing is packed until `run`"]
pub struct Pack {
    folder: PathBuf,
    level: i32,
    page_size_bytes: Option<u32>,
    page_checksums: bool,
    threads: Option<usize>,
    update: bool,
    reread: bool,
    overwrite: bool,
    progress: Option<Show>,
}

/// What was packed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PackReport {
    /// What is in the archive.
    pub summary: ArchiveSummary,
    /// Bytes of the archive.
    pub archive_bytes: u64,
    /// Files that were read; with [`update`](Pack::update) those that are new or have changed.
    pub files_read: u64,
    /// What couldn't be read and isn't in the archive, and what changed while it was read.
    pub skipped: Vec<Skipped>,
}

impl fmt::Debug for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pack")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Pack {
    /// Everything below this folder, and its own permissions and time.
    pub fn new(folder: impl AsRef<Path>) -> Pack {
        Pack {
            folder: folder.as_ref().to_owned(),
            level: 3,
            page_size_bytes: None,
            page_checksums: false,
            threads: None,
            update: false,
            reread: false,
            overwrite: false,
            progress: None,
        }
    }

    /// How hard to compress, with Zstandard: 1 (fast) to 22 (small). Default: 3. Contents that an
    /// update takes over stay as they are.
    pub fn zstd_level(mut self, level: i32) -> Pack {
        self.level = level;
        self
    }

    /// Page size of the archive's database in bytes, a power of two from 256 to 65,536.
    /// Default: 65,536, with up to 4 MiB of content 4096. What is compressed are not pages, so it
    /// changes little; large ones are read faster.
    pub fn page_size_bytes(mut self, bytes: u32) -> Pack {
        self.page_size_bytes = Some(bytes);
        self
    }

    /// Puts a checksum on every page. Default: false; each file has a hash in any case.
    ///
    /// With it, also damage to what isn't content is noticed where it is read, and named by its
    /// place; see [`LsmDbBuilder::page_checksums`](crate::LsmDbBuilder::page_checksums).
    pub fn page_checksums(mut self, yes: bool) -> Pack {
        self.page_checksums = yes;
        self
    }

    /// How many threads read and compress. Default: one per core. The archive is the same with any
    /// number.
    pub fn threads(mut self, threads: usize) -> Pack {
        self.threads = Some(threads);
        self
    }

    /// Renews the archive, if there is one. Default: false.
    ///
    /// Files of the same path, size and time of change (to the nanosecond) aren't read, but taken
    /// over; the others are, and what is no more in the folder isn't in the archive either. The
    /// result is a new file, as compact as if it were packed at once, that replaces the old one
    /// when it is whole.
    ///
    /// A file is read again if it was changed in the two seconds before the last packing began, or
    /// later: it could have been changed since without its time showing it. Who sets times back
    /// needs [`reread`](Self::reread).
    pub fn update(mut self, yes: bool) -> Pack {
        self.update = yes;
        self
    }

    /// In an update, reads all files, and takes over only what is equal. Default: false.
    pub fn reread(mut self, yes: bool) -> Pack {
        self.reread = yes;
        self
    }

    /// Replaces a file that is there already, whatever it is, once the archive is whole.
    /// Default: false, it is refused.
    pub fn overwrite(mut self, yes: bool) -> Pack {
        self.overwrite = yes;
        self
    }

    /// Calls this several times a second; [`ControlFlow::Break`] ends the packing, and nothing is
    /// left of it.
    pub fn on_progress(
        mut self,
        progress: impl FnMut(&ArchiveProgress) -> ControlFlow<()> + Send + 'static,
    ) -> Pack {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Packs into `archive`.
    ///
    /// It is written under a name of its own beside `archive`, synced and renamed. When this
    /// process is killed meanwhile, that draft is left; the next packing into `archive` removes it
    /// (where there is a `/proc`). An archive that lies in the folder isn't packed into itself.
    ///
    /// Pipes, sockets and devices, what may not be read, and what goes away meanwhile is not
    /// packed, but [reported](PackReport::skipped). Owners, extended attributes and holes aren't
    /// kept; hard links become files of their own, whose content is stored once.
    ///
    /// In memory are a few hundred bytes for each file, and some MiB for each thread.
    ///
    /// # Errors
    /// [`ArchiveError::Cancelled`]; [`ArchiveError::Io`] if the folder can't be read;
    /// [`ArchiveError::NotAnArchive`] and others if what is to be updated is no archive, or
    /// damaged; [`ArchiveError::Database`] if there is a file already (`LsmCantOpen`), the disk is
    /// full (`LsmFull`), it may not be written (`LsmIOErr`), or a setting is out of its range
    /// (`LsmMisuse`).
    ///
    /// After any of them `archive` is as it was and nothing else is left, unless the very last
    /// step failed, making the new name durable.
    pub fn run(mut self, archive: impl AsRef<Path>) -> Result<PackReport, ArchiveError> {
        let path = archive.as_ref();
        let levels = zstd::compression_level_range();
        if !levels.contains(&self.level) || self.level == 0 {
            let error = LsmError::new(OPERATION, LsmErrorCode::LsmMisuse).with_path(path);
            let message = format!("level {} isn't one from 1 to {}", self.level, levels.end());
            return Err(error.with_message(message).into());
        }
        let replaces = self.overwrite || (self.update && path.exists());
        let target = Target::new(OPERATION, path, replaces)?;
        // In the words of the operating system, before anything is read.
        let parent = folder_of(&fs::canonicalize(path).unwrap_or(path.to_owned()));
        rustix::fs::access(&parent, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| ArchiveError::io("write to", &parent, error))?;
        let old = match self.update && path.exists() {
            true => Some(Archive::open(path)?),
            false => None,
        };

        let draft = target.draft_for_all()?;
        let mut skipped = Vec::new();
        let own: Vec<PathBuf> = [path, draft.path()]
            .iter()
            .flat_map(fs::canonicalize)
            .collect();
        let is_own = |file: &Path| {
            own.iter().any(|own| own.file_name() == file.file_name())
                && fs::canonicalize(file).is_ok_and(|file| own.contains(&file))
        };
        let began = seconds_now();
        let found = find(&self.folder, &is_own, &mut skipped)?;
        let plan = Plan::new(&found, old.as_ref().filter(|_| !self.reread))?;

        let threads = threads(self.threads);
        let work = Work::new(&self.folder, &found, &plan, self.level, threads);
        let mut readers = Vec::new();
        for _ in 0..threads {
            readers.push(old.as_ref().map(Archive::group_reader).transpose()?);
        }
        // Declared after the draft, so it is closed before that is removed.
        let mut db = self.database(plan.total.1).open(draft.path())?;
        let header = thread::scope(|scope| {
            let _stop = StopAtEnd(&work);
            for old in readers {
                thread::Builder::new()
                    .name("lsmlite-pack".to_owned())
                    .spawn_scoped(scope, || work.run(old))
                    .map_err(|error| ArchiveError::io("start a thread for", path, error))?;
            }
            let making = Making {
                work: &work,
                found: &found,
                plan: &plan,
                began,
                level: self.level,
            };
            making.ingest(&mut db, &mut self.progress)
        })?;
        db.close()?;
        drop(old);

        let archive_bytes = fs::metadata(draft.path()).map_or(0, |metadata| metadata.len());
        let like = replaces.then_some(path);
        target.install(draft, like)?;
        skipped.append(&mut work.state().skipped);
        skipped.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(PackReport {
            summary: header.summary(),
            archive_bytes,
            files_read: work.done.files(),
            skipped,
        })
    }

    /// Nothing needs to be durable before the draft is whole.
    fn database(&self, bytes: u64) -> crate::LsmDbBuilder {
        let (page_size_bytes, block_size_kib) = match (self.page_size_bytes, bytes) {
            (Some(bytes), _) => (bytes, (bytes / 128).max(64)),
            (None, 0..SMALL_BYTES) => (4096, 64),
            (None, _) => (64 * 1024, 1024),
        };
        LsmDb::builder()
            .page_size_bytes(page_size_bytes)
            .block_size_kib(block_size_kib)
            .page_checksums(self.page_checksums)
            .safety(Safety::Off)
            .use_log(false)
    }
}

fn seconds_now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// However it ends, no thread goes on.
struct StopAtEnd<'a>(&'a Work<'a>);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The records of an archive in the order of their keys.
struct Making<'a> {
    work: &'a Work<'a>,
    found: &'a [Found],
    plan: &'a Plan,
    began: i64,
    level: i32,
}

type Record = (Vec<u8>, Vec<u8>);

impl Making<'_> {
    fn ingest(&self, db: &mut LsmDb, show: &mut Option<Show>) -> Result<Header, ArchiveError> {
        let mut header = Header::default();
        let mut rest: Option<std::vec::IntoIter<Record>> = None;
        let mut show = |done: &Done| done.show(show, self.plan.total);
        let mut next = || {
            if let Some(rest) = &mut rest {
                return Ok::<_, ArchiveError>(rest.next());
            }
            if let Some((group, packed)) = self.work.next_group(&mut show)? {
                return Ok(Some((format::group_key(group).to_vec(), packed)));
            }
            let records = self.index(&mut header)?;
            Ok(rest.insert(records.into_iter()).next())
        };
        db.try_ingest(std::iter::from_fn(|| next().transpose()))?;
        Ok(header)
    }

    /// The index, and the header behind it.
    fn index(&self, header: &mut Header) -> Result<Vec<Record>, ArchiveError> {
        let failed = |error| ArchiveError::io("compress", Path::new("the index"), error);
        let mut compressor = zstd::bulk::Compressor::new(self.level).map_err(failed)?;
        let mut state = self.work.state();
        let mut records = Vec::new();
        let mut block = Block::default();
        let mut digest = blake3::Hasher::new();
        let mut finish = |block: &mut Block| {
            let (key, value) = block.finish(&mut compressor).map_err(failed)?;
            format::add_to_digest(&mut digest, &key, &value);
            records.push((key, value));
            Ok::<_, ArchiveError>(())
        };
        for (number, found) in self.found.iter().enumerate() {
            let Some(entry) = self.entry(&mut state, number, found)? else {
                continue;
            };
            header.count(&entry);
            block.add(&entry);
            if block.is_full() {
                finish(&mut block)?;
            }
        }
        if !block.is_empty() {
            finish(&mut block)?;
        }
        header.unique_bytes = state.unique_bytes;
        header.groups = state.groups.into();
        header.index_records = records.len() as u64;
        header.digest = digest.finalize().into();
        records.push((HEADER_KEY.to_vec(), header.encode()));
        Ok(records)
    }

    /// `None` for a file that couldn't be read.
    fn entry(
        &self,
        state: &mut State,
        number: usize,
        found: &Found,
    ) -> Result<Option<Entry>, ArchiveError> {
        let mut is_fresh = false;
        let content = match &found.what {
            What::Folder => Content::Folder,
            What::Link { target } => Content::Link {
                target: target.clone(),
            },
            What::File { .. } => {
                match (self.plan.kept.get(&number), state.contents.remove(&number)) {
                    (Some(kept), _) => state.in_its_new_place(kept)?,
                    (None, Some((content, is_unchanged))) => {
                        is_fresh = !is_unchanged || plan::is_fresh(found.modified, self.began);
                        content
                    }
                    (None, None) => return Ok(None),
                }
            }
        };
        Ok(Some(Entry {
            path: found.path.clone(),
            mode: found.mode,
            modified: found.modified,
            is_fresh,
            content,
        }))
    }
}
