//! Records as text and as portable streams, for the command `lsmlite` and for programs of your
//! own.

mod encoding;

pub use encoding::{Encoding, EncodingError};
