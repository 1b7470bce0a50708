//! The arguments that say what a new file is like.

use std::str::FromStr;

use clap::Args;
use lsmlite_rs::LsmDbBuilder;
use lsmlite_rs::compression::Compression;

/// Codec and sizes. What isn't given stays as it is, or is the default.
#[derive(Args)]
pub struct NewFile {
    /// Page codec: none, lz4, zlib or zstd; with a level: zstd:9
    #[arg(short, long, value_name = "CODEC[:LEVEL]")]
    pub compression: Option<Codec>,
    /// Put a checksum on every page
    #[arg(long, overrides_with = "no_page_checksums")]
    page_checksums: bool,
    /// No checksums on pages
    #[arg(long, overrides_with = "page_checksums")]
    no_page_checksums: bool,
    /// Page size: a power of two from 256 to 65536
    #[arg(long, value_name = "BYTES")]
    pub page_size: Option<u32>,
    /// Block size: a power of two from 64 to 65536
    #[arg(long, value_name = "KIB")]
    pub block_size: Option<u32>,
}

/// A codec on the command line.
#[derive(Copy, Clone)]
pub struct Codec(pub Compression);

impl FromStr for Codec {
    type Err = String;

    fn from_str(text: &str) -> Result<Codec, String> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        let level = match level {
            Some(level) => Some(level.parse().map_err(|_| format!("{level} is no level"))?),
            None => None,
        };
        let codec = match (name, level) {
            ("none", None) => Compression::None,
            ("none", Some(_)) => return Err("none has no levels".to_owned()),
            ("lz4", None) => Compression::LZ4,
            ("lz4", Some(level)) => Compression::Lz4 { level },
            ("zlib", None) => Compression::ZLIB,
            ("zlib", Some(level)) => Compression::Zlib { level },
            ("zstd", None) => Compression::ZSTD,
            ("zstd", Some(level)) => Compression::Zstd { level },
            _ => return Err("none, lz4, zlib or zstd is meant".to_owned()),
        };
        Ok(Codec(codec))
    }
}

impl NewFile {
    /// With or without page checksums, if one was said.
    pub fn page_checksums(&self) -> Option<bool> {
        match (self.page_checksums, self.no_page_checksums) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }

    /// Sets what was said.
    pub fn apply(&self, mut builder: LsmDbBuilder) -> LsmDbBuilder {
        if let Some(Codec(codec)) = self.compression {
            builder = builder.compression(codec);
        }
        if let Some(yes) = self.page_checksums() {
            builder = builder.page_checksums(yes);
        }
        if let Some(bytes) = self.page_size {
            builder = builder.page_size_bytes(bytes);
        }
        if let Some(kib) = self.block_size {
            builder = builder.block_size_kib(kib);
        }
        builder
    }
}
