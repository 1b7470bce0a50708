//! [`ZstdDictionary`]: what the pages of many files have in common, kept outside of them.

use std::fmt;
use std::sync::Arc;

use super::PageCodec;
use crate::error::{LsmError, LsmErrorCode};

#[cfg(feature = "zstd")]
use super::zstd_dictionary as with_zstd;

/// Ids of files with dictionaries: this, [`STEP`] times the number, and the fingerprint.
pub(crate) const FIRST_ID: u32 = 100_000_000;
/// More than any fingerprint.
const STEP: u32 = 1_000_000;
/// The largest number of a dictionary.
const MOST: u32 = 899;

/// A dictionary for Zstandard: what pages have in common, so that it isn't in each of them.
///
/// **Without its dictionary a file can't be read by anybody**: keep as many copies of it as of the
/// files, and never change it. It isn't stored in the files. What is stored is which one it was:
/// a number of your choice from 1 to 899, and a fingerprint of its contents. Opening a file without
/// its dictionary, or with another one that has the same number, is
/// [`LsmMismatch`](LsmErrorCode::LsmMismatch), and the error names the dictionary.
///
/// It pays with small pages of similar records, as they are best where single records are read. In
/// [the table](super#what-compression-costs) a file with pages of 4 KiB and a dictionary is as small
/// as one with pages of 16 KiB without.
///
/// Cloning is cheap, and clones share what Zstandard makes of it.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # #[cfg(feature = "zstd")] {
/// # let dir = tempfile::tempdir().unwrap();
/// use lsmlite_rs::LsmDb;
/// use lsmlite_rs::compression::{Compression, ZstdDictionary};
///
/// let record = |n: u32| format!(r#"{{"user":{n},"name":"name of {n}","active":true}}"#);
///
/// // From data of the same kind, in a database with pages of the same size.
/// let mut sample = LsmDb::builder()
///     .page_size_bytes(1024)
///     .open(dir.path().join("sample.lsm"))?;
/// sample.ingest((0..20_000_u32).map(|n| (n.to_be_bytes(), record(n))))?;
/// let dictionary = sample.train_zstd_dictionary(7, 16 * 1024)?;
/// std::fs::write(dir.path().join("users-7.dict"), dictionary.as_bytes()).unwrap();
///
/// // Whoever writes or reads the file has it.
/// let bytes = std::fs::read(dir.path().join("users-7.dict")).unwrap();
/// let path = dir.path().join("users.lsm");
/// let mut db = LsmDb::builder()
///     .page_size_bytes(1024)
///     .compression(Compression::ZSTD)
///     .zstd_dictionary(ZstdDictionary::from_bytes(&bytes)?)
///     .open(&path)?;
/// db.ingest((0..20_000_u32).map(|n| (n.to_be_bytes(), record(n))))?;
/// db.close()?;
///
/// let error = LsmDb::open(&path)?.get(7_u32.to_be_bytes()).unwrap_err();
/// assert!(error.to_string().contains("dictionary 7"), "{error}");
/// # }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ZstdDictionary(Arc<Inner>);

struct Inner {
    number: u32,
    fingerprint: u32,
    bytes: Box<[u8]>,
    #[cfg(feature = "zstd")]
    digested: with_zstd::Digested,
    /// There are none without Zstandard.
    #[cfg(not(feature = "zstd"))]
    digested: std::convert::Infallible,
}

impl ZstdDictionary {
    /// A dictionary that Zstandard trained, under a number of your choice from 1 to 899.
    ///
    /// It may come from `zstd --train` or any other program. The number replaces the one that is in
    /// its header, so that [`as_bytes`](Self::as_bytes) differs from `trained` there.
    ///
    /// # Errors
    /// [`LsmMisuse`](LsmErrorCode::LsmMisuse) for another number, and for bytes that aren't a
    /// trained dictionary or that are damaged, as far as Zstandard can tell: it doesn't notice that
    /// the end is missing, which the fingerprint does when a file is opened;
    /// [`LsmMismatch`](LsmErrorCode::LsmMismatch) without the feature `zstd`.
    pub fn new(number: u32, trained: &[u8]) -> Result<ZstdDictionary, LsmError> {
        if !(1..=MOST).contains(&number) {
            return Err(refused(format!(
                "{number} can't be a dictionary's number: choose one from 1 to {MOST}"
            )));
        }
        let mut bytes: Box<[u8]> = trained.into();
        if let Some([0x37, 0xa4, 0x30, 0xec, id @ ..]) = bytes.first_chunk_mut::<8>() {
            *id = number.to_le_bytes();
        }
        Self::from_bytes(&bytes)
    }

