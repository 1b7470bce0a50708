//! Several processes, and forked ones, on one file: who gets in, what they see, what they leave
//! behind.
#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

mod fork;
mod locks;
mod peer;
mod read_only;
mod stray_logs;
