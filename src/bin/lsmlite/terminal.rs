//! The terminal: its size and its modes.

/// Columns of the terminal that standard output is; 80 if it is none.
pub fn columns() -> usize {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout()) {
        if size.ws_col > 0 {
            return size.ws_col.into();
        }
    }
    80
}

/// What the terminal on standard input does with keys and lines.
pub struct Modes {
    #[cfg(unix)]
    modes: Option<rustix::termios::Termios>,
}

impl Modes {
    /// Those of this moment.
    pub fn now() -> Modes {
        Modes {
            #[cfg(unix)]
            modes: rustix::termios::tcgetattr(std::io::stdin()).ok(),
        }
    }

    /// Sets them again.
    pub fn restore(&self) {
        #[cfg(unix)]
        if let Some(modes) = &self.modes {
            use rustix::termios::{OptionalActions, tcsetattr};
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, modes);
        }
    }
}
