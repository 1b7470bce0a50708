//! Damaged files: no database file and no log, however mangled, makes the engine read or write
//! out of bounds, loop, abort or ask for absurd amounts of memory.
//!
//! `LSMLITE_MUTATIONS` says how many mutated databases to try, `LSMLITE_LOG_MUTATIONS` how many
//! logs, `LSMLITE_SEED` where the seeds begin, `LSMLITE_CASE_SECONDS` how long one case may
//! take. A failure names its seed.

#[path = "../common/mod.rs"]
mod common;

mod bases;
mod cases;
mod exercise;
mod image;
mod kept;
mod log;
mod mutate;
