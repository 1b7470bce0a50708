//! Page codecs: how the pages of a database file are compressed.
//!
//! The codec is chosen when a database is created and stored in the file as a number,
//! its id. [`Compression`] names the built-in ones; [`PageCodec`] is the trait to write
//! one of your own. A database opened through [`LsmDb::open`](crate::LsmDb::open) or the
//! builder recognises the built-in codecs, and those handed to
//! [`LsmDbBuilder::codec`](crate::LsmDbBuilder::codec), by the id in the file. A
//! [`ZstdDictionary`] is handed over with each opening, too.
//!
//! Compression costs time on every page that is read or written, and it turns memory
//! mapping off. It pays where disk space counts more than speed.
//!
//! # What compression costs
//!
//! Which level and page size pay, in this measurement:
//!
//! - **Level 3 of Zstandard**, the default. Level 9 takes three to six times as long to write for a file
//!   that is 2 to 12 % smaller; level 19 twenty times and more for 3 to 19 %, which is for archives.
//!   Reading takes about the same time at all levels.
//! - **LZ4** where reading must cost little: a `get` from pages of 4 KiB takes 3.1 instead of 1.9 µs.
//!   zlib never: it is for files that others made.
//! - **Small pages for single records, large ones for scans**: a `get` decompresses a whole page if
//!   that isn't in the page cache. Plain pages gain nothing from another size.
//! - **A dictionary with small pages**: with 1 KiB the file is 40 % smaller than without, smaller than
//!   with 4 KiB without, and a `get` takes half the time of that. With 4 KiB it is as small as with
//!   16 KiB without, at less than half the time. With 64 KiB it gains nothing.
//!
//! Orders as JSON of 100 to 300 bytes, from a seed: 50,000, 9.0 MB. Each file was written once by
//! [`ingest`](crate::LsmDb::ingest), in order, then compacted; blocks of 1 MiB. A `get` is of a record
//! at random, a scan from the first to the last, with the default page cache of 2 MiB and the file in
//! the operating system's cache. The dictionaries, of 16 KiB, were trained on 10,000 other orders with
//! [`train_zstd_dictionary`](crate::LsmDb::train_zstd_dictionary), each in less than 0.1 s. Medians of up to
//! five runs, all of one process, on 2 cores (Xeon, Linux 6.18, ext4, Rust 1.95), other niced work
//! suspended; `cargo bench --bench compression_cost` prints the tables.
//!
//! | size of the file, MB | pages of 1 KiB | pages of 4 KiB | pages of 16 KiB | pages of 64 KiB |
//! |---|---:|---:|---:|---:|
//! | none | 9.53 | 9.35 | 9.32 | 10.49 |
//! | LZ4 | 5.30 | 4.00 | 3.37 | 2.93 |
//! | zlib, level 6 | 3.95 | 2.69 | 2.13 | 1.89 |
//! | zstd, level 1 | 4.05 | 2.60 | 2.07 | 1.93 |
//! | zstd, level 3 | 4.02 | 2.60 | 2.09 | 1.97 |
//! | zstd, level 9 | 3.95 | 2.51 | 1.91 | 1.73 |
//! | zstd, level 19 | 3.89 | 2.47 | 1.85 | 1.60 |
//! | zstd, level 3, dictionary | 2.39 | 2.09 | 2.01 | 1.98 |
//! | zstd, level 19, dictionary | 2.07 | 1.78 | 1.60 | 1.55 |
//!
//! | loading, s | pages of 1 KiB | pages of 4 KiB | pages of 16 KiB | pages of 64 KiB |
//! |---|---:|---:|---:|---:|
//! | none | 0.01 | 0.02 | 0.01 | 0.02 |
//! | LZ4 | 0.04 | 0.03 | 0.03 | 0.02 |
//! | zlib, level 6 | 0.30 | 0.19 | 0.23 | 0.27 |
//! | zstd, level 1 | 0.09 | 0.05 | 0.03 | 0.03 |
//! | zstd, level 3 | 0.09 | 0.06 | 0.05 | 0.04 |
//! | zstd, level 9 | 0.29 | 0.27 | 0.31 | 0.21 |
//! | zstd, level 19 | 1.80 | 2.97 | 3.73 | 4.69 |
//! | zstd, level 3, dictionary | 0.06 | 0.05 | 0.05 | 0.06 |
//! | zstd, level 19, dictionary | 3.00 | 2.90 | 2.45 | 2.47 |
//!
//! | a `get`, µs | pages of 1 KiB | pages of 4 KiB | pages of 16 KiB | pages of 64 KiB |
//! |---|---:|---:|---:|---:|
//! | none | 1.8 | 1.9 | 2.4 | 5.4 |
//! | LZ4 | 2.2 | 3.1 | 8.1 | 26.6 |
//! | zlib, level 6 | 12.6 | 17.7 | 40.4 | 111.5 |
//! | zstd, level 1 | 5.5 | 7.6 | 17.6 | 52.8 |
//! | zstd, level 3 | 5.4 | 8.2 | 18.8 | 56.9 |
//! | zstd, level 9 | 5.7 | 7.8 | 16.3 | 48.6 |
//! | zstd, level 19 | 5.8 | 9.4 | 21.2 | 46.1 |
//! | zstd, level 3, dictionary | 3.9 | 8.1 | 20.2 | 66.8 |
//! | zstd, level 19, dictionary | 3.9 | 7.1 | 15.3 | 64.0 |
//!
//! | a scanned record, ns | pages of 1 KiB | pages of 4 KiB | pages of 16 KiB | pages of 64 KiB |
//! |---|---:|---:|---:|---:|
//! | none | 255 | 162 | 158 | 122 |
//! | LZ4 | 351 | 239 | 240 | 326 |
//! | zlib, level 6 | 2205 | 1001 | 648 | 513 |
//! | zstd, level 1 | 975 | 490 | 346 | 291 |
//! | zstd, level 3 | 1138 | 590 | 359 | 301 |
//! | zstd, level 9 | 1027 | 496 | 322 | 283 |
//! | zstd, level 19 | 1080 | 510 | 503 | 272 |
//! | zstd, level 3, dictionary | 683 | 442 | 397 | 361 |
//! | zstd, level 19, dictionary | 752 | 407 | 302 | 426 |
//!
//! # Page checksums
//!
//! With [`LsmDbBuilder::page_checksums`](crate::LsmDbBuilder::page_checksums), every page of a
//! new file carries a CRC-32C, whatever its codec. It is compared each time that the page is read
//! from the file; one that doesn't fit is [`LsmCorrupt`](LsmErrorCode::LsmCorrupt), with the
//! page's position in the file. The rest of the file can still be read;
//! [`LsmDb::verify`](crate::LsmDb::verify) lists all damage, and [`salvage`](crate::salvage())
//! copies out what is sound.
//!
//! A checksum covers the page as it is stored and its length, its place in the file, and the run
//! of pages that it was written in. So it finds
//!
//! - bytes that changed, sectors that were zeroed or overwritten, a file that was cut short;
//! - pages that were written to a wrong place, or that changed places;
//! - pages that were never written: what an earlier run of pages left in that place doesn't fit.
//!
//! The links between the file's blocks and the padding between runs have checksums as well. The
//! two checkpoints at the beginning of the file, and the log, have checksums of lsm1's own, with
//! 64 bits.
//!
//! What checksums can't find: a whole file that was replaced by an earlier copy of itself; and a
//! damaged checkpoint, as far as there is an earlier one to go back to. The engine then goes on
//! from that one, which is a state that was committed, with pages that are checked;
//! [`verify_file`](crate::verify_file) reports it until the next checkpoint. And they don't help against errors before a page is written or after it was read, in memory, nor
//! against somebody who changes a page and its checksum.
//!
//! | codec | id in the file | with page checksums |
//! |---|---|---|
//! | plain pages | 1 | 1,000,000,001 |
//! | LZ4 | 10,001 | 1,000,010,001 |
//! | zlib | 10,002 | 1,000,010,002 |
//! | Zstandard | 10,003 | 1,000,010,003 |
//! | Zstandard with dictionary *d* | 100,000,000 + 1,000,000 × *d* + fingerprint | 1,000,000,000 more |
//! | one of your own | its id, *n* | 1,000,000,000 + *n* |
//!
//! To lsmlite-rs 0.2.2 and to plain lsm1 such a file is one with an unknown codec: they refuse it
//! with [`LsmMismatch`](LsmErrorCode::LsmMismatch) and leave it alone.
//! [`get_compression_id`](crate::LsmDb::get_compression_id) answers the codec beneath the
//! checksums, and [`DbConf`](crate::DbConf) with that codec opens the file. An existing file can't
//! be converted: copy its records into a new one.
//!
//! A page takes ten bytes more than without, or four with a codec. The cost in processor time,
//! in microseconds per record of 16 + 100 bytes; 500,000 records, files in the operating system's
//! cache, medians of five interleaved rounds on a machine of two processors that was busy with
//! other work, so compare, and measure yourself with `cargo bench --bench compression`:
//!
//! | | insert | compact | get | scan |
//! |---|---|---|---|---|
//! | plain pages | 2.1 | 0.31 | 2.2 | 0.21 |
//! | the same, [mapped](crate::config::Mmap::All) | 2.0 | 0.31 | 1.3 | 0.18 |
//! | plain pages with checksums | 2.3 | 0.47 | 3.6 | 0.23 |
//! | LZ4 | 2.4 | 0.55 | 3.4 | 0.23 |
//! | LZ4 with checksums | 2.2 | 0.50 | 3.4 | 0.24 |
//! | Zstandard | 2.8 | 0.95 | 3.9 | 0.25 |
//! | Zstandard with checksums | 2.8 | 1.03 | 4.3 | 0.24 |
//!
//! Plain pages lose most, as a checksum turns memory mapping off and each page is copied once
//! more. Nearly every `get` of this measurement reads its page from the file; one whose page is
//! in the engine's cache of 2 MiB costs the same with and without. With a codec a record is read
//! and written in one call of the system, where it takes two and three without checksums, and
//! that makes up for them.

