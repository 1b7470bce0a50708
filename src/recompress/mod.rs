//! Another codec, level, page size or block size for a database: [`Recompress`].

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::backup::{Backup, BackupProgress, Target};
use crate::builder::LsmDbBuilder;
use crate::compression::{self, Compression, ZstdDictionary};
use crate::db::LsmDb;
use crate::error::{LsmError, LsmErrorCode};
use crate::inspect::file_info;

const OPERATION: &str = "recompress";

type Show = Box<dyn FnMut(&BackupProgress) -> ControlFlow<()> + Send>;

/// What a recompression has done.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecompressReport {
    /// Records, those of tables included.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Bytes of the file before.
    pub bytes_before: u64,
    /// Bytes of the new file.
    pub bytes_after: u64,
}

/// Writes a database anew with another codec, level, page size, block size, or with page checksums.
///
/// What isn't set stays as it is, but for the level of a codec, which isn't stored: that is its
/// default.
///
/// The new file is written beside the old one, verified and made durable, and then takes its name: so
/// whatever happens there is the old file or the new one under that name. Meanwhile the database is
/// held open alone, so that other processes find it busy; but at the very moment when the names
/// change nobody holds it: a process that opens it then keeps the old file, and loses what it
/// writes to it. There must be space for both files.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("demo.lsm");
/// use lsmlite_rs::LsmDb;
/// use lsmlite_rs::compression::Compression;
/// use lsmlite_rs::recompress::Recompress;
///
/// let mut db = LsmDb::open(&path)?;
/// for i in 0..20_000_u32 {
///     db.insert(i.to_be_bytes(), "much the same in every record")?;
/// }
/// db.close()?;
/// # #[cfg(feature = "lz4")] {
/// let report = Recompress::new()
///     .compression(Compression::LZ4)
///     .page_checksums(true)
///     .run(&path)?;
/// assert!(report.bytes_after < report.bytes_before / 2);
/// # }
/// # Ok(()) }
/// ```
#[must_use = "nothing is done until `run`"]
#[derive(Default)]
pub struct Recompress {
    compression: Option<Compression>,
    dictionary: Option<ZstdDictionary>,
    known_dictionaries: Vec<ZstdDictionary>,
    page_checksums: Option<bool>,
    page_size_bytes: Option<u32>,
    block_size_kib: Option<u32>,
    output: Option<(PathBuf, bool)>,
    progress: Option<Show>,
}

impl fmt::Debug for Recompress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recompress").finish_non_exhaustive()
    }
}

impl Recompress {
    /// With everything as it is: that only makes the file as small as it can be.
    pub fn new() -> Recompress {
        Recompress::default()
    }

    /// Another codec, or another level of the same. Default: the codec that it has, and the same
    /// dictionary.
    pub fn compression(mut self, compression: Compression) -> Recompress {
        self.compression = Some(compression);
        self
    }

    /// Compresses the new file with this dictionary, if its codec is Zstandard.
    ///
    /// To leave a dictionary out, set [`compression`](Self::compression) and no dictionary.
    pub fn zstd_dictionary(mut self, dictionary: ZstdDictionary) -> Recompress {
        self.dictionary = Some(dictionary);
        self
    }

    /// Reads a file that was compressed with this dictionary.
    pub fn known_zstd_dictionary(mut self, dictionary: ZstdDictionary) -> Recompress {
        self.known_dictionaries.push(dictionary);
        self
    }

    /// With or without page checksums. Default: as before.
    pub fn page_checksums(mut self, yes: bool) -> Recompress {
        self.page_checksums = Some(yes);
        self
    }

    /// Page size in bytes, a power of two from 256 to 65,536. Default: as before.
    pub fn page_size_bytes(mut self, bytes: u32) -> Recompress {
        self.page_size_bytes = Some(bytes);
        self
    }

    /// Block size in KiB, a power of two from 64 to 65,536. Default: as before.
    pub fn block_size_kib(mut self, kib: u32) -> Recompress {
        self.block_size_kib = Some(kib);
        self
    }

