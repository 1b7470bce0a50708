//! Typed tables: the order of encodings is that of values, tables agree with maps, hostile bytes
//! are errors, and what has expired isn't returned.
#![cfg(feature = "typed")]

#[path = "../common/mod.rs"]
mod common;
mod expiry;
mod hostile;
mod keys;
mod named;
mod samples;
mod sweeping;
mod tables;
mod values;
