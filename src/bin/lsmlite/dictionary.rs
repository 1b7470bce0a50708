//! The argument that names Zstandard dictionaries, and reading them.

use std::path::{Path, PathBuf};

use clap::Args;
use lsmlite_rs::LsmDbBuilder;
use lsmlite_rs::compression::ZstdDictionary;

use crate::exit::{Failure, Status};

/// The dictionaries that files may need.
#[derive(Args)]
pub struct Dictionaries {
    /// A zstd dictionary that the file may need; may be repeated
    #[arg(long, value_name = "DICTIONARY")]
    dictionary: Vec<PathBuf>,
}

impl Dictionaries {
    /// All of them.
    pub fn read(&self) -> Result<Vec<ZstdDictionary>, Failure> {
        self.dictionary.iter().map(|file| read(file)).collect()
    }

    /// Makes them known; the last one is for a new file whose codec is zstd.
    pub fn apply(&self, builder: LsmDbBuilder) -> Result<LsmDbBuilder, Failure> {
        let all = self.read()?.into_iter();
        Ok(all.fold(builder, LsmDbBuilder::zstd_dictionary))
    }
}

/// Reads a dictionary that `train` has written.
pub fn read(file: &Path) -> Result<ZstdDictionary, Failure> {
    let bytes = std::fs::read(file).map_err(|error| Failure::io("read", file, &error))?;
    ZstdDictionary::from_bytes(&bytes).map_err(|error| {
        let message = error.message().unwrap_or("it can't be used").to_owned();
        Failure::new(Status::Foreign, format!("{}: {message}", file.display()))
            .with_advice("name a file that `lsmlite train` has written")
    })
}
