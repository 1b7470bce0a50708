//! The command `lsmlite`, as users run it: the built program, its output and its exit status.

#[path = "../common/mod.rs"]
mod common;
mod help;
mod records;
mod run;
