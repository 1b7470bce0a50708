//! The peer: whatever the tests ask of a program on lsmlite-rs, one subcommand each.
//! The same source is built on 0.2.2 (this package) and on our crate (`ours/`).

mod commands;
mod records;
mod script;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    commands::run(std::env::args().skip(1))
}
