//! Backups, restorations, and compactions in steps.

#[path = "../common/mod.rs"]
mod common;
mod compaction;
mod copies;
mod generations;
mod interrupted;
mod targets;
mod while_writing;
