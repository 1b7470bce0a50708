//! Coming from elsewhere: what to write instead of which call, and what becomes of the files. The
//! programs on these pages are run by the tests.
//!
//! - [`from_0_2_2`]: the published `lsmlite-rs`. Programs compile as they are, with one exception,
//!   and files open as they are.
//! - [`from_sled`]: call by call, and a program that copies the records.
//! - [`from_python`]: files of the Python packages `lsm-db` and `lsm` open as they are.

// The links of the pages are looked up here.
use crate::*;

#[doc = include_str!("from_0_2_2.md")]
pub mod from_0_2_2 {}

#[doc = include_str!("from_sled.md")]
pub mod from_sled {}

#[doc = include_str!("from_python.md")]
pub mod from_python {}
