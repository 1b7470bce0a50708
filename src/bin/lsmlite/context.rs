//! What holds for all commands: options, notes and progress on stderr, colours.

use std::fmt;
use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::Failure;

/// Options of every command.
#[derive(Args)]
pub struct Global {
    /// Say nothing on stderr but failures
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Colours: on a terminal unless NO_COLOR is set, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    color: When,
}

#[derive(Copy, Clone, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// The options, and how to talk to the user.
pub struct Context {
    quiet: bool,
    color: When,
}

/// How a word stands out.
#[derive(Copy, Clone)]
pub enum Style {
    Good,
    Bad,
}

impl Context {
    pub fn new(global: Global) -> Context {
        Context {
            quiet: global.quiet,
            color: global.color,
        }
    }

    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// A note on stderr, unless `--quiet`.
    pub fn note(&self, text: impl fmt::Display) {
        if !self.quiet {
            eprintln!("lsmlite: {text}");
        }
    }

    /// Why the command failed; also with `--quiet`.
    pub fn fail(&self, failure: &Failure) {
        if !failure.is_silent() {
            let name = self.paint(&io::stderr(), Style::Bad, "lsmlite:");
            eprintln!("{name} {failure}");
        }
    }

    /// Whether colours may be used on this stream.
    pub fn has_colors(&self, stream: &impl IsTerminal) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                stream.is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }

    /// The text in a style, if the stream may have colours.
    pub fn paint(&self, stream: &impl IsTerminal, style: Style, text: &str) -> String {
        if !self.has_colors(stream) {
            return text.to_owned();
        }
        let code = match style {
            Style::Good => "32",
            Style::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A progress bar on stderr if that is a terminal, otherwise nothing; of an unknown total, a
    /// count.
    pub fn progress(&self, what: &'static str, total: Option<u64>) -> ProgressBar {
        let bar = match (total, self.quiet) {
            (_, true) => ProgressBar::hidden(),
            (Some(total), _) => {
                ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
            }
            (None, _) => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
        };
        let template = match total {
            Some(_) => "{msg} {wide_bar} {percent:>3} %, {human_pos}, {per_sec}, {eta} to go",
            None => "{msg} {spinner} {human_pos}, {per_sec}, {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        bar
    }
}
