//! The generated declarations of lsm1's functions and constants, nothing else.
//!
//! `src/lsm1/README.md` says how they are made.

#![allow(unsafe_code, missing_docs, dead_code)]
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]
#![allow(clippy::all, clippy::pedantic)]

#[cfg(feature = "buildtime-bindgen")]
include!(concat!(env!("OUT_DIR"), "/bindings.rs"));

#[cfg(not(feature = "buildtime-bindgen"))]
include!("lsm1/bindings.rs");
