//! Standard output, whose reader may go away.

use std::io::{self, BufWriter, StdoutLock, Write};

use crate::exit::{Failure, Status};

/// Buffered standard output. [`finish`](Output::finish) at the end, or what is in the buffer and
/// the failure to write it are lost.
pub struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub fn new() -> Output {
        Output(BufWriter::with_capacity(1 << 16, io::stdout().lock()))
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write_all(bytes).map_err(|error| failure(&error))
    }

    /// The text and a newline.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text.as_bytes())?;
        self.write(b"\n")
    }

    /// Hands on what is in the buffer.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(|error| failure(&error))
    }

    pub fn finish(mut self) -> Result<(), Failure> {
        self.flush()
    }
}

/// The reader, such as `head`, has seen enough: nothing to say. Otherwise the disk is full, or so.
pub fn failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::new(Status::BrokenPipe, ""),
        _ => Failure::io("write to", "standard output".as_ref(), error),
    }
}
