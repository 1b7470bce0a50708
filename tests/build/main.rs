//! The build script, on good and on bad ground: what it says when something is missing or
//! wrong, and what the library that it makes exports.
//!
//! The script's code is part of this test program, which runs itself as a child process
//! for each build, in the environment that Cargo would set.

// bindgen is a dependency of the build only, so there is nothing to test here with it.
#![cfg(not(feature = "buildtime-bindgen"))]

#[path = "../../build.rs"]
#[allow(dead_code)]
mod build_script;

mod failures;
mod patches;
mod script;
mod sources;
mod symbols;

use std::env;

/// Not a test, but the child process of the others.
#[test]
fn child() {
    if env::var_os(script::CHILD).is_none() {
        return;
    }
    match build_script::run() {
        Ok(()) => std::process::exit(0),
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(1);
        }
    }
}
