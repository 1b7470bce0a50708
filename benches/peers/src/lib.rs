//! The same programs written for lsmlite-rs, redb, heed and fjall, and a comparison of the speed of
//! these stores and others.

pub mod child;
pub mod lines;
pub mod programs;
pub mod stores;

/// What all programs return: any error, passed on with `?`.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
