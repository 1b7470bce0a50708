//! The repaired engine, through its C API: for every bug that we know of, a test that fails
//! without the patch that repairs it. `.ci/patches` proves that each of them does.

#![allow(unsafe_code, missing_docs)]

use lsmlite_rs as _; // brings the library in

#[path = "../../src/lsm1/bindings.rs"]
#[allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    dead_code
)]
#[allow(clippy::all, clippy::pedantic)]
mod ffi;

mod harness;
mod history;

mod abandon;
mod compression;
mod connections;
mod copies;
mod faults;
mod files;
mod log;
mod memory;
mod merges;
mod own_environment;
mod points;
mod range_deletes;
mod scans;
