//! The same programs written for lsmlite-rs, redb, heed and fjall.

pub mod lines;
pub mod programs;

/// What all programs return: any error, passed on with `?`.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
