//! The command `lsmlite`, as users run it: the built program, its output and its exit status.

#[cfg(unix)]
mod archive;
mod bench;
#[path = "../common/mod.rs"]
mod common;
mod damaged;
mod dictionary;
mod failures;
mod files;
#[cfg(target_os = "linux")]
mod full_disk;
mod golden;
mod help;
mod records;
mod run;
mod shell;
mod streams;
#[cfg(target_os = "linux")]
mod terminal;
mod top;
mod xray;
