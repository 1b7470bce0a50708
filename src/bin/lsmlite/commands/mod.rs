//! The commands, a file each.
//!
//! To add one: write `NAME.rs` with a struct of arguments and `fn run(self, &Context) -> Outcome`,
//! as in [`count`], and add a line to `register!` below. The struct's documentation is what
//! `lsmlite --help` says about it; `#[command(after_help = …)]` is its example, and a test asks
//! for one. Tests of it go to `tests/cli/NAME.rs`.

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Outcome;

/// Makes the modules, the enum that the argument parser fills, and the call.
macro_rules! register {
    ($($(#[$when:meta])? $module:ident $variant:ident,)*) => {
        $($(#[$when])? mod $module;)*

        #[derive(Subcommand)]
        pub enum Command {
            $($(#[$when])? $variant($module::$variant),)*
        }

        impl Command {
            pub fn run(self, context: &Context) -> Outcome {
                match self {
                    $($(#[$when])? Command::$variant(command) => command.run(context),)*
                }
            }
        }
    };
}

register! {
    get Get,
    put Put,
    del Del,
    scan Scan,
    count Count,
    tables Tables,
    dump Dump,
    load Load,
    info Info,
    stat Stat,
    check Check,
    xray Xray,
    salvage Salvage,
    compact Compact,
    checkpoint Checkpoint,
    backup Backup,
    restore Restore,
    recompress Recompress,
    train Train,
    shell Shell,
    bench Bench,
    top Top,
    completions Completions,
    man Man,
    #[cfg(unix)] archive Archive,
}