mod builtin;
mod checked;
mod checksums;
mod dictionary;
#[cfg(feature = "lz4")]
mod lz4;
mod unknown;
#[cfg(feature = "zlib")]
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;
#[cfg(feature = "zstd")]
mod zstd_dictionary;

use std::sync::Arc;

use crate::error::{LsmError, LsmErrorCode};

pub(crate) use builtin::for_compatible_face;
pub use builtin::{Compression, LsmCompressionLib};
pub(crate) use checked::Checked;
pub(crate) use checksums::{FileCodec, ID_OFFSET, checksum, run_number, split_id};
pub use dictionary::ZstdDictionary;
pub(crate) use dictionary::number_in;
pub(crate) use unknown::unknown;

/// Why a codec could not do its work; the text ends up in the [`LsmError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(String);

impl CodecError {
    /// An error with this explanation.
    pub fn new(message: impl Into<String>) -> Self {
        CodecError(message.into())
    }
}

/// Compresses and decompresses database pages.
///
/// One codec value serves several threads at once (the writer and the background threads
/// each have a connection), hence `Send + Sync`. A panic in a codec fails the operation
/// and then continues in the caller; it never crosses into C.
///
/// Pages written with a codec of your own carry a checksum of the plain page, so a codec
/// that gives back other bytes than it got is reported as
/// [`LsmCorrupt`](LsmErrorCode::LsmCorrupt). A codec can't use the database that it works for:
/// that answers [`LsmMisuse`](LsmErrorCode::LsmMisuse).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use lsmlite_rs::LsmDb;
/// use lsmlite_rs::compression::{CodecError, PageCodec};
///
/// /// Not a good cipher, but a short codec.
/// struct Xor(u8);
///
/// impl PageCodec for Xor {
///     fn id(&self) -> u32 {
///         20_001
///     }
///     fn bound(&self, plain_len: usize) -> usize {
///         plain_len
///     }
///     fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
///         for (o, p) in out.iter_mut().zip(plain) {
///             *o = p ^ self.0;
///         }
///         Ok(plain.len())
///     }
///     fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
///         self.compress(packed, out)
///     }
/// }
///
/// let dir = tempfile::tempdir()?;
/// let mut db = LsmDb::builder()
///     .codec(Arc::new(Xor(0x5a)))
///     .open(dir.path().join("own.lsm"))?;
/// db.insert(b"key", b"value")?;
/// assert_eq!(db.get(b"key")?.as_deref(), Some(&b"value"[..]));
/// # Ok(()) }
/// ```
pub trait PageCodec: Send + Sync + 'static {
    /// The number that is stored in the file and finds the codec again.
    ///
    /// Take one from 20,000 to 99,999,999: the others belong to lsm1 and to this crate.
    fn id(&self) -> u32;

    /// The most bytes that [`compress`](Self::compress) can need for `plain_len` bytes.
    ///
    /// The engine has room for four times the plain length and 64 bytes; a larger bound is
    /// cut to that, and a page that needs more fails.
    fn bound(&self, plain_len: usize) -> usize;

    /// Compresses `plain` into `out`, which is at least `bound(plain.len())` bytes long and
    /// holds zeros; returns how many bytes it used.
    ///
    /// # Errors
    /// Any [`CodecError`] fails the write that needed the page.
    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError>;

    /// Decompresses `packed` into `out`, which is one page long and holds zeros; returns
    /// how many bytes it used.
    ///
    /// # Errors
    /// Any [`CodecError`] fails the read that needed the page, as damage.
    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError>;
}

