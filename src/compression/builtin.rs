//! The built-in codecs by name, for both faces.

use std::sync::Arc;

use super::{FileCodec, PageCodec, ZstdDictionary};
use crate::error::{LsmError, LsmErrorCode};

/// The page codec of a database, in the interface of 0.2.2.
///
/// The discriminants are the ids that are stored in the file.
#[repr(C)]
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum LsmCompressionLib {
    /// Pages are stored as they are. The default.
    #[default]
    NoCompression = 1,
    /// LZ4: fast, packs least.
    LZ4 = 10001,
    /// zlib: slow, for compatibility.
    ZLib,
    /// Zstandard at level 3: packs best.
    ZStd,
}

impl TryFrom<i32> for LsmCompressionLib {
    type Error = LsmErrorCode;

    /// Reads an id; an unknown one is [`LsmErrorCode::LsmMismatch`].
    fn try_from(value: i32) -> Result<Self, LsmErrorCode> {
        match value {
            1 => Ok(LsmCompressionLib::NoCompression),
            10001 => Ok(LsmCompressionLib::LZ4),
            10002 => Ok(LsmCompressionLib::ZLib),
            10003 => Ok(LsmCompressionLib::ZStd),
            _ => Err(LsmErrorCode::LsmMismatch),
        }
    }
}

/// A built-in page codec and its level, for [`LsmDbBuilder`](crate::LsmDbBuilder).
///
/// What they cost is in [a table](super#what-compression-costs).
///
/// The level matters only when pages are written: a file written at any level is read by
/// all. Each codec needs the feature of its name (`lz4`, `zlib`, `zstd`; all on by
/// default); opening with one that isn't compiled in is an error.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Pages are stored as they are. The default.
    #[default]
    None,
    /// LZ4. Level 1 (the default) to 2 is the fast coder; 3 to 12 is the high-compression
    /// one, which needs the feature `lz4-hc`. All builds read all levels, equally fast.
    ///
    /// Without `lz4-hc` the coder is in Rust, and slow unless it is optimised: in a debug
    /// build set `opt-level = 3` for the package `lz4_flex`, or turn the feature on.
    Lz4 {
        /// 1 to 12.
        level: u8,
    },
    /// zlib. Level 0 (stored) to 9; 6 is the default.
    Zlib {
        /// 0 to 9.
        level: u8,
    },
    /// Zstandard. Level 1 to 22; 3 is the default. Small pages of similar records want a
    /// [dictionary](super::ZstdDictionary).
    Zstd {
        /// 1 to 22.
        level: u8,
    },
}

impl Compression {
    /// LZ4 at its default level, 1.
    pub const LZ4: Compression = Compression::Lz4 { level: 1 };
    /// zlib at its default level, 6.
    pub const ZLIB: Compression = Compression::Zlib { level: 6 };
    /// Zstandard at its default level, 3.
    pub const ZSTD: Compression = Compression::Zstd { level: 3 };

    /// The codec itself, `None` for plain pages.
    pub(crate) fn codec(self) -> Result<Option<Arc<dyn PageCodec>>, LsmError> {
        match self {
            Compression::None => Ok(None),
            Compression::Lz4 { level } => lz4(check(level, 1..=12)?).map(Some),
            Compression::Zlib { level } => zlib(check(level, 0..=9)?).map(Some),
            Compression::Zstd { level } => zstd(check(level, 1..=22)?).map(Some),
        }
    }

    /// The same; Zstandard uses the dictionary.
    pub(crate) fn codec_with(
        self,
        dictionary: &ZstdDictionary,
    ) -> Result<Option<Arc<dyn PageCodec>>, LsmError> {
        match (self, self.codec()?) {
            (Compression::Zstd { level }, Some(_)) => Ok(Some(dictionary.codec(level))),
            (_, codec) => Ok(codec),
        }
    }

    /// The level at which Zstandard goes on writing files that were written with it.
    pub(crate) fn zstd_level(self) -> u8 {
        match self {
            Compression::Zstd { level } => level,
            _ => super::ANY_LEVEL,
        }
    }
}

impl From<LsmCompressionLib> for Compression {
    fn from(library: LsmCompressionLib) -> Self {
        match library {
            LsmCompressionLib::NoCompression => Compression::None,
            LsmCompressionLib::LZ4 => Compression::LZ4,
            LsmCompressionLib::ZLib => Compression::ZLIB,
            LsmCompressionLib::ZStd => Compression::ZSTD,
        }
    }
}

/// The codecs of this build, at their default levels.
pub(super) fn compiled_in() -> Vec<Arc<dyn PageCodec>> {
    [Compression::LZ4, Compression::ZLIB, Compression::ZSTD]
        .into_iter()
        .filter_map(|compression| compression.codec().ok().flatten())
        .collect()
}

/// The codec that [`DbConf`](crate::DbConf) asks for; the file must have been written with it,
/// with or without page checksums.
pub(crate) fn for_compatible_face(
    library: LsmCompressionLib,
) -> Result<super::CodecChoice, LsmError> {
    let codec = Compression::from(library).codec()?;
    Ok(super::CodecChoice {
        preferred: codec.clone().map(FileCodec::new),
        known: vec![FileCodec::with_page_checksums(codec)],
        plain_pages: false,
    })
}

fn check(level: u8, allowed: std::ops::RangeInclusive<u8>) -> Result<u8, LsmError> {
    if allowed.contains(&level) {
        return Ok(level);
    }
    let message = format!(
        "compression level {level} is outside {} to {}",
        allowed.start(),
        allowed.end()
    );
    Err(LsmError::new("open", LsmErrorCode::LsmMisuse).with_message(message))
}

#[allow(dead_code)] // Every codec may be compiled in.
pub(super) fn missing(feature: &str) -> LsmError {
    let message = format!("this build can't use {feature}: enable the feature `{feature}`");
    LsmError::new("open", LsmErrorCode::LsmMismatch).with_message(message)
}

#[cfg(feature = "lz4")]
fn lz4(level: u8) -> Result<Arc<dyn PageCodec>, LsmError> {
    if level > super::lz4::LAST_FAST_LEVEL && !cfg!(feature = "lz4-hc") {
        return Err(missing("lz4-hc"));
    }
    Ok(Arc::new(super::lz4::Lz4::new(level)))
}
#[cfg(not(feature = "lz4"))]
fn lz4(_level: u8) -> Result<Arc<dyn PageCodec>, LsmError> {
    Err(missing("lz4"))
}

#[cfg(feature = "zlib")]
fn zlib(level: u8) -> Result<Arc<dyn PageCodec>, LsmError> {
    Ok(Arc::new(super::zlib::Zlib::new(level)))
}
#[cfg(not(feature = "zlib"))]
fn zlib(_level: u8) -> Result<Arc<dyn PageCodec>, LsmError> {
    Err(missing("zlib"))
}

#[cfg(feature = "zstd")]
fn zstd(level: u8) -> Result<Arc<dyn PageCodec>, LsmError> {
    Ok(Arc::new(super::zstd::Zstd::new(level)))
}
#[cfg(not(feature = "zstd"))]
fn zstd(_level: u8) -> Result<Arc<dyn PageCodec>, LsmError> {
    Err(missing("zstd"))
}
