//! Random histories of operations, each compared with a `BTreeMap` on the way.
//!
//! Every history is drawn from its seed, with its settings: page, block and tree sizes, codec,
//! mapping, log, processes, background threads, readers. They run in processes of their own,
//! one per core, so that a crash or an endless loop is a failure with a seed like any other.
//! A failure is made smaller and printed with the command that repeats it.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `LSMLITE_HISTORIES` | how many of each kind | 120 |
//! | `LSMLITE_SEED` | the first seed | 1 |
//! | `LSMLITE_JOBS` | processes at once | one per core |
//! | `LSMLITE_HISTORY` | repeat this history: settings, `:`, operations | |

#![cfg(unix)]
#![allow(unsafe_code, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../../src/lsm1/bindings.rs"]
#[allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    dead_code
)]
#[allow(clippy::all, clippy::pedantic)]
mod ffi;
#[path = "../engine/harness/mod.rs"]
#[allow(dead_code)]
mod harness;

mod compare;
mod engine;
mod expected;
mod kept;
mod ops;
mod random;
mod reader;
mod run;
mod runner;
mod settings;
mod shrink;
mod store;

use common::Result;
use lsmlite_rs::LsmDb;
use settings::Kind;

#[test]
fn histories_without_range_deletes_behave_like_a_map() -> Result {
    const NAME: &str = "histories_without_range_deletes_behave_like_a_map";
    let kind = Kind {
        ranges: false,
        nested: false,
    };
    runner::histories::<LsmDb>(NAME, kind)
}

#[test]
fn histories_with_range_deletes_and_codecs_behave_like_a_map() -> Result {
    const NAME: &str = "histories_with_range_deletes_and_codecs_behave_like_a_map";
    let kind = Kind {
        ranges: true,
        nested: false,
    };
    runner::histories::<LsmDb>(NAME, kind)
}

#[test]
fn histories_with_nested_transactions_behave_like_a_map() -> Result {
    const NAME: &str = "histories_with_nested_transactions_behave_like_a_map";
    let kind = Kind {
        ranges: true,
        nested: true,
    };
    runner::histories::<harness::Db>(NAME, kind)
}
