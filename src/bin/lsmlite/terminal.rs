//! The terminal: its size.

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