/// The ids for codecs of users.
pub(crate) const USER_IDS: std::ops::Range<u32> = 20_000..dictionary::FIRST_ID;

/// For codecs of Zstandard that only read.
pub(crate) const ANY_LEVEL: u8 = 3;

/// What a connection needs to know of codecs.
#[derive(Clone, Default)]
pub(crate) struct CodecChoice {
    /// Compresses new databases; `None` writes plain pages.
    pub(crate) preferred: Option<FileCodec>,
    /// Recognise the codec of an existing file among these and the preferred one.
    pub(crate) known: Vec<FileCodec>,
    /// Recognise plain pages in an existing file.
    pub(crate) plain_pages: bool,
}

/// New files are written with `codec` (`None` means plain pages), existing ones recognised, and
/// those of the `others`.
pub(crate) fn choose(
    codec: Option<Arc<dyn PageCodec>>,
    page_checksums: bool,
    others: Vec<Arc<dyn PageCodec>>,
) -> CodecChoice {
    let without = codec.clone().map(FileCodec::new);
    let with = FileCodec::with_page_checksums(codec);
    let mut known: Vec<_> = without.iter().chain([&with]).cloned().collect();
    for codec in builtin::compiled_in().into_iter().chain(others) {
        known.push(FileCodec::new(Arc::clone(&codec)));
        known.push(FileCodec::with_page_checksums(Some(codec)));
    }
    known.push(FileCodec::with_page_checksums(None));
    CodecChoice {
        preferred: if page_checksums { Some(with) } else { without },
        known,
        plain_pages: true,
    }
}

/// Checks the id of a user's codec and adds the page checksum to it.
pub(crate) fn user_codec(codec: Arc<dyn PageCodec>) -> Result<Arc<dyn PageCodec>, LsmError> {
    // Asked for once: a codec that gave another answer later would get its pages taken for
    // those of another one.
    let id = codec.id();
    if !USER_IDS.contains(&id) {
        let message = format!(
            "codec id {id} is reserved; choose one from {} to {}",
            USER_IDS.start,
            USER_IDS.end - 1
        );
        return Err(LsmError::new("open", LsmErrorCode::LsmMisuse).with_message(message));
    }
    Ok(Arc::new(Checked::new(id, codec)))
}

/// These codecs and the built-in ones, each with and without page checksums.
pub(crate) fn all(others: &[Arc<dyn PageCodec>]) -> Vec<FileCodec> {
    choose(None, false, others.to_vec()).known
}
