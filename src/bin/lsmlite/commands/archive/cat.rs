//! `lsmlite archive cat`.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::{File, failure};
use crate::context::Context;
use crate::exit::{Outcome, Status};

/// Print files of an archive, without unpacking the others
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite archive cat src.lsm lib.rs
  lsmlite archive cat src.lsm Cargo.toml bin/main.rs

Each file is checked against its hash; one of more than 256 KiB while it is printed, so look at
the exit status.")]
pub struct Cat {
    #[command(flatten)]
    file: File,
    /// The files
    #[arg(value_name = "MEMBER", required = true)]
    members: Vec<PathBuf>,
}

impl Cat {
    pub fn run(self, _: &Context) -> Outcome {
        let archive = self.file.open()?;
        let mut out = io::stdout().lock();
        for member in &self.members {
            let printed = archive.copy_to(member, &mut out);
            printed.map_err(|error| failure(error, archive.path()))?;
        }
        io::Write::flush(&mut out).map_err(|error| crate::output::failure(&error))?;
        Ok(Status::Done)
    }
}
