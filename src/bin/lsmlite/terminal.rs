//! The terminal: its size and its modes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Columns of the terminal that standard output is; 80 if it is none.
pub fn columns() -> usize {
    size().map_or(80, |(columns, _)| columns)
}

/// Its rows; 24 if it is none.
pub fn rows() -> usize {
    size().map_or(24, |(_, rows)| rows)
}

fn size() -> Option<(usize, usize)> {
    #[cfg(unix)]
    {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
        (size.ws_col > 0 && size.ws_row > 0).then(|| (size.ws_col.into(), size.ws_row.into()))
    }
    #[cfg(not(unix))]
    None
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

    /// Takes keys as they come, without showing them. Ctrl-C stays what it is.
    fn set_keys(&self) {
        #[cfg(unix)]
        if let Some(modes) = &self.modes {
            use rustix::termios::{LocalModes, OptionalActions, tcsetattr};
            let mut keys = modes.clone();
            keys.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &keys);
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

/// The whole terminal, for a view that is drawn again and again. What was there before comes back
/// when it is dropped, and before a panic is told.
pub struct Screen {
    modes: Arc<Modes>,
    wants_to_leave: Arc<AtomicBool>,
}

/// Another screen, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

impl Screen {
    pub fn open() -> Screen {
        let modes = Arc::new(Modes::now());
        modes.set_keys();
        send(ENTER);
        let restored = Arc::clone(&modes);
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            send(LEAVE);
            restored.restore();
            tell(info);
        }));
        let wants_to_leave = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&wants_to_leave);
        std::thread::spawn(move || {
            let mut key = [0];
            while let Ok(1..) = std::io::Read::read(&mut std::io::stdin(), &mut key) {
                if key == *b"q" {
                    heard.store(true, Ordering::Relaxed);
                }
            }
        });
        Screen {
            modes,
            wants_to_leave,
        }
    }

    /// True once the key q was pressed.
    pub fn wants_to_leave(&self) -> bool {
        self.wants_to_leave.load(Ordering::Relaxed)
    }

    /// What draws these lines over the last ones.
    pub fn frame(&self, lines: &[String]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| format!("{line}\x1b[K")).collect();
        format!("\x1b[H{}\x1b[J", lines.join("\n"))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        send(LEAVE);
        self.modes.restore();
    }
}

/// If the terminal is gone, there is nobody to see it.
fn send(text: &str) {
    let mut out = std::io::stdout();
    let _ = std::io::Write::write_all(&mut out, text.as_bytes());
    let _ = std::io::Write::flush(&mut out);
}
