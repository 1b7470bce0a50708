//! [`LsmDb::verify`] and [`verify_file`]: is everything in the file as it should be?

mod check;
mod report;
#[cfg(feature = "serde")]
mod serialize;

use std::path::Path;
use std::time::Duration;

use crate::compression::{self, FileCodec};
use crate::db::LsmDb;
use crate::env::Env;
use crate::error::{LsmError, LsmErrorCode};
use crate::format::checkpoint::{self, Checkpoint, Header};
use crate::format::layout::HEADER_PAGE;
use crate::format::log;
use crate::format::pages::Pages;
use crate::format::source::{FileSource, Source};

pub use crate::format::Place;
pub use report::{CheckpointState, Damage, VerifyReport};

const OPERATION: &str = "verify";

/// How often a header page is read again that a checkpoint may just be writing.
const PATIENCE: u32 = 50;

impl LsmDb {
    /// Reads everything that the database file holds and names what is damaged.
    ///
    /// The file's structure is checked by a second reader in Rust, which knows nothing of the
    /// engine: the header pages; the chains of blocks and pages of each segment; every page, its
    /// records and their order; values that span pages; the b-trees and other page numbers that
    /// searches follow; that compressed pages unpack; that no block is used twice, or used and
    /// free. What isn't structure, the bytes of keys and values, has a checksum only in files
    /// with a page codec that adds one.
    ///
    /// The database may be in use meanwhile, also by other handles and processes: what is checked
    /// is a snapshot, which stays as it is. What is still in memory, and the log, is not part of
    /// it; flush first to have it checked. It takes as long as reading the file does, and while
    /// it runs, space that merges free isn't reused.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// db.insert(b"key", b"value")?;
    /// db.flush()?;
    /// let report = db.verify()?;
    /// assert!(report.is_clean(), "{report}");
    /// assert_eq!(report.records, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Damage is reported, not returned as an error. `LsmMisuse` if the handle isn't connected;
    /// `LsmMismatch` if the codec of the file isn't known here; `LsmCorrupt` if the engine itself
    /// can't start reading: close the database and use [`verify_file`].
    pub fn verify(&self) -> Result<VerifyReport, LsmError> {
        let session = self.session(OPERATION)?;
        let connection = session.connection();
        let pinned = connection.pin()?;
        let words = pinned.checkpoint()?;
        let headers = settled_headers(&pinned, connection.path())?;
        let mut report = start(&headers);
        match checkpoint::parse(&words) {
            // Nothing was written to the file yet.
            Ok(checkpoint) if checkpoint.levels.is_empty() => {}
            Ok(checkpoint) => {
                read(&pinned, &checkpoint, session.codecs(), &mut report)
                    .map_err(|error| error.with_path(connection.path()))?;
            }
            Err(problem) => {
                let error = LsmError::new(OPERATION, LsmErrorCode::LsmCorrupt);
                return Err(error
                    .with_path(connection.path())
                    .with_message(format!("the checkpoint in use {problem}")));
            }
        }
        Ok(report)
    }
}

/// As [`LsmDb::verify`], for a file that nobody has open, without opening it as a database.
///
/// Nothing is written or locked, and read permission is enough. It works on files that are too
/// damaged to be opened. The log beside the file is read, too, and its whole transactions are
/// counted: the engine takes the first bytes that don't fit for the end, and so a damaged log
/// can't be told from a shorter one.
///
/// After a power failure one of the header pages may be reported although nothing is lost: the
/// checkpoint that was being written then. The next one overwrites it.
///
/// Recognises the codecs that come with the crate. For others, and for dictionaries, there is
/// [`LsmDbBuilder::verify_file`](crate::LsmDbBuilder::verify_file).
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("demo.lsm");
/// # lsmlite_rs::LsmDb::open(&path)?.close()?;
/// let report = lsmlite_rs::verify_file(&path)?;
/// for damage in &report.damage {
///     println!("{damage}");
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// The file can't be opened; this process has it open as a database (`LsmMisuse`); it changed
/// meanwhile (`LsmBusy`); it has a codec that isn't known here (`LsmMismatch`); it isn't a database
/// (`LsmCorrupt`). Damage is reported, not returned as an error.
pub fn verify_file(path: impl AsRef<Path>) -> Result<VerifyReport, LsmError> {
    verify_with(path.as_ref(), &compression::all(&[]))
}

/// [`verify_file`] with these codecs.
pub(crate) fn verify_with(path: &Path, known: &[FileCodec]) -> Result<VerifyReport, LsmError> {
    let failed = |error: LsmError| error.with_path(path);
    if Env::default().is_open(path) {
        let error = LsmError::new(OPERATION, LsmErrorCode::LsmMisuse).with_path(path);
        return Err(error.with_message("this process has it open: use LsmDb::verify"));
    }
    let source = FileSource::open(path).map_err(|error| io_error(&error, path))?;
    let headers = headers(&source);
    let mut report = start(&headers);
    if let Some(checkpoint) = newest(&headers) {
        if !checkpoint.levels.is_empty() {
            read(&source, checkpoint, known.iter(), &mut report).map_err(failed)?;
        }
        if self::headers(&source).map(|h| h.checkpoint().map(|c| c.id))
            != headers.each_ref().map(|h| h.checkpoint().map(|c| c.id))
        {
            let error = LsmError::new(OPERATION, LsmErrorCode::LsmBusy).with_path(path);
            return Err(error.with_message("the file is being written to by another process"));
        }
    }
    report.log_transactions = log::source_beside(path)
        .map(|log| log::find(&log, newest(&headers)).map_or(0, |found| found.transactions));
    Ok(report)
}

