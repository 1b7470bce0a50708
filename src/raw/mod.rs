//! Owning handles over lsm1's C interface: the only users of [`ffi`](crate::ffi).
//!
//! What is above this module is safe Rust. Names of variables follow the C side here,
//! so that the code reads beside lsm1's.
#![allow(unsafe_code)]

mod connection;
mod cursor;
mod hooks;
mod info;
mod ingest;
mod params;
mod pinned;
mod poison;
mod scan;
mod transact;
mod write;

pub(crate) use connection::{Connection, Param};
pub(crate) use cursor::{Cursor, Seek, Step};
pub(crate) use info::{Description, TreeSize};
pub(crate) use ingest::{Source, Stop};
pub(crate) use write::MAX_EXPECTED;