    /// The dictionary that [`as_bytes`](Self::as_bytes) gave, with its number.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_bytes(bytes: &[u8]) -> Result<ZstdDictionary, LsmError> {
        let Some((&[0x37, 0xa4, 0x30, 0xec, a, b, c, d], _)) = bytes.split_first_chunk::<8>()
        else {
            let message = "this isn't a dictionary that Zstandard trained: those begin with the \
                           bytes 37 A4 30 EC";
            return Err(refused(message.to_owned()));
        };
        let number = u32::from_le_bytes([a, b, c, d]);
        if !(1..=MOST).contains(&number) {
            return Err(refused(format!(
                "the dictionary has the number {number} instead of one from 1 to {MOST}: give it \
                 one with `ZstdDictionary::new`"
            )));
        }
        Self::digest(number, bytes)
    }

    #[cfg(feature = "zstd")]
    fn digest(number: u32, bytes: &[u8]) -> Result<ZstdDictionary, LsmError> {
        let digested = with_zstd::Digested::new(bytes).ok_or_else(|| {
            let len = bytes.len();
            refused(format!(
                "the dictionary {number}, of {len} bytes, is damaged or cut off: Zstandard can't \
                 use it"
            ))
        })?;
        Ok(ZstdDictionary(Arc::new(Inner {
            number,
            fingerprint: crc32c::crc32c(bytes) % STEP,
            bytes: bytes.into(),
            digested,
        })))
    }

    #[cfg(not(feature = "zstd"))]
    fn digest(_: u32, _: &[u8]) -> Result<ZstdDictionary, LsmError> {
        Err(super::builtin::missing("zstd"))
    }

    /// Trains a dictionary of `max_bytes` at most, with this number.
    ///
    /// The samples are to look like what is compressed, which is whole pages; so
    /// [`LsmDb::train_zstd_dictionary`](crate::LsmDb::train_zstd_dictionary), which takes pages of a
    /// database, does better than single records. A hundred times as many bytes of samples as of
    /// dictionary are enough, and all of them are in memory at once. Training a dictionary of
    /// 16 KiB took a tenth of a second.
    ///
    /// # Errors
    /// [`LsmMisuse`](LsmErrorCode::LsmMisuse) for a number that isn't from 1 to 899, a size that
    /// isn't from 256 to 1,048,576, and samples that are too few or have nothing in common;
    /// [`LsmMismatch`](LsmErrorCode::LsmMismatch) without the feature `zstd`.
    pub fn train<S: AsRef<[u8]>>(
        number: u32,
        samples: impl IntoIterator<Item = S>,
        max_bytes: usize,
    ) -> Result<ZstdDictionary, LsmError> {
        const SIZES: std::ops::RangeInclusive<usize> = 256..=1024 * 1024;
        if !SIZES.contains(&max_bytes) {
            return Err(refused(format!(
                "a dictionary of {max_bytes} bytes: it can have from {} to {}",
                SIZES.start(),
                SIZES.end()
            )));
        }
        let (mut all, mut lengths) = (Vec::new(), Vec::new());
        for sample in samples {
            let sample = sample.as_ref();
            all.extend_from_slice(sample);
            lengths.push(sample.len());
        }
        Self::new(number, &train(&all, &lengths, max_bytes)?)
    }

    /// The number that it was given.
    pub fn number(&self) -> u32 {
        self.0.number
    }

    /// The dictionary itself, to be kept in a file: [`from_bytes`](Self::from_bytes) takes it.
    ///
    /// It is in Zstandard's own format, with the number as Zstandard's id.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The id of files that are compressed with it.
    #[cfg(feature = "zstd")]
    pub(crate) fn codec_id(&self) -> u32 {
        FIRST_ID + self.0.number * STEP + self.0.fingerprint
    }

    #[cfg(feature = "zstd")]
    pub(super) fn digested(&self) -> &with_zstd::Digested {
        &self.0.digested
    }

    /// The codec with this dictionary; a level from 1 to 22.
    #[cfg(feature = "zstd")]
    pub(crate) fn codec(&self, level: u8) -> Arc<dyn PageCodec> {
        Arc::new(with_zstd::WithDictionary::new(level, self.clone()))
    }

    #[cfg(not(feature = "zstd"))]
    pub(crate) fn codec(&self, _level: u8) -> Arc<dyn PageCodec> {
        match self.0.digested {}
    }
}

impl fmt::Debug for ZstdDictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZstdDictionary")
            .field("number", &self.0.number)
            .field("fingerprint", &self.0.fingerprint)
            .field("bytes", &self.0.bytes.len())
            .finish()
    }
}

/// The number of the dictionary in the id of a codec.
pub(crate) fn number_in(codec_id: u32) -> Option<u32> {
    let number = codec_id.checked_sub(FIRST_ID)? / STEP;
    (1..=MOST).contains(&number).then_some(number)
}

fn refused(message: String) -> LsmError {
    LsmError::new("use a dictionary", LsmErrorCode::LsmMisuse).with_message(message)
}

#[cfg(feature = "zstd")]
fn train(samples: &[u8], lengths: &[usize], max_bytes: usize) -> Result<Vec<u8>, LsmError> {
    zstd::dict::from_continuous(samples, lengths, max_bytes).map_err(|error| {
        LsmError::new("train a dictionary", LsmErrorCode::LsmMisuse).with_message(format!(
            "{} samples of {} bytes in all are too few for a dictionary of {max_bytes} bytes, or \
             have nothing in common: give more of them, a hundred times its size is enough \
             (Zstandard says: {error})",
            lengths.len(),
            samples.len()
        ))
    })
}

#[cfg(not(feature = "zstd"))]
fn train(_: &[u8], _: &[usize], _: usize) -> Result<Vec<u8>, LsmError> {
    Err(super::builtin::missing("zstd"))
}