/// Reads all of the file that a checkpoint refers to.
fn read<'c>(
    source: &dyn Source,
    checkpoint: &Checkpoint,
    known: impl Iterator<Item = &'c FileCodec> + Clone,
    report: &mut VerifyReport,
) -> Result<(), LsmError> {
    let pages = Pages::of(source, checkpoint, known).map_err(|error| error.during(OPERATION))?;
    check::check(&pages, checkpoint, report);
    report.bytes += pages.bytes_read();
    Ok(())
}

/// The header pages, as far as the file has them.
pub(crate) fn headers(source: &dyn Source) -> [Header; 2] {
    understood(&header_pages(source))
}

fn understood(pages: &[Result<Vec<u8>, String>; 2]) -> [Header; 2] {
    pages.each_ref().map(|page| match page {
        Ok(page) => checkpoint::header(page),
        Err(problem) => Header::Invalid(problem.clone()),
    })
}

/// Whether the first page is empty and the second isn't: the first is written first.
fn lacks_the_first(headers: &[Header; 2]) -> bool {
    matches!(headers[0], Header::Empty) && headers[1].checkpoint().is_some()
}

/// The bytes of the header pages.
pub(crate) fn header_pages(source: &dyn Source) -> [Result<Vec<u8>, String>; 2] {
    [0, 1].map(|n| {
        let offset = n * HEADER_PAGE;
        let len = source.len().saturating_sub(offset).min(HEADER_PAGE);
        let mut page = vec![0; len as usize];
        match source.read_at(offset, &mut page) {
            Ok(()) => Ok(page),
            Err(error) => Err(format!("it can't be read: {error}")),
        }
    })
}

/// The header pages of a database in use, when nobody is writing one.
fn settled_headers(source: &dyn Source, path: &Path) -> Result<[Header; 2], LsmError> {
    let mut before = None;
    for _ in 0..PATIENCE {
        let pages = header_pages(source);
        let headers = understood(&pages);
        let invalid = headers.iter().any(|h| matches!(h, Header::Invalid(_)));
        let unsettled = invalid || lacks_the_first(&headers);
        if !unsettled || before.as_ref() == Some(&pages) {
            return Ok(headers);
        }
        before = Some(pages);
        std::thread::sleep(Duration::from_millis(20));
    }
    let error = LsmError::new(OPERATION, LsmErrorCode::LsmBusy).with_path(path);
    Err(error.with_message("checkpoints are being written too fast"))
}

/// The checkpoint that counts.
pub(crate) fn newest(headers: &[Header; 2]) -> Option<&Checkpoint> {
    let [first, second] = headers.each_ref().map(Header::checkpoint);
    match (first, second) {
        (Some(first), Some(second)) if second.id > first.id => Some(second),
        (first, second) => first.or(second),
    }
}

/// What is in them, for users.
pub(crate) fn states(headers: &[Header; 2]) -> [CheckpointState; 2] {
    headers.each_ref().map(|header| match header {
        Header::Empty => CheckpointState::Empty,
        Header::Valid(checkpoint) => CheckpointState::Valid(checkpoint.id),
        Header::Invalid(_) => CheckpointState::Invalid,
    })
}

/// A report with what the header pages show.
fn start(headers: &[Header; 2]) -> VerifyReport {
    let mut report = VerifyReport::new(states(headers));
    for (number, header) in (1..).zip(headers) {
        let problem = match header {
            Header::Invalid(problem) => format!("its checkpoint can't be used: it {problem}"),
            Header::Empty if number == 1 && lacks_the_first(headers) => {
                "it is empty, although the other one was written after it".to_owned()
            }
            _ => continue,
        };
        report.add(Damage {
            place: Place::HeaderPage(number),
            level: None,
            segment: None,
            problem,
        });
    }
    report
}

pub(crate) fn io_error(error: &std::io::Error, path: &Path) -> LsmError {
    let failed = match error.kind() {
        std::io::ErrorKind::NotFound => LsmError::from_raw(OPERATION, crate::ffi::LSM_IOERR_NOENT),
        _ => LsmError::new(OPERATION, LsmErrorCode::LsmIOErr),
    };
    failed.with_path(path).with_message(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A file whose first header page is read before its first checkpoint, and the second one
    /// after its second.
    struct Growing {
        content: Vec<u8>,
        reads: Cell<u32>,
    }

    impl Source for Growing {
        fn len(&self) -> u64 {
            self.content.len() as u64
        }

        fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
            match self.reads.replace(self.reads.get() + 1) {
                0 => out.fill(0),
                _ => out.copy_from_slice(&self.content[offset as usize..][..out.len()]),
            }
            Ok(())
        }
    }

    #[test]
    fn the_first_two_checkpoints_may_come_while_header_pages_are_read() -> Result<(), LsmError> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("db.lsm");
        let mut db = LsmDb::open(&path)?;
        for key in ["a", "b"] {
            db.insert(key, "value")?;
            db.flush()?;
            db.checkpoint()?;
        }
        db.close()?;
        let file = Growing {
            content: std::fs::read(&path).expect("the file"),
            reads: Cell::new(0),
        };
        let headers = settled_headers(&file, &path)?;
        assert!(headers.iter().all(|header| header.checkpoint().is_some()));
        assert!(start(&headers).is_clean());
        Ok(())
    }
}
