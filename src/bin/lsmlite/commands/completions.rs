//! `lsmlite completions`: for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::context::Context;
use crate::exit::{Outcome, Status};
use crate::output::Output;

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite completions bash > ~/.local/share/bash-completion/completions/lsmlite
  lsmlite completions zsh > ~/.zfunc/_lsmlite
  lsmlite completions fish > ~/.config/fish/completions/lsmlite.fish")]
pub struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub fn run(self, _: &Context) -> Outcome {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut crate::Cli::command(), "lsmlite", &mut text);
        let mut out = Output::new();
        out.write(&text)?;
        out.finish()?;
        Ok(Status::Done)
    }
}
