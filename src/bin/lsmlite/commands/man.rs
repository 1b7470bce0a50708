//! `lsmlite man`: manual pages.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_mangen::Man as Page;

use crate::context::Context;
use crate::exit::{Failure, Outcome, Status};
use crate::output::{self, Output};

/// Print the manual page, or write those of all commands into a folder
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite man | man -l -
  lsmlite man --folder ~/.local/share/man/man1")]
pub struct Man {
    /// Write lsmlite.1, lsmlite-get.1 and so on into this folder
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
}

impl Man {
    pub fn run(self, _: &Context) -> Outcome {
        let command = crate::Cli::command();
        let Some(folder) = self.folder else {
            let mut page = Vec::new();
            let rendered = Page::new(command).render(&mut page);
            rendered.map_err(|error| output::failure(&error))?;
            let mut out = Output::new();
            out.write(&page)?;
            out.finish()?;
            return Ok(Status::Done);
        };
        fs::create_dir_all(&folder).map_err(|error| Failure::io("make", &folder, &error))?;
        let written = clap_mangen::generate_to(command, &folder);
        written.map_err(|error| Failure::io("write to", &folder, &error))?;
        Ok(Status::Done)
    }
}