    /// Leaves the file as it is, and writes the new one to this path; replaces what is there if
    /// `overwrite` is true, and refuses to otherwise.
    pub fn output(mut self, path: impl AsRef<Path>, overwrite: bool) -> Recompress {
        self.output = Some((path.as_ref().to_owned(), overwrite));
        self
    }

    /// Calls this about once for each MiB; [`ControlFlow::Break`] ends it, and nothing is changed.
    pub fn on_progress(
        mut self,
        progress: impl FnMut(&BackupProgress) -> ControlFlow<()> + Send + 'static,
    ) -> Recompress {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Does it.
    ///
    /// # Errors
    /// As [`Backup::run`](crate::Backup::run); there is no database at `path`; it is open, here or
    /// in another process (`LsmBusy`); it was written with a codec that isn't known here
    /// (`LsmMismatch`). Unless the very last step failed, making the new name durable, nothing has
    /// changed.
    pub fn run(self, path: impl AsRef<Path>) -> Result<RecompressReport, LsmError> {
        let path = path.as_ref();
        let during = |error: LsmError| error.during(OPERATION);
        let info = file_info(path).map_err(during)?;
        let bytes_before = info.file_bytes;
        // The log comes home to the file, and its sizes and codec are known.
        let db = match self.output {
            Some(_) => LsmDb::builder().read_only(true),
            None => LsmDb::builder().create(false),
        };
        let dictionaries = self.known_dictionaries.iter().chain(&self.dictionary);
        let db = dictionaries
            .cloned()
            .fold(db, LsmDbBuilder::known_zstd_dictionary);
        let db = db.open(path).map_err(during)?;
        let mut backup = Backup::new(&db)
            .map_err(during)?
            .target(self.target(&db)?)
            .ingest();
        if let Some(progress) = self.progress {
            backup = backup.on_progress(progress);
        }
        let done = match self.output {
            Some((output, overwrite)) => backup.overwrite(overwrite).run(output).map_err(during)?,
            None => {
                let place = Target::of_own(OPERATION, path)?;
                let copy = backup.write(&place).map_err(during)?;
                db.close().map_err(during)?;
                copy.install(&place)?
            }
        };
        Ok(RecompressReport {
            records: done.records,
            bytes: done.bytes,
            bytes_before,
            bytes_after: done.file_bytes,
        })
    }

    /// What the new file is to be like.
    fn target(&self, db: &LsmDb) -> Result<LsmDbBuilder, LsmError> {
        let session = db.session(OPERATION)?;
        let pinned = session.connection().pin()?;
        let words = pinned.checkpoint()?;
        drop(pinned);
        let old = crate::format::checkpoint::parse(&words).map_err(|problem| {
            LsmError::new(OPERATION, LsmErrorCode::LsmCorrupt)
                .with_path(session.connection().path())
                .with_message(format!("the checkpoint in use {problem}"))
        })?;
        let mut dictionary = self.dictionary.clone();
        let compression = match self.compression {
            Some(compression) => compression,
            None => match compression::split_id(session.connection().compression_id()?).0 {
                0 => Compression::None,
                id if compression::number_in(id).is_some() => {
                    let known = self.known_dictionaries.iter();
                    let same = || known.clone().find(|known| known.codec_id() == id).cloned();
                    dictionary = dictionary.or_else(same);
                    Compression::ZSTD
                }
                _ => db
                    .get_compression_id()
                    .map_err(|code| {
                        let error = LsmError::new(OPERATION, code);
                        error.with_path(session.connection().path())
                    })?
                    .into(),
            },
        };
        let page = u32::try_from(old.layout.page).unwrap_or(4096);
        let block_kib = u32::try_from(old.layout.block / 1024).unwrap_or(8192);
        let builder = LsmDb::builder();
        let builder = dictionary
            .into_iter()
            .fold(builder, LsmDbBuilder::zstd_dictionary);
        Ok(builder
            .compression(compression)
            .page_checksums(self.page_checksums.unwrap_or(old.layout.checked))
            .page_size_bytes(self.page_size_bytes.unwrap_or(page))
            .block_size_kib(self.block_size_kib.unwrap_or(block_kib)))
    }
}
