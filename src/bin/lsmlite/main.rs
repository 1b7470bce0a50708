//! The command `lsmlite`: looks into databases, moves data and repairs, without writing Rust.
//!
//! Each command is a file in `commands/`; how to add one is said there. What they share:
//!
//! | file | what |
//! |---|---|
//! | `context` | what holds for all of them: quiet, colours, notes and progress on stderr |
//! | `database` | the arguments that name a database, opening it, and what to say if that fails |
//! | `dictionary` | the argument that names zstd dictionaries |
//! | `exit` | exit statuses and failures |
//! | `fields` | records out of JSON lines and CSV whose fields are chosen by name |
//! | `input` | stdin, for which a signal doesn't wait |
//! | `interrupt` | Ctrl-C and its like, and files that must not be left half-written |
//! | `new_file` | the arguments that say what a new file is like: codec, sizes |
//! | `output` | stdout, whose reader may go away |
//! | `records` | records as text, JSON lines or CSV |
//! | `report` | reports as text or JSON, sizes for people |
//! | `select` | the arguments that choose records: ranges, prefix, order, limit |
//! | `terminal` | the terminal's size and modes |
//!
//! A command returns a [`Status`](exit::Status) or a [`Failure`](exit::Failure), never calls
//! `exit`, and prints results to stdout and everything else to stderr.

mod commands;
mod context;
mod database;
mod dictionary;
mod exit;
mod fields;
mod input;
mod interrupt;
mod new_file;
mod output;
mod records;
mod report;
mod select;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use context::{Context, Global};

/// Looks into databases of lsmlite, moves their data, checks and repairs them.
#[derive(Parser)]
#[command(
    name = "lsmlite",
    version,
    arg_required_else_help = true,
    after_help = exit::HELP,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    // Ends the process by itself if it can't read the arguments, with status 2, or 0 after help.
    let cli = Cli::parse();
    let context = Context::new(cli.global);
    // The line editor of a shell takes Ctrl-C to itself: it listens when it has the editor.
    if !matches!(cli.command, commands::Command::Shell(_)) {
        interrupt::listen();
    }
    let status = match cli.command.run(&context) {
        Ok(status) => status,
        Err(failure) => {
            context.fail(&failure);
            failure.status
        }
    };
    ExitCode::from(status.number())
}
